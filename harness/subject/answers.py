"""What the answer of a call at the far end means: the subject's doing, or a mistake of who asked for the call.

A test makes calls of a runtime and of the told server. Such a call may fail, and then the question is whose fault that
is. An OSError is what a socket call fails with, so it is the subject's. Anything else (a method that does not exist, an
argument of the wrong type, a command that is misspelt) tells of the test, unless the test names it in so many words
(`harness.suite.raises`). The loser was to count every exception from there against the subject: a slip of the pen was
then reported as a missed MUST of the kernel.
"""

from __future__ import annotations

import errno
from typing import Any

_CALL = "raised_by"
_SOURCE = "raised_in"


class BadCommand(Exception):  # noqa: N818 - named for what the test did wrong
    """The test tells a server what it cannot do: no such command, or not with such arguments."""


def from_there(error: BaseException, call: str, source: str = "") -> BaseException:
    """The error, marked as that of a call at the far end; of a function that the test sent there, with its `source`."""
    error.__dict__[_CALL] = call
    error.__dict__[_SOURCE] = source
    return error


def came_from_there(error: BaseException) -> bool:
    """Whether it was raised at the far end and not here."""
    return _CALL in error.__dict__


def answered(error: BaseException) -> str:
    """The call at the far end that failed with this OSError; "" for any other, and for one that was raised here."""
    call: str = error.__dict__.get(_CALL, "")
    return call if _is_of_the_system(error) else ""


def source_of(error: BaseException) -> str:
    """The file with the function, handed over to the far end, that raised this error there; "" if none did."""
    source: str = error.__dict__.get(_SOURCE, "")
    return source


def of_a_command(line: str, answer: dict[str, Any]) -> Any:
    """What the told server answered to a command: its value; its OSError or BadCommand raised."""
    if "bad" in answer:
        raise BadCommand(f"the told server cannot do {line!r}: {answer['bad']}")
    if "errno" in answer:
        number = getattr(errno, answer["errno"], None)  # none where the call told no number, as when it timed out
        raise from_there(OSError(answer["text"]) if number is None else OSError(number, answer["text"]), "the call")
    return answer["ok"]


def _is_of_the_system(error: BaseException) -> bool:
    """Whether it is an OSError, or a group of nothing else, as create_connection(all_errors=True) raises it."""
    if isinstance(error, BaseExceptionGroup):
        return all(_is_of_the_system(one) for one in error.exceptions)
    return isinstance(error, OSError)

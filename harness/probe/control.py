"""The control: what must work before a claim says anything.

    with control():
        client.expect_back(b"before")

    @control()
    def established(serve, raw): …

A test of what a reset does to a server first shows that the server serves. If it does not, the test has learned nothing
about resets: it is inconclusive, and the fail is told by the test whose purpose that is. The same holds for a function
that brings a connection to where a test begins.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from harness.subject.answers import answered
from harness.verdict import Inconclusive, Mismatch

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def control() -> Iterator[None]:
    """What the subject misses within the block makes the test inconclusive, not failed; a decorator, too."""
    try:
        yield
    except Mismatch as missed:
        raise Inconclusive(f"the control failed: expected {missed.expected}; {missed.actual}") from missed
    except AssertionError as missed:
        said = "; ".join(line.strip() for line in str(missed).splitlines()[:2])
        raise Inconclusive(f"the control failed: {said.removeprefix('the control: ')}") from missed
    except Exception as error:
        if not (call := answered(error)):
            raise  # a mistake of the test
        raise Inconclusive(f"the control failed: {call} raised {type(error).__name__}: {error}") from error

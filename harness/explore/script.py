"""Writes the script that shows a failure again, without this harness: `python repro.py HOST PORT`.

It consists of `harness.explore.reproducing`, as it stands there, and of the sequence, a call on each line. What a
script cannot do or see (a segment lost on the link, an exit status, the queue of a listener) it says in a comment.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.explore import reproducing
from harness.explore.actions import Connect, DropNext, Read, literal
from harness.explore.model import Due, End
from harness.subject.protocol import Exactly
from harness.verdict import Broken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.explore.actions import Action
    from harness.explore.model import DueDatagrams
    from harness.explore.player import Missed
    from harness.subject.protocol import Answer

_HEAD = '''\
"""{title}

expected  {expected}
actual    {actual}

Start the server afresh, then `python repro.py HOST PORT`. The exit code is 1 if the bug shows, else 0. It needs Python
3.11 or later, and nothing else.
"""
'''


def script(missed: Missed, *, udp: bool, title: str) -> str:
    """The text of repro.py."""
    head = _HEAD.format(title=_plain(title), expected=_plain(missed.amiss.expected), actual=_plain(missed.amiss.actual))
    machinery = Path(reproducing.__file__).read_text("utf-8").partition('"""\n\n')[2]
    machinery = machinery.replace("UDP = False", f"UDP = {udp}", 1)
    lines = "\n".join(f"    {line}" for line in _lines(missed, udp=udp)) or "    pass"
    return (
        f'{head}\n{machinery}\n\ndef sequence() -> None:\n{lines}\n\n\nif __name__ == "__main__":\n    run(sequence)\n'
    )


def blind(missed: Missed) -> str:
    """Why the script cannot show it, in words; empty where it can."""
    if any(isinstance(action, DropNext) for action in missed.played):
        return "the loss of a segment on the link is part of it, which a script cannot bring about"
    if missed.due is None and not (missed.client and isinstance(missed.played[-1], Connect)):
        return "it is seen at the server's process and its sockets, not by a client"
    return ""


def _lines(missed: Missed, *, udp: bool) -> Iterator[str]:
    last = len(missed.played) - 1
    for number, (action, came) in enumerate(zip(missed.played, missed.came, strict=True)):
        if number == last and missed.due is not None:
            if not isinstance(action, Read):
                yield str(action)
            yield _claim(missed)
        elif isinstance(action, Read):
            if came:
                yield f"{'hear' if udp else 'read'}({action.client}, {came})"
        elif isinstance(action, DropNext):
            yield f"# the next segment with octets that {_whose(action)} is lost here, which no script can do"
        else:
            yield str(action)
            if number == last and isinstance(action, Connect) and missed.client:
                yield f"let_in({missed.client})"
    if reason := blind(missed):
        yield f"# {reason}"


def _whose(action: DropNext) -> str:
    return "a client sends" if action.sent else "the server sends"


def _claim(missed: Missed) -> str:
    due, client = missed.due, missed.client
    if due is None:
        raise Broken("a claim is written of a client that is owed nothing")
    if not isinstance(due, Due):
        return f"owes_datagrams({client}, [{', '.join(_answer(one) for one in _owed(due))}])"
    if due.octets is None:
        what = "None" + (f", least={due.least}" if due.least else "") + (f", like={due.like!r}" if due.like else "")
    else:
        what = f"said[{client}]" if due.octets and due.octets == b"".join(missed.said) else literal(due.octets)
    end = "" if due.end is End.NOT else f', end="{due.end.value}"'
    rest = ("" if not due.reset else ", reset=True") + ("" if due.owed else ", owed=False")
    return f"owes({client}, {what}{end}{rest})"


def _owed(due: DueDatagrams) -> tuple[Answer, ...]:
    return due.answers + due.optional


def _answer(answer: Answer) -> str:
    return literal(answer.octets) if isinstance(answer, Exactly) else f"re.compile({answer.regex.pattern!r})"


def _plain(text: str) -> str:
    """Text that can stand in a docstring."""
    return text.replace("\\", "\\\\").replace('"', "'")


def listed(played: tuple[Action, ...]) -> tuple[str, ...]:
    """The sequence for a person: a line for each action, numbered."""
    return tuple(f"  {number:>3}  {action}" for number, action in enumerate(played, 1))

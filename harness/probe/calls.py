"""The socket calls of one end, with the time of each, for the margins of a ladder diagram.

A call that repeats the one before it is counted and not kept, so that a stream read in a thousand pieces is one line;
a connection of many different calls keeps the first ones and the number of the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

from harness import budget

_KEPT = 400  # calls of one end


class Call(NamedTuple):
    """One call, or several of the same name and outcome in a row."""

    time_ns: int  # of the first one, nanoseconds since the epoch, as captures count
    name: str  # with what it was given: shutdown(SHUT_WR)
    outcome: str = ""  # what came of it where that is no number of octets: EAGAIN, EOF
    octets: int | None = None  # that were taken or given, all together
    times: int = 1  # how many calls

    def __str__(self) -> str:
        result = self.outcome or ("" if self.octets is None else str(self.octets))
        return f"{self.name}{f' ×{self.times}' if self.times > 1 else ''}{f' = {result}' if result else ''}"


@dataclass
class Calls:
    """The calls of one end, in their order."""

    kept: list[Call] = field(default_factory=list)
    left_out: int = 0

    def note(self, name: str, outcome: str = "", octets: int | None = None, *, began_ns: int | None = None) -> None:
        """Take note of a call that has returned; `began_ns` where its beginning says more than its end."""
        self.add(Call(began_ns or budget.wall_ns(), name, outcome, octets))

    def __iter__(self) -> Iterator[Call]:
        return iter(self.kept)

    def add(self, call: Call) -> None:
        """Keep a call, or count it to the one before that it repeats."""
        last = self.kept[-1] if self.kept else None
        if last is not None and not self.left_out and (last.name, last.outcome) == (call.name, call.outcome):
            total = None if last.octets is None or call.octets is None else last.octets + call.octets
            self.kept[-1] = last._replace(octets=total, times=last.times + 1)
        elif len(self.kept) < _KEPT:
            self.kept.append(call)
        else:
            self.left_out += 1

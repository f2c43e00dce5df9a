"""The model: what a client has said and heard, what it is owed, and whether what came is that. Pure.

What is owed is told for the whole of what a client hears, from its connect on: so it does not matter in which pieces it
came, nor when it was read. Two things are asked of it: is anything wrong with what has come *so far*; and, when nothing
more comes, is anything *missing*? The second is asked only when everything that waits for the server has its turn.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from harness.payload import count, first_difference, quote
from harness.probe.ending import Ending

if TYPE_CHECKING:
    from harness.subject.protocol import Answer

SURVIVES = "house:any/survives"


@dataclass(frozen=True)
class Heard:
    """One client up to now."""

    said: tuple[bytes, ...] = ()  # what each send() took, or datagram by datagram
    came: bytes = b""
    datagrams: tuple[bytes, ...] = ()  # those that came from where they were sent to
    half_closed: bool = False
    wanted: int = 0  # octets that were to be read of a stream without end
    turn: bool = True  # whether everyone who came before has gone, so that even a server of one client must serve it
    usual: bytes | None = None  # what the first client that was answered got, where all get the same
    client: int = 0  # its number

    @property
    def stream(self) -> bytes:
        """All that it said."""
        return b"".join(self.said)


class End(Enum):
    """Whether the server may end the connection now."""

    MUST = "must"
    MAY = "may"
    NOT = "must not"


@dataclass(frozen=True)
class Ids:
    """Which requirement is broken by what."""

    octets: str  # those that had to come did not, or others did
    more: str  # something came that nobody is owed
    end: str  # the server did not end the connection, or not in order
    early: str  # it ended the connection


@dataclass(frozen=True)
class Due:
    """What a client has to have heard in the end, in all."""

    ids: Ids
    octets: bytes | None = b""  # exactly these; None where it is not said which
    least: int = 0  # where it is not said which: so many at least
    like: bytes = b""  # and a regular expression that matches them as a whole
    end: End = End.NOT
    reset: bool = False  # whether RST in the place of FIN will do
    owed: bool = True  # else they may come, and need not

    def lacks(self, came: bytes) -> bool:
        """Whether something is missing that must still come."""
        if self.octets is not None:
            return len(came) < len(self.octets)
        return len(came) < self.least or bool(self.like and not re.fullmatch(self.like, came))

    def satisfied(self, came: bytes, ended: Ending | None) -> bool:
        """Whether there is nothing to wait for."""
        return ended is not None or not self.owed or (self.end is not End.MUST and not self.lacks(came))

    def __str__(self) -> str:
        if self.octets:
            what = f"{count(len(self.octets))}, {quote(self.octets)}"
        elif self.octets is not None:
            what = "no octet"
        elif self.like:
            what = f"octets that match {quote(self.like)}"
        else:
            what = f"at least {count(self.least)}" if self.least else "whatever comes"
        ends = {End.MUST: str(Ending.EOF), End.MAY: "", End.NOT: "" if what != "no octet" else "no end"}[self.end]
        return ", then ".join(filter(None, (what, ends)))


@dataclass(frozen=True)
class Amiss:
    """What is wrong with what came."""

    requirement: str
    expected: str
    actual: str


def amiss(due: Due, came: bytes, ended: Ending | None, *, why: str = "") -> Amiss | None:
    """What is wrong with what has come so far; with `why` nothing more comes, also with what has not."""
    ids = due.ids
    if due.octets is not None and (difference := first_difference(due.octets[: len(came)], came[: len(due.octets)])):
        return Amiss(ids.octets, f"{count(len(due.octets))}, {quote(due.octets)}", str(difference))
    if extra := _beyond(due, came):
        return Amiss(ids.more, "no further octet", f"{count(len(extra))} more, {quote(extra)}")
    if ended is Ending.RESET and not due.reset:
        expected, requirement = (
            ("the connection stands until the client closes", ids.early)
            if due.end is End.NOT
            else (str(Ending.EOF), ids.end)
        )
        return Amiss(requirement, expected, f"{_told(came)}, then {ended}")
    if ended is not None and due.end is End.NOT:
        return Amiss(ids.early, "the connection stands until the client closes", f"{_told(came)}, then {ended}")
    if (ended is not None or why) and due.owed and due.lacks(came):
        return Amiss(ids.octets, str(due), f"{_told(came)}{f', then {ended}' if ended else f'; {why}'}")
    if ended is None and why and due.owed and due.end is End.MUST:
        return Amiss(ids.end, str(Ending.EOF), f"{_told(came)}, no end of stream and no reset; {why}")
    return None


def _beyond(due: Due, came: bytes) -> bytes:
    if due.octets is not None:
        return came[len(due.octets) :]
    found = re.match(due.like, came) if due.like else None
    return came[found.end() :] if found else b""


def _told(came: bytes) -> str:
    return f"{count(len(came))}, {quote(came)}" if came else "no octet came"


@dataclass(frozen=True)
class DatagramIds:
    """Which requirement is broken by what."""

    octets: str  # a datagram that is no answer
    missing: str  # an answer that does not come
    more: str  # one answer too many
    source: str  # an answer from elsewhere


@dataclass(frozen=True)
class DueDatagrams:
    """The datagrams that a client has to have got in the end, in any order."""

    ids: DatagramIds
    answers: tuple[Answer, ...] = ()
    optional: tuple[Answer, ...] = ()  # which may come too

    def left(self, came: tuple[bytes, ...]) -> tuple[list[Answer], bytes | None]:
        """The answers that have not come, and the first datagram that is none of them."""
        left, spare = list(self.answers), list(self.optional)
        for octets in came:
            for pool in (left, spare):
                if (found := next((one for one in pool if one.whole(octets)), None)) is not None:
                    pool.remove(found)
                    break
            else:
                return left, octets
        return left, None


def amiss_datagrams(due: DueDatagrams, came: tuple[bytes, ...], *, why: str = "") -> Amiss | None:
    """What is wrong with the datagrams that have come so far; with `why` no more come, also with what has not."""
    left, stranger = due.left(came)
    if stranger is not None:
        if len(came) > len(due.answers) + len(due.optional):
            return Amiss(due.ids.more, "one answer for each datagram", f"one more came, {quote(stranger)}")
        expected = " or ".join(dict.fromkeys(str(answer) for answer in left)) or "no datagram"
        return Amiss(due.ids.octets, f"a datagram of {expected}", f"{quote(stranger)} came")
    if left and why:
        return Amiss(
            due.ids.missing, f"a datagram of {left[0]}", f"{len(came)} datagrams came, this one did not; {why}"
        )
    return None

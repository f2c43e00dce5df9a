"""An answer: which octets it may have, and where it ends in a stream that has no messages.

A regular expression ends where it matches for the first time, so that segments change nothing. Where a protocol tells
lengths it ends there only where they say so: a field of the message (`Lengths`), or a group of the expression.

Texts of a file have names in braces: `{client}`, and what was taken from an earlier answer. They stay in the octets as
they are written until `of()` fills them in.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from harness.payload import quote

CLIENT = "client"  # {client}: what each client says in its own way
LENGTH, CONTENT = (
    "length",
    "content",
)  # groups of one regular expression: the second has as many octets as the first says

Values: TypeAlias = Mapping[str, bytes]


def marker(name: str) -> bytes:
    """How a name stands in a text."""
    return b"{" + name.encode() + b"}"


def filled(octets: bytes, values: Values, written: Callable[[bytes], bytes] = bytes) -> bytes:
    """The octets with the values in the places of their names; those of other names stay."""
    if not values or b"{" not in octets:
        return octets
    names = b"|".join(re.escape(marker(name)) for name in values)
    return re.sub(names, lambda found: written(values[found[0][1:-1].decode()]), octets)


@dataclass(frozen=True)
class Lengths:
    """Where messages of the server end: each has a field that tells it.

    As in Netty's LengthFieldBasedFrameDecoder: `at` octets come before the field, and behind it as many as it says, and
    `adjustment` more (fewer where the field counts itself).
    """

    octets: int
    at: int = 0
    order: Literal["big", "little"] = "big"
    adjustment: int = 0

    def end(self, came: bytes, start: int) -> int | None:
        """Where the message that begins at `start` ends; None as long as its length has not come."""
        begin = start + self.at
        end = begin + self.octets
        if len(came) < end:
            return None
        return max(end, end + int.from_bytes(came[begin:end], self.order) + self.adjustment)

    def whole(self, came: bytes) -> bool:
        """Whether what came are whole messages."""
        place: int | None = 0
        while place is not None and place < len(came):
            place = self.end(came, place)
        return place == len(came)


@dataclass(frozen=True)
class Exactly:
    """An answer of exactly these octets."""

    octets: bytes

    def whole(self, came: bytes) -> bool:
        """Whether what came is the answer, neither a part of it nor more."""
        return came == self.octets

    def of(self, values: Values) -> Exactly:
        """The same with these values filled in."""
        return Exactly(filled(self.octets, values))

    def taken(self, came: bytes) -> dict[str, bytes]:
        """The values that it has for later requests: none."""
        return {}

    def __str__(self) -> str:
        return quote(self.octets)


@dataclass(frozen=True)
class Matching:
    """An answer that a regular expression matches as a whole."""

    regex: re.Pattern[bytes]
    lengths: Lengths | None = None

    def whole(self, came: bytes) -> bool:
        """Whether what came is the answer, neither a part of it nor more."""
        if self._ends_lines and not came.endswith(b"\n"):
            return False
        if self.lengths is not None and not self.lengths.whole(came):
            return False
        found = self.regex.fullmatch(came)
        return found is not None and _has_its_length(found)

    def of(self, values: Values) -> Matching:
        """The same with these values filled in."""
        pattern = filled(self.regex.pattern, values, re.escape)
        return self if pattern == self.regex.pattern else Matching(re.compile(pattern), self.lengths)

    def taken(self, came: bytes) -> dict[str, bytes]:
        """The values that it has for later requests, from an answer that is whole; ValueError from any other."""
        found = self.regex.fullmatch(came)
        if found is None:
            raise ValueError(f"{came!r} is not the whole answer")
        return {name: value or b"" for name, value in found.groupdict().items() if name not in {LENGTH, CONTENT}}

    @functools.cached_property
    def _ends_lines(self) -> bool:
        """Whether all that it matches ends with a line feed, so that it need not be tried at each octet.

        A thousand clients whose answers have a thousand octets take minutes else.
        """
        if self.regex.flags & re.VERBOSE:
            return False  # what looks like its end may be a comment
        return all(re.search(rb"(?<!\\)(?:\\\\)*\\n\Z", one) for one in alternatives(self.regex.pattern))

    @property
    def tells_length(self) -> bool:
        """Whether octets alone, and no regular expression, say where it ends."""
        return self.lengths is not None or LENGTH in self.regex.groupindex

    @property
    def names(self) -> list[str]:
        """Of the values that it has for later requests."""
        return [name for name in self.regex.groupindex if name not in {LENGTH, CONTENT}]

    def __str__(self) -> str:
        pattern = self.regex.pattern.decode(errors="backslashreplace").replace("\n", "\\n")
        told = ", with as many octets of content as its length says" if LENGTH in self.regex.groupindex else ""
        told += ", in whole messages as their lengths say" if self.lengths is not None else ""
        return f"octets that match '{pattern}'{told}"


Answer: TypeAlias = Exactly | Matching

SOMETHING = Matching(re.compile(rb"(?s).+"))
PERHAPS = Matching(re.compile(rb"(?s).*"))
NONE = Matching(re.compile(rb"(?!)"))


def alternatives(pattern: bytes) -> list[bytes]:
    """What stands between the bars of a regular expression that are in no group."""
    found, depth = [b""], 0
    for token in re.findall(rb"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", pattern, re.DOTALL):
        depth += {b"(": 1, b")": -1}.get(token, 0)
        if token == b"|" and not depth:
            found.append(b"")
        else:
            found[-1] += token
    return found


def _has_its_length(found: re.Match[bytes]) -> bool:
    """Whether the content is as long as was said, where anything was."""
    length = found[LENGTH] if LENGTH in found.re.groupindex else None
    if length is None:
        return True
    return length.isdigit() and int(length) == len(found[CONTENT] or b"")


@dataclass
class Hearing:
    """What has come of an answer, octet by octet, without what the server may say unasked.

    That is looked for where the answer begins, and behind each line or, where messages tell their lengths, each message
    of it.
    """

    unasked: Matching | None = None
    came: bytes = b""
    _begun: int = 0  # where the line or message begins that is under way

    def take(self, octets: bytes) -> None:
        """One octet more has come; or any number, where the server says nothing unasked."""
        self.came += octets
        if self.unasked is None:
            return
        if self.unasked.whole(self.came[self._begun :]):
            self.came = self.came[: self._begun]
        elif self._at_an_end(self.unasked.lengths):
            self._begun = len(self.came)

    def _at_an_end(self, lengths: Lengths | None) -> bool:
        if lengths is None:
            return self.came.endswith(b"\n")
        return lengths.end(self.came, self._begun) == len(self.came)


def asked_for(came: bytes, unasked: Matching | None) -> bytes:
    """What came without what the server may say unasked."""
    hearing = Hearing(unasked)
    for place in range(len(came)) if unasked else ():
        hearing.take(came[place : place + 1])
    return hearing.came if unasked else came

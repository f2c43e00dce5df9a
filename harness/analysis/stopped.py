"""Where a match stopped: of an answer that is not the expected one, how far it was, and what stood there instead.

Of exact octets that is the first offset at which they differ. Of a regular expression it is the longest part of the
expression that still matches the beginning of the answer, with how many octets that takes: Python's `re` tells of no
partial match, so shorter and shorter parts of the expression are tried, with the groups closed that the cut leaves
open. A cut right after `|` or after the beginning of a group would match anything, and is left out.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass

from harness.payload import count, first_difference, quote

_LOOKED_AT = 4096  # octets of an answer: where a match stops is seen in its beginning
# A choice or a group of which nothing is there yet.
_BEGINS = re.compile(rb"\||(?<!\\)\((?:\?(?:[:=!]|<[=!]|P<\w+>)?)?")
_CONTEXT = 24  # octets, or characters of an expression, that are quoted from where the match stopped


@dataclass(frozen=True)
class Stopped:
    """The part of an expression that matched, how many octets of the answer it took, and the rest of both."""

    matched: str
    missing: str  # of the expression
    octets: int
    instead: bytes  # of the answer

    def __str__(self) -> str:
        came = quote(self.instead, _CONTEXT) if self.instead else "nothing more"
        if not self.missing:
            return f"the expression matches the first {count(self.octets)}, but then {came} came"
        after = f"after '{_end(self.matched)}' " if self.matched else ""
        wanted = f"{after}the expression has '{_cut(self.missing)}'"
        return f"the match stops at offset {self.octets}: {wanted}, but {came} came"


def where_octets_part(expected: bytes, came: bytes) -> str:
    """Where an answer leaves the octets that were expected; empty if it does not."""
    if (difference := first_difference(expected, came, context=_CONTEXT)) is None:
        return ""
    wanted = quote(difference.expected) if difference.expected else "the end"
    actual = quote(difference.actual) if difference.actual else "nothing more"
    return f"the match stops at offset {difference.offset}: expected {wanted}, got {actual}"


def where_match_stops(regex: re.Pattern[bytes], came: bytes) -> Stopped | None:
    """Where the match of the whole answer with this expression stops; None if it does not."""
    if regex.fullmatch(came):
        return None
    seen = came[:_LOOKED_AT]
    pattern = regex.pattern
    for size in range(len(pattern), 0, -1):
        part = _compiled(pattern[:size], regex.flags)
        if part is not None and (found := part.match(seen)):
            return Stopped(_text(pattern[:size]), _text(pattern[size:]), found.end(), came[found.end() :])
    return Stopped("", _text(pattern), 0, came)


def _compiled(part: bytes, flags: int) -> re.Pattern[bytes] | None:
    """The beginning of an expression as one of its own; None where it cannot be cut there."""
    if any(found.end() == len(part) for found in _BEGINS.finditer(part)):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what an expression might mean that is cut amid a set
        for closing in range(part.count(b"(") + 1):
            try:
                return re.compile(part + b")" * closing, flags)
            except (re.error, OverflowError):
                continue
    return None


def _text(pattern: bytes) -> str:
    return pattern.decode(errors="backslashreplace").replace("\n", "\\n").replace("\r", "\\r")


def _cut(text: str) -> str:
    return text if len(text) <= _CONTEXT else f"{text[:_CONTEXT]}…"


def _end(text: str) -> str:
    return text if len(text) <= _CONTEXT else f"…{text[-_CONTEXT:]}"

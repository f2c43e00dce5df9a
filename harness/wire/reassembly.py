"""Octets in order, from pieces that come in any order, twice, or overlapping: fragments, or segments of a stream.

Where two pieces overlap, the one that came first counts, as a receiver has it that already gave those octets away
(RFC 9293 3.10.7.4).
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def lay(pieces: Iterable[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """The pieces (offset, octets) in order and without overlap; what lies before offset 0 is left out."""
    starts: list[int] = []
    laid: list[bytes] = []
    for start, octets in pieces:
        if start < 0:
            start, octets = 0, octets[-start:]
        if not octets:
            continue
        if not starts or start >= starts[-1] + len(laid[-1]):  # in order, as most are
            starts.append(start)
            laid.append(octets)
            continue
        _fill(starts, laid, start, octets)
    return list(zip(starts, laid, strict=True))


def _fill(starts: list[int], laid: list[bytes], start: int, octets: bytes) -> None:
    """Put those octets in their place that no piece before has filled."""
    end = start + len(octets)
    at = start
    place = bisect_right(starts, start)
    if place:
        at = max(at, starts[place - 1] + len(laid[place - 1]))
    while at < end:
        gap_end = min(end, starts[place]) if place < len(starts) else end
        if at < gap_end:
            starts.insert(place, at)
            laid.insert(place, octets[at - start : gap_end - start])
            place += 1
        if place == len(starts):
            return
        at = max(at, starts[place] + len(laid[place]))
        place += 1


def distinct(pieces: Iterable[tuple[int, bytes]]) -> int:
    """How many octets the pieces hold, each place counted once."""
    return sum(len(octets) for _, octets in lay(pieces))


def join(pieces: Iterable[tuple[int, bytes]]) -> bytes:
    """The octets from offset 0 up to the first hole."""
    end = 0
    whole: list[bytes] = []
    for start, octets in lay(pieces):
        if start != end:
            break
        whole.append(octets)
        end += len(octets)
    return b"".join(whole)

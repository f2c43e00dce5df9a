"""The TCP options (RFC 9293 3.1, RFC 7323, RFC 2018) as octets, joined with `+`: `mss(1460) + NOP + window_scale(7)`.

Nothing is checked and nothing padded: an option that no stack may send is as easily said as a right one.
"""

from __future__ import annotations

import struct
from typing import Final

END: Final = b"\x00"
NOP: Final = b"\x01"
SACK_PERMITTED: Final = b"\x04\x02"


def mss(octets: int) -> bytes:
    """The largest segment that the sender takes, in octets of data."""
    return struct.pack("!BBH", 2, 4, octets)


def window_scale(shift: int) -> bytes:
    """By how many bits the sender's windows are to be shifted."""
    return struct.pack("!BBB", 3, 3, shift)


def timestamps(value: int, echo: int = 0) -> bytes:
    """TSval and TSecr (RFC 7323 3.2)."""
    return struct.pack("!BBII", 8, 10, value, echo)


def sack(*blocks: tuple[int, int]) -> bytes:
    """Left and right edges of what arrived beyond a hole, as numbers on the wire."""
    edges = [edge & 0xFFFFFFFF for block in blocks for edge in block]
    return struct.pack(f"!BB{len(edges)}I", 5, 2 + 4 * len(edges), *edges)


def other(kind: int, octets: bytes = b"", *, length: int | None = None) -> bytes:
    """An option of any kind; `length` is what it says of itself, right unless given."""
    return bytes([kind, 2 + len(octets) if length is None else length]) + octets

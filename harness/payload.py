"""Octets to send, and where two strings of octets part.

Seeded, so that a failure can be seen again: the same seed and size give the same octets on every machine.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

KiB = 1024
MiB = 1024 * KiB

TEXTS = (  # that mean nothing where octets are octets, and something to a server that looks into them
    bytes(range(256)) * 2,
    b"\0" * 30 + b"between" + b"\0",
    b"\r\n\n\r\r\n no end of line",
    b"\xff\xfe\x80\xc3(\xed\xa0\x80\xf5",  # no UTF-8
    *(
        b"0",
        b"\0",
        b"\n",
        b"\r\n",
        b" ",
        b".",
        b"  spaces at both ends \t\r\n",
        b"one line\n",
        b"GET / HTTP/1.0\r\n\r\n",
    ),
    *(
        b"\x04",
        b"\xff",
        b"quit\r\n",
        b"exit\n",
        b"bye",
        b"stop\n",
        b"shutdown\n",
        b"help\n",
        b"status\r\n",
        b"\\n\\x41",
    ),
    *(b"%s%d%%n\n", b"%s%n" * 8),
)


def octets(size: int, seed: int = 7) -> bytes:
    """`size` octets without a pattern, so that a lost, doubled or moved one shows at once."""
    return random.Random(f"{seed}/{size}").randbytes(size)


@dataclass(frozen=True)
class Difference:
    """Where two strings of octets part first."""

    offset: int
    expected: bytes
    actual: bytes
    expected_size: int
    actual_size: int

    def __str__(self) -> str:
        if not self.actual:
            return f"ends after {self.actual_size} of {count(self.expected_size)}"
        if not self.expected:
            return f"goes on after {count(self.expected_size)}: {quote(self.actual)}"
        words = f"differs at offset {self.offset}: expected {quote(self.expected)}, got {quote(self.actual)}"
        same = self.actual_size == self.expected_size
        return words if same else f"{words} ({self.actual_size} of {self.expected_size} octets)"


def first_difference(expected: bytes, actual: bytes, context: int = 12) -> Difference | None:
    """Where `actual` first leaves `expected`, with up to `context` octets from there; None when they are equal."""
    if expected == actual:
        return None
    low, high = 0, min(len(expected), len(actual))
    if expected[:high] == actual[:high]:
        low = high
    while low < high:  # bisect: the slices compare at the speed of memory, a loop over octets would not
        middle = (low + high) // 2
        if expected[low : middle + 1] == actual[low : middle + 1]:
            low = middle + 1
        else:
            high = middle
    window = slice(low, low + context)
    return Difference(low, expected[window], actual[window], len(expected), len(actual))


def count(octets: int) -> str:
    """The number with its unit: `1 octet`, `10 octets`."""
    return f"{octets} octet{'' if octets == 1 else 's'}"


def quote(text: bytes, limit: int = 48) -> str:
    """Octets as a person reads them: printable text as it is, the rest escaped, long ones cut with their size."""
    shown = _shown(text[:limit])
    return shown if len(text) <= limit else f"{shown}… ({len(text)} octets)"


def said(octets: bytes, each: int = 200) -> str:
    """What a server said, as a person reads it: all of it, or its beginning and its end."""
    if len(octets) <= 2 * each:
        return quote(octets, 2 * each) if octets else "nothing"
    return f"{_shown(octets[:each])} … {_shown(octets[-each:])}"


def _shown(octets: bytes) -> str:
    return repr(bytes(octets))[1:]

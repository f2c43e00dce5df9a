"""The time protocol (RFC 868): how far a value of 32 bits is ahead of a moment of our clock.

The value counts seconds since 1900-01-01 00:00 UTC and begins again in 2036, so a difference is taken modulo 2**32 and
the nearest one counts.
"""

from __future__ import annotations

from typing import Final

SINCE_1900: Final = 2_208_988_800  # seconds from 1900 to 1970, where our clock begins (RFC 868)

_ROUND: Final = 2**32


def ahead(value: bytes, moment: float) -> float:
    """By how many seconds a value, four octets in network order, is ahead of `moment` (seconds since the epoch)."""
    difference = int.from_bytes(value, "big") - (moment + SINCE_1900)
    return (difference + _ROUND / 2) % _ROUND - _ROUND / 2

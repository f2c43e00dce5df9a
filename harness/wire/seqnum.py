"""Sequence numbers: arithmetic modulo 2**32 (RFC 9293 3.4).

Two numbers are compared by their distance, never by `<`. The comparison holds while they are less than 2**31 apart; a
window of 2**30 at most (RFC 7323 2.3) keeps honest ones far closer.
"""

from __future__ import annotations

MODULUS = 1 << 32
MASK = MODULUS - 1
HALF = 1 << 31


def distance(start: int, end: int) -> int:
    """Signed steps from `start` to `end` by the shorter way, -2**31 up to 2**31 - 1."""
    return ((end - start + HALF) & MASK) - HALF


def before(a: int, b: int) -> bool:
    """Whether `a` comes before `b`."""
    return distance(a, b) > 0


def after(a: int, b: int) -> bool:
    """Whether `a` comes after `b`."""
    return distance(a, b) < 0


def advance(number: int, octets: int) -> int:
    """The sequence number `octets` further on; negative goes back."""
    return (number + octets) & MASK


def unwrap(number: int, initial: int, near: int = 0) -> int:
    """`number` counted from `initial` without wrap: of all integers that stand for it, the one closest to `near`.

    With `near` following the flow, streams longer than 4 GiB count on.
    """
    return near + distance(advance(initial, near), number)

"""What stands for {client}: names that clients of one run do not share, in the alphabet and length of the file.

They begin at a place that each process draws for itself, since a server may keep what it was told in files, and the
next run finds it there. From one to the next it is a long step, so that names that follow one another differ in all
their octets: a server that looks at the first or the last of them alone is seen too.
"""

from __future__ import annotations

import functools
import itertools
import math
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.subject.exchange import Protocol

ALPHABETS = {
    "digits": b"0123456789",
    "letters": b"abcdefghijklmnopqrstuvwxyz",
    "hex": b"0123456789abcdef",
    "octets": bytes(range(256)),
}

_STEP = (math.sqrt(5) - 1) / 2  # of the whole: the golden ratio spreads any number of names evenly


def room(alphabet: str, length: int) -> int:
    """How many names there are."""
    return int(len(ALPHABETS[alphabet]) ** length)


def name(alphabet: str, length: int, number: int) -> bytes:
    """The name with this number; no two of as many numbers as there are names have the same."""
    letters, names = ALPHABETS[alphabet], room(alphabet, length)
    step = int(names * _STEP)
    while math.gcd(step, names) > 1:
        step += 1
    place = number * step % names
    written = []
    for _ in range(length):
        place, digit = divmod(place, len(letters))
        written.append(letters[digit])
    return bytes(reversed(written))


@functools.cache
def _start() -> int:
    return int.from_bytes(os.urandom(8), "big")


@functools.cache
def _numbers(alphabet: str, length: int) -> Iterator[int]:
    return itertools.count(_start() + 1)


@functools.lru_cache(256)
def numbered(protocol: Protocol, number: int) -> Protocol:
    """What a client with this number (from 1) says and hears: in this process the same each time, and its alone."""
    return protocol.of(name(protocol.client_alphabet, protocol.client_length, _start() - number))


def fresh(protocol: Protocol) -> Protocol:
    """What one more client says and hears: its name is nobody else's in this process."""
    alphabet, length = protocol.client_alphabet, protocol.client_length
    return protocol.of(name(alphabet, length, next(_numbers(alphabet, length)))) if protocol.personal else protocol

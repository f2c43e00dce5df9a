"""IP fragments until their packet is whole (RFC 791 3.2, RFC 8200 4.5).

A datagram larger than the MTU comes as several frames. The subject sent one datagram, and a claim speaks of that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from harness.wire.network import Carried, Fragment, Wrong, behind_extensions
from harness.wire.reassembly import distinct, join

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.wire.frame import Frame

MAX_PACKET: Final = 65535  # octets that a fragmented packet may carry
PATIENCE_NS: Final = 60 * 10**9  # fragments of one packet come within 60 s (RFC 1122 3.3.2, RFC 8200 4.5)

Key: TypeAlias = tuple[bytes, bytes, int, int]


class Part(NamedTuple):
    """One fragment as it came."""

    frame: Frame
    protocol: int
    offset: int  # octets
    octets: bytes
    more: bool


class Whole(NamedTuple):
    """A packet put together, and the numbers of the frames it came in."""

    carried: Carried
    frames: tuple[int, ...]


class Incomplete(NamedTuple):
    """Fragments of one packet that never became whole."""

    parts: tuple[Part, ...]

    def __str__(self) -> str:
        held = distinct((part.offset, part.octets) for part in self.parts)
        return f"fragments hold {held} of {_size(self.parts) or 'an unknown number of'} octets"


class Fragments:
    """The fragments that wait for the rest of their packet."""

    def __init__(self) -> None:
        self._waiting: dict[Key, list[Part]] = {}
        self._given_up: list[Incomplete] = []

    def add(self, frame: Frame, carried: Carried, fragment: Fragment) -> Whole | None:
        """The whole packet if this fragment completes it, else None."""
        octets = carried.octets[carried.start : carried.end]
        if fragment.more and len(octets) % 8:
            raise Wrong(f"fragment of {len(octets)} octets with more to come: not a multiple of 8")
        if fragment.offset + len(octets) > MAX_PACKET:
            raise Wrong(f"fragment that ends at octet {fragment.offset + len(octets)} of a packet")
        # IPv6 tells packets apart by addresses and identification alone (RFC 8200 4.5).
        protocol = carried.protocol if len(carried.source) == 4 else 0
        key = (carried.source, carried.destination, protocol, fragment.ident)
        parts = self._waiting.setdefault(key, [])
        if parts and frame.time_ns - parts[0].frame.time_ns > PATIENCE_NS:
            self._given_up.append(Incomplete(tuple(parts)))
            parts.clear()
        parts.append(Part(frame, carried.protocol, fragment.offset, octets, fragment.more))
        whole = _whole(parts, carried)
        if whole is not None:
            del self._waiting[key]
        return whole

    def incomplete(self) -> Iterator[Incomplete]:
        """What never became whole."""
        yield from self._given_up
        for parts in self._waiting.values():
            yield Incomplete(tuple(parts))


def _size(parts: list[Part] | tuple[Part, ...]) -> int:
    """The size of the packet in octets, as its last fragment tells; 0 while that is missing."""
    return next((part.offset + len(part.octets) for part in parts if not part.more), 0)


def _whole(parts: list[Part], carried: Carried) -> Whole | None:
    """The packet, if its parts leave no hole."""
    size = _size(parts)
    if not size or sum(len(part.octets) for part in parts) < size:
        return None
    octets = join((part.offset, part.octets) for part in parts)[:size]
    if len(octets) < size:
        return None
    # The next header counts in the first fragment only (RFC 8200 4.5).
    protocol = next(part.protocol for part in parts if part.offset == 0)
    packet = Carried(protocol, carried.source, carried.destination, octets, 0, size, None)
    if len(carried.source) == 16:
        packet = behind_extensions(packet)
    return Whole(packet, tuple(part.frame.number for part in parts))

"""Where frames come into the relay: a ring of memory that the kernel fills, as the tap has one.

The relay is a thread of a busy process, and what arrives while it waits for its turn must have room. The loser was the
buffer of the socket: without privileges it holds net.core.rmem_max, not two hundred full frames, and each frame costs
a call of its own.
"""

from __future__ import annotations

import mmap
import struct
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from harness.lab import packet
from harness.lab.ends import MIDDLE
from harness.lab.packet import SLOT, SLOTS

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

_SOL_PACKET, _PACKET_IGNORE_OUTGOING, _ETH_P_ALL = 263, 23, 0x0003
_HEADER: Final = struct.Struct("=IIIH")  # status, length, captured length, offset of the frame (linux/if_packet.h)
_OURS: Final = 1  # TP_STATUS_USER
_FREE: Final = bytes(4)


def inlets(near: socket.socket, far: socket.socket) -> tuple[Inlet, Inlet]:
    """Where frames come in from each end; both wait for the kernel's grace period at once."""
    with ThreadPoolExecutor(2) as together:
        for ready in [together.submit(packet.with_ring, one) for one in (near, far)]:
            ready.result()
    return Inlet(near, MIDDLE[0].name), Inlet(far, MIDDLE[1].name)


class Inlet:
    """The frames that arrive at one interface; what is sent by the same socket does not come back."""

    def __init__(self, socket: socket.socket, interface: str) -> None:
        """Hear by a socket that has a ring and is bound to nothing, and own it."""
        self.socket = socket
        socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        self._ring = mmap.mmap(socket.fileno(), SLOTS * SLOT)
        socket.bind((interface, _ETH_P_ALL))
        self._next = 0
        self._lost = 0

    def take(self, most: int) -> Iterator[bytes]:
        """What has arrived, up to so many frames; a slot is free again as soon as its frame was taken."""
        ring = self._ring
        for _ in range(most):
            base = self._next * SLOT
            status, _, captured, offset = _HEADER.unpack_from(ring, base)
            if not status & _OURS:
                return
            octets = ring[base + offset : base + offset + captured]
            ring[base : base + 4] = _FREE
            self._next = self._next + 1 if self._next + 1 < SLOTS else 0
            yield octets

    @property
    def lost(self) -> int:
        """How many frames had no room up to now."""
        if self.socket.fileno() >= 0:
            self._lost += packet.dropped(self.socket)
        return self._lost

    def close(self) -> None:
        """Give the ring back to the kernel, in the background."""
        packet.let_go(self._release)

    def _release(self) -> None:
        self._ring.close()
        self.socket.close()

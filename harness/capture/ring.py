"""The tap: a ring of memory that the kernel fills with every frame of an interface, shared with this process.

The ring is open before the stimulus and the kernel writes it alone, so the probe is not disturbed; frames are taken out
when a test waits or asks. It is a TPACKET_V2 ring: each frame has a slot and is visible the moment it is whole. The
loser, TPACKET_V3, packs frames into blocks, which hold more but are handed over when full or when a timer runs out:
every fence would wait for that timer, and a trickle of frames uses up a block for each.
"""

from __future__ import annotations

import mmap
import select
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from harness.lab.fence import PROTOCOL, Marker
from harness.lab.packet import SLOT, SLOTS, let_go
from harness.wire.frame import Frame

if TYPE_CHECKING:
    import socket

_SOL_PACKET = 263
_PACKET_STATISTICS, _PACKET_IGNORE_OUTGOING = 6, 23
_ETH_P_ALL = 0x0003
_OUTGOING = 4  # sockaddr_ll.sll_pkttype
_HEADER = struct.Struct("=IIIHHII")  # status, length, captured length, offset of the frame, …, seconds, nanoseconds
_PACKET_TYPE = 32 + 10  # octets from the slot's start to sll_pkttype
_FREE = bytes(4)


@dataclass(frozen=True)
class Counts:
    """What the kernel says of the ring: frames that passed the tap, and those for which there was no slot."""

    passed: int
    dropped: int


class Tap:
    """Every frame at one interface from the moment this is made. A context manager."""

    def __init__(
        self,
        packet: socket.socket,
        interface: str,
        *,
        slots: int = SLOTS,
        slot: int = SLOT,
        loopback: bool = False,
        far: bool = False,
    ) -> None:
        """Map the ring of `slots` slots of `slot` octets that the packet socket has; the tap owns the socket.

        On a `loopback` interface each frame would show twice; there only the arriving one is taken. At the `far` end of
        a link what leaves is what the subject sent.
        """
        self._socket = packet
        self._slot, self._slots = slot, slots
        self._far = far
        if loopback:
            packet.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        self._ring = mmap.mmap(packet.fileno(), slots * slot)
        packet.bind((interface, _ETH_P_ALL))
        self._next = 0
        self._passed = self._dropped = 0
        self.frames: list[Frame] = []
        self.markers: list[Marker] = []
        self.interface = interface

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the ring back to the kernel, in the background."""
        let_go(lambda: _release(self._ring, self._socket))

    def fileno(self) -> int:
        """The descriptor to poll for arriving frames."""
        return self._socket.fileno()

    def collect(self) -> int:
        """Take every frame that is there out of the ring, into `frames` and `markers`; return how many."""
        ring, slot, slots, at = self._ring, self._slot, self._slots, self._next
        frames, number, far = self.frames, len(self.frames), self._far
        taken = 0
        while taken < slots:
            base = at * slot
            status, size, captured, offset, _, seconds, nanoseconds = _HEADER.unpack_from(ring, base)
            if not status & 1:  # TP_STATUS_USER: the slot is ours
                break
            start = base + offset
            octets = ring[start : start + captured]
            sent = (ring[base + _PACKET_TYPE] == _OUTGOING) is not far
            ring[base : base + 4] = _FREE
            at = at + 1 if at + 1 < slots else 0
            taken += 1
            if captured > 23 and octets[23] == PROTOCOL and (marker := Marker.read(octets)) is not None:
                self.markers.append(marker)
                continue
            number += 1
            frames.append(Frame(number, seconds * 1_000_000_000 + nanoseconds, sent, octets, size, far))
        self._next = at
        return taken

    def wait(self, seconds: float) -> bool:
        """Wait up to `seconds` for a frame to arrive; whether one did."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def counts(self) -> Counts:
        """The kernel's own count since the tap was opened."""
        passed, dropped = struct.unpack("=II", self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
        self._passed += passed  # the kernel starts again from 0 at each look; its "passed" includes the dropped
        self._dropped += dropped
        return Counts(self._passed, self._dropped)


def _release(ring: mmap.mmap, packet: socket.socket) -> None:
    ring.close()
    packet.close()

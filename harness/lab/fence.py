"""The fence: proof that the wire has told all it had to tell.

A packet of our own travels the link from the near end to the far end and another one back. When it is back, all that
was sent before has been handed to the kernel at the other end, and all which that kernel sent in answer has passed the
tap. A veth hands a frame to a queue of the processor that sends it, so frames keep their order only on one processor:
the marker therefore goes once through the queue of every processor that a subject may run on.

Markers are IPv4 packets of an experimental protocol (253, RFC 3692), sent over raw sockets: no port is taken from a
subject, no stack answers them. The loser was a packet socket with an ethertype of its own: closing one waits for a
grace period of the kernel, 10 ms and more, twice a test.
"""

from __future__ import annotations

import os
import select
import socket
import struct
from typing import NamedTuple

from harness.budget import Deadline

PROTOCOL = 253
_MAGIC = b"sockspec fence"
_BODY = struct.Struct("!14sQHB")
_IN_FRAME = 14 + 20  # octets before the body: Ethernet and IPv4 headers


class Marker(NamedTuple):
    """What a marker says: which fence, through which processor's queue, on its way back or not."""

    nonce: int
    processor: int
    back: bool

    def octets(self) -> bytes:
        """What the packet carries."""
        return _BODY.pack(_MAGIC, self.nonce, self.processor, self.back)

    @classmethod
    def read(cls, octets: bytes, at: int = _IN_FRAME) -> Marker | None:
        """The marker in a frame (or, with `at` 20, in an IPv4 packet); None if it holds none."""
        if octets[at : at + len(_MAGIC)] != _MAGIC or octets[at - 11] != PROTOCOL or len(octets) < at + _BODY.size:
            return None
        _, nonce, processor, back = _BODY.unpack_from(octets, at)
        return cls(nonce, processor, bool(back))


def marker_socket(own: str, other: str) -> socket.socket:
    """A raw socket of this namespace that exchanges markers between the address `own` and the address `other`."""
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, PROTOCOL)
    raw.bind((own, 0))
    raw.connect((other, 0))
    return raw


def pass_round(nonce: int, near: socket.socket, far: socket.socket, budget: float) -> list[int]:
    """Send the markers there and back; return the processors whose queues they went through.

    The way back ends at the tap, which the caller watches for one marker a processor. Raises TimeoutError when the far
    end has not seen them all within `budget` seconds.
    """
    processors = sorted(os.sched_getaffinity(0))
    deadline = Deadline(budget)
    _send(near, nonce, processors, back=False)
    missing = set(processors)
    while missing:
        if not select.select([far], [], [], deadline.left)[0]:
            raise TimeoutError(f"fence {nonce} did not reach the far end within {deadline}")
        marker = Marker.read(far.recv(2048), at=20)
        if marker is not None and marker.nonce == nonce and not marker.back:
            missing.discard(marker.processor)
    _send(far, nonce, processors, back=True)
    return processors


def _send(raw: socket.socket, nonce: int, processors: list[int], *, back: bool) -> None:
    try:
        for processor in processors:
            os.sched_setaffinity(0, {processor})
            raw.send(Marker(nonce, processor, back).octets())
    finally:
        os.sched_setaffinity(0, processors)

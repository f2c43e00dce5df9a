"""Relative numbers: where the sequence numbers of each end of a connection begin, and how its windows are scaled.

The SYN is 0, the first octet of the stream 1. Of an end whose SYN is not known the first number seen counts as 1, its
own or the one that the other end acknowledges. A numbering goes on segment by segment, so it serves a capture that is
whole and a link on which the next segment is yet to come; who has the whole lets it learn the SYNs first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.wire.segment import ACK, MAX_WINDOW_SCALE, RST, SYN, Segment
from harness.wire.seqnum import advance, unwrap
from harness.wire.step import Step

if TYPE_CHECKING:
    from harness.wire.segment import Endpoint
    from harness.wire.step import FlowPacket

LARGEST_WINDOW: Final = 1 << 30  # RFC 7323 2.3: a number further away than this is not the stream's next


class Numbers:
    """The sequence numbers of one end: where they begin, and how far they have come without wrap."""

    def __init__(self, initial: int = 0) -> None:
        self.initial = initial
        self.reached = 0

    def relative(self, number: int) -> int:
        """The number counted from the initial one."""
        relative = unwrap(number, self.initial, self.reached)
        if abs(relative - self.reached) < LARGEST_WINDOW:  # a forged number must not lead the count astray
            self.reached = relative
        return relative


class Numbering:
    """The numbers of one connection, and with them its segments as steps."""

    def __init__(self, near: Endpoint, far: Endpoint) -> None:
        """Begin without knowing anything."""
        self.syns: dict[Endpoint, Segment] = {}  # the first of each end
        self._numbers: dict[Endpoint, Numbers] = {}
        self._scales = {near: 0, far: 0}
        self._ends = (near, far)

    @property
    def begun(self) -> bool:
        """Whether it is known where both ends begin."""
        return len(self._numbers) == 2

    def learn(self, segment: Segment) -> None:
        """Take from a segment where an end begins, if that is not known, or only guessed and this is its SYN."""
        flags, end = segment.flags, segment.source
        if flags & SYN:
            if end not in self.syns:
                self.syns[end] = segment
                self._numbers[end] = Numbers(segment.seq)
                self._scale()
        elif end not in self._numbers:
            # A RST that answers a SYN has number 0 (RFC 9293 3.10.7.1): not one of a stream, so it stays 0.
            self._numbers[end] = Numbers(0 if flags & RST and segment.seq == 0 else advance(segment.seq, -1))
        if flags & ACK and segment.destination not in self._numbers:
            self._numbers[segment.destination] = Numbers(advance(segment.ack, -1))

    def _scale(self) -> None:
        """Shift windows only if both SYNs offered it (RFC 7323 2.2)."""
        if len(self.syns) < 2:
            return
        shifts = {end: self.syns[end].options.window_scale for end in self._ends}
        if None not in shifts.values():
            self._scales = {end: min(shift or 0, MAX_WINDOW_SCALE) for end, shift in shifts.items()}

    def step(self, packet: FlowPacket, sent: bool, since_ns: int) -> Step:
        """The packet as a step, with the numbers as far as they are known."""
        if not isinstance(packet, Segment):
            return Step(packet, sent, since_ns)
        flags, numbers = packet.flags, self._numbers
        seq = numbers[packet.source].relative(packet.seq)
        ack = numbers[packet.destination].relative(packet.ack) if flags & ACK else 0
        # The window of a SYN is never scaled (RFC 7323 2.2).
        window = packet.window if flags & SYN else packet.window << self._scales[packet.source]
        return Step(packet, sent, since_ns, seq, ack, window)

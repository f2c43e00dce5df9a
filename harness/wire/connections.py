"""Where one connection ends and the next begins on the same pair of ports.

A SYN with another initial number begins a new connection if the one before was over: reset, or closed from both ends,
or never answered. A strange SYN into a living connection stays in it: it is an attack, to be judged there (RFC 5961 4).
The loser was to cut at every new SYN: then a flow would lose its handshake to one forged segment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.wire.segment import ACK, FIN, RST, SYN, Segment
from harness.wire.seqnum import advance

if TYPE_CHECKING:
    from harness.wire.segment import Endpoint, Packet


class Progress:
    """How far a connection has come, as much as it takes to say whether it is over."""

    def __init__(self) -> None:
        self.initial: dict[Endpoint, int] = {}
        self.next: dict[Endpoint, int] = {}  # the number behind the last segment of each end
        self.acked: dict[Endpoint, int] = {}  # what each end has acknowledged last
        self.finished: set[Endpoint] = set()
        self.reset = False

    def begins_anew(self, segment: Segment) -> bool:
        """Whether this is a SYN that opens another connection."""
        if segment.flags & (SYN | ACK) != SYN or self.initial.get(segment.source) == segment.seq:
            return False
        unanswered = set(self.next) == {segment.source}
        return self.reset or len(self.finished) == 2 or unanswered

    def follow(self, segment: Segment) -> None:
        """Take note of one segment."""
        flags, end = segment.flags, segment.source
        if flags & SYN:
            self.initial.setdefault(end, segment.seq)
        if flags & FIN:
            self.finished.add(end)
        if flags & RST:
            # Only at the number that is awaited, or where its sender stands, is a reset believed (RFC 5961 3.2).
            believed = (self.acked.get(segment.destination), self.next.get(end))
            if segment.seq in believed or end not in self.next:
                self.reset = True
        length = len(segment.data) + bool(flags & SYN) + bool(flags & FIN)
        self.next[end] = advance(segment.seq, length)
        if flags & ACK:
            self.acked[end] = segment.ack


def connections(packets: list[Packet]) -> list[list[Packet]]:
    """The packets of one pair of ports, cut where a new connection begins; at least one list."""
    found: list[list[Packet]] = [[]]
    progress = Progress()
    for packet in packets:
        if isinstance(packet, Segment):
            if progress.begins_anew(packet):
                found.append([])
                progress = Progress()
            progress.follow(packet)
        found[-1].append(packet)
    return found

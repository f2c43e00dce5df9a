"""Flows followed as they go: the next packet of a link becomes a step of its flow at once, at the same cost each time.

`Flow.assemble` has all packets before it and may look ahead; here a number is told by what has passed up to now. Of an
end whose SYN comes only later the first number seen counts as 1 until then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.wire.connections import Progress
from harness.wire.numbering import Numbering
from harness.wire.segment import SYN, Datagram, IcmpError, Segment
from harness.wire.step import Step

if TYPE_CHECKING:
    from harness.wire.segment import Endpoint, Packet


class _Connection:
    """The newest connection between two ends."""

    def __init__(self, near: Endpoint, far: Endpoint) -> None:
        self.progress = Progress()
        self.numbering = Numbering(near, far)


class Follower:
    """All flows of one link."""

    def __init__(self) -> None:
        """Begin before anything has passed."""
        self._connections: dict[tuple[Endpoint, Endpoint], _Connection] = {}

    def step(self, packet: Packet, *, sent: bool) -> Step | None:
        """The packet as a step; None if it belongs to no flow. It comes at the moment 0 of its flow: none is kept."""
        if isinstance(packet, Segment):
            return self._segment(packet, sent)
        if isinstance(packet, Datagram | IcmpError):
            return Step(packet, sent, 0)
        return None

    def _segment(self, segment: Segment, sent: bool) -> Step:
        ends = (segment.source, segment.destination) if sent else (segment.destination, segment.source)
        connection = self._connections.get(ends)
        if connection is None or connection.progress.begins_anew(segment):
            connection = self._connections[ends] = _Connection(*ends)
        connection.progress.follow(segment)
        if segment.flags & SYN or not connection.numbering.begun:
            connection.numbering.learn(segment)
        return connection.numbering.step(segment, sent, 0)

"""Accounting: do the octets that were acknowledged and delivered add up with those that were captured?"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.wire.pattern import got
from harness.wire.segment import ACK, RST, SYN, Endpoint

if TYPE_CHECKING:
    from harness.wire.flow import Flow


@dataclass(frozen=True)
class Delivered:
    """What one client's socket gave to the test: the octets that the subject must have put on the wire."""

    near: Endpoint
    far: Endpoint
    octets: int
    checksum: int  # CRC-32 of them


def unseen(flow: Flow) -> list[str]:
    """Acknowledgments of octets that were never captured, one line each: proof that the capture has a hole."""
    captured = {sender: _Captured.of(flow, sender=sender) for sender in (True, False)}
    holes = []
    for step in flow.steps:
        captured[step.sent].add(step.seq, step.end)
        edge = captured[not step.sent].edge
        # A reset may acknowledge anything, and the answer to a SYN is relative to a number that was captured.
        if step.flags & ACK and not step.flags & (RST | SYN) and step.ack > edge:
            holes.append(f"#{step.number} acknowledges up to {step.ack}, captured up to {edge}")
            captured[not step.sent].pass_over(step.ack)
    return holes


@dataclass
class _Captured:
    """How far the sequence numbers of one end were captured without a gap."""

    edge: int
    beyond: list[tuple[int, int]]  # pieces behind a gap

    @classmethod
    def of(cls, flow: Flow, *, sender: bool) -> _Captured:
        """Begin at the lowest number that the end shows: without its SYN that is not 0."""
        return cls(min((step.seq for step in flow.steps if step.sent == sender), default=0), [])

    def add(self, seq: int, end: int) -> None:
        """A piece was captured; one without length shows that there was something before it, but not what."""
        if seq < end:
            self.beyond.append((seq, end))
            self._close_up()

    def pass_over(self, edge: int) -> None:
        """Go on behind a gap that has been told."""
        self.edge = edge
        self._close_up()

    def _close_up(self) -> None:
        while reached := [piece for piece in self.beyond if piece[0] <= self.edge]:
            self.beyond = [piece for piece in self.beyond if piece[0] > self.edge]
            self.edge = max(self.edge, *(end for _, end in reached))


def undelivered(flow: Flow, delivered: Delivered) -> str:
    """How what the socket gave differs from the stream that was captured; empty when it does not."""
    stream = flow.stream(got)
    if len(stream) < delivered.octets:
        return f"{delivered.near}: the socket gave {delivered.octets} octets, the capture holds {len(stream)}"
    if zlib.crc32(stream[: delivered.octets]) != delivered.checksum:
        return f"{delivered.near}: the socket gave other octets than the capture holds"
    return ""

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
    reached = {True: 0, False: 0}  # by sender: the relative sequence number behind all that was captured
    holes = []
    for step in flow.steps:
        reached[step.sent] = max(reached[step.sent], step.end)
        # A reset may acknowledge anything, and the answer to a SYN is relative to a number that was captured.
        if step.flags & ACK and not step.flags & (RST | SYN) and step.ack > reached[not step.sent]:
            holes.append(f"#{step.number} acknowledges up to {step.ack}, captured up to {reached[not step.sent]}")
    return holes


def undelivered(flow: Flow, delivered: Delivered) -> str:
    """How what the socket gave differs from the stream that was captured; empty when it does not."""
    stream = flow.stream(got)
    if len(stream) < delivered.octets:
        return f"{delivered.near}: the socket gave {delivered.octets} octets, the capture holds {len(stream)}"
    if zlib.crc32(stream[: delivered.octets]) != delivered.checksum:
        return f"{delivered.near}: the socket gave other octets than the capture holds"
    return ""

"""A flow: all segments of one 4-tuple, or all datagrams between two ends, with the ICMP errors that quote them.

Told from the probe's side: `near` is its end. Who sent a packet is told by its source address, not by the tap: on
loopback the tap sees everything come in.

Sequence numbers are relative (see `numbering`): the SYN is 0, the first octet of the stream 1. Of an end whose SYN was
not captured the first number seen counts as 1, and a remark says so.

Where a pair of ports was used again in one capture (see `connections`), `Flow.assemble` returns the newest connection
and `Flow.assemble_all` every one.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias, overload

from harness.wire import expect as claims
from harness.wire.connections import connections
from harness.wire.listing import listing
from harness.wire.match import pick
from harness.wire.numbering import Numbering
from harness.wire.reassembly import distinct, join
from harness.wire.segment import (
    RST,
    SYN,
    Datagram,
    Endpoint,
    IcmpError,
    Malformed,
    Packet,
    Segment,
    Truncated,
)
from harness.wire.states import closed
from harness.wire.step import FlowPacket, Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.wire.pattern import Pattern, Sender

FlowKey: TypeAlias = tuple[str, frozenset[Endpoint]]  # protocol and both ends

PROTOCOLS: Final = ("tcp", "udp")


@dataclass(frozen=True)
class Flow:
    """What passed between two ends."""

    near: Endpoint  # the probe's end
    far: Endpoint
    protocol: str  # tcp or udp
    steps: tuple[Step, ...]
    unreadable: tuple[Truncated | Malformed, ...] = ()  # of these ends, but not to be read: evidence is missing
    remarks: tuple[str, ...] = ()  # what a reader must know of the numbers

    @classmethod
    def assemble(cls, packets: Iterable[Packet], near: Endpoint, far: Endpoint, protocol: str) -> Flow:
        """The newest connection between these ends, or all their datagrams; empty if there was nothing."""
        return cls.assemble_all(packets, near, far, protocol)[-1]

    @classmethod
    def assemble_all(cls, packets: Iterable[Packet], near: Endpoint, far: Endpoint, protocol: str) -> tuple[Flow, ...]:
        """Each connection between these ends, oldest first; of datagrams there is one flow only."""
        ends = frozenset((near, far))
        own = [packet for packet in packets if (key := key_of(packet)) is not None and key[1] == ends]
        return cls.all_of(own, near, far, protocol)

    @classmethod
    def all_of(cls, own: Iterable[Packet], near: Endpoint, far: Endpoint, protocol: str) -> tuple[Flow, ...]:
        """The same of packets that are all known to belong to these two ends (see `sort_by_ends`)."""
        if protocol not in PROTOCOLS:
            raise ValueError(f"a flow is of {' or '.join(PROTOCOLS)}, not of {protocol!r}")
        other = Datagram if protocol == "tcp" else Segment
        own = [
            packet
            for packet in own
            if not isinstance(packet, other) and not (isinstance(packet, IcmpError) and packet.protocol != protocol)
        ]
        if protocol == "udp":
            return (_flow_of_datagrams(own, near, far),)
        return tuple(_flow_of_segments(connection, near, far) for connection in connections(own))

    # --- claims

    @overload
    def expect(self, pattern: Pattern, /) -> Step: ...
    @overload
    def expect(self, first: Pattern, second: Pattern, /, *more: Pattern) -> tuple[Step, ...]: ...
    def expect(self, /, *patterns: Pattern) -> Step | tuple[Step, ...]:
        """These appear in this order, with anything between; returns the steps, of one pattern the step itself."""
        return claims.expect(self, *patterns)

    def expect_only(self, /, *patterns: Pattern) -> tuple[Step, ...]:
        """The flow is exactly these, one step for each."""
        return claims.expect_only(self, *patterns)

    def expect_no(self, pattern: Pattern, /) -> None:
        """No step matches."""
        claims.expect_no(self, pattern)

    # --- queries

    def pick(self, pattern: Pattern) -> tuple[Step, ...]:
        """All steps that match."""
        return pick(pattern, self.steps)

    def after(self, step: Step) -> Flow:
        """The part behind a step, with the numbers and times of the whole."""
        return replace(self, steps=tuple(other for other in self.steps if other.number > step.number))

    def before(self, step: Step) -> Flow:
        """The part up to a step, without it."""
        return replace(self, steps=tuple(other for other in self.steps if other.number < step.number))

    def lived(self) -> Flow:
        """The part in which there was a connection: up to the step with which both ends had closed, with that one."""
        end = closed(self.steps)
        return self if end is None else replace(self, steps=tuple(step for step in self.steps if step.number <= end))

    def octets(self, sender: Sender) -> int:
        """How many octets this end put on the wire; those of a stream once, however often they were sent."""
        if self.protocol == "udp":
            return sum(len(step.data) for step in self.steps if step.sent == sender.sent)
        return distinct(self._pieces(sender))

    def stream(self, sender: Sender) -> bytes:
        """The octets of the stream in order, up to the first hole."""
        if self.protocol == "udp":
            raise ValueError("datagrams are no stream; take the data of pick(got.datagram())")
        return join(self._pieces(sender))

    def _pieces(self, sender: Sender) -> list[tuple[int, bytes]]:
        """Data with its place in the stream; the text that a RST may carry belongs to no stream (RFC 9293 3.5.3)."""
        return [
            (step.place, step.data)
            for step in self.steps
            if step.sent == sender.sent and step.data and not step.flags & RST
        ]

    def listing(self, notes: Mapping[int, str] | None = None) -> str:
        """The flow as a person reads it; the frames in `notes` are marked, with the words behind them."""
        return "\n".join(listing(self, notes))

    def __str__(self) -> str:
        return f"{self.protocol} {self.near} <-> {self.far}, {len(self.steps)} steps"


# --- whose packet is it


def key_of(packet: Packet) -> FlowKey | None:
    """The protocol and the two ends of the flow that a packet belongs to; no protocol if it could not be read."""
    if isinstance(packet, Segment):
        return "tcp", frozenset((packet.source, packet.destination))
    if isinstance(packet, Datagram):
        return "udp", frozenset((packet.source, packet.destination))
    if isinstance(packet, IcmpError):
        return packet.protocol, frozenset((packet.quoted_source, packet.quoted_destination))
    if isinstance(packet, Truncated | Malformed) and packet.source and packet.destination:
        return "", frozenset((packet.source, packet.destination))
    return None


def sort_by_ends(packets: Iterable[Packet], into: dict[frozenset[Endpoint], list[Packet]]) -> None:
    """Add packets, in one pass, to those that are sorted by their two ends; what could not be read keeps its place."""
    for packet in packets:
        key = key_of(packet)
        if key is not None:
            into.setdefault(key[1], []).append(packet)


def by_ends(packets: Iterable[Packet]) -> dict[FlowKey, list[Packet]]:
    """The packets sorted by flow, in one pass: for a capture of thousands of connections."""
    sorted_packets: dict[FlowKey, list[Packet]] = defaultdict(list)
    for packet in packets:
        key = key_of(packet)
        if key is not None:
            sorted_packets[key].append(packet)
    return dict(sorted_packets)


def _sent(packet: FlowPacket, near: Endpoint) -> bool:
    """Whether the near end sent it. An ICMP error goes to the one whose packet it quotes."""
    if isinstance(packet, IcmpError):
        return packet.quoted_source != near
    return packet.source == near


# --- datagrams


def _flow_of_datagrams(packets: list[Packet], near: Endpoint, far: Endpoint) -> Flow:
    readable, unreadable = _split(packets)
    start = readable[0].time_ns if readable else 0
    steps = tuple(Step(packet, _sent(packet, near), packet.time_ns - start) for packet in readable)
    return Flow(near, far, "udp", steps, unreadable)


def _split(packets: Iterable[Packet]) -> tuple[list[FlowPacket], tuple[Truncated | Malformed, ...]]:
    readable: list[FlowPacket] = []
    unreadable: list[Truncated | Malformed] = []
    for packet in packets:
        if isinstance(packet, Truncated | Malformed):
            unreadable.append(packet)
        elif isinstance(packet, Segment | Datagram | IcmpError):
            readable.append(packet)
    return readable, tuple(unreadable)


# --- segments


def _flow_of_segments(packets: list[Packet], near: Endpoint, far: Endpoint) -> Flow:
    readable, unreadable = _split(packets)
    segments = [packet for packet in readable if isinstance(packet, Segment)]
    start = readable[0].time_ns if readable else 0
    numbering = _begun(segments, near, far)
    steps = tuple(numbering.step(packet, _sent(packet, near), packet.time_ns - start) for packet in readable)
    return Flow(near, far, "tcp", steps, unreadable, tuple(_remarks(segments, numbering, near, far)))


def _begun(segments: list[Segment], near: Endpoint, far: Endpoint) -> Numbering:
    """The numbering that knows where both ends begin: by their SYNs, however late, else by the first number seen."""
    numbering = Numbering(near, far)
    for segment in segments:
        if segment.flags & SYN:
            numbering.learn(segment)
    for segment in segments:
        if numbering.begun:
            break
        numbering.learn(segment)
    return numbering


def _remarks(segments: list[Segment], numbering: Numbering, near: Endpoint, far: Endpoint) -> Iterable[str]:
    """What a reader must know of the numbers; a lone RST has no stream, so nothing is missing."""
    for end in (near, far):
        if end not in numbering.syns and any(segment.source == end and not segment.flags & RST for segment in segments):
            yield f"no SYN of {end} in the capture: its first number seen counts as 1, windows may be unscaled"

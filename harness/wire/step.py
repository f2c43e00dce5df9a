"""One step of a flow: a packet with the numbers that only its flow can give it."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from harness.wire.segment import EVERY_FLAGS, FIN, SYN, Datagram, Flags, IcmpError, Segment
from harness.wire.seqnum import distance

FlowPacket: TypeAlias = Segment | Datagram | IcmpError


class Step(NamedTuple):
    """A packet of a flow. Of datagrams and ICMP errors the sequence numbers and the window are 0."""

    packet: FlowPacket
    sent: bool  # by the probe
    since_ns: int  # nanoseconds since the first step of the flow
    seq: int = 0  # relative: SYN is 0, the first octet of the stream is 1
    ack: int = 0  # relative; 0 without the ACK flag
    window: int = 0  # octets, scaled

    @property
    def number(self) -> int:
        """The number of the frame, as Wireshark shows it."""
        return self.packet.number

    @property
    def time_ns(self) -> int:
        """The kernel's time, nanoseconds since the epoch."""
        return self.packet.time_ns

    @property
    def segment(self) -> Segment:
        """The segment, with its numbers as on the wire; TypeError if it is none."""
        if not isinstance(self.packet, Segment):
            raise TypeError(f"{self.packet} is no segment")
        return self.packet

    @property
    def flags(self) -> Flags:
        """The control bits; none if it is not a segment."""
        return self.packet.flags if isinstance(self.packet, Segment) else EVERY_FLAGS[0]

    @property
    def data(self) -> bytes:
        """The octets that it carries for the program above."""
        return b"" if isinstance(self.packet, IcmpError) else self.packet.data

    @property
    def end(self) -> int:
        """SEG.SEQ + SEG.LEN, relative: the sequence number behind it; SYN and FIN count one each (RFC 9293 3.4)."""
        return self.seq + len(self.data) + bool(self.flags & SYN) + bool(self.flags & FIN)

    @property
    def right_edge(self) -> int:
        """The sequence number, relative, that the other end may not reach: ack + window."""
        return self.ack + self.window

    @property
    def place(self) -> int:
        """Offset of its first octet in the stream, from 0."""
        return self.seq - (0 if self.flags & SYN else 1)

    @property
    def sack(self) -> tuple[tuple[int, int], ...]:
        """Left and right edges of the SACK blocks, relative (RFC 2018 3)."""
        if not isinstance(self.packet, Segment) or not self.packet.option_octets:
            return ()
        acked = self.packet.ack
        return tuple(
            (self.ack + distance(acked, left), self.ack + distance(acked, right))
            for left, right in self.packet.options.sack
        )

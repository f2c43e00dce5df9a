"""The raw peer: an end of a TCP connection without a kernel, which sends what it is told and nothing else.

    peer = raw.peer(subject)
    peer.send("SYN", options=option.mss(1460))
    peer.expect(got.SYN_ACK)
    peer.send("ACK")
    peer.send("RST ACK", seq=peer.snd_nxt + 1)
    peer.expect(got.bare_ack())

It owns an address that no kernel of the lab owns, so nobody answers in its stead. It hears by the tap, and only while
the test waits: between two of its lines nothing happens. Three rules hold for the whole file.

Numbers are relative, as in a flow: the SYN is 0, the first octet 1.

What is not said is what an honest end would send now, at `snd_nxt` and acknowledging up to `rcv_nxt`. A number that is
said is a lie or a repetition, and moves nothing.

What arrives in order is acknowledged while the test waits, until `acknowledges` is set to False; then `rcv_nxt` stays
where it is, so that no other segment acknowledges it either.
"""

from __future__ import annotations

import itertools
import socket
from typing import TYPE_CHECKING, Self

from harness import budget
from harness.budget import Deadline
from harness.lab import packet
from harness.lab.ends import FAR, MTU, NEAR, RAW
from harness.probe import craft, option
from harness.wire import icmp
from harness.wire.match import matches
from harness.wire.pattern import got
from harness.wire.segment import ACK, FIN, RST, SYN, Endpoint, Flags, Segment
from harness.wire.seqnum import advance

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.capture.recording import Wire
    from harness.lab.near import Near
    from harness.probe.probe import Reached
    from harness.wire.flow import Flow
    from harness.wire.pattern import Pattern
    from harness.wire.step import Step

ANYTHING = got.segment() | got.datagram() | got.icmp()

_FIRST_PORT = 40001
_ISS = 1_000_000  # any number will do; a test that wants another says so
_FIXED_HEADERS = {"v4": 40, "v6": 60}  # octets of IP and TCP headers without options (RFC 6691 2)


class RawPeer:
    """One end of one connection. `send` and `expect` read as a transcript."""

    transport = "tcp"

    def __init__(self, put: Callable[[bytes], object], wire: Wire, near: Endpoint, far: Endpoint, iss: int) -> None:
        """Be the end `near`; `put` takes an IP packet to the wire. Nothing is sent yet."""
        self.near = near
        self.far = far
        self.iss = iss
        self.irs = 0  # the subject's, once its SYN has come
        self.snd_nxt = 0
        self.rcv_nxt = 0
        self.window = 0xFFFF  # the field as it is sent
        self.acknowledges = True
        self.ip_options = b""  # of IPv4, in whole words, on all that is sent from then on
        self.ecn = 0  # the ECN field of what is sent: 2 is ECT(0), 3 is CE (RFC 3168 5)
        self._put = put
        self._wire = wire
        self._expected = 0  # number of the frame that was expected last
        self._clock = 0  # TSval of the last segment; 0: no timestamps
        self._echo = 0

    def __str__(self) -> str:
        return f"{self.near} <-> {self.far}"

    def delivered(self) -> None:
        """Nothing: there is no socket whose stream could be held against the capture."""

    # -- sending ------------------------------------------------------------------------------------------------------

    def send(
        self,
        flags: str,
        data: bytes = b"",
        *,
        seq: int | None = None,
        ack: int | None = None,
        window: int | None = None,
        options: bytes | None = None,
        urgent: int = 0,
        reserved: int = 0,
        offset: int | None = None,
        checksum: int | None = None,
    ) -> None:
        """Put one segment on the wire; `flags` are named as in a listing ("FIN ACK"), "" is none."""
        bits = Flags.named(flags) if flags else Flags(0)
        if ack is None:
            ack = self.rcv_nxt
        elif not bits & ACK:
            raise ValueError(f"an acknowledgment number without ACK: {flags}")
        if options is None:
            options = self._timestamps(bits)
        built = craft.segment(
            self.near,
            self.far,
            bits,
            seq=advance(self.iss, self.snd_nxt if seq is None else seq),
            ack=advance(self.irs, ack) if bits & ACK else 0,
            window=self.window if window is None else window,
            urgent=urgent,
            options=options,
            data=data,
            reserved=reserved,
            offset=offset,
            checksum=checksum,
        )
        if seq is None:
            self.snd_nxt += len(data) + bool(bits & SYN) + bool(bits & FIN)
        ends = self.near.host, self.far.host
        self._put(craft.packet(*ends, craft.TCP, built, traffic_class=self.ecn, options=self.ip_options))

    def send_syn(self, options: bytes | None = None, *, timestamps: bool = False, data: bytes = b"") -> None:
        """Send our SYN, with these options or with the MSS alone, and with `timestamps` on it and all that follows."""
        if options is None:
            options = option.mss(MTU - _FIXED_HEADERS["v6" if ":" in self.near.host else "v4"])
        if timestamps:
            self._clock = 1
            options += option.NOP * 2 + option.timestamps(self._clock)
        self.send("SYN", data, options=options)

    def handshake(self, options: bytes | None = None, *, timestamps: bool = False) -> Step:
        """Open the connection; the subject's SYN ACK."""
        self.send_syn(options, timestamps=timestamps)
        answer = self.expect(got.SYN_ACK)
        self.send("ACK")
        return answer

    def acknowledge(self) -> None:
        """Acknowledge all that has arrived in order, whether or not this is done by itself."""
        self._advance(self._wire.so_far(self))
        self.send("ACK")

    def flow(self) -> Flow:
        """All that passed up to now, closed by a fence."""
        return self._wire.flow(self)

    # -- hearing ------------------------------------------------------------------------------------------------------

    def expect(self, pattern: Pattern, *, seconds: float = budget.RESPONSE) -> Step:
        """Claim that a segment which matches comes within `seconds`, behind the one that was expected last."""
        deadline = Deadline(seconds)
        while True:
            found = next((step for step in self._news() if matches(pattern, step)), None)
            if found is not None:
                self._expected = found.number
                return found
            if deadline.over:
                return self._unexpected(self.flow()).expect(pattern)
            self._wire.tap.wait(deadline.slice(0.05))

    def expect_at_once(self, pattern: Pattern) -> Step:
        """Claim that a segment which matches is there when a fence has passed: no timer was waited for."""
        found = self._unexpected(self.flow()).expect(pattern)
        self._expected = found.number
        return found

    def expect_silence(self) -> None:
        """Claim that the subject sent nothing behind what was expected last; a fence proves that we looked long enough.

        It proves what the kernel has done in answer, not what a timer may do later.
        """
        self._unexpected(self.flow()).expect_no(ANYTHING)

    def _unexpected(self, flow: Flow) -> Flow:
        """What stands behind the last one expected."""
        expected = [step for step in flow.steps if step.number <= self._expected]
        return flow.after(expected[-1]) if expected else flow

    def _news(self) -> tuple[Step, ...]:
        """What has come behind the last one expected, acknowledged where it should be."""
        flow = self._wire.so_far(self)
        if self._advance(flow, only_honest=True):
            self.send("ACK")
        return tuple(step for step in flow.steps if step.number > self._expected and not step.sent)

    def _advance(self, flow: Flow, *, only_honest: bool = False) -> bool:
        """Move `rcv_nxt` over what has arrived in order; whether there is something to acknowledge."""
        before = self.rcv_nxt
        for step in flow.steps:
            if step.sent or not isinstance(step.packet, Segment) or step.flags & RST:
                continue
            if step.packet.options.timestamps:
                self._echo = step.packet.options.timestamps[0]
            if step.flags & SYN:
                self.irs = step.packet.seq
                self.rcv_nxt = max(self.rcv_nxt, 1)
            elif (self.acknowledges or not only_honest) and step.seq <= self.rcv_nxt < step.end:
                self.rcv_nxt = step.end
        # The SYN is acknowledged by the test's own next line: it may want to leave it unacknowledged.
        return self.rcv_nxt > max(before, 1)

    def _timestamps(self, flags: Flags) -> bytes:
        if not self._clock:
            return b""
        self._clock += 1
        return option.NOP * 2 + option.timestamps(self._clock, self._echo if flags & ACK else 0)


class RawDatagrams:
    """One UDP port of that address."""

    transport = "udp"

    def __init__(self, put: Callable[[bytes], object], near: Endpoint, far: Endpoint) -> None:
        """Be the end `near`; `put` takes an IP packet to the wire."""
        self.near = near
        self.far = far
        self.ip_options = b""  # of IPv4, in whole words, on all that is sent from then on
        self._put = put

    def __str__(self) -> str:
        return f"{self.near} <-> {self.far}"

    def delivered(self) -> None:
        """Datagrams make no stream to account for."""

    def send(self, data: bytes, *, length: int | None = None, checksum: int | None = None) -> None:
        """Put one datagram on the wire; `length` and `checksum` are right unless they are said."""
        built = craft.datagram(self.near, self.far, data, length=length, checksum=checksum)
        self._put(craft.packet(self.near.host, self.far.host, craft.UDP, built, options=self.ip_options))

    def checksum_of(self, data: bytes) -> int:
        """The checksum of a datagram with this data."""
        return int.from_bytes(craft.datagram(self.near, self.far, data)[6:8], "big")


class Raw:
    """What a suite knows as `raw`: makes raw peers. A context manager: leaving it closes the socket that they share."""

    def __init__(self, near: Near, wire: Wire) -> None:
        """Stand on the side `near`, and hear by the tap of `wire`."""
        self._wire = wire
        self._ports = itertools.count(_FIRST_PORT)
        self._socket = near.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._socket.bind((NEAR.name, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        packet.let_go(self._socket.close)

    def peer(
        self,
        subject: Reached,
        *,
        to: Endpoint | None = None,
        host: str | None = None,
        port: int | None = None,
        iss: int = _ISS,
    ) -> RawPeer:
        """An end that has sent nothing yet, toward the subject or to another place of its host.

        Its `host` is an address of our own, its `port` one that was never used in this test, unless they are said.
        """
        peer = RawPeer(self.put, self._wire, self._end(subject, host, port), to or subject.address, iss)
        self._wire.meet(peer)
        return peer

    def connect(self, subject: Reached, options: bytes | None = None, *, timestamps: bool = False) -> RawPeer:
        """An end that has made its handshake."""
        peer = self.peer(subject)
        peer.handshake(options, timestamps=timestamps)
        return peer

    def datagrams(
        self, subject: Reached, *, to: Endpoint | None = None, host: str | None = None, port: int | None = None
    ) -> RawDatagrams:
        """The same for UDP: a port that talks to the subject or to another place of its host."""
        end = RawDatagrams(self.put, self._end(subject, host, port), to or subject.address)
        self._wire.meet(end)
        return end

    def complain(self, about: Step, kind: str, *, rest: int = 0, quoted: Callable[[bytes], bytes] = bytes) -> None:
        """Send an ICMP error of this kind, in words, from an address of our own about what the subject sent.

        It quotes the packet as it was captured, or what `quoted` makes of that; `rest` is an MTU or a pointer.
        """
        packet = self._wire.frame(about.number).octets[14:]
        v6 = packet[0] >> 4 == 6
        kinds = icmp.V6_KINDS if v6 else icmp.V4_KINDS
        number, code = next(numbers for numbers, words in kinds.items() if words == kind)
        source = about.packet.source.host
        # No longer than every link takes whole (RFC 1812 4.3.2.3, RFC 4443 2.4).
        body = quoted(packet)[: 1232 if v6 else 548]
        self.put(craft.icmp(RAW.address("v6" if v6 else "v4"), source, number, code, body, rest=rest))

    def ask_echo(self, host: str, data: bytes, *, mark: int) -> None:
        """Send an ICMP echo request from an address of our own; `mark` is its identifier and sequence number in one."""
        v6 = ":" in host
        kind = 128 if v6 else 8  # RFC 4443 4.1, RFC 792
        self.put(craft.icmp(RAW.address("v6" if v6 else "v4"), host, kind, 0, data, rest=mark))

    def put(self, octets: bytes) -> None:
        """Put an IP packet on the wire."""
        self._socket.send(craft.frame(FAR.mac, RAW.mac, octets))

    def _end(self, subject: Reached, host: str | None, port: int | None) -> Endpoint:
        return Endpoint(host or RAW.address(subject.family), next(self._ports) if port is None else port)

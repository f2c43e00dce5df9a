"""The raw peer: an end of a TCP connection without a kernel, which sends what it is told and nothing else.

    peer = raw.peer(subject)
    peer.send("SYN", options=option.mss(1460))
    peer.expect(got.SYN_ACK)
    peer.send("ACK")
    peer.send("RST ACK", seq=peer.snd_nxt + 1)
    peer.expect(got.bare_ack())

As the passive end it has waited for the subject's SYN, see `raw_listener`, and answers it as it is told.

It owns an address that no kernel of the lab owns, so nobody answers in its stead. It hears by the tap, and only while
the test waits: between two of its lines nothing happens. Three rules hold for the whole file.

Numbers are relative, as in a flow: the SYN is 0, the first octet 1.

What is not said is what an honest end would send now, at `snd_nxt` and acknowledging up to `rcv_nxt`. A number that is
said is a lie or a repetition, and moves nothing.

What arrives in order is acknowledged while the test waits, until `acknowledges` is set to False; then `rcv_nxt` stays
where it is, so that no other segment acknowledges it either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.budget import Deadline
from harness.lab.ends import MTU
from harness.probe import craft, option
from harness.probe.raw_end import RawEnd
from harness.wire.match import matches
from harness.wire.pattern import got
from harness.wire.segment import ACK, FIN, RST, SYN, Endpoint, Flags, Segment
from harness.wire.seqnum import advance

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.capture.recording import Wire
    from harness.wire.flow import Flow
    from harness.wire.pattern import Pattern
    from harness.wire.step import Step

ANYTHING = got.segment() | got.datagram() | got.icmp()

_FIXED_HEADERS = {"v4": 40, "v6": 60}  # octets of IP and TCP headers without options (RFC 6691 2)


class RawPeer(RawEnd):
    """One end of one connection. `send` and `expect` read as a transcript."""

    transport = "tcp"

    def __init__(self, put: Callable[[bytes], object], wire: Wire, near: Endpoint, far: Endpoint, iss: int) -> None:
        """Be the end `near`; `put` takes an IP packet to the wire. Nothing is sent yet."""
        super().__init__(put, near, far)
        self.iss = iss
        self.irs = 0  # the subject's, once its SYN has come
        self.snd_nxt = 0
        self.rcv_nxt = 0
        self.window = 0xFFFF  # the field as it is sent
        self.acknowledges = True
        self._wire = wire
        self._expected = 0  # number of the frame that was expected last
        self._clock = 0  # TSval of the last segment; 0: no timestamps
        self._echo = 0

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
        fragments: Sequence[slice] | None = None,
    ) -> None:
        """Put one segment on the wire, or `fragments` of it; `flags` as in a listing ("FIN ACK"), "" is none."""
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
        self._send(craft.TCP, built, fragments)

    def send_syn(self, options: bytes | None = None, *, timestamps: bool = False, data: bytes = b"") -> None:
        """Send our SYN, with these options or with the MSS alone, and with `timestamps` on it and all that follows."""
        if options is None:
            options = self._mss()
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

    def accept(self, options: bytes | None = None) -> Step:
        """Let the subject open the connection: its SYN, our SYN ACK with these options or the MSS alone; its ACK."""
        self.expect(got.SYN)
        self.send("SYN ACK", options=self._mss() if options is None else options)
        return self.expect(got.segment(flags="ACK", without="SYN", ack=1))

    def acknowledge(self) -> None:
        """Acknowledge all that has arrived in order, whether or not this is done by itself."""
        self._advance(self._wire.so_far(self))
        self.send("ACK")

    def flow(self) -> Flow:
        """All that passed up to now, closed by a fence."""
        return self._wire.flow(self)

    # -- hearing ------------------------------------------------------------------------------------------------------

    def expect(self, pattern: Pattern, *, seconds: float | None = None) -> Step:
        """Claim that a segment which matches comes within `seconds`, behind the one that was expected last."""
        deadline = Deadline(self._wire.response if seconds is None else seconds)
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

        It proves what the kernel has done in answer, not what a timer may do later, nor a TCP that is no kernel's.
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

    def _mss(self) -> bytes:
        return option.mss(MTU - _FIXED_HEADERS["v6" if ":" in self.near.host else "v4"])

    def _timestamps(self, flags: Flags) -> bytes:
        if not self._clock:
            return b""
        self._clock += 1
        return option.NOP * 2 + option.timestamps(self._clock, self._echo if flags & ACK else 0)

"""The wire of one test: recorded from before the first connection, asked for flows, and certified.

What a suite knows as `wire`. `flow()` sends a fence round first, so what is not in the flow did not happen;
`wait_for()` waits for one event. Both give a flow only with a certificate that the capture is whole.
"""

from __future__ import annotations

import bisect
import itertools
import os
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

from harness import budget
from harness.analysis.accounting import Delivered, undelivered, unseen
from harness.budget import Deadline
from harness.capture import pcapng, port_filter
from harness.capture.both_ends import BothEnds
from harness.capture.certificate import Certificate, FarEnd
from harness.capture.ring import Tap
from harness.verdict import Inconclusive
from harness.wire.decode import decode
from harness.wire.flow import Flow, sort_by_ends
from harness.wire.segment import ACK, SYN, Segment, Truncated
from harness.wire.step import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from socket import socket

    from harness.capture.scapy_socket import Packets
    from harness.lab.fence import Marker
    from harness.lab.near import Near
    from harness.wire.frame import Frame
    from harness.wire.pattern import Pattern
    from harness.wire.segment import Endpoint, Packet

_MARKERS_BACK = 5.0  # seconds for the markers of a fence to reach the tap on a loaded machine

_nonces = itertools.count(os.getpid() << 32)


class Talker(Protocol):
    """A client, as far as its flow is concerned."""

    transport: str  # "tcp" or "udp"
    near: Endpoint
    far: Endpoint

    def delivered(self) -> Delivered | None:
        """What its socket gave to the test, None if that is no stream."""


@dataclass  # as the talkers are whose place it takes
class FourTuple:
    """A flow that none of our sockets belongs to, as one can be looked for on the wire."""

    near: Endpoint
    far: Endpoint
    transport: str = "tcp"

    def delivered(self) -> None:
        """No socket of ours gave anything."""


@dataclass(frozen=True)
class Capture:
    """All that was recorded in one test, with its certificate."""

    frames: tuple[Frame, ...]  # of both ends, where a relay is between
    flows: tuple[Flow, ...]  # as the probe's end saw them
    certificate: Certificate
    interface: str
    passed: int  # frames at the tap by the kernel's own count, markers too
    dropped: int
    far: pcapng.FarTap | None = None
    packets: Sequence[Packet] = ()  # what our decoder made of the frames at the probe's end

    def as_pcapng(self, comment: str, cited: Mapping[int, str] | None = None) -> bytes:
        """The octets of a pcapng file, with a comment for the whole and one for each frame that is cited."""
        return pcapng.write(
            pcapng.Capture(
                frames=self.frames,
                comments=dict(cited or {}),
                interface=self.interface,
                comment=comment,
                received=self.passed,
                dropped=self.dropped,
                far=self.far,
            )
        )


class Wire:
    """The recorded wire. A context manager: leaving it closes the tap."""

    def __init__(self, near: Near, *, response: float = budget.RESPONSE) -> None:
        """Open the tap on the side `near` and send the opening marker round.

        `response` are the seconds that whoever is judged may take over one step, unless a wait says otherwise.
        """
        self.response = response
        self._near = near
        self._far_tap = self._tap(near.far_tap(), near.far_interface) if near.far_interface else None
        own = self._tap(near.tap(), near.interface)
        self.tap: Tap | BothEnds = own if self._far_tap is None else BothEnds(own, self._far_tap)
        self._talkers: list[Talker] = []
        self._packets: list[Packet] = []  # what the first `_read` frames mean
        self._sorted: dict[frozenset[Endpoint], list[Packet]] = {}  # the same by their two ends
        self._cut = False  # one of them is not whole: what comes next may be the fragment that it waits for
        self._read = 0
        self._opening = self._fence() or ("" if near.loopback else self._early())

    def _tap(self, packet: socket, interface: str) -> Tap:
        near = self._near
        if near.port is not None:
            port_filter.attach(packet, near.port)
        far = interface == near.far_interface
        return Tap(packet, interface, slots=near.slots, slot=near.slot, loopback=near.loopback, far=far)

    def _early(self) -> str:
        early = len(self.tap.all if isinstance(self.tap, BothEnds) else self.tap.frames)
        return f"{early} frames came before it" if early else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.tap.close()

    def meet(self, talker: Talker) -> None:
        """Take note of a client whose flow may be asked for."""
        self._talkers.append(talker)

    def frame(self, number: int) -> Frame:
        """The frame of this number; LookupError if the probe's end has seen none."""
        frames = self.tap.frames
        place = bisect.bisect_left(frames, number, key=lambda frame: frame.number)
        if place == len(frames) or frames[place].number != number:
            raise LookupError(f"the tap has seen no frame #{number}")
        return frames[place]

    def flow(self, talker: Talker) -> Flow:
        """All that passed between a client and the subject up to now; Inconclusive when the capture is not whole."""
        return _of(talker, self._whole().flows)

    @property
    def far(self) -> FarView:
        """The wire as the subject's end sees it: `wire.far.flow(client)`."""
        return FarView(self._far_flow)

    def _far_flow(self, talker: Talker) -> Flow:
        capture = self._whole()
        if capture.far is None:
            raise LookupError("no relay is between the ends: what one sees the other sees, too")
        packets = decode(frame for frame in capture.frames if frame.far)
        return Flow.assemble(packets, talker.near, talker.far, talker.transport)

    def _whole(self) -> Capture:
        capture = self.capture()
        if not capture.certificate.holds:
            raise Inconclusive(f"the capture is {capture.certificate}")
        return capture

    def packets(self, talker: Talker | None = None) -> Packets:
        """All that passed up to now, or what belongs to one client, as scapy packets with the kernel's times.

        Inconclusive when the capture is not whole, as `flow`.
        """
        from harness.capture.scapy_socket import packets  # scapy takes a while to load, and few tests want it

        capture = self._whole()
        if talker is None:
            return packets(frame for frame in capture.frames if not frame.far)
        flow = _of(talker, capture.flows)
        own = [step.packet for step in flow.steps] + list(flow.unreadable)
        numbers = sorted({number for packet in own for number in packet.frames})
        return packets(capture.frames[number - 1] for number in numbers)

    def sniff(self, *, timeout: float | None = None, **arguments: Any) -> Packets:
        """Give the packets that scapy's sniff finds on this wire, from the first frame on, with its own arguments.

        Without `count`, `stop_filter` and `timeout` it gives what has passed up to now, as `packets` does. Else it ends
        when they say so, and after the time that a step may take at most.
        """
        from harness.capture.scapy_socket import Recorded, sniff

        if timeout is None and not arguments.get("count") and not arguments.get("stop_filter"):
            return sniff(Recorded(frame for frame in self._whole().frames if not frame.far), **arguments)
        return sniff(self.tap, timeout=self.response if timeout is None else timeout, **arguments)

    def pass_fence(self) -> None:
        """Return when what was sent before has arrived at the other end, and what that answered at once has passed."""
        self._fence()

    def so_far(self, talker: Talker) -> Flow:
        """What was captured up to now, without a fence: to look whether something came, not that it did not."""
        self.tap.collect()
        self._decode()
        return self._flow(talker)

    def callers(self, near: Endpoint) -> tuple[Endpoint, ...]:
        """Who has sent a SYN to an end of ours up to now, the first one first."""
        self.tap.collect()
        self._decode()
        calls = (packet for packet in self._packets if isinstance(packet, Segment) and packet.destination == near)
        return tuple(dict.fromkeys(packet.source for packet in calls if packet.flags & SYN and not packet.flags & ACK))

    def wait_for(self, talker: Talker, pattern: Pattern, *, count: int = 1, seconds: float | None = None) -> Step:
        """Wait until `count` steps match, and return the last of these; a claim that they come within `seconds`."""
        deadline = Deadline(self.response if seconds is None else seconds)
        while True:
            if len(found := self.so_far(talker).pick(pattern)) >= count:
                return found[count - 1]
            if deadline.over:
                return self._missing(talker, pattern, count)
            self.tap.wait(deadline.slice(0.05))

    def _missing(self, talker: Talker, pattern: Pattern, count: int) -> Step:
        # The fence of flow() may show at the last moment what was waited for; else the claim says what is missing.
        found = self.flow(talker).expect(*[pattern] * count)
        return found if isinstance(found, Step) else found[-1]

    def capture(self) -> Capture:
        """Everything up to now, closed by a fence."""
        closing = self._fence()
        self._decode()
        flows = self._flows()
        counts = self.tap.counts()
        holes: list[str] = []
        differing: list[str] = []
        for flow, talker in zip(flows, self._talkers, strict=True):
            if (delivered := talker.delivered()) is not None:
                holes += unseen(flow)
                differing += filter(None, [undelivered(flow, delivered)])
        far = self._far_tap.counts() if self._far_tap is not None else None
        frames = self.tap.all if isinstance(self.tap, BothEnds) else self.tap.frames
        certificate = Certificate(
            opened=not self._opening,
            closed=not closing,
            frames=len(self.tap.frames),
            dropped=counts.dropped,
            unseen=tuple(holes),
            differing=tuple(differing),
            why=self._opening or closing,
            far=None if far is None else FarEnd(len(frames) - len(self.tap.frames), far.dropped),
        )
        seen = None if far is None else pcapng.FarTap(self._near.far_interface, far.passed, far.dropped)
        counted = counts.passed, counts.dropped
        return Capture(tuple(frames), flows, certificate, self.tap.interface, *counted, seen, self._packets)

    def _decode(self) -> None:
        """Read what the tap has taken since it was done last."""
        new = self.tap.frames[self._read :]
        if self._cut:
            self._packets, self._sorted, new = [], {}, self.tap.frames
        packets = decode(new)
        self._cut = any(isinstance(packet, Truncated) for packet in packets)
        self._packets += packets
        sort_by_ends(packets, self._sorted)
        self._read = len(self.tap.frames)

    def _flow(self, talker: Talker, later: int = 0) -> Flow:
        """The last connection between these ends, or the one before so many `later` ones."""
        own = self._sorted.get(frozenset((talker.near, talker.far)), ())
        found = Flow.all_of(own, talker.near, talker.far, talker.transport)
        return found[max(-1 - later, -len(found))]

    def _flows(self) -> tuple[Flow, ...]:
        """Those of all talkers: a client that comes from the port of an earlier one has a flow of its own."""
        later: Counter[tuple[Endpoint, Endpoint]] = Counter()
        flows = []
        for talker in reversed(self._talkers):
            ends = (talker.near, talker.far)
            flows.append(self._flow(talker, later[ends]))
            later[ends] += 1
        return tuple(reversed(flows))

    def _fence(self) -> str:
        """Send the markers round and wait until the tap has seen them come back; why it did not, empty when it did."""
        self.tap.collect()  # a ring that is full has no room for the markers
        nonce = next(_nonces)
        try:
            missing = set(self._near.fence(nonce))
        except (OSError, RuntimeError) as error:
            return str(error)
        deadline = Deadline(_MARKERS_BACK)
        while True:
            self.tap.collect()
            missing -= _came_back(self.tap.markers, nonce)
            if not missing:
                self.tap.markers.clear()
                return self._settled(nonce)
            if deadline.over:
                return f"the markers of processors {sorted(missing)} did not come back within {deadline}"
            self.tap.wait(deadline.left)

    def _settled(self, nonce: int) -> str:
        """See that the far tap, which they passed on their way, has seen the markers too; why not, else empty."""
        if not isinstance(self.tap, BothEnds):
            return ""
        self.tap.settle()
        seen = _came_back(self.tap.far.markers, nonce)
        self.tap.far.markers.clear()
        return "" if seen else f"the tap at {self._near.far_interface} has not seen its markers"


class FarView:
    """The wire as it is seen at the subject's end of a link with a relay between: before the relay, what the subject
    sent; behind it, what came of what the probe sent.
    """

    def __init__(self, flow: Callable[[Talker], Flow]) -> None:
        """Look through `flow`."""
        self._flow = flow

    def flow(self, talker: Talker) -> Flow:
        """All that passed at the subject's end; Inconclusive when the capture is not whole.

        LookupError where no relay is between: both ends see the same then, so `wire.flow` tells it.
        """
        return self._flow(talker)


def _of(talker: Talker, flows: tuple[Flow, ...]) -> Flow:
    """The flow of a talker: of several from one port the last one's."""
    return next(flow for flow in reversed(flows) if (flow.near, flow.far) == (talker.near, talker.far))


def _came_back(markers: list[Marker], nonce: int) -> set[int]:
    """The processors whose markers of this fence were seen on their way back."""
    return {marker.processor for marker in markers if marker.nonce == nonce and marker.back}

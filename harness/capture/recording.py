"""The wire of one test: recorded from before the first connection, asked for flows, and certified.

What a suite knows as `wire`. `flow()` sends a fence round first, so what is not in the flow did not happen;
`wait_for()` waits for one event. Both give a flow only with a certificate that the capture is whole.
"""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

from harness import budget
from harness.analysis.accounting import Delivered, undelivered, unseen
from harness.budget import Deadline
from harness.capture import pcapng, port_filter
from harness.capture.certificate import Certificate
from harness.capture.ring import Tap
from harness.verdict import Inconclusive
from harness.wire.decode import decode
from harness.wire.flow import Flow, between
from harness.wire.segment import ACK, SYN, Segment, Truncated
from harness.wire.step import Step

if TYPE_CHECKING:
    from collections.abc import Mapping

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

    frames: tuple[Frame, ...]
    flows: tuple[Flow, ...]
    certificate: Certificate
    interface: str
    passed: int  # frames at the tap by the kernel's own count, markers too
    dropped: int

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
            )
        )


class Wire:
    """The recorded wire. A context manager: leaving it closes the tap."""

    def __init__(self, near: Near) -> None:
        """Open the tap on the side `near` and send the opening marker round."""
        self._near = near
        packet = near.tap()
        if near.port is not None:
            port_filter.attach(packet, near.port)
        self.tap = Tap(packet, near.interface, slots=near.slots, slot=near.slot, loopback=near.loopback)
        self._talkers: list[Talker] = []
        self._packets: list[Packet] = []  # what the first `_read` frames mean
        self._read = 0
        self._opening = self._fence() or ("" if near.loopback else self._early())

    def _early(self) -> str:
        return f"{len(self.tap.frames)} frames came before it" if self.tap.frames else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.tap.close()

    def meet(self, talker: Talker) -> None:
        """Take note of a client whose flow may be asked for."""
        self._talkers.append(talker)

    def flow(self, talker: Talker) -> Flow:
        """All that passed between a client and the subject up to now; Inconclusive when the capture is not whole."""
        capture = self.capture()
        if not capture.certificate.holds:
            raise Inconclusive(f"the capture is {capture.certificate}")
        return next(flow for flow in capture.flows if (flow.near, flow.far) == (talker.near, talker.far))

    def so_far(self, talker: Talker) -> Flow:
        """What was captured up to now, without a fence: to look whether something came, not that it did not."""
        self.tap.collect()
        return self._assemble(self._decoded(), talker)

    def callers(self, near: Endpoint) -> tuple[Endpoint, ...]:
        """Who has sent a SYN to an end of ours up to now, the first one first."""
        self.tap.collect()
        calls = (packet for packet in self._decoded() if isinstance(packet, Segment) and packet.destination == near)
        return tuple(dict.fromkeys(packet.source for packet in calls if packet.flags & SYN and not packet.flags & ACK))

    def wait_for(self, talker: Talker, pattern: Pattern, *, count: int = 1, seconds: float = budget.RESPONSE) -> Step:
        """Wait until `count` steps match, and return the last of these; a claim that they come within `seconds`."""
        deadline = Deadline(seconds)
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
        packets = between(self._decoded())  # sorted once: a thousand clients are not sought in all that was captured
        flows = tuple(
            self._assemble(packets.get(frozenset((talker.near, talker.far)), []), talker) for talker in self._talkers
        )
        counts = self.tap.counts()
        holes: list[str] = []
        differing: list[str] = []
        for flow, talker in zip(flows, self._talkers, strict=True):
            if (delivered := talker.delivered()) is not None:
                holes += unseen(flow)
                differing += filter(None, [undelivered(flow, delivered)])
        certificate = Certificate(
            opened=not self._opening,
            closed=not closing,
            frames=len(self.tap.frames),
            dropped=counts.dropped,
            unseen=tuple(holes),
            differing=tuple(differing),
            why=self._opening or closing,
        )
        return Capture(tuple(self.tap.frames), flows, certificate, self.tap.interface, counts.passed, counts.dropped)

    def _decoded(self) -> list[Packet]:
        new = self.tap.frames[self._read :]
        if any(isinstance(packet, Truncated) for packet in self._packets):
            self._packets, new = [], self.tap.frames  # a fragment may have been waiting for these
        self._packets += decode(new)
        self._read = len(self.tap.frames)
        return self._packets

    def _assemble(self, packets: list[Packet], talker: Talker) -> Flow:
        return Flow.assemble(packets, near=talker.near, far=talker.far, protocol=talker.transport)

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
            missing -= {marker.processor for marker in self.tap.markers if marker.nonce == nonce and marker.back}
            if not missing:
                self.tap.markers.clear()
                return ""
            if deadline.over:
                return f"the markers of processors {sorted(missing)} did not come back within {deadline}"
            self.tap.wait(deadline.left)

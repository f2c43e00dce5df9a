"""The recorded wire: what it tells of a connection, and that it tells nothing when the capture has a hole."""

from __future__ import annotations

import socket
import zlib
from typing import TYPE_CHECKING

import pytest

from harness.analysis.accounting import Delivered
from harness.budget import RESPONSE
from harness.capture import recording
from harness.capture.recording import FourTuple, Wire
from harness.lab.ends import FAR
from harness.lab.near import LabNear
from harness.lab.packet import with_ring
from harness.suite import got, sent
from harness.verdict import Inconclusive, WireMismatch
from harness.wire.segment import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.lab.handle import Lab

SOON = 0.05  # seconds: a budget that is meant to be used up


class Ends:
    """A connection over the link with both its sockets, as the wire knows a talker."""

    transport = "tcp"

    def __init__(self, client: socket.socket, server: socket.socket, given: bytes = b"") -> None:
        """`given` is what the client's socket is said to have given."""
        self.client, self.server, self.given = client, server, given
        self.near = Endpoint(*client.getsockname()[:2])
        self.far = Endpoint(*server.getsockname()[:2])

    def delivered(self) -> Delivered:
        """What the client read."""
        return Delivered(self.near, self.far, len(self.given), zlib.crc32(self.given))

    def pass_on(self, octets: bytes) -> None:
        """From the server to the client, that is: got."""
        self.server.sendall(octets)
        assert self.client.recv(len(octets), socket.MSG_WAITALL) == octets


class NearWith(LabNear):
    """The near end of the lab, whose fence is disturbed."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab)
        self.lab = lab
        self.broken: OSError | None = None
        self.processors: list[int] | None = None  # whose markers we are told to expect
        self.early = b""  # sent before the next fence

    def fence(self, nonce: int) -> list[int]:
        """Round the link, unless it is broken."""
        if self.early:
            with self.lab.socket("near", socket.AF_INET, socket.SOCK_DGRAM) as near:
                near.sendto(self.early, (FAR.v4[0], 9))
            self.early = b""
        if self.broken is not None:
            raise self.broken
        processors = super().fence(nonce)
        return processors if self.processors is None else self.processors


@pytest.fixture
def disturbed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> NearWith:
    """A near side to disturb, and little patience with it."""
    monkeypatch.setattr(recording, "_MARKERS_BACK", SOON)
    return NearWith(lab)


@pytest.fixture
def ends(lab: Lab, family: str) -> Iterator[Ends]:
    """A connection that is opened when a test asks the wire to be there before: this fixture comes after it."""
    yield from connection(lab, family)


def connection(lab: Lab, family: str = "v4") -> Iterator[Ends]:
    kind = socket.AF_INET if family == "v4" else socket.AF_INET6
    with (
        lab.socket("far", kind, socket.SOCK_STREAM) as listener,
        lab.socket("near", kind, socket.SOCK_STREAM) as client,
    ):
        listener.bind((FAR.address(family), 0))
        listener.listen()
        listener.settimeout(RESPONSE)
        client.settimeout(RESPONSE)
        client.connect(listener.getsockname()[:2])
        server, _ = listener.accept()
        with server:
            yield Ends(client, server)


def given(ends: Ends, octets: bytes) -> Ends:
    """The same, when the client's socket gave these octets."""
    return Ends(ends.client, ends.server, octets)


# --- a whole capture


def test_the_flow_of_a_connection(wire: Wire, ends: Ends) -> None:
    """Handshake, octets, and both ends of stream, with a certificate that holds."""
    ends.pass_on(b"hello")
    ends.server.shutdown(socket.SHUT_WR)
    assert ends.client.recv(1) == b""
    ends.client.shutdown(socket.SHUT_WR)
    talker = given(ends, b"hello")
    wire.meet(talker)

    flow = wire.flow(talker)

    flow.expect(sent.SYN, got.SYN, got.data(b"hello"), got.FIN, sent.FIN)
    assert (flow.stream(got), flow.octets(sent)) == (b"hello", 0)
    capture = wire.capture()
    assert str(capture.certificate) == (
        f"whole: {len(capture.frames)} frames, none dropped, every acknowledged octet captured"
    )
    assert capture.passed >= len(capture.frames)  # the kernel counts our markers too
    assert capture.interface == "near0"


def test_each_talker_has_its_own_flow(lab: Lab, wire: Wire) -> None:
    """Two connections to one subject are not mixed."""
    with_first, with_second = connection(lab), connection(lab)
    first, second = next(with_first), next(with_second)
    first.pass_on(b"one")
    second.pass_on(b"two")
    talkers = [given(first, b"one"), given(second, b"two")]
    for talker in talkers:
        wire.meet(talker)

    assert [wire.flow(talker).stream(got) for talker in talkers] == [b"one", b"two"]

    with_first.close()  # type: ignore[attr-defined]  # it is a generator
    with_second.close()  # type: ignore[attr-defined]


def test_a_datagram_is_whole_when_its_last_fragment_has_come(lab: Lab, wire: Wire) -> None:
    """What was looked at before, and was not whole then, is read again with what came since."""
    with (
        lab.socket("near", socket.AF_INET, socket.SOCK_DGRAM) as client,
        lab.socket("far", socket.AF_INET, socket.SOCK_DGRAM) as server,
    ):
        server.bind((FAR.v4[0], 0))
        client.connect(server.getsockname())
        client.send(bytes(3000))
        wire.pass_fence()
        talker = FourTuple(Endpoint(*client.getsockname()), Endpoint(*server.getsockname()), "udp")
    first, *others = wire.tap.frames
    assert others, "the control: it went in fragments"

    wire.tap.frames[:] = [first]
    assert wire.so_far(talker).steps == ()
    wire.tap.frames += others

    assert [len(step.data) for step in wire.so_far(talker).steps] == [3000]


def test_wait_for_returns_the_step(wire: Wire, ends: Ends) -> None:
    """It comes as soon as it is there; with a count, the last of so many."""
    wire.meet(ends)
    ends.server.send(b"one")
    assert wire.wait_for(ends, got.data()).data == b"one"

    ends.server.send(b"two")

    assert wire.wait_for(ends, got.data(), count=2).data == b"two"


def test_wait_for_says_what_did_not_come(wire: Wire, ends: Ends) -> None:
    """When the budget is over it is a claim that failed, told with the wire."""
    wire.meet(ends)

    with pytest.raises(WireMismatch) as told:
        wire.wait_for(ends, got.FIN, seconds=SOON)

    assert told.value.expected == "got FIN"
    assert told.value.actual == "no got FIN in 3 segments"
    assert f"the wire: {ends.near} <-> {ends.far}" in str(told.value)
    assert "sent  SYN" in str(told.value)


# --- a capture with a hole


def test_without_the_closing_fence_there_is_no_flow(disturbed: NearWith, lab: Lab) -> None:
    """Something may have been on its way still."""
    with Wire(disturbed) as wire:
        for ends in connection(lab):
            wire.meet(ends)
            disturbed.broken = TimeoutError("fence 7 did not reach the far end within 5 s")

            with pytest.raises(Inconclusive) as told:
                wire.flow(ends)

    assert str(told.value) == (
        "the capture is not whole (3 frames): the closing fence was not seen"
        " (fence 7 did not reach the far end within 5 s)"
    )


def test_a_fence_must_come_back_through_every_processor(disturbed: NearWith) -> None:
    """One marker that is missing is one queue that may not be empty."""
    with Wire(disturbed) as wire:
        disturbed.processors = [0, 4095]

        assert wire.capture().certificate.faults == (
            "the closing fence was not seen (the markers of processors [4095] did not come back within 0.05 s)",
        )


def test_an_opening_that_came_late_is_told(disturbed: NearWith) -> None:
    """A frame before the opening marker: who knows what was before it."""
    disturbed.early = b"before the test"
    with Wire(disturbed) as wire:
        assert wire.capture().certificate.faults == (
            "the opening marker was not the first frame (2 frames came before it)",
        )


class NarrowNear(LabNear):
    """The near end of the lab, with a ring that soon is full."""

    slots = 32

    def tap(self) -> socket.socket:
        """A packet socket with that ring."""
        return with_ring(self.socket(socket.AF_PACKET, socket.SOCK_RAW), slots=self.slots, slot=self.slot)


def test_drops_leave_no_verdict(lab: Lab) -> None:
    """Neither a flow nor a claim that something did not come."""
    with Wire(NarrowNear(lab)) as wire:
        for ends in connection(lab):
            wire.meet(ends)
            for _ in range(40):
                ends.pass_on(b"one after the other, unread by the tap")

            certificate = wire.capture().certificate
            assert certificate.dropped > 0
            assert not certificate.holds
            with pytest.raises(Inconclusive, match=r"frames were dropped for want of room"):
                wire.flow(ends)
            with pytest.raises(Inconclusive, match=r"frames were dropped for want of room"):
                wire.wait_for(ends, got.FIN, seconds=0)


def test_an_acknowledgment_of_what_was_not_captured_is_told(wire: Wire, ends: Ends) -> None:
    """A frame that the tap has lost without a word is found by the answer to it."""
    wire.meet(ends)
    wire.wait_for(ends, sent.bare_ack())
    ends.server.send(b"hello")
    while not (hello := [frame for frame in wire.tap.frames if frame.octets.endswith(b"hello")]) or (
        hello == wire.tap.frames[-1:]  # its acknowledgment is still to come
    ):
        assert wire.tap.collect() or wire.tap.wait(RESPONSE)
    (lost,) = hello
    wire.tap.frames.remove(lost)

    (fault,) = wire.capture().certificate.faults

    assert fault == f"#{lost.number + 1} acknowledges up to 6, captured up to 1"


def test_octets_that_only_the_socket_gave_are_told(wire: Wire, ends: Ends) -> None:
    """Sockets and wire must tell the same."""
    ends.pass_on(b"hello")
    wire.meet(given(ends, b"hello, too much"))
    wire.meet(given(ends, b"hallo"))

    assert wire.capture().certificate.faults == (
        f"{ends.near}: the socket gave 15 octets, the capture holds 5",
        f"{ends.near}: the socket gave other octets than the capture holds",
    )

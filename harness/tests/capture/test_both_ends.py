"""Both ends of a relayed link: what was lost on its way is seen where it was sent, and one file has both views."""

from __future__ import annotations

import shutil
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from harness.capture import pcapng
from harness.capture.recording import FourTuple, Wire
from harness.capture.traced import comments, joined, traced, without_relay
from harness.lab.ends import FAR, NEAR
from harness.lab.near import LabNear
from harness.lab.relay import Relay
from harness.lab.replayed import replayed
from harness.record import faults
from harness.record.faults import Rules
from harness.suite import got, sent
from harness.wire.segment import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.capture.recording import Capture
    from harness.lab.handle import Lab

PORTS = 40_007, 7


class Talking:
    """Two UDP sockets at the ends of a relayed link, recorded at both."""

    def __init__(self, lab: Lab, relay: Relay, wire: Wire, near: socket.socket, far: socket.socket) -> None:
        self.relay, self.wire, self.near, self.far = relay, wire, near, far
        self.flow = FourTuple(Endpoint(NEAR.v4[0], PORTS[0]), Endpoint(FAR.v4[0], PORTS[1]), "udp")
        wire.meet(self.flow)

    def say(self, *words: bytes) -> None:
        """From the probe's end, one datagram each."""
        for word in words:
            self.near.send(word)

    def answer(self, *words: bytes) -> None:
        """From the subject's end."""
        for word in words:
            self.far.send(word)


@pytest.fixture
def talking(lab_process: Lab) -> Iterator[Talking]:
    """A link with a relay, and a tap at each end."""
    ends = lab_process.ask("build", relayed=True).descriptors
    near_side, far_side = (socket.socket(fileno=end) for end in ends)
    with (
        Relay(near_side, far_side, lambda: lab_process.ask("fence", nonce=0)) as relay,
        Wire(LabNear(lab_process, relayed=True)) as wire,
        lab_process.socket("near", socket.AF_INET, socket.SOCK_DGRAM) as near,
        lab_process.socket("far", socket.AF_INET, socket.SOCK_DGRAM) as far,
    ):
        near.bind((NEAR.v4[0], PORTS[0]))
        far.bind((FAR.v4[0], PORTS[1]))
        near.connect(far.getsockname())
        far.connect(near.getsockname())
        yield Talking(lab_process, relay, wire, near, far)
    lab_process.ask("clear")


def a_bad_day(talking: Talking) -> Capture:
    """Each fate once, in both directions, and what it left on the wire."""
    relay = talking.relay
    with (
        relay.drop(got.datagram(b"lost")),
        relay.duplicate(sent.datagram(b"twice")),
        relay.reorder(sent.datagram(b"behind")),
        relay.corrupt(sent.datagram(b"wrong"), bit=64),
        relay.hold(got.datagram(b"held")),
    ):
        talking.say(b"plain", b"twice", b"behind", b"ahead", b"wrong")
        talking.answer(b"lost", b"held", b"free")
        talking.wire.wait_for(talking.flow, got.datagram(b"free"))
    return talking.wire.capture()


def test_what_the_relay_dropped_is_seen_at_the_end_that_sent_it(talking: Talking) -> None:
    with talking.relay.drop(got.datagram(b"lost")):
        talking.answer(b"lost", b"found")
        talking.wire.wait_for(talking.flow, got.datagram(b"found"))

    talking.wire.flow(talking.flow).expect_only(got.datagram(b"found"))
    talking.wire.far.flow(talking.flow).expect_only(got.datagram(b"lost"), got.datagram(b"found"))


def test_far_says_what_came_of_what_the_probe_sent(talking: Talking) -> None:
    with talking.relay.duplicate(sent.datagram(b"twice")):
        talking.say(b"twice")

    talking.wire.flow(talking.flow).expect_only(sent.datagram(b"twice"))
    talking.wire.far.flow(talking.flow).expect_only(sent.datagram(b"twice"), sent.datagram(b"twice"))


def test_without_a_relay_there_is_no_far_end(wire: Wire) -> None:
    with pytest.raises(LookupError, match="no relay is between"):
        wire.far.flow(FourTuple(Endpoint("10.9.0.1", 1), Endpoint("10.9.0.2", 2)))


def test_the_certificate_covers_both_taps(talking: Talking) -> None:
    talking.say(b"one")

    certificate = talking.wire.capture().certificate

    assert str(certificate).startswith("whole: 1 frames and 1 at the far end, none dropped")


def test_frames_of_both_ends_stand_in_the_order_of_time_under_their_numbers(talking: Talking) -> None:
    capture = a_bad_day(talking)

    times = [frame.time_ns for frame in capture.frames]
    assert times == sorted(times)
    assert [frame.number for frame in capture.frames] == list(range(1, len(times) + 1))
    assert {step.number for step in capture.flows[0].steps} == {
        frame.number for frame in capture.frames if not frame.far
    }


def test_each_act_finds_its_frames(talking: Talking) -> None:
    capture = a_bad_day(talking)
    frames = {frame.number: frame for frame in capture.frames}

    found = {one.act.fate.done: one for one in traced(capture.frames, talking.relay.log)}

    assert set(found) == {"dropped", "doubled", "reordered", "changed in bit 64", "held"}
    assert all(frames[one.frame].octets == one.act.octets for one in found.values())
    assert {what: len(one.passed) for what, one in found.items()} == {
        "dropped": 0, "doubled": 2, "reordered": 1, "changed in bit 64": 1, "held": 1
    }  # fmt: skip
    assert all(
        number and frames[number].far != frames[one.frame].far for one in found.values() for number in one.passed
    )


def test_the_log_and_the_capture_do_it_again_on_paper(talking: Talking) -> None:
    """From the two files of the evidence comes what the taps behind the relay have seen."""
    capture = a_bad_day(talking)
    content = faults.write(Rules({}), traced(capture.frames, talking.relay.log))
    kept = pcapng.read(capture.as_pcapng(""))

    acts = faults.read(content, kept.frames)
    again = replayed([frame for frame in kept.frames if frame.far != frame.sent], acts)

    assert acts == talking.relay.log
    for way in (True, False):
        went = [frame.octets for frame in kept.frames if frame.sent == way and frame.far == way]
        assert [passage.octets for passage in again if passage.sent == way] == went


def test_a_log_of_other_frames_is_refused(talking: Talking) -> None:
    capture = a_bad_day(talking)
    came = [frame for frame in capture.frames if frame.far != frame.sent]

    with pytest.raises(ValueError, match="is not the frame that act"):
        replayed(came[1:], talking.relay.log)
    with pytest.raises(ValueError, match="no log of a relay that belongs to this capture"):
        faults.read(b'{"format": 2}\n', capture.frames)


def test_comments_of_findings_and_of_the_relay_stand_side_by_side() -> None:
    both = joined({3: "got FIN"}, {3: "relay: doubled, by 'x'", 5: "relay: #3, doubled"})

    assert both == {3: "got FIN\nrelay: doubled, by 'x'", 5: "relay: #3, doubled"}
    assert {number: without_relay(text) for number, text in both.items()} == {3: "got FIN", 5: ""}


def test_a_file_with_both_interfaces_comes_back_as_it_was(talking: Talking) -> None:
    capture = a_bad_day(talking)

    kept = pcapng.read(capture.as_pcapng("a bad day"))

    assert kept.frames == capture.frames
    assert (kept.interface, kept.far) == ("near0", capture.far)


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_reads_both_interfaces(talking: Talking, tmp_path: Path) -> None:
    capture = a_bad_day(talking)
    told = comments(traced(capture.frames, talking.relay.log))
    path = tmp_path / "wire.pcapng"
    path.write_bytes(capture.as_pcapng("a bad day", told))
    fields = ["frame.number", "frame.interface_name", "frame.packet_flags_direction", "frame.comment"]

    lines = subprocess.run(
        ["tshark", "-r", path, "-T", "fields", "-E", "separator=|", *(f"-e{name}" for name in fields)],
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    ).stdout.splitlines()

    rows = [line.split("|", 3) for line in lines]
    assert [(int(row[0]), row[1], int(row[2], 0)) for row in rows] == [
        (each.number, "far0" if each.far else "near0", 2 if each.sent else 1) for each in capture.frames
    ]
    assert {int(row[0]) for row in rows if row[3]} == set(told)

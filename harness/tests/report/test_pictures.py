"""Ladder and graph are drawn from the capture: every step, the cited ones marked, long ones folded, all escaped."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest

from harness.capture import pcapng
from harness.capture.traced import traced
from harness.lab.acts import Act, Passage
from harness.lab.fates import Drop, Duplicate
from harness.payload import octets
from harness.probe.calls import Call
from harness.record import faults
from harness.record.evidence import Shown
from harness.record.talks import Talk as Client
from harness.report import ladder as drawing
from harness.report.graph import Scale, graph
from harness.report.ladder import ladder
from harness.report.pages import DRAWN, pictures
from harness.tests.wire.craft import FAR, NEAR, Talk, half_close, udp_frame
from harness.wire.segment import Endpoint
from harness.wire.states import repeated

if TYPE_CHECKING:
    from harness.wire.flow import Flow
    from harness.wire.frame import Frame

START = 1_700_000_000_000_000_000


def texts(svg: str, kind: str) -> list[str]:
    """The texts of that class; parsing shows that the element is well formed."""
    return ["".join(one.itertext()) for one in ET.fromstring(svg).iter("text") if kind in one.get("class", "").split()]


def transfer(segments: int, size: int = 1000, *, again: int = 0) -> Flow:
    """The probe sends so many segments, each acknowledged; the first `again` twice."""
    talk = Talk().handshake()
    for number in range(segments):
        place = 1 + number * size
        for _ in range(2 if number < again else 1):
            talk.sent("ACK", place, 1, octets(size))
        talk.got("ACK", 1, place + size)
    return talk.flow()


def test_every_step_is_an_arrow() -> None:
    """A short flow is drawn whole: relative numbers, octets, states and calls on both sides."""
    svg = ladder(
        half_close().flow(),
        [Call(START + 35_000, "send()", octets=5), Call(START + 55_000, "shutdown(SHUT_WR)")],
        [Call(START + 45_000, "recv()", octets=5)],
    )

    assert len(texts(svg, "label")) == len(half_close().frames)
    assert "PSH ACK 1:6(5) ack 1 win 64512 'hello'" in texts(svg, "label")
    assert [text for text in texts(svg, "call") if "send" in text or "shut" in text] == [
        "send() = 5",
        "shutdown(SHUT_WR)",
    ]
    assert texts(svg, "state")[:4] == ["SYN-SENT", "ESTABLISHED", "SYN-RECEIVED", "ESTABLISHED"]
    assert texts(svg, "clock")[-1] == "0.000090"


def test_a_cited_step_is_marked_with_its_reason() -> None:
    """The arrow that a finding speaks of says why, in a flow of any length."""
    svg = ladder(transfer(400), notes={301: "the window <shrank>"})

    assert texts(svg, "why") == ["cited: the window <shrank>"]
    assert len(ET.fromstring(svg).findall("rect")) == 1


def test_the_middle_of_a_transfer_is_one_line() -> None:
    """Segments that nobody cites are counted, with their octets."""
    svg = ladder(transfer(400))

    assert texts(svg, "wait") == ["… 400 sent (400000 octets), 400 got …"]
    assert len(texts(svg, "label")) == 3


def test_a_ladder_has_an_end() -> None:
    """However many calls and lines, both ends are drawn and the rest is counted."""
    calls = [Call(START + number, f"call{number}()") for number in range(1000)]

    svg = ladder(half_close().flow(), calls)

    left_out = [int(found[1]) for text in texts(svg, "wait") if (found := re.match(r"… (\d+) lines left out", text))]
    assert sum(left_out) + len(texts(svg, "call")) + len(texts(svg, "label")) == 1000 + len(half_close().frames)
    assert len(texts(svg, "call")) + len(texts(svg, "label")) == drawing.DRAWN


def test_a_long_pause_breaks_the_time_axis() -> None:
    """Where nothing happened the lifelines break and say for how long."""
    talk = half_close()
    late = [frame._replace(time_ns=frame.time_ns + 3_000_000_000 * (frame.number > 5)) for frame in talk.frames]
    talk.frames[:] = late

    assert texts(ladder(talk.flow()), "wait") == ["3 s"]


def test_what_was_sent_again_is_told() -> None:
    """In the ladder by a word, in the graph by a stroke of its own."""
    flow = transfer(10, again=2)

    again = repeated(flow.steps)
    assert sum("sent again" in text for text in texts(ladder(flow, again=again), "label")) == 2
    strokes = {
        one.get("class"): one.get("d", "").count("M")
        for one in ET.fromstring(graph(flow, sent=True, again=again)).iter("path")
    }
    assert (strokes["data"], strokes["again"]) == (10, 2)


def test_a_graph_needs_something_to_show() -> None:
    """A few segments are told by the ladder; datagrams are no stream."""
    assert not graph(half_close().flow(), sent=True)
    assert not graph(transfer(10), sent=False)
    assert graph(transfer(10), sent=True)


@pytest.mark.parametrize("segments", [4, 400, 3000])
def test_a_graph_stays_small(segments: int) -> None:
    """Thousands of segments are thinned out, and every place lies within the picture."""
    svg = graph(transfer(segments, size=10), sent=True)

    assert len(svg) < 60_000
    root = ET.fromstring(svg)
    height = float(root.get("height", "0"))
    for path in root.iter("path"):
        for command, number in re.findall(r"([V])(-?[\d.]+)", path.get("d", "")):
            assert command == "V"
            assert 0 <= float(number) <= height


def test_a_pause_is_cut_out_of_the_time_axis() -> None:
    """Two bursts with ten seconds between them both keep their width."""
    burst = [number * 1_000_000 for number in range(20)]
    scale = Scale.of(burst + [moment + 10_000_000_000 for moment in burst])

    assert [pause for _, pause in scale.cuts] == [10_000_000_000 - burst[-1]]
    assert scale.place(burst[-1]) > 0.3
    assert scale.place(0) == 0.0
    assert scale.place(10_000_000_000 + burst[-1]) == 1.0


def capture_of(talk: Talk, comments: dict[int, str] | None = None) -> bytes:
    return pcapng.write(pcapng.Capture(tuple(talk.frames), comments=comments or {}))


def test_pictures_come_from_the_capture_alone() -> None:
    """Without a list of calls the ends are told by who sent; the comments of the capture are the citations."""
    found = pictures(Shown(wire=capture_of(half_close(), {8: "got data after FIN"})))

    assert [picture.name for picture in found.shown] == [f"TCP {NEAR} ↔ {FAR}"]
    assert texts(found.shown[0].ladder, "why") == ["cited: got data after FIN"]


def test_cited_flows_come_first() -> None:
    """Of many clients a few are drawn, the cited one among them, and the others are counted."""
    all_of_them = Talk()
    clients = []
    for port in range(5000, 5010):
        one = Talk(near=Endpoint(NEAR.host, port)).handshake()
        clients.append(Client("tcp", one.near, FAR))
        for frame in one.frames:
            all_of_them.put(frame.sent, frame.octets)
    cited = 9 * 3 + 1  # the SYN of the last one

    found = pictures(Shown(wire=capture_of(all_of_them, {cited: "this one"}), talks=tuple(clients)))

    assert found.shown[0].name.startswith(f"TCP {NEAR.host}:5009")
    assert len(found.shown) == DRAWN
    assert found.more == 10 - DRAWN


def test_a_damaged_capture_is_told() -> None:
    """A report goes on, and says why there is no picture."""
    assert pictures(Shown(wire=b"octets")).unreadable.startswith("neither pcapng nor pcap")
    assert pictures(Shown()).unreadable == ""


# --- what a relay did


def lost_and_doubled() -> tuple[bytes, bytes]:
    """A datagram each way that is lost, one each way that comes twice: the two files of the evidence."""
    frames: list[Frame] = []
    acts: list[Act] = []
    for place, (is_sent, word) in enumerate([(True, b"a"), (False, b"b"), (True, b"c"), (False, b"d")]):
        talk = Talk()
        talk.put(is_sent, datagram(is_sent, word))
        came = talk.frames[0]._replace(number=len(frames) + 1, time_ns=START + 1000 * len(frames), far=not is_sent)
        frames.append(came)
        passed = []
        if place > 1:
            for _ in range(2):
                time_ns = START + 1000 * len(frames)
                frames.append(came._replace(number=len(frames) + 1, time_ns=time_ns, far=is_sent))
                passed.append(Passage(time_ns, is_sent, came.octets))
        fate = Duplicate() if place > 1 else Drop()
        acts.append(
            Act(place + 1, came.time_ns, is_sent, 1 + place // 2, came.octets, "", fate, "by chance", tuple(passed))
        )
    capture = pcapng.Capture(tuple(frames), interface="near0", far=pcapng.FarTap("far0"))
    return pcapng.write(capture), faults.write(faults.Rules({}), traced(frames, acts))


def datagram(is_sent: bool, data: bytes) -> bytes:
    """The frame of a datagram between the two ends."""
    return udp_frame(*((NEAR, FAR) if is_sent else (FAR, NEAR)), data)


def test_what_the_relay_did_is_drawn() -> None:
    """Lost on the way in either direction, doubled on the way to the subject, and come twice to the probe."""
    wire, log = lost_and_doubled()

    (picture,) = pictures(Shown(wire=wire, faults=log)).shown

    assert texts(picture.ladder, "label") == [
        "datagram (1 octet) 'a' dropped",
        "datagram (1 octet) 'b' dropped",
        "datagram (1 octet) 'c' doubled",
        "datagram (1 octet) 'd'",
        "datagram (1 octet) 'd' doubled by the relay",
    ]
    assert [word for _, word in picture.legend] == ["lost", "arrives twice", "a second time"]


def test_a_log_that_does_not_belong_to_the_capture_draws_nothing() -> None:
    """The page goes on without it."""
    wire, log = lost_and_doubled()

    assert pictures(Shown(wire=capture_of(Talk().handshake()), faults=log)).shown[0].legend == ()
    assert pictures(Shown(wire=wire, faults=b"{")).shown[0].legend == ()


@pytest.mark.parametrize("kind", drawing.KINDS)
def test_every_line_of_a_relay_lies_within_its_row(kind: str) -> None:
    """Both ways; parsing shows that the key is well formed."""
    ((key, word),) = drawing.legend(drawing.Relayed({1: drawing.Did(kind, "")}))

    assert word
    assert ET.fromstring(key).find("path") is not None

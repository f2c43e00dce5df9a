"""The relay: what each rule makes of frames on a real link, over both families; its log, its fences, its end."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from harness.budget import RESPONSE
from harness.capture.recording import Wire
from harness.lab.ends import FAR, NEAR
from harness.lab.fates import Delay, Drop, Duplicate, Hold
from harness.lab.faults import Fault
from harness.lab.near import LabNear
from harness.lab.packet import SLOTS, let_go
from harness.lab.relay import Relay
from harness.tests.wire.craft import frame
from harness.verdict import Inconclusive
from harness.wire.checksum import checksum_fault
from harness.wire.decode import decode
from harness.wire.flow import Flow
from harness.wire.pattern import got, sent
from harness.wire.segment import Endpoint, IcmpError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.lab.acts import Act
    from harness.lab.handle import Lab

FAMILY = {"v4": socket.AF_INET, "v6": socket.AF_INET6}
PORT = 7
_IP, _IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER = socket.IPPROTO_IP, 10, 23
_DO, _DONT, _IP_MTU, _IPV6_MTU = 2, 0, 14, 24


class Joined:
    """A link with its relay, a UDP socket on each side, and a fence between; the near socket is connected."""

    def __init__(self, lab: Lab, link: Relay, family: str, near: socket.socket, far: socket.socket) -> None:
        self.lab, self.link, self.family, self.near, self.far = lab, link, family, near, far

    def send(self, *texts: bytes) -> None:
        """From the near end to the far."""
        for text in texts:
            self.near.send(text)

    def fence(self) -> None:
        """What was sent has arrived at the far end, and what the far end has sent has met the rules."""
        self.link.fence()

    def arrived(self) -> list[bytes]:
        """What has arrived at the far end when a fence has passed."""
        self.fence()
        return waiting_at(self.far)

    def streams(self, stack: contextlib.ExitStack) -> tuple[socket.socket, socket.socket]:
        """Both ends of a TCP connection, the near one first."""
        listener = stack.enter_context(self.lab.socket("far", FAMILY[self.family], socket.SOCK_STREAM))
        client = stack.enter_context(self.lab.socket("near", FAMILY[self.family], socket.SOCK_STREAM))
        listener.bind((FAR.address(self.family), PORT))
        listener.listen()
        for one in (listener, client):
            one.settimeout(RESPONSE)
        client.connect(listener.getsockname()[:2])
        accepted = stack.enter_context(listener.accept()[0])
        accepted.settimeout(RESPONSE)
        return client, accepted


def waiting_at(end: socket.socket) -> list[bytes]:
    """All datagrams that a socket holds."""
    end.setblocking(False)
    found = []
    while True:
        try:
            found.append(end.recv(2000))
        except BlockingIOError:
            return found


@contextlib.contextmanager
def relayed(lab: Lab, *, weather: Sequence[Fault] = ()) -> Iterator[Relay]:
    near, far = (socket.socket(fileno=end) for end in lab.ask("build", relayed=True).descriptors)
    with Relay(near, far, lambda: lab.ask("fence", nonce=0), weather=weather) as link:
        yield link
    lab.ask("clear")


@contextlib.contextmanager
def joined(lab: Lab, link: Relay, family: str) -> Iterator[Joined]:
    with (
        lab.socket("near", FAMILY[family], socket.SOCK_DGRAM) as near,
        lab.socket("far", FAMILY[family], socket.SOCK_DGRAM) as far,
    ):
        near.bind((NEAR.address(family), PORT))
        far.bind((FAR.address(family), PORT))
        near.connect(far.getsockname()[:2])
        far.connect(near.getsockname()[:2])
        near.settimeout(RESPONSE)
        far.settimeout(RESPONSE)
        yield Joined(lab, link, family, near, far)


@pytest.fixture
def ends(lab_process: Lab, family: str) -> Iterator[Joined]:
    """A relayed link of its own, over each family."""
    with relayed(lab_process) as link, joined(lab_process, link, family) as ends:
        yield ends


def told(link: Relay) -> list[str]:
    """The log, without the words of the rules."""
    return [str(act).rpartition(", by ")[0] for act in link.log]


# -- each fate


def test_without_a_rule_everything_passes_in_order_and_nothing_is_logged(ends: Joined) -> None:
    texts = [b"%d" % number for number in range(50)]

    ends.send(*texts)

    assert ends.arrived() == texts
    assert ends.link.log == ()


def test_a_dropped_datagram_does_not_arrive(ends: Joined) -> None:
    with ends.link.drop(sent.datagram(b"two"), times=1) as fault:
        ends.send(b"one", b"two", b"two", b"three")

    assert fault.hits == 1
    assert ends.arrived() == [b"one", b"two", b"three"]
    assert told(ends.link) == ["dropped: sent datagram (3 octets) 'two'"]


def test_a_duplicated_datagram_arrives_twice(ends: Joined) -> None:
    with ends.link.duplicate(sent.datagram(b"two")):
        ends.send(b"one", b"two", b"three")
        ends.fence()

    assert ends.arrived() == [b"one", b"two", b"two", b"three"]
    (act,) = ends.link.log
    assert [passage.octets for passage in act.passed] == [act.octets] * 2


def test_delayed_datagrams_come_late_and_in_order(ends: Joined) -> None:
    with ends.link.delay(sent.datagram(), by=0.05):
        ends.send(b"a", b"b", b"c")

        assert [ends.far.recv(100) for _ in range(3)] == [b"a", b"b", b"c"]

    late = [act.passed[0].time_ns - act.time_ns for act in ends.link.log]
    assert min(late) > 0.049e9  # the clock of the log may be set meanwhile
    assert told(ends.link)[0] == "delayed by 0.05 s: sent datagram (1 octet) 'a'"


def test_a_delayed_datagram_is_overtaken_when_the_block_has_ended_too(ends: Joined) -> None:
    """A minute is longer than this test takes anywhere."""
    with ends.link.delay(sent.datagram(b"late"), by=60):
        ends.send(b"late", b"at once")
        assert ends.far.recv(100) == b"at once"
    ends.send(b"behind")

    assert ends.far.recv(100) == b"behind"
    assert ends.link.log[0].passed == ()


def test_a_reordered_datagram_goes_behind_the_next(ends: Joined) -> None:
    """The one that overtakes stays where it is, though the rule speaks of it too."""
    with ends.link.reorder(sent.datagram(), within=RESPONSE) as fault:
        ends.send(b"a", b"b", b"c", b"d")
        fault.wait(at_least=2)

    assert [ends.far.recv(100) for _ in range(4)] == [b"b", b"a", b"d", b"c"]
    assert fault.hits == 2


def test_a_reordered_datagram_goes_on_when_no_other_comes(ends: Joined) -> None:
    with ends.link.reorder(sent.datagram(), within=0.02):
        ends.send(b"alone")

        assert ends.far.recv(100) == b"alone"


def test_a_corrupt_datagram_is_discarded_and_a_mended_one_is_not(ends: Joined) -> None:
    with ends.link.corrupt(sent.datagram(), times=1):
        ends.send(b"discarded")
    with ends.link.corrupt(sent.datagram(), mended=True, times=1):
        ends.send(b"a")

    assert ends.arrived() == [b"`"]
    (wrong,), (right,) = (act.passed for act in ends.link.log)
    assert checksum_fault(frame(wrong.octets)) == "UDP checksum is wrong"
    assert checksum_fault(frame(right.octets)) == ""


def test_held_datagrams_go_on_in_their_order_when_the_block_ends(ends: Joined) -> None:
    with ends.link.hold(sent.datagram(size=1), times=2):
        ends.send(b"a", b"long", b"b", b"c")
        ends.fence()

    assert ends.arrived() == [b"long", b"c", b"a", b"b"]


def test_held_datagrams_go_on_when_they_are_released(ends: Joined) -> None:
    """From then on the rule holds nothing."""
    with ends.link.hold(sent.datagram()) as held:
        ends.send(b"a", b"b")
        held.wait(at_least=2)
        assert [act.passed for act in ends.link.log] == [(), ()]

        held.release()
        ends.send(b"c")

        assert [ends.far.recv(100) for _ in range(3)] == [b"a", b"b", b"c"]
    assert [len(act.passed) for act in ends.link.log] == [1, 1]


def test_two_held_rules_each_release_their_own(ends: Joined) -> None:
    with ends.link.hold(sent.datagram(b"a")):
        with ends.link.hold(sent.datagram(b"b")):
            ends.send(b"a", b"b", b"c")
            ends.fence()
        ends.send(b"d")
        ends.fence()

    assert ends.arrived() == [b"c", b"b", b"d", b"a"]


@pytest.mark.parametrize(
    ("only", "there", "back"),
    [(None, [], []), (sent, [], [b"back"]), (got, [b"there"], [])],
    ids=["both ways", "sent", "got"],
)
def test_a_partition_lets_nothing_pass(ends: Joined, only: object, there: list[bytes], back: list[bytes]) -> None:
    with ends.link.partition(only):  # type: ignore[arg-type]  # one of None, sent, got
        ends.near.send(b"there")
        ends.far.send(b"back")
        ends.fence()

    assert ends.arrived() == there
    assert ([ends.near.recv(100)] if back else waiting_at(ends.near)) == back


def test_chance_strikes_the_same_frames_for_the_same_seed(ends: Joined) -> None:
    """Not so much as the log differs, but for the times."""
    texts = [b"%03d" % number for number in range(200)]
    arrived = []
    for _ in range(2):
        with ends.link.lossy(0.2, seed=7):
            ends.send(*texts)
            ends.fence()
        arrived.append(ends.arrived())

    assert arrived[0] == arrived[1]
    assert 120 < len(arrived[0]) < 190
    lost = [act.octets[-3:] for act in ends.link.log]
    assert lost == 2 * [text for text in texts if text not in arrived[0]]


def test_a_chance_may_be_had_for_every_fate(ends: Joined) -> None:
    texts = [b"%d" % number for number in range(10)]

    with ends.link.duplicate(sent.datagram(), chance=0.5, seed=7) as fault:
        ends.send(*texts)
        ends.fence()

    arrived = ends.arrived()
    assert 0 < fault.hits < 10
    assert len(arrived) == 10 + fault.hits
    assert list(dict.fromkeys(arrived)) == texts


# -- streams and errors


def test_rules_speak_of_segments_by_relative_numbers(ends: Joined) -> None:
    """Numbers count from the beginning of a connection that was there before the rule."""
    with contextlib.ExitStack() as stack:
        client, server = ends.streams(stack)
        client.sendall(b"before")
        assert server.recv(100) == b"before"

        with ends.link.drop(sent.segment(seq=7), times=1):
            client.sendall(b"lost once")

            assert server.recv(100) == b"lost once"

        assert told(ends.link)[0].startswith("dropped: sent PSH ACK  7:16(9)  ack 1  win ")


def test_corrupt_data_of_a_stream_is_sent_again(ends: Joined) -> None:
    with contextlib.ExitStack() as stack:
        client, server = ends.streams(stack)

        with ends.link.corrupt(got.data(), times=1):
            server.sendall(b"whole")

        assert client.recv(100) == b"whole"
        assert checksum_fault(frame(ends.link.log[0].passed[0].octets)) == "TCP checksum is wrong"


def test_rules_speak_of_icmp_errors(ends: Joined) -> None:
    """Nobody listens at the far port: the error that says so is lost once."""
    ends.far.close()

    with ends.link.drop(got.icmp("port unreachable"), times=1):
        ends.send(b"lost")
    ends.send(b"heard")
    ends.fence()

    with pytest.raises(ConnectionRefusedError):
        ends.near.recv(100)
    assert told(ends.link) == [f"dropped: got ICMP port unreachable, from {FAR.address(ends.family)}"]


def test_a_rule_for_anything_speaks_of_what_no_pattern_does(ends: Joined) -> None:
    """A raw packet of a protocol that nobody knows."""
    with ends.lab.socket("near", FAMILY[ends.family], socket.SOCK_RAW, 254) as raw:
        raw.connect((FAR.address(ends.family), 0))
        with ends.link.drop(sent.datagram() | sent.segment(), may_miss=True) as read, ends.link.drop(sent) as side:
            raw.send(b"unknown")

    assert (read.hits, side.hits) == (0, 1)
    assert told(ends.link) == ["dropped: sent IP protocol 254"]


def test_a_datagram_in_fragments_is_met_with_the_one_that_completes_it(ends: Joined) -> None:
    with ends.link.drop(sent.datagram(size=4000), times=1):
        ends.send(bytes(4000))
    ends.send(b"small")

    assert ends.arrived() == [b"small"]
    assert told(ends.link)[0].startswith("dropped: sent datagram (4000 octets) in 3 fragments")


# -- a narrow link


def path_mtu(end: socket.socket) -> int:
    """What the kernel believes of the way from this socket."""
    if end.family == socket.AF_INET:
        return end.getsockopt(_IP, _IP_MTU)
    return end.getsockopt(socket.IPPROTO_IPV6, _IPV6_MTU)


def test_a_narrow_link_tells_the_sender_who_then_sends_less(ends: Joined) -> None:
    """The kernel believes the error, and a stream comes whole through it (RFC 1191, RFC 8201)."""
    octets = bytes(number % 251 for number in range(20_000))
    with contextlib.ExitStack() as stack:
        client, server = ends.streams(stack)

        with ends.link.narrow(1300) as fault:
            client.sendall(octets)
            received = b""
            while len(received) < len(octets):
                received += server.recv(65536)

        assert received == octets
        assert fault.hits > 0
        assert path_mtu(client) == 1300
    act = ends.link.log[0]
    (answer,) = act.passed
    (error,) = decode([frame(answer.octets)])
    assert isinstance(error, IcmpError)
    assert (error.kind, error.mtu) == ({"v4": "fragmentation needed", "v6": "packet too big"}[ends.family], 1300)
    assert checksum_fault(frame(answer.octets)) == ""
    assert not answer.sent
    assert str(act).startswith("too large for an MTU of 1300: sent ACK  1:")


def test_a_black_hole_tells_nobody(ends: Joined) -> None:
    level, option = (_IP, _IP_MTU_DISCOVER) if ends.family == "v4" else (socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER)
    ends.near.setsockopt(level, option, _DO)

    with ends.link.narrow(1300, silent=True):
        ends.send(bytes(1301), b"small")

    assert ends.arrived() == [b"small"]
    assert path_mtu(ends.near) == 1500
    assert [act.passed for act in ends.link.log] == [()]


def test_a_datagram_without_df_passes_a_narrow_link_in_fragments(lab_process: Lab) -> None:
    with relayed(lab_process) as link, joined(lab_process, link, "v4") as ends:
        ends.near.setsockopt(_IP, _IP_MTU_DISCOVER, _DONT)

        with link.narrow(576):
            ends.send(bytes(1400))

        assert ends.arrived() == [bytes(1400)]
        assert len(link.log[0].passed) == 3


# -- which rule decides


def test_the_first_rule_that_acts_decides(ends: Joined) -> None:
    with ends.link.drop(sent.datagram(b"a"), times=1) as first, ends.link.duplicate(sent.datagram()) as second:
        ends.send(b"a", b"a", b"b")
        ends.fence()

    assert (first.hits, second.hits) == (1, 2)
    assert ends.arrived() == [b"a", b"a", b"b", b"b"]


def test_the_weather_is_asked_behind_the_rules_of_the_test(lab_process: Lab, family: str) -> None:
    weather = Fault(sent.datagram(), Duplicate())
    with relayed(lab_process, weather=[weather]) as link, joined(lab_process, link, family) as ends:
        with link.drop(sent.datagram(b"a")):
            ends.send(b"a", b"b")
            ends.fence()

        assert ends.arrived() == [b"b", b"b"]
        assert [act.fate for act in link.log] == [Drop(), Duplicate()]


def test_what_was_sent_before_a_rule_is_not_touched_by_it(ends: Joined) -> None:
    ends.send(*[b"before"] * 200)

    with ends.link.drop(sent.datagram(), times=1):
        ends.send(b"after")

    assert ends.arrived() == [b"before"] * 200


def test_a_rule_that_never_acts_makes_the_test_inconclusive(ends: Joined, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Fault.wait, "__defaults__", (None, 0.01))

    for rule in (ends.link.drop(got.FIN), ends.link.lossy(0.5, seed=7), ends.link.partition(got)):
        with pytest.raises(Inconclusive, match=r"never acted within 0\.01 s"), rule:
            pass
    with ends.link.lossy(0.5, seed=7, may_miss=True) as fault:
        pass
    assert fault.hits == 0


def test_the_rule_of_a_wrong_stack_is_asked_before_any_fault(lab_process: Lab, family: str) -> None:
    """What it drops no fault sees, what it doubles arrives twice, what it turns goes back."""
    near_end, far_end = (socket.socket(fileno=end) for end in lab_process.ask("build", relayed=True).descriptors)

    def rule(octets: bytes, sent: bool) -> list[tuple[bytes, bool]]:
        times = 0 if sent and b"lost" in octets else 2 if sent and b"double" in octets else 1
        return [(octets, sent)] * times

    with (
        Relay(near_end, far_end, lambda: lab_process.ask("fence", nonce=0), rule) as link,
        joined(lab_process, link, family) as ends,
        link.drop(sent.datagram(b"lost") | sent.datagram(b"first")) as fault,
    ):
        ends.send(b"first", b"lost", b"double")

        assert ends.arrived() == [b"double", b"double"]
        assert fault.hits == 1
    lab_process.ask("clear")


# -- the log


def test_the_log_has_every_act_in_order_and_only_those(ends: Joined) -> None:
    with ends.link.drop(sent.datagram(b"lost")), ends.link.hold(got.datagram()), ends.link.delay(sent, by=0.001):
        ends.send(b"one", b"lost")
        ends.fence()
        ends.far.send(b"back")
        ends.fence()
    ends.send(b"free")
    assert ends.arrived() == [b"one", b"free"]

    log = ends.link.log
    assert [(act.number, act.sent, act.place, act.fate) for act in log] == [
        (1, True, 1, Delay(0.001)),
        (2, True, 2, Drop()),
        (3, False, 1, Hold()),
    ]
    assert [act.octets[-4:] for act in log] == [log[0].octets[-4:], b"lost", b"back"]
    assert [[passage.octets for passage in act.passed] for act in log] == [[log[0].octets], [], [log[2].octets]]
    assert [act.time_ns for act in log] == sorted(act.time_ns for act in log)
    assert log[2].rule == "got datagram is held"


def test_a_log_can_be_replayed(lab_process: Lab, family: str) -> None:
    """On another link the same frames meet the same fates, chance or not."""
    texts = [b"%d" % number for number in range(30)]
    runs: list[tuple[list[bytes], tuple[Act, ...]]] = []
    for _ in range(2):
        with relayed(lab_process) as link, joined(lab_process, link, family) as ends:
            with contextlib.ExitStack() as stack:
                if runs:
                    stack.enter_context(link.replay(runs[0][1]))
                else:
                    stack.enter_context(link.drop(sent.datagram(), chance=0.2, seed=7))
                    stack.enter_context(link.duplicate(sent.datagram(), chance=0.2, seed=8))
                ends.send(*texts)
                ends.fence()
            runs.append((ends.arrived(), link.log))

    (arrived, log), (again, log_again) = runs
    assert again == arrived
    assert [(act.place, act.fate) for act in log_again] == [(act.place, act.fate) for act in log]
    assert {type(act.fate) for act in log} == {Drop, Duplicate}


# -- fences


def test_a_fence_waits_for_what_is_late(ends: Joined) -> None:
    with ends.link.delay(sent.datagram(b"late"), by=0.05), ends.link.reorder(sent.datagram(b"behind"), within=0.05):
        ends.send(b"late", b"behind")
        ends.fence()

        assert waiting_at(ends.far) == [b"late", b"behind"]


def test_a_fence_does_not_wait_for_what_is_held(ends: Joined) -> None:
    with ends.link.hold(sent.datagram(b"held")):
        ends.send(b"held", b"free")
        ends.fence()

        assert waiting_at(ends.far) == [b"free"]


def test_markers_are_not_counted_and_no_rule_speaks_of_them(ends: Joined) -> None:
    with ends.link.partition(may_miss=True) as fault:
        ends.fence()
        ends.fence()
    with ends.link.drop(sent):
        ends.send(b"first")

    assert fault.hits == 0
    assert [act.place for act in ends.link.log] == [1]


def test_the_capture_of_a_relayed_link_is_whole_under_a_rule(ends: Joined) -> None:
    with Wire(LabNear(ends.lab)) as wire, ends.link.delay(by=0.01):
        ends.send(b"there")
        ends.far.send(b"back")

        capture = wire.capture()

    assert capture.certificate.holds
    near, far = (Endpoint(end.address(ends.family), PORT) for end in (NEAR, FAR))
    flow = Flow.assemble(decode(capture.frames), near, far, "udp")
    flow.expect_only(sent.datagram(b"there"), got.datagram(b"back"))


# -- its end


def test_a_rule_that_breaks_is_told_at_the_end(lab_process: Lab) -> None:
    """The rule of a wrong stack runs in the forwarder; its error is the harness's, and is not lost."""
    near_end, far_end = (socket.socket(fileno=end) for end in lab_process.ask("build", relayed=True).descriptors)

    def rule(octets: bytes, sent: bool) -> list[tuple[bytes, bool]]:
        raise LookupError(octets[42:].decode() if sent else "")

    ending = contextlib.ExitStack()
    link = ending.enter_context(Relay(near_end, far_end, lambda: None, rule))
    with joined(lab_process, link, "v4") as ends:
        ends.send(b"broken")
        link.forwarder.join(RESPONSE)

    with pytest.raises(LookupError, match="broken"):
        ending.close()
    lab_process.ask("clear")


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def descriptors() -> int:
    let_go(lambda: None).result()  # what is closed in the background is closed
    return len(os.listdir("/proc/self/fd"))


def test_nothing_is_left_when_it_ends(lab_process: Lab) -> None:
    """No thread and no descriptor, with frames that still wait too."""
    before = descriptors()

    with relayed(lab_process) as link, joined(lab_process, link, "v4") as ends:
        with link.delay(sent.datagram(b"late"), by=60):
            ends.send(b"late")
        assert "relay" in threads()

    assert "relay" not in threads()
    assert descriptors() == before


def test_frames_that_the_relay_missed_make_the_test_inconclusive(ends: Joined, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule has not met them, so its block says so too."""
    told = r"^the relay of the link missed \d+ frames: they came faster than they could go on"
    monkeypatch.setattr("harness.lab.packet.dropped", lambda _: 3)

    with pytest.raises(Inconclusive, match=told):
        ends.link.claim_whole()
    with pytest.raises(Inconclusive, match=told), ends.link.drop(sent, may_miss=True):
        pass


def test_the_kernel_tells_what_had_no_room(lab_process: Lab, family: str) -> None:
    """Before anybody forwards, more comes than there is room for."""
    near, far = (socket.socket(fileno=end) for end in lab_process.ask("build", relayed=True).descriptors)
    link = Relay(near, far, lambda: None)
    with joined(lab_process, link, family) as ends:
        ends.send(*[b"x"] * (SLOTS + 500))

    with link, pytest.raises(Inconclusive, match=r"missed \d\d+ frames"):
        link.claim_whole()
    lab_process.ask("clear")

"""What is sent again, and when: the timer of RFC 6298, loss by SACK and by time, and what is slowed down (RFC 5681).

The subject is the kernel's TCP, our end a raw peer that acknowledges when the test says so. Times are those of the
frames, and a timer of a busy machine fires late and never early: no claim says how late.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from harness.suite import KiB, control, covers, got, octets, option, requires, sent

if TYPE_CHECKING:
    from harness.suite import Probe, Raw, RawPeer, Runtime, Serve, Step, Subject

SEGMENT = 1000  # octets of data in a full segment of these tests
MSS = option.mss(SEGMENT)
SACK = MSS + option.SACK_PERMITTED
SLOW = 5  # seconds before anything is sent again, where timers are slow
SILENT = 7  # a port of the raw peer
R2_OF_A_SYN = 180  # seconds (RFC 9293 3.8.3)


@control()
def established(serve: Serve, raw: Raw, options: bytes = MSS, *, slow_timers: bool = False) -> tuple[Subject, RawPeer]:
    """A subject that has accepted a raw peer which acknowledges nothing by itself, with room for 100 KiB to send."""
    subject = serve(slow_timers=slow_timers)
    peer = raw.connect(subject, options)
    peer.acknowledges = False
    subject.tell("accept")
    subject.tell(f"option SOL_SOCKET SO_SNDBUF {100 * KiB}")
    return subject, peer


def seconds_between(first: Step, second: Step) -> float:
    """How much later the second one was on the wire."""
    return (second.since_ns - first.since_ns) / 1e9


def places(peer: RawPeer, after: Step) -> list[int]:
    """Where the segments with data stand that came behind this one, when a fence has passed."""
    return [step.seq for step in peer.flow().after(after).pick(got.data())]


def sack(peer: RawPeer, *blocks: tuple[int, int]) -> bytes:
    """The option that reports these blocks."""
    return option.NOP * 2 + option.sack(*((peer.irs + left, peer.irs + right) for left, right in blocks))


# -- the timer --------------------------------------------------------------------------------------------------------


@covers("rfc6298:2/minimum-rto-one-second")
def test_first_repetition_waits_a_second(serve: Serve, raw: Raw) -> None:
    """However short the path, what is not acknowledged is sent again after a second, and not before."""
    subject, peer = established(serve, raw)

    subject.tell("send 68656c6c6f")
    first, again = peer.expect(got.data()), peer.expect(got.data())

    assert seconds_between(first, again) > 0.99, "it waits a second"


@covers("rfc6298:5/never-retransmit-too-early")
def test_timer_is_no_shorter_than_the_path_is_long(serve: Serve, raw: Raw) -> None:
    """Where the one sample of the round trip is R the first timer runs for 3 R: SRTT + 4 RTTVAR (RFC 6298 2.2)."""
    subject, other = established(serve, raw)
    peer = raw.peer(subject)
    peer.send_syn(MSS)
    peer.expect(got.SYN_ACK)
    subject.tell("send 61")
    for _ in range(2):
        other.expect(got.data())  # which takes a timer: so long our ACK was under way
    peer.send("ACK")
    peer.acknowledges = False
    subject.tell("accept")

    subject.tell("send 68656c6c6f")
    first, again = peer.expect(got.data()), peer.expect(got.data())

    flow = peer.flow()
    trip = seconds_between(flow.expect(got.SYN_ACK), flow.expect(sent.bare_ack()))
    waited = seconds_between(first, again)
    assert waited > 2.9 * trip, f"the round trip took {trip:.3f} s, and it came again after {waited:.3f} s"


@covers("rfc6298:3/karn-no-samples-from-retransmissions")
def test_acknowledgment_of_a_repetition_is_no_sample(serve: Serve, raw: Raw) -> None:
    """The timer that has doubled stays so until a segment that was sent once is acknowledged (Karn's algorithm)."""
    subject, peer = established(serve, raw)
    subject.tell("send 61")
    first, again = peer.expect(got.data()), peer.expect(got.data())
    peer.acknowledge()

    subject.tell("send 62")
    next_one, its_repetition = peer.expect(got.data(b"b")), peer.expect(got.data(b"b"))

    before, behind = seconds_between(first, again), seconds_between(next_one, its_repetition)
    assert behind > 1.5 * before, f"it has doubled: {before:.3f} s, then {behind:.3f} s"


@covers("rfc6298:5/rto-3-s-after-lost-syn")
@pytest.mark.slow  # 4 s
def test_timer_begins_with_three_seconds_when_the_syn_ack_was_lost(serve: Serve, raw: Raw) -> None:
    """Where only the second SYN ACK was answered no round trip is known: the first data waits 3 s for its ACK."""
    subject, peer = answering_late(serve, raw)

    subject.tell("send 68656c6c6f")
    first, again = peer.expect(got.data()), peer.expect(got.data())

    waited = seconds_between(first, again)
    assert waited > 2.9, f"it came again after {waited:.3f} s"


@covers("rfc5681:3.1/one-segment-iw-after-syn-loss")
@pytest.mark.slow  # 1 s
def test_one_segment_is_sent_unasked_when_the_syn_ack_was_lost(serve: Serve, raw: Raw) -> None:
    """Where the SYN ACK had to be sent twice the path may be crowded: the initial window is one segment."""
    subject, peer = answering_late(serve, raw)
    subject.tell(f"option SOL_SOCKET SO_SNDBUF {100 * KiB}")

    subject.tell("send-pattern 40000 7")

    count = len(peer.flow().pick(got.data()))
    assert count <= 1, f"the initial window is one segment, not {count}"


def answering_late(serve: Serve, raw: Raw) -> tuple[Subject, RawPeer]:
    """A connection whose first SYN ACK went unanswered, as if it was lost."""
    subject = serve()
    peer = raw.peer(subject)
    peer.send_syn(MSS)
    for _ in range(2):
        peer.expect(got.SYN_ACK)
    peer.send("ACK")
    peer.acknowledges = False
    subject.tell("accept")
    return subject, peer


@control()
def attempt(runtime: Runtime, raw: Raw) -> tuple[Any, RawPeer]:
    """A socket in SYN-SENT that nobody answers, and the peer that hears its SYNs."""
    ours = runtime.tcp()
    ours.bind((runtime.host, 0))
    peer = raw.peer(runtime.at(ours), port=SILENT)
    ours.begin.connect(tuple(peer.near))
    return ours, peer


@covers("rfc6298:2/initial-rto-one-second")
@pytest.mark.slow  # 1 s
def test_first_repetition_of_a_syn_waits_a_second(runtime: Runtime, raw: Raw) -> None:
    """While no round trip is known what is unanswered is sent again after a second, and not before."""
    _, peer = attempt(runtime, raw)

    waited = seconds_between(peer.expect(got.SYN), peer.expect(got.SYN))

    assert waited > 0.99, f"the SYN came again after {waited:.3f} s"


@covers("rfc9293:MUST-23")
def test_attempt_goes_on_for_three_minutes(runtime: Runtime, raw: Raw) -> None:
    """A SYN that nobody answers is sent again for three minutes at least.

    Nobody waits for that here. The kernel tells how often it will try (TCP_SYNCNT), and no wait is more than twice as
    long as the one before (RFC 6298 5.5): where even that does not come to three minutes, they are not reached.
    """
    ours, peer = attempt(runtime, raw)
    peer.expect(got.SYN)

    tries = ours.getsockopt(6, 7)  # IPPROTO_TCP, TCP_SYNCNT

    longest = 2 ** (tries + 1) - 1  # seconds: 1 + 2 + 4 …, from a first wait of one (RFC 6298 2.1)
    assert longest >= R2_OF_A_SYN, f"the attempt lasts {R2_OF_A_SYN} s, not {longest} s ({tries} repetitions)"


@covers("rfc9293:SHLD-9")
def test_program_can_see_that_nothing_is_acknowledged(runtime: Runtime, raw: Raw) -> None:
    """TCP_INFO tells a program how often the kernel has tried in vain, long before it gives up."""
    with runtime.listener() as listener:
        peer = raw.connect(runtime.at(listener))
        connection, _ = listener.accept()
    peer.acknowledges = False

    connection.send(b"anybody?")
    for _ in range(2):
        peer.expect(got.data())

    assert connection.getsockopt(6, 11, 8)[2] > 0, "TCP_INFO counts what was sent in vain"  # tcpi_retransmits


@covers("rfc7323:2.4/scaled-window-retraction-handled")
def test_window_that_rounding_takes_back_costs_nothing(serve: Serve, raw: Raw) -> None:
    """A scaled window cannot tell every edge: where it falls short of what is in flight the stream goes on unharmed."""
    subject = serve()
    peer = raw.peer(subject)
    peer.window = 8  # of 128 octets: ten segments of 100 fit
    peer.handshake(option.mss(100) + option.window_scale(7))
    peer.acknowledges = False
    subject.tell("accept")
    subject.tell("send-pattern 2000 7")
    peer.expect(got.data() & got.segment(seq=901))

    peer.send("PSH ACK", b"!", ack=101, window=6)  # up to 869, and not 1001
    peer.expect(got.data() & got.segment(seq=101))  # by the timer
    peer.acknowledges = True
    peer.acknowledge()
    subject.tell("read 1")
    subject.tell("close")

    peer.expect(got.FIN)
    assert peer.flow().stream(got) == octets(2000, seed=7)


# -- loss, as SACK tells it -------------------------------------------------------------------------------------------


@covers("rfc2018:5/sacked-data-not-retransmitted-early")
def test_only_the_missing_segment_comes_again(serve: Serve, raw: Raw) -> None:
    """Of ten segments of which one was not reported that one is sent again, and none of the others."""
    subject, peer = established(serve, raw, SACK, slow_timers=True)
    subject.tell("send-pattern 10000 7")
    peer.expect(got.data() & got.segment(seq=9001))
    last = peer.flow().steps[-1]

    peer.send("ACK", ack=1, options=sack(peer, (1001, 10001)))

    peer.expect_at_once(got.data() & got.segment(seq=1))
    assert places(peer, last) == [1]


@covers("rfc2018:5/left-edge-retransmitted-after-rto")
def test_left_edge_comes_again_though_it_was_reported(serve: Serve, raw: Raw) -> None:
    """What was reported by SACK and is not acknowledged may have been thrown away: the timer brings it again."""
    subject, peer = established(serve, raw, SACK)
    subject.tell("send-pattern 3000 7")
    peer.expect(got.data() & got.segment(seq=2001))

    peer.send("ACK", ack=1, options=sack(peer, (1, 3001)))

    peer.expect(got.data() & got.segment(seq=1))


@covers("rfc6675:4/sack-loss-declaration-threshold")
def test_three_segments_above_a_hole_declare_it_lost(serve: Serve, raw: Raw) -> None:
    """Where three segments above a hole were reported the hole is filled at once, before any timer."""
    subject, peer = established(serve, raw, SACK, slow_timers=True)
    subject.tell("send-pattern 10000 7")
    peer.expect(got.data() & got.segment(seq=9001))

    for right in (2001, 3001, 4001):
        peer.send("ACK", ack=1, options=sack(peer, (1001, right)))

    peer.expect_at_once(got.data() & got.segment(seq=1))


@covers("rfc8985:7.2/tail-loss-probe-scheduled", "rfc8985:7.3/one-loss-probe-at-a-time")
def test_lost_tail_is_probed_once(serve: Serve, raw: Raw) -> None:
    """Where nothing comes back the last segment is sent again soon; then the timer begins at the first one."""
    subject, peer = established(serve, raw, SACK)
    subject.tell("send-pattern 3000 7")
    peer.expect(got.data() & got.segment(seq=2001))
    last = peer.flow().pick(got.data())[2]

    peer.expect(got.data() & got.segment(seq=1))
    peer.acknowledge()

    again = places(peer, last)
    with requires("rfc8985:7.3/one-loss-probe-at-a-time"):
        assert again.count(2001) <= 1, f"one probe, then the timer: {again}"
    assert again[0] == 2001, f"the first that comes again is the last of all: {again}"


@covers("rfc8985:6.2/time-based-loss-detection")
def test_one_report_of_the_last_brings_the_first(serve: Serve, raw: Raw) -> None:
    """What was sent before a segment that has arrived is lost when a quarter of a round trip has passed."""
    subject, peer = established(serve, raw, SACK, slow_timers=True)
    subject.tell("send-pattern 4000 7")
    last = peer.expect(got.data() & got.segment(seq=3001))

    peer.send("ACK", ack=1, options=sack(peer, (3001, 4001)))

    waited = seconds_between(last, peer.expect(got.data() & got.segment(seq=1)))
    assert waited < SLOW - 0.5, f"no retransmission timer was waited for: it took {waited:.3f} s"


@covers("rfc5682:2.1/f-rto-detects-spurious-timeout")
def test_late_acknowledgments_show_that_the_timer_was_wrong(serve: Serve, raw: Raw) -> None:
    """When acknowledgments come for what was sent once, what is still under way is not sent a second time."""
    subject, peer = established(serve, raw)
    subject.tell("send-pattern 40000 7")
    peer.expect(got.data() & got.segment(seq=9001))
    repeated = peer.expect(got.data() & got.segment(seq=1))

    for ack in range(1001, 10001, 1000):
        peer.send("ACK", ack=ack)
        peer.flow()  # one at a time

    again = [place for place in places(peer, repeated) if 1 < place < 9002]
    assert again == [], "all of these arrived, and were only acknowledged late"


@covers("rfc8985:4/rack-requires-sack")
def test_without_sack_the_timer_alone_decides(serve: Serve, raw: Raw) -> None:
    """To a peer that cannot report what arrived no probe is sent: the first segment comes again before any other."""
    subject, peer = established(serve, raw)
    subject.tell("send-pattern 3000 7")
    peer.expect(got.data() & got.segment(seq=2001))
    last = peer.flow().pick(got.data())[2]

    peer.expect(got.data())

    assert places(peer, last)[0] == 1


# -- how much is sent behind a pause, or a loss -----------------------------------------------------------------------


@covers("rfc5681:4.1/restart-window-after-idle")
@pytest.mark.slow  # 1 s
def test_behind_a_pause_no_more_is_sent_than_at_first(serve: Serve, raw: Raw) -> None:
    """What the path took before a pause says nothing of what it takes now: the initial window holds again."""
    subject, peer = established(serve, raw)
    for words in ("SOL_SOCKET SO_KEEPALIVE 1", "IPPROTO_TCP TCP_KEEPIDLE 1"):
        subject.tell(f"option {words}")
    subject.tell(f"send-pattern {60 * SEGMENT} 7")
    first = len(peer.flow().pick(got.data()))
    peer.acknowledges = True
    peer.acknowledge()
    while peer.rcv_nxt <= 60 * SEGMENT:
        peer.expect(got.data())
    peer.expect(got.bare_ack() & got.segment(seq=peer.rcv_nxt - 1))  # a keep-alive: nothing was sent for a second
    peer.acknowledges = False
    last = peer.flow().steps[-1]

    subject.tell(f"send-pattern {60 * SEGMENT} 8")

    burst = len(places(peer, last))
    assert burst <= first, f"{first} segments came unasked at first, and now {burst}"


@covers("rfc5681:3.2/ssthresh-halved-on-fast-retransmit")
def test_window_is_halved_by_a_loss(serve: Serve, raw: Raw) -> None:
    """When what was lost has been repaired no more than half of what was in flight is sent unasked."""
    subject, peer = established(serve, raw, slow_timers=True)
    subject.tell("send-pattern 40000 7")
    peer.expect(got.data() & got.segment(seq=9001))
    for _ in range(3):
        peer.send("ACK", ack=1)
    peer.expect_at_once(got.data() & got.segment(seq=1))

    end = max(step.end for step in peer.flow().pick(got.data()))
    peer.send("ACK", ack=end)

    ahead = max(step.end for step in peer.flow().pick(got.data())) - end
    assert 0 < ahead <= 6 * SEGMENT, f"ten segments were in flight, and then {ahead} octets at once"


@covers("rfc5681:3.1/congestion-avoidance-growth-bounded", "rfc9293:MUST-19")
def test_window_grows_by_a_segment_after_a_loss(serve: Serve, raw: Raw, probe: Probe) -> None:
    """In congestion avoidance a window that was acknowledged whole is followed by one a segment larger, at most."""
    subject, peer = established(serve, raw, slow_timers=True)
    subject.tell(f"option SOL_SOCKET SO_SNDBUF {400 * KiB}")
    subject.tell("send-pattern 200000 7")
    peer.expect(got.data() & got.segment(seq=9001))
    for _ in range(3):
        peer.send("ACK", ack=1)
    peer.expect_at_once(got.data() & got.segment(seq=1))

    windows = []
    for _ in range(6):
        # Linux may let a large write wait for a further ACK until the last segment is older than 1 ms.
        assert probe.at_rest(subject), "the control: it has done what it can"
        end = max(step.end for step in peer.flow().pick(got.data()))
        peer.send("ACK", ack=end)
        windows.append(max(step.end for step in peer.flow().pick(got.data())) - end)

    # Right after the loss the window may be as large as ssthresh, and slow start is allowed once more.
    grown = [after - before for before, after in itertools.pairwise(windows[1:])]
    assert max(grown) <= SEGMENT, f"each window is {SEGMENT} octets larger, at most: the windows were {windows}"
    assert windows[-1] > windows[0], "the control: the window grows"


@covers("rfc6675:5/recovery-ends-at-recoverypoint")
def test_second_hole_is_no_second_loss(serve: Serve, raw: Raw) -> None:
    """Until all that was in flight at the loss is acknowledged another hole in it halves nothing again."""
    subject, peer = established(serve, raw, SACK, slow_timers=True)
    subject.tell("send-pattern 40000 7")
    peer.expect(got.data() & got.segment(seq=9001))
    peer.send("ACK", ack=1, options=sack(peer, (1001, 4001)))
    peer.expect_at_once(got.data() & got.segment(seq=1))
    peer.send("ACK", ack=4001, options=sack(peer, (5001, 10001)))
    peer.expect_at_once(got.data() & got.segment(seq=4001))

    end = max(step.end for step in peer.flow().pick(got.data()))
    peer.send("ACK", ack=end)

    ahead = max(step.end for step in peer.flow().pick(got.data())) - end
    assert ahead >= 4 * SEGMENT, f"half of ten segments may be in flight, and {ahead} octets are"

"""Connections on which nothing comes: keep-alive, the user timeout, and what is sent again (RFC 9293 3.8; tcp(7)).

The subject is the kernel's TCP, our end a raw peer that falls silent. The shortest time that the kernel can be told is
a second, so that these tests wait; they cost no processor time meanwhile.
"""

from __future__ import annotations

import errno
import itertools
from typing import TYPE_CHECKING

import pytest

from harness.suite import control, covers, got, option, raises, sent

if TYPE_CHECKING:
    from harness.suite import Raw, RawPeer, Serve, Step, Subject

KEEP_ALIVE = ("SOL_SOCKET SO_KEEPALIVE 1", "IPPROTO_TCP TCP_KEEPIDLE 1", "IPPROTO_TCP TCP_KEEPINTVL 1")


@control()
def established(serve: Serve, raw: Raw, *settings: str, options: bytes | None = None) -> tuple[Subject, RawPeer]:
    """A subject that has accepted a raw peer with these TCP options, and has made these settings of its socket."""
    subject = serve()
    peer = raw.connect(subject, options)
    subject.tell("accept")
    for words in settings:
        subject.tell(f"option {words}")
    return subject, peer


def seconds_between(first: Step, second: Step) -> float:
    """How much later the second one was on the wire."""
    return (second.since_ns - first.since_ns) / 1e9


@covers("rfc9293:MUST-24", "rfc9293:MUST-27", "rfc9293:SHLD-12", "linux:opt/keepalive-timers-per-socket")
@pytest.mark.slow
def test_idle_connection_is_probed_below_what_is_expected(serve: Serve, raw: Raw) -> None:
    """After an idle second the subject repeats an old number, without data, and an answer keeps the connection."""
    subject, peer = established(serve, raw, *KEEP_ALIVE, "IPPROTO_TCP TCP_KEEPCNT 3")
    handshake = peer.flow().pick(sent.bare_ack())[0]

    probe = peer.expect(got.bare_ack() & got.segment(seq=0))
    peer.send("ACK")

    assert seconds_between(handshake, probe) > 0.9, "it was idle for a second"
    peer.send("PSH ACK", b"alive")
    peer.expect(got.acked(5))
    assert bytes.fromhex(subject.tell("read 100")) == b"alive"


@covers("rfc9293:MUST-29", "linux:opt/keepalive-timers-per-socket")
@pytest.mark.slow
def test_dead_peer_is_given_up_after_the_last_probe(serve: Serve, raw: Raw) -> None:
    """Who answers none of TCP_KEEPCNT probes is dead: not after the first, and then the program is told ETIMEDOUT."""
    subject, peer = established(serve, raw, *KEEP_ALIVE, "IPPROTO_TCP TCP_KEEPCNT 2")
    subject.tell_later("read 100")

    first = peer.expect(got.segment(seq=0))
    assert not subject.has_answered, "one unanswered probe is not the end"
    second = peer.expect(got.segment(seq=0))
    with raises(errno.ETIMEDOUT):
        subject.answer()

    assert 0.9 < seconds_between(first, second) < 3, "the probes are a second apart"
    assert subject.sockets() == [], "the connection is gone"


@covers("rfc9293:MUST-26")
@pytest.mark.slow
def test_only_an_idle_connection_is_probed(serve: Serve, raw: Raw) -> None:
    """What arrives puts the probe off: it comes a whole second after that."""
    _, peer = established(serve, raw, *KEEP_ALIVE)
    opened = peer.flow().steps[-1]

    while seconds_between(opened, peer.flow().steps[-1]) < 0.4:
        peer.send("PSH ACK", b"still here")
        last = peer.expect(got.segment(ack=peer.snd_nxt))
    probe = peer.expect(got.bare_ack() & got.segment(seq=0))

    idle = seconds_between(last, probe)
    assert idle > 0.9, f"it was idle for a second when it was probed: {idle:.3f} s"


@covers("rfc9293:MUST-25")
@pytest.mark.slow
def test_without_keep_alive_nothing_is_probed(serve: Serve, raw: Raw) -> None:
    """Keep-alive is off until it is asked for: where another connection is probed, this one is not."""
    subject = serve()
    silent, probed = raw.connect(subject), raw.connect(subject)
    subject.tell("accept")
    subject.tell("accept")
    subject.tell("option IPPROTO_TCP TCP_KEEPIDLE 1 #1")
    for words in KEEP_ALIVE:
        subject.tell(f"option {words} #2")

    probed.expect(got.segment(seq=0))

    silent.expect_silence()


@covers(
    "linux:opt/tcp-user-timeout-bounds-unacked-data",
    "rfc9293:MUST-21",
    "rfc9293:3.10.8/user-timeout-aborts-connection",
)
@pytest.mark.slow
def test_unacknowledged_data_is_given_up_after_the_user_timeout(serve: Serve, raw: Raw) -> None:
    """Where nothing is acknowledged for TCP_USER_TIMEOUT the connection ends, and the program is told ETIMEDOUT.

    A second connection, without that option, tells the time: its fourth try goes out after 1.4 s.
    """
    subject, peer = established(serve, raw, "IPPROTO_TCP TCP_USER_TIMEOUT 500")
    patient = raw.connect(subject)
    subject.tell("accept")
    peer.acknowledges = patient.acknowledges = False

    for number in (1, 2):
        subject.tell(f"send 68656c6c6f #{number}")
    subject.tell_later("read 100 #1")
    for _ in range(4):
        patient.expect(got.data(b"hello"))

    assert len(peer.flow().pick(got.data(b"hello"))) > 1, "it was tried more than once"
    left = [entry["remote"][1] for entry in subject.sockets()]
    assert left == [patient.near.port], "the connection is gone, and the one without a user timeout is not"
    with raises(errno.ETIMEDOUT):
        subject.answer()


@covers("rfc6298:5/rto-doubles-on-expiry", "rfc9293:MUST-18")
@pytest.mark.slow
def test_time_between_retransmissions_doubles(serve: Serve, raw: Raw) -> None:
    """A segment that nobody acknowledges comes again, each time after twice as long."""
    subject, peer = established(serve, raw)
    peer.acknowledges = False

    subject.tell("send 68656c6c6f")
    sendings = [peer.expect(got.data(b"hello")) for _ in range(4)]

    waits = [seconds_between(earlier, later) for earlier, later in itertools.pairwise(sendings)]
    told = ", ".join(f"{wait:.2f} s" for wait in waits)
    for earlier, later in itertools.pairwise(waits):
        # A timer fires late on a busy machine, and never early: the quotient is not always 2.
        assert later > 1.4 * earlier, f"the waits double: {told}"


@covers("rfc5681:3.1/loss-window-after-timeout")
def test_one_segment_is_sent_when_the_timer_ran_out(serve: Serve, raw: Raw) -> None:
    """After a retransmission timeout the first segment alone is sent again, and what follows waits for its ACK."""
    subject, peer = established(serve, raw, options=option.mss(1000))
    peer.acknowledges = False
    subject.tell("send-pattern 7000 7")
    peer.expect(got.data() & got.segment(seq=6001))
    last = peer.flow().steps[-1]

    peer.expect(got.data() & got.segment(seq=1))

    assert [step.seq for step in peer.flow().after(last).pick(got.data())] == [1], "it comes alone"


@covers("rfc2018:8/sacked-data-kept-until-acked")
def test_selectively_acknowledged_data_is_not_forgotten(serve: Serve, raw: Raw) -> None:
    """What was reported by SACK and not acknowledged may have been dropped since: the subject can send it again."""
    subject, peer = established(serve, raw, options=option.mss(1000) + option.SACK_PERMITTED)
    peer.acknowledges = False
    subject.tell("send-pattern 3000 7")
    peer.expect(got.data() & got.segment(seq=2001))

    peer.send("ACK", ack=1, options=option.NOP * 2 + option.sack((peer.irs + 1001, peer.irs + 3001)))
    peer.expect(got.data() & got.segment(seq=1))
    peer.send("ACK", ack=1001)  # and no word of the rest any more

    peer.expect(got.data() & got.segment(seq=1001))
    peer.send("ACK", ack=2001)
    peer.expect(got.data() & got.segment(seq=2001))

"""Explicit congestion notification: how it is agreed to, which segments may be marked, and who answers (RFC 3168 6.1).

The subject is a runtime, its peer a raw one that asks for ECN, so that Linux agrees with its settings as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harness.suite import covers, got, option, requires

if TYPE_CHECKING:
    from harness.suite import Raw, RawPeer, Runtime, Step, Wire

ECE, CWR = 0x40, 0x80
ECT_0, CE = 2, 3  # of the ECN field (RFC 3168 5)
SEGMENT = 1000  # octets in the segments of these tests


def field(wire: Wire, step: Step) -> int:
    """The ECN field in the IP header of a step."""
    packet = wire.frame(step.number).octets[14:]
    return (packet[1] if packet[0] >> 4 == 4 else packet[1] >> 4) & 3


def asked(runtime: Runtime, raw: Raw, flags: str = "SYN ECE CWR") -> tuple[Any, RawPeer, Step]:
    """A connection that was asked for with these flags, and the SYN ACK that answered."""
    with runtime.listener() as listener:
        peer = raw.peer(runtime.at(listener))
        peer.send(flags, options=option.mss(SEGMENT))
        answer = peer.expect(got.SYN_ACK)
        peer.send("ACK")
        return listener.accept()[0], peer, answer


@covers("rfc3168:6.1.1/ecn-setup-handshake-flags", "rfc9293:SHLD-8", "rfc3168:6.1.1/no-ect-on-syn-or-syn-ack")
@pytest.mark.parametrize("flags", ["SYN ECE CWR", "SYN"])
def test_ecn_is_agreed_to_where_it_was_asked_for(runtime: Runtime, raw: Raw, wire: Wire, flags: str) -> None:
    """A SYN with ECE and CWR draws a SYN ACK with ECE alone, one without neither; the SYN ACK itself is not ECT."""
    _, _, answer = asked(runtime, raw, flags)

    assert answer.flags & (ECE | CWR) == (ECE if "ECE" in flags else 0)
    with requires("rfc3168:6.1.1/no-ect-on-syn-or-syn-ack"):
        assert field(wire, answer) == 0


@covers(
    "rfc3168:6.1.4/pure-acks-are-not-ect",
    "rfc3168:6.1.5/retransmissions-are-not-ect",
    "rfc3168:6.1.2/data-packets-are-ect-0",
)
def test_new_data_is_marked_and_nothing_else(runtime: Runtime, raw: Raw, wire: Wire) -> None:
    """New data is ECT(0); an acknowledgment without data is not ECT, nor is a segment that is sent again."""
    connection, peer, _ = asked(runtime, raw)
    peer.send("PSH ACK", b"a question")
    assert field(wire, peer.expect(got.bare_ack())) == 0
    peer.acknowledges = False

    for _ in range(4):
        connection.send(bytes(SEGMENT))
        first = peer.expect(got.data(size=SEGMENT))
        with requires("rfc3168:6.1.2/data-packets-are-ect-0"):
            assert field(wire, first) == ECT_0
    for _ in range(3):
        peer.send("ACK")

    with requires("rfc3168:6.1.5/retransmissions-are-not-ect"):
        assert field(wire, peer.expect(got.data() & got.segment(seq=1))) == 0


@covers("rfc3168:6.1.6/window-probes-not-ect-cwr")
def test_probes_of_a_closed_window_are_not_marked(runtime: Runtime, raw: Raw, wire: Wire) -> None:
    """What asks whether the window is still closed is neither ECT nor has CWR."""
    connection, peer, _ = asked(runtime, raw)
    peer.send("ACK", window=0)

    connection.send(b"closed to this")

    probe = peer.expect(got.segment())
    assert (field(wire, probe), probe.flags & CWR) == (0, 0)


@covers("rfc3168:6.1.3/ece-echoed-until-cwr")
def test_congestion_is_told_until_it_was_heard(runtime: Runtime, raw: Raw) -> None:
    """Data that met congestion draws ECE, and so does what follows, until CWR says that it was heard."""
    _, peer, _ = asked(runtime, raw)

    for flags, mark, expected in (
        ("PSH ACK", ECT_0, 0),
        ("PSH ACK", CE, ECE),
        ("PSH ACK", ECT_0, ECE),
        ("PSH ACK CWR", ECT_0, 0),
    ):
        peer.ecn = mark
        peer.send(flags, bytes(SEGMENT))
        answer = peer.expect(got.acked(peer.snd_nxt - 1))
        assert answer.flags & ECE == expected, f"ECE behind {flags} with the ECN field {mark}"


@covers("rfc3168:6.1.2/cwr-answers-ece-once")
def test_the_news_of_congestion_is_answered_once(runtime: Runtime, raw: Raw) -> None:
    """The first new data behind an ECE has CWR, what follows has not."""
    connection, peer, _ = asked(runtime, raw)
    peer.acknowledges = False
    connection.send(bytes(SEGMENT))
    first = peer.expect(got.data())

    peer.send("ACK ECE", ack=first.end)
    answers = []
    for _ in range(3):
        connection.send(bytes(SEGMENT))
        answers.append(peer.expect(got.data()).flags & CWR)

    assert answers == [CWR, 0, 0], "the first segment behind the news has CWR, and no other"

"""When data is sent, and in which segments: Nagle, cork, PSH, and the fields that a program chooses (RFC 9293 3.9.1).

The subject is the kernel's TCP. Our end is a raw peer that acknowledges when the test says so: a kernel would choose a
time of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.suite import KiB, control, covers, got, option

if TYPE_CHECKING:
    from harness.suite import Probe, Raw, RawPeer, Serve, Subject, Wire


@control()
def established(serve: Serve, raw: Raw, *options: str) -> tuple[Subject, RawPeer]:
    """A subject that has accepted a raw peer which acknowledges nothing by itself, with these socket options set."""
    subject = serve(slow_timers=True)
    peer = raw.connect(subject, option.mss(1000))
    peer.acknowledges = False
    subject.tell("accept")
    for words in options:
        subject.tell(f"option {words}")
    return subject, peer


def sizes(peer: RawPeer) -> list[int]:
    """How many octets each segment with data carried, when a fence has passed; one that came again counts once."""
    first = {step.seq: len(step.data) for step in reversed(peer.flow().pick(got.data()))}
    return [first[seq] for seq in sorted(first)]


@covers("rfc9293:SHLD-7", "rfc9293:MAY-16")
def test_small_sends_wait_for_the_acknowledgment_and_go_together(serve: Serve, raw: Raw) -> None:
    """While an octet is unacknowledged further ones are held back; then they go in one segment (Nagle)."""
    subject, peer = established(serve, raw)

    for octet in (b"a", b"b", b"c", b"d"):
        subject.tell(f"send {octet.hex()}")
    assert sizes(peer) == [1], "one is on its way, the others wait"
    peer.acknowledge()

    peer.expect(got.data(b"bcd"))


@covers("rfc9293:SHLD-7")
def test_full_segment_does_not_wait(serve: Serve, raw: Raw) -> None:
    """What fills a segment goes at once, whatever is unacknowledged; the rest waits."""
    subject, peer = established(serve, raw)
    subject.tell("send 61")

    subject.tell("send-pattern 1500 7")

    assert sizes(peer) == [1, 1000], "a full segment goes, and its rest waits"


@covers("rfc9293:MUST-17", "linux:opt/tcp-nodelay-disables-nagle")
def test_without_nagle_every_send_goes_at_once(serve: Serve, raw: Raw) -> None:
    """With TCP_NODELAY each send() is a segment, unacknowledged ones or not."""
    subject, peer = established(serve, raw, "IPPROTO_TCP TCP_NODELAY 1")

    for octet in (b"a", b"b", b"c", b"d"):
        subject.tell(f"send {octet.hex()}")

    assert sizes(peer) == [1, 1, 1, 1]


@covers("linux:opt/tcp-cork-holds-partial-frames", "linux:opt/cork-overrides-nodelay")
@pytest.mark.parametrize("nodelay", [0, 1], ids=["alone", "over_nodelay"])
def test_cork_holds_what_fills_no_segment(serve: Serve, raw: Raw, nodelay: int) -> None:
    """Under TCP_CORK full segments go and a rest waits, until the cork is pulled: then it goes at once."""
    subject, peer = established(serve, raw, f"IPPROTO_TCP TCP_NODELAY {nodelay}", "IPPROTO_TCP TCP_CORK 1")

    subject.tell("send-pattern 1500 7")
    subject.tell("send 61")
    held = sizes(peer)
    subject.tell("option IPPROTO_TCP TCP_CORK 0")

    # The kernel itself pulls a cork after 0.2 s, so that a slow machine may see the rest already.
    assert held in ([1000], [1000, 501])
    assert sizes(peer) == [1000, 501]


@covers("rfc9293:MUST-60")
def test_lonely_octet_is_sent_at_once(serve: Serve, raw: Raw) -> None:
    """One octet on a connection where nothing is unacknowledged waits for nobody."""
    subject, peer = established(serve, raw)

    subject.tell("send 61")

    assert sizes(peer) == [1], "the octet is on its way"


@covers("rfc9293:MUST-61")
@pytest.mark.parametrize("size", [1, 1000, 5500])
def test_last_segment_of_what_was_sent_has_psh(serve: Serve, raw: Raw, size: int) -> None:
    """The segment with the last octet of what is queued says that nothing more follows."""
    subject, peer = established(serve, raw)

    subject.tell(f"send-pattern {size} 7")

    last = max(peer.flow().pick(got.data()), key=lambda step: step.end)
    with control():
        assert last.end == 1 + size, "the control: all is sent"
    assert "PSH" in str(last.flags).split(), "the last segment has PSH"


@covers("rfc9293:SHLD-28", "rfc9293:SHLD-27")
def test_what_is_queued_goes_in_full_segments(serve: Serve, raw: Raw) -> None:
    """Small sends that had to wait for a window go in segments as large as may be, and one rest."""
    subject, peer = established(serve, raw, "IPPROTO_TCP TCP_NODELAY 1")
    peer.send("PSH ACK", b"!", window=0)  # the octet makes it news (SND.WL1, RFC 9293 3.10.7.4)

    for _ in range(30):
        subject.tell(f"send {b'x'.hex() * 100}")
    with control():
        assert sizes(peer) == [], "the control: the window is shut"
    peer.send("ACK")

    peer.expect_at_once(got.data())
    assert sizes(peer) == [1000, 1000, 1000], "all of it, in segments as large as we take"


@covers("rfc9293:3.10.4/queued-data-sent-before-fin")
def test_fin_stands_behind_what_nagle_held_back(serve: Serve, raw: Raw) -> None:
    """close() sends what waits for an acknowledgment, and the FIN with it."""
    subject, peer = established(serve, raw)
    subject.tell("send 61")
    subject.tell("send 62")

    subject.tell("close")

    peer.expect(got.FIN & got.data(b"b"))
    assert peer.flow().stream(got) == b"ab"


# -- fields that a program chooses ------------------------------------------------------------------------------------


@covers("rfc9293:MUST-48", "rfc9293:SHLD-21", "rfc9293:SHLD-22")
def test_differentiated_services_field_is_as_told(serve: Serve, raw: Raw, wire: Wire) -> None:
    """The field that a program sets stands in its segments from then on, also where it sets another one later."""
    subject, peer = established(serve, raw, "IPPROTO_TCP TCP_NODELAY 1")
    name = "IPPROTO_IP IP_TOS" if subject.family == "v4" else "IPPROTO_IPV6 IPV6_TCLASS"

    for number, value in enumerate((0x28, 0xB8)):
        subject.tell(f"option {name} {value}")
        subject.tell("send 61")
        step = peer.expect(got.data() & got.segment(seq=1 + number))
        octets = wire.frame(step.number).octets[14:16]
        field = octets[1] if subject.family == "v4" else (octets[0] & 0xF) << 4 | octets[1] >> 4
        assert field & 0xFC == value, f"the field is {field:#04x}"


@covers("rfc9293:MUST-49")
def test_time_to_live_is_as_told(serve: Serve, raw: Raw, wire: Wire) -> None:
    """The TTL (over IPv6 the hop limit) that a program sets stands in its segments."""
    subject, peer = established(serve, raw)
    v4 = subject.family == "v4"

    subject.tell(f"option {'IPPROTO_IP IP_TTL' if v4 else 'IPPROTO_IPV6 IPV6_UNICAST_HOPS'} 7")
    subject.tell("send 61")

    step = peer.expect(got.data())
    assert wire.frame(step.number).octets[14 + (8 if v4 else 7)] == 7, "the packet has the TTL that was set"


# -- the amount that is in flight -------------------------------------------------------------------------------------


@control()
def ten_in_flight(serve: Serve, raw: Raw) -> tuple[Subject, RawPeer]:
    """A subject with ten segments in flight, and more that waits."""
    subject, peer = established(serve, raw, f"SOL_SOCKET SO_SNDBUF {100 * KiB}")
    subject.tell("send-pattern 40000 7")
    peer.expect(got.data() & got.segment(seq=9001))
    return subject, peer


@control()
def let_age(subject: Subject, probe: Probe) -> None:
    """Wait until the last segment is older than 1 ms: till then Linux may let a large write wait for a further ACK."""
    assert probe.at_rest(subject), "it has done what it can"


@covers("rfc5681:3.1/initial-window-bounded", "rfc6928:2/initial-window-ten-segments")
def test_no_more_than_ten_segments_are_sent_unasked(serve: Serve, raw: Raw) -> None:
    """Before the first acknowledgment ten segments may be in flight (RFC 6928), however much is queued."""
    subject, peer = established(serve, raw, f"SOL_SOCKET SO_SNDBUF {100 * KiB}")

    subject.tell("send-pattern 40000 7")

    in_flight = sum(sizes(peer))
    assert 0 < in_flight <= 10 * 1000, f"{in_flight} octets are in flight, in segments of 1000"


@covers("rfc5681:3.1/slow-start-growth-bounded", "rfc9293:MUST-19")
def test_an_acknowledgment_releases_two_segments_at_most(serve: Serve, raw: Raw, probe: Probe) -> None:
    """In slow start each ACK of a segment lets that one be replaced, and one more be sent."""
    subject, peer = ten_in_flight(serve, raw)
    before = sum(sizes(peer))
    let_age(subject, probe)

    for turn in range(1, 6):
        peer.send("ACK", ack=1 + 1000 * turn)
        sent_by_now = sum(sizes(peer))
        assert sent_by_now <= before + 2000 * turn, f"after {turn} ACKs {sent_by_now - before} octets more"
    with control():
        assert sum(sizes(peer)) > before, "the control: it goes on"


@covers("rfc5681:3.2/fast-retransmit-on-three-dups")
def test_three_duplicate_acknowledgments_bring_the_segment_again(serve: Serve, raw: Raw) -> None:
    """The third duplicate ACK says that a segment is lost: it is sent again at once, before any timer."""
    _, peer = ten_in_flight(serve, raw)

    for _ in range(3):
        peer.send("ACK", ack=1)

    peer.expect_at_once(got.data(size=1000) & got.segment(seq=1))


@covers("rfc3042:2/limited-transmit-on-first-dups")
def test_first_duplicate_acknowledgments_release_new_segments(serve: Serve, raw: Raw, probe: Probe) -> None:
    """Each of the first two duplicate ACKs tells that a segment has left: a new one may go, and nothing old does."""
    subject, peer = ten_in_flight(serve, raw)

    for place in (10_001, 11_001):
        let_age(subject, probe)
        peer.send("ACK", ack=1)
        peer.expect_at_once(got.data() & got.segment(seq=place))

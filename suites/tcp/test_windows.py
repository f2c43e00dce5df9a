"""The window: what a sender makes of ours, and what a receiver tells of its own (RFC 9293 3.8.6, RFC 7323 2).

The subject is the kernel's TCP, our end a raw peer, so a window can be held shut, moved back, or told in any scale.
Segments are small where a window is to hold several of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.suite import KiB, control, covers, got, octets, option

if TYPE_CHECKING:
    from harness.suite import Probe, Raw, RawPeer, Serve, Subject

SMALL = 100  # octets of a segment, so that the first ten are sent without waiting for an acknowledgment


@control()
def established(
    serve: Serve, raw: Raw, options: bytes | None = None, *, buffer: int = 0, window: int = 0xFFFF
) -> tuple[Subject, RawPeer]:
    """A subject that has accepted a raw peer; its own receive `buffer`, and our `window`, where that matters."""
    subject = serve()
    if buffer:
        subject.tell(f"option SOL_SOCKET SO_RCVBUF {buffer} #0")
    peer = raw.peer(subject)
    peer.window = window
    peer.handshake(options)
    subject.tell("accept")
    return subject, peer


def in_flight(peer: RawPeer) -> int:
    """How far the subject has sent beyond what we acknowledged, when a fence has passed."""
    return max((step.end for step in peer.flow().pick(got.data())), default=peer.rcv_nxt) - peer.rcv_nxt


def shut(peer: RawPeer) -> None:
    """Tell the subject that we have no room; the octet beside it makes this news (SND.WL1, RFC 9293 3.10.7.4)."""
    peer.send("PSH ACK", b"!", window=0)


def fill(peer: RawPeer, piece: int = KiB) -> None:
    """Send until the subject, which does not read, offers no window any more."""
    offer = peer.flow().pick(got.ACK)[-1]
    while room := offer.right_edge - peer.snd_nxt:
        peer.send("PSH ACK", octets(min(room, piece)))
        offer = peer.expect(got.segment(ack=peer.snd_nxt))


# -- ours, as the subject takes it ------------------------------------------------------------------------------------


@covers("rfc9293:MUST-1", "rfc9293:REC-1")
def test_largest_window_without_scale_is_large(serve: Serve, raw: Raw, probe: Probe) -> None:
    """A window of 65535 has no sign: the subject goes on sending, more than half of it at a time."""
    subject, peer = established(serve, raw, option.mss(1400))

    subject.tell_later(f"send-pattern {512 * KiB} 7")
    while peer.rcv_nxt < 256 * KiB:
        peer.expect(got.data())
    peer.acknowledges = False
    probe.at_rest(subject)

    assert in_flight(peer) > 0x7FFF, "more than half of the window is in use"


@covers("rfc9293:3.10.7.4/old-segments-do-not-update-window")
def test_an_old_segment_opens_no_window(serve: Serve, raw: Raw) -> None:
    """The window is what the newest segment says: one from before, that comes again, does not open it."""
    subject, peer = established(serve, raw, option.mss(SMALL))
    peer.send("PSH ACK", b"?")
    shut(peer)
    peer.expect(got.segment(ack=3))
    subject.tell("send 68656c6c6f")

    peer.send("PSH ACK", b"?", seq=1)

    peer.expect(got.bare_ack())
    peer.flow().expect_no(got.data())
    peer.send("ACK")
    peer.expect(got.data(b"hello"))


@covers("rfc7323:2.2/scaling-needs-both-sides")
def test_window_is_not_scaled_where_we_did_not_offer_it(serve: Serve, raw: Raw) -> None:
    """Without a window scale of ours a field of 512 is a window of 512 octets."""
    subject, peer = established(serve, raw, option.mss(SMALL), window=512)
    peer.acknowledges = False

    subject.tell("send-pattern 5000 7")

    assert in_flight(peer) == 500, "five segments of 100 octets fit"


@covers("rfc7323:2.3/non-syn-windows-are-shifted")
@pytest.mark.parametrize("shift", [0, 6])
def test_window_is_shifted_by_what_we_offered(serve: Serve, raw: Raw, probe: Probe, shift: int) -> None:
    """With a window scale of n the field counts in units of 2**n octets, behind the SYN."""
    subject, peer = established(serve, raw, option.mss(SMALL) + option.window_scale(shift), window=512 >> shift)
    peer.acknowledges = False

    subject.tell_later("send-pattern 5000 7")  # which takes its time where segments are of an octet or two
    probe.at_rest(subject)

    assert in_flight(peer) == 500, "five segments of 100 octets fit"


@covers("rfc7323:2.2/window-scale-ignored-off-syn")
def test_window_scale_behind_the_handshake_is_ignored(serve: Serve, raw: Raw) -> None:
    """A window scale option on a segment without SYN changes nothing."""
    subject, peer = established(serve, raw, option.mss(SMALL) + option.window_scale(6), window=8)
    peer.acknowledges = False

    peer.send("PSH ACK", b"x", options=option.window_scale(10) + option.NOP)
    subject.tell("send-pattern 5000 7")

    assert in_flight(peer) == 500, "five segments of 100 octets fit into 8 units of 64"


@covers("rfc7323:2.3/shift-above-14-treated-as-14")
def test_shift_above_14_counts_as_14(serve: Serve, raw: Raw, probe: Probe) -> None:
    """A window scale of 15 or more is taken for 14: a field of 1 is a window of 16384 octets."""
    subject, peer = established(serve, raw, option.mss(1400) + option.window_scale(20), window=1)

    subject.tell_later(f"send-pattern {512 * KiB} 7")
    while peer.rcv_nxt < 64 * KiB:
        peer.expect(got.data())
    peer.acknowledges = False
    probe.at_rest(subject)

    assert 1 << 13 < in_flight(peer) <= 1 << 14, "what is in flight fits into 16384 octets"


@covers("rfc7323:2.2/syn-windows-never-scaled")
def test_window_of_the_syn_ack_is_not_scaled(serve: Serve, raw: Raw) -> None:
    """The field of the SYN ACK counts octets, that of the segments behind it units: both tell about the same."""
    subject, peer = established(serve, raw, option.mss(1400) + option.window_scale(7))
    with control():
        assert peer.flow().pick(got.SYN)[0].segment.options.window_scale, "the control: the subject scales"

    peer.send("PSH ACK", b"x")

    answer = peer.expect(got.acked(1))
    told = peer.flow().pick(got.SYN)[0].window, answer.window
    assert abs(told[0] - told[1]) < 2 * KiB, (
        f"the SYN ACK tells a window of {told[0]} octets, the next segment {told[1]}"
    )
    assert subject.tell("read 1") == b"x".hex()


@covers("rfc9293:SHLD-15", "rfc9293:MUST-34")
def test_nothing_new_is_sent_into_a_window_that_shrank(serve: Serve, raw: Raw) -> None:
    """Where the right edge moves back behind what is in flight, the subject waits, and goes on when it may."""
    subject, peer = established(serve, raw, option.mss(SMALL))
    peer.acknowledges = False
    subject.tell("send-pattern 5000 7")
    with control():
        assert in_flight(peer) == 10 * SMALL, "the control: ten segments are in flight"

    peer.send("ACK", ack=1 + 2 * SMALL, window=SMALL)
    assert in_flight(peer) == 10 * SMALL, "nothing new came"
    peer.acknowledges = True
    peer.acknowledge()
    subject.tell("close")

    peer.expect(got.FIN)
    assert peer.flow().stream(got) == octets(5000, seed=7)


@covers("rfc9293:MUST-35", "rfc9293:SHLD-16")
def test_window_that_shrank_to_zero_is_probed(serve: Serve, raw: Raw) -> None:
    """A window that closes over what is in flight is asked about again, and the stream loses nothing."""
    subject, peer = established(serve, raw, option.mss(SMALL))
    peer.acknowledges = False
    subject.tell("send-pattern 300 7")
    with control():
        assert in_flight(peer) == 3 * SMALL, "the control: three segments are in flight"
    peer.expect(got.data() & got.segment(seq=1 + 2 * SMALL))

    shut(peer)
    peer.expect(got.bare_ack())

    peer.expect(got.segment(ack=2))  # a probe, or the segment again
    peer.acknowledge()
    subject.tell("read 1")
    subject.tell("close")
    peer.expect(got.FIN)
    assert peer.flow().stream(got) == octets(300, seed=7)


@covers("rfc9293:MUST-38")
def test_no_small_segment_is_sent_because_the_window_opened_a_little(serve: Serve, raw: Raw) -> None:
    """A window that opens by ten octets is not worth a segment; one that holds several full segments is."""
    subject, peer = established(serve, raw, option.mss(1000))
    shut(peer)
    subject.tell("send-pattern 8000 7")
    assert in_flight(peer) == 0, "nothing is sent while the window is shut"

    peer.send("ACK", window=10)
    assert in_flight(peer) == 0, "nothing is sent into ten octets"
    peer.send("ACK")

    peer.expect(got.data(size=1000))
    assert min(len(step.data) for step in peer.flow().pick(got.data())) == 1000


@covers("rfc9293:SHLD-30", "rfc9293:SHLD-29", "rfc9293:MUST-36", "rfc9293:MUST-37")
@pytest.mark.slow
def test_closed_window_is_probed_at_growing_intervals(serve: Serve, raw: Raw) -> None:
    """Who has data and no window asks, each time later than the last time, and goes on when the window opens."""
    subject, peer = established(serve, raw, option.mss(1000))
    shut(peer)
    peer.expect(got.segment(ack=2))
    subject.tell("send-pattern 3000 7")

    probes = []
    for _ in range(3):
        probes.append(peer.expect(got.segment()))
        peer.send("ACK", ack=1, window=0)
    peer.send("ACK")

    peer.expect_at_once(got.data(size=1000))
    assert all(len(probe.data) <= 1 for probe in probes), "a probe carries an octet at most"
    first, second, third = (probe.since_ns / 1e9 for probe in probes)
    assert third - second > 1.4 * (second - first), f"the intervals grow: {second - first:.2f}, {third - second:.2f} s"


# -- the subject's own ------------------------------------------------------------------------------------------------


@covers("rfc9293:SHLD-14")
def test_right_edge_never_moves_back(serve: Serve, raw: Raw) -> None:
    """However small the segments that fill the subject's buffer, what it offered once it takes."""
    _, peer = established(serve, raw, buffer=8 * KiB)
    room = peer.flow().pick(got.SYN)[0].window

    for place in range(0, room - 50, 50):
        peer.send("PSH ACK", bytes(50), seq=1 + place)

    edges = [step.right_edge for step in peer.flow().pick(got.ACK)]
    with control():
        assert len(edges) > 3, "the control: there were several"
    assert edges == sorted(edges), "the right edge never moved to the left"


@covers("rfc9293:MUST-39")
def test_window_does_not_open_by_crumbs(serve: Serve, raw: Raw) -> None:
    """A program that reads octet by octet from a full buffer does not have each of them told: no window update."""
    subject, peer = established(serve, raw, buffer=8 * KiB)
    fill(peer)

    for _ in range(20):
        subject.tell("read 1")
    peer.expect_silence()
    subject.tell_later("drain")

    update = peer.expect(got.window(above=0))
    assert update.window >= min(536, 4 * KiB), "the window opens by something worth while"


@covers("rfc9293:3.8.6/closed-window-is-acknowledged", "rfc9293:MAY-8")
def test_probe_of_a_closed_window_is_answered(serve: Serve, raw: Raw) -> None:
    """An octet that the subject has no room for draws an ACK that tells so, each time; later it is taken."""
    subject, peer = established(serve, raw, buffer=4 * KiB)
    fill(peer)

    for _ in range(2):
        peer.send("ACK", b"!", seq=peer.snd_nxt)
        peer.expect(got.window(0) & got.segment(ack=peer.snd_nxt))
    filled = peer.snd_nxt - 1
    subject.tell_later(f"read-exactly {filled + 1}")
    peer.expect(got.window(above=0))
    peer.send("PSH ACK", b"!")

    assert subject.answer()["size"] == filled + 1


@covers("posix:stream/streams-are-reliable", "rfc9293:MUST-1")
def test_small_receive_buffer_takes_a_large_stream(serve: Serve, probe: Probe) -> None:
    """A subject with room for 4 KiB takes 200 KiB, a window at a time, while the program reads."""
    subject = serve()
    subject.tell(f"option SOL_SOCKET SO_RCVBUF {4 * KiB} #0")
    client = probe.connect(subject)
    subject.tell("accept")

    subject.tell_later("drain")
    client.send_all(octets(200 * KiB))
    client.half_close()

    assert subject.answer()["size"] == 200 * KiB, "every octet is received"

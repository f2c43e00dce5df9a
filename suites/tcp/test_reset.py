"""What a RST ends, what it does not, and who is answered with one (RFC 9293 3.5.2, 3.5.3, 3.10.7; RFC 5961).

The subject is the kernel's TCP, the active end a raw peer, so a RST can come at any number and in any state.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from harness.suite import KiB, State, brought_to, control, covers, got, octets, option, raises, states

if TYPE_CHECKING:
    from harness.suite import Raw, RawPeer, Serve

SYNCHRONIZED = (
    State.ESTABLISHED,
    State.FIN_WAIT_1,
    State.FIN_WAIT_2,
    State.CLOSE_WAIT,
    State.CLOSING,
    State.LAST_ACK,
)
IN_EACH = pytest.mark.parametrize("state", SYNCHRONIZED, ids=str)
IN_EACH_TO_THE_LAST = pytest.mark.parametrize("state", [*SYNCHRONIZED, State.TIME_WAIT], ids=str)


@covers("rfc9293:3.10.7.4/exact-rst-resets-connection", "rfc5961:3.2/rst-at-rcv-nxt-resets")
@IN_EACH_TO_THE_LAST
def test_exact_reset_ends_the_connection(serve: Serve, raw: Raw, state: State) -> None:
    """A RST at the next number expected ends the connection in every state, without an answer."""
    subject = serve(slow_timers=True)
    peer = brought_to(state, subject, raw)

    peer.send("RST")

    peer.expect_silence()
    assert states(subject) == [], "the connection is gone"


@covers("rfc5961:3.2/in-window-rst-draws-challenge-ack")
@IN_EACH
def test_reset_within_the_window_is_challenged(serve: Serve, raw: Raw, state: State) -> None:
    """A RST beside the next number expected may be forged: an ACK asks whether it was meant, and nothing has ended."""
    subject = serve(slow_timers=True)
    peer = brought_to(state, subject, raw)

    peer.send("RST", seq=peer.snd_nxt + 1)

    peer.expect(got.bare_ack() & got.segment(ack=peer.snd_nxt))
    assert states(subject) == [state], "the connection is as it was"


def challenged_near_what_came_early(serve: Serve, raw: Raw, place: int) -> None:
    """Have octets 11 to 15 come beyond a hole, which SACK reports; claim that a RST at this number is challenged."""
    subject = serve(slow_timers=True)
    peer = raw.connect(subject, option.mss(1000) + option.SACK_PERMITTED)
    subject.tell("accept")
    peer.send("PSH ACK", b"early", seq=11)
    reported = peer.expect(got.bare_ack())
    assert reported.sack == ((11, 16),), "the control: the hole is reported"

    peer.send("RST", seq=place)

    peer.expect_at_once(got.bare_ack() & got.segment(ack=1))
    assert states(subject) == [State.ESTABLISHED], "the connection is as it was"


@covers("rfc5961:3.2/in-window-rst-draws-challenge-ack")
@pytest.mark.parametrize("place", [15, 17], ids=["inside", "beyond"])
def test_reset_near_what_came_early_is_challenged(serve: Serve, raw: Raw, place: int) -> None:
    """A RST at the last octet that came beyond a hole, or after the next one, is as likely forged as any other."""
    challenged_near_what_came_early(serve, raw, place)


@covers("rfc5961:3.2/in-window-rst-draws-challenge-ack")
def test_reset_at_the_edge_of_what_came_early_is_challenged(serve: Serve, raw: Raw) -> None:
    """A RST right after the octets that came beyond a hole is not at the next number expected either."""
    challenged_near_what_came_early(serve, raw, 16)


@covers("rfc5961:3.2/rst-outside-window-silently-dropped", "rfc9293:3.10.7.4/rst-outside-window-ignored")
@pytest.mark.parametrize("place", [-1, 1 << 20, 1 << 31], ids=["before", "behind", "opposite"])
def test_reset_outside_the_window_is_dropped(serve: Serve, raw: Raw, place: int) -> None:
    """A RST at a number that cannot be one of ours is not even answered."""
    subject = serve(slow_timers=True)
    peer = brought_to(State.ESTABLISHED, subject, raw)

    peer.send("RST", seq=peer.snd_nxt + place)

    peer.expect_silence()
    assert states(subject) == [State.ESTABLISHED]


@covers("rfc5961:7/challenge-acks-are-throttled")
def test_challenges_are_few(serve: Serve, raw: Raw) -> None:
    """A hundred RSTs within the window draw no hundred ACKs."""
    subject = serve(slow_timers=True)
    peer = brought_to(State.ESTABLISHED, subject, raw)

    for place in range(100):
        peer.send("RST", seq=peer.snd_nxt + 1 + place)

    challenges = peer.flow().pick(got.segment(ack=1, size=0, without="SYN"))
    assert 0 < len(challenges) <= 10, "some, but few: RFC 5961 7 has 10 in 5 seconds as its example"


@covers("rfc9293:SHLD-2")
def test_reset_may_carry_data(serve: Serve, raw: Raw) -> None:
    """A RST that explains itself in words is a RST."""
    subject = serve(slow_timers=True)
    peer = brought_to(State.ESTABLISHED, subject, raw)

    peer.send("RST ACK", b"so long")

    peer.expect_silence()
    assert states(subject) == [], "the connection is gone"


@covers("rfc9293:MUST-66")
def test_reset_counts_while_the_window_is_closed(serve: Serve, raw: Raw) -> None:
    """A subject that takes no more octets still hears that the connection is over."""
    subject = serve(slow_timers=True)
    subject.tell(f"option SOL_SOCKET SO_RCVBUF {4 * KiB} #0")
    peer = brought_to(State.ESTABLISHED, subject, raw)
    fill_window(peer)

    peer.send("RST")

    peer.expect_silence()
    assert states(subject) == [], "the connection is gone"


@control()
def fill_window(peer: RawPeer) -> None:
    """Send until the subject, which does not read, offers no window any more."""
    offer = peer.flow().pick(got.ACK)[-1]
    while room := offer.right_edge - peer.snd_nxt:
        peer.send("PSH ACK", octets(min(room, KiB)))
        offer = peer.expect(got.segment(ack=peer.snd_nxt))


@covers("rfc9293:MUST-12")
def test_program_is_told_fin_from_reset(serve: Serve, raw: Raw) -> None:
    """A reader sees the end of the stream behind a FIN, and an error behind a RST."""
    subject = serve(slow_timers=True)
    orderly, aborted = raw.connect(subject), raw.connect(subject)
    subject.tell("accept")
    subject.tell("accept")

    orderly.send("FIN ACK")
    aborted.send("RST ACK")

    assert subject.tell("ending #1") == "EOF"
    with raises(errno.ECONNRESET):
        subject.tell("ending #2")


@covers("linux:recv/data-queued-before-rst-readable")
def test_reset_discards_nothing_that_was_queued(serve: Serve, raw: Raw) -> None:
    """Octets that arrived before the RST can still be read on Linux; then the error shows."""
    subject = serve(slow_timers=True)
    peer = raw.connect(subject)
    subject.tell("accept")

    peer.send("PSH ACK", b"last words")
    peer.expect(got.acked(10))
    peer.send("RST ACK")

    assert bytes.fromhex(subject.tell("read 100")) == b"last words"
    with raises(errno.ECONNRESET):
        subject.tell("ending")


# -- before the connection stands -------------------------------------------------------------------------------------


@covers("rfc9293:3.10.7.4/rst-in-syn-received-returns-to-listen")
def test_reset_of_a_half_open_connection_is_not_told(serve: Serve, raw: Raw) -> None:
    """A RST behind the SYN ACK takes the half-open connection away: accept() waits for the next one."""
    subject = serve(slow_timers=True)
    peer = raw.peer(subject)
    peer.send_syn()
    peer.expect(got.SYN_ACK)
    with control():
        assert states(subject) == [State.SYN_RECEIVED], "the control"

    peer.send("RST")

    peer.expect_silence()
    assert states(subject) == [], "the half-open connection is gone"
    other = raw.connect(subject)
    assert subject.tell("accept")["peer"][1] == other.near.port


@covers("linux:accept/aborted-connection-before-accept")
def test_reset_in_the_queue_does_not_end_the_accept_loop(serve: Serve, raw: Raw) -> None:
    """accept() gives a connection that was reset while it waited, which then says so; the next client is served."""
    subject = serve(slow_timers=True)
    gone, other = raw.connect(subject), raw.connect(subject)

    gone.send("RST ACK")
    gone.expect_silence()

    assert subject.tell("accept")["connection"] == 1, "accept() itself does not fail"
    with raises(errno.ECONNRESET):
        subject.tell("read 100")
    assert subject.tell("accept")["peer"][1] == other.near.port
    other.send("PSH ACK", b"me?")
    assert bytes.fromhex(subject.tell("read 100")) == b"me?"


@covers("rfc9293:3.10.7.4/bad-ack-in-syn-received-resets")
@pytest.mark.parametrize("ack", [0, 2, 1 << 31], ids=["too_low", "too_high", "far"])
def test_wrong_acknowledgment_of_the_syn_ack_is_reset(serve: Serve, raw: Raw, ack: int) -> None:
    """An ACK of another number than the SYN ACK's draws a RST at that number; the right one is still taken."""
    subject = serve(slow_timers=True)
    peer = raw.peer(subject)
    peer.send_syn()
    peer.expect(got.SYN_ACK)

    peer.send("ACK", ack=ack)

    reset = peer.expect(got.RST)
    assert reset.segment.seq == (peer.irs + ack) % (1 << 32), "the RST stands at the number that we acknowledged"
    peer.send("ACK")
    assert subject.tell("accept")["peer"][1] == peer.near.port


@covers("rfc9293:3.10.7.2/listen-ignores-rst", "rfc9293:3.10.7.1/no-rst-answers-a-rst")
@pytest.mark.parametrize("flags", ["RST", "RST ACK"])
def test_listener_is_deaf_to_resets(serve: Serve, raw: Raw, flags: str) -> None:
    """A RST to a listening port draws nothing, and the next client is served."""
    subject = serve(slow_timers=True)
    peer = raw.peer(subject)

    peer.send(flags)

    peer.expect_silence()
    raw.connect(subject)


@covers("rfc9293:3.10.7.2/listen-resets-stray-ack", "rfc9293:3.5.1/half-open-peer-discovered-by-rst")
@pytest.mark.parametrize("flags", ["ACK", "SYN ACK", "FIN ACK", "PSH ACK"])
def test_listener_resets_what_acknowledges(serve: Serve, raw: Raw, flags: str) -> None:
    """A segment of a connection that the subject knows nothing of draws a RST at the number that it acknowledges."""
    peer = raw.peer(serve())

    peer.send(flags, b"of old" if "PSH" in flags else b"", ack=4711)

    reset = peer.expect(got.RST & got.segment(without="ACK"))
    assert reset.segment.seq == 4711, "the RST stands at the number that we acknowledged"
    peer.expect_silence()


@covers("rfc9293:3.10.7.2/listen-drops-data-without-flags")
@pytest.mark.parametrize("flags", ["", "PSH", "FIN", "URG"], ids=["none", "psh", "fin", "urg"])
def test_listener_drops_what_neither_opens_nor_acknowledges(serve: Serve, raw: Raw, flags: str) -> None:
    """A segment with none of SYN, ACK and RST is as if it had never come."""
    subject = serve(slow_timers=True)
    peer = raw.peer(subject)

    peer.send(flags, b"what?")

    peer.expect_silence()
    raw.connect(subject)


@covers("rfc9293:3.10.7.1/rst-sequence-taken-from-ack")
def test_closed_port_resets_at_the_number_acknowledged(serve: Serve, raw: Raw) -> None:
    """To a segment with ACK a closed port answers RST at that number, and acknowledges nothing."""
    subject = serve(slow_timers=True)
    peer = raw.peer(subject, to=subject.address._replace(port=1))

    peer.send("PSH ACK", b"hello?", ack=4711)

    reset = peer.expect(got.RST & got.segment(without="ACK"))
    assert reset.segment.seq == 4711, "the RST stands at the number that we acknowledged"
    peer.expect_silence()


@covers("rfc9293:3.10.7.1/segment-to-closed-port-gets-rst")
@pytest.mark.parametrize(("flags", "size"), [("SYN", 0), ("PSH", 6), ("FIN", 0)], ids=["syn", "data", "fin"])
def test_closed_port_acknowledges_what_it_resets(serve: Serve, raw: Raw, flags: str, size: int) -> None:
    """To a segment without ACK a closed port answers RST ACK at 0 that acknowledges all of it, SYN and FIN too."""
    subject = serve(slow_timers=True)
    peer = raw.peer(subject, to=subject.address._replace(port=1))

    peer.send(flags, b"hello?"[:size])

    reset = peer.expect(got.segment(flags="RST ACK")).segment
    acknowledged = reset.ack - peer.iss
    assert (reset.seq, acknowledged) == (0, size + (flags != "PSH")), "at 0, and all that we sent is acknowledged"


@covers("rfc9293:3.10.7.1/no-rst-answers-a-rst")
@pytest.mark.parametrize("flags", ["RST", "RST ACK"])
def test_closed_port_does_not_answer_a_reset(serve: Serve, raw: Raw, flags: str) -> None:
    """A RST never draws a RST: two ends would not come to rest."""
    subject = serve(slow_timers=True)
    peer = raw.peer(subject, to=subject.address._replace(port=1))

    peer.send(flags)
    peer.expect_silence()

    peer.send("ACK", ack=1)
    peer.expect(got.RST)


# -- when one end has forgotten ---------------------------------------------------------------------------------------


@covers("rfc9293:3.5.1/syn-on-existing-connection-challenged", "rfc5961:4.2/syn-in-synchronized-state-challenged")
@pytest.mark.parametrize("iss", [1_000_001, 1, 0x80000000], ids=["in_window", "before", "far"])
def test_syn_of_a_peer_that_forgot_is_challenged(serve: Serve, raw: Raw, iss: int) -> None:
    """A SYN on a connection that stands draws an ACK; a peer that knows nothing of it resets, and may come again."""
    subject = serve(slow_timers=True)
    old = brought_to(State.ESTABLISHED, subject, raw)

    old.send("SYN", seq=iss - old.iss)
    challenge = old.expect(got.bare_ack())
    assert (challenge.ack, states(subject)) == (1, [State.ESTABLISHED]), "it acknowledges what it knows"
    old.send("RST")  # at the number that the ACK tells

    old.expect_silence()
    assert states(subject) == []
    raw.peer(subject, port=old.near.port, iss=iss).handshake()


@covers("rfc9293:3.5.1/half-open-peer-discovered-by-rst")
def test_sender_learns_from_a_reset_that_the_peer_forgot(serve: Serve, raw: Raw) -> None:
    """The data of a subject whose peer has forgotten the connection draws a RST, and the program is told."""
    subject = serve(slow_timers=True)
    peer = brought_to(State.ESTABLISHED, subject, raw)

    subject.tell("send 68656c6c6f")
    lost = peer.expect(got.data(b"hello"))
    peer.send("RST", seq=lost.ack)
    peer.expect_silence()

    with raises(errno.ECONNRESET):
        subject.tell("read 100")


@covers("linux:err/epipe-after-close-wait-reset")
def test_reset_in_close_wait_breaks_the_pipe(serve: Serve, raw: Raw) -> None:
    """Who was told the end of the stream, and then was reset, cannot send: EPIPE."""
    subject = serve(slow_timers=True)
    peer = brought_to(State.CLOSE_WAIT, subject, raw)

    peer.send("RST")
    peer.expect_silence()

    with raises(errno.EPIPE):
        subject.tell("send 68656c6c6f")

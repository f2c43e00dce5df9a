"""Which segments count, in every state of the subject's end: the checks of RFC 9293 3.10.7.4, and those of RFC 5961.

The subject is the kernel's TCP, the active end a raw peer. What a test sends may not count, so each one claims that the
state is still the same. What a RST does stands in `test_reset.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.suite import State, brought_to, control, covers, got, requires, states

if TYPE_CHECKING:
    from harness.suite import Raw, Serve

RECEIVING = (State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2)
ENDED = (State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK)  # of our own direction: nothing more can come from us
SYNCHRONIZED = (*RECEIVING, *ENDED)
UNACKNOWLEDGED = (State.FIN_WAIT_1, State.CLOSING, State.LAST_ACK)  # the subject's FIN

PLACES = {"below": -1, "beyond": 1 << 20}

in_each = pytest.mark.parametrize("state", [State.SYN_RECEIVED, *SYNCHRONIZED, State.TIME_WAIT], ids=str)
in_each_synchronized = pytest.mark.parametrize("state", SYNCHRONIZED, ids=str)


@covers("rfc9293:3.10.7.4/old-duplicate-data-re-acked", "rfc9293:3.10.7.4/beyond-window-data-is-rejected")
@in_each
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES.keys())
def test_segment_beside_the_window_is_answered_and_changes_nothing(
    serve: Serve, raw: Raw, state: State, place: int
) -> None:
    """A segment whose octet lies beside the window draws an ACK of what is expected, in every state."""
    subject = serve(slow_timers=True)
    peer = brought_to(state, subject, raw)

    peer.send("PSH ACK", b"!", seq=peer.snd_nxt + place)

    with requires(
        "rfc9293:3.10.7.4/beyond-window-data-is-rejected"
        if place > 0
        else "rfc9293:3.10.7.4/old-duplicate-data-re-acked"
    ):
        answer = peer.expect(got.bare_ack() & got.segment(ack=peer.snd_nxt))
    assert states(subject) == [state]
    assert answer.seq == peer.flow().pick(got.segment())[-2].end, "the ACK stands where the subject's next octet will"


@covers("rfc9293:3.10.7.4/rst-outside-window-ignored", "rfc5961:3.2/rst-outside-window-silently-dropped")
@in_each
def test_reset_beyond_the_window_is_passed_over(serve: Serve, raw: Raw, state: State) -> None:
    """A RST at a number that cannot be one of ours is not answered, and ends nothing, in every state."""
    subject = serve(slow_timers=True)
    peer = brought_to(state, subject, raw)

    for place in (1 << 20, 1 << 31):
        peer.send("RST", seq=peer.snd_nxt + place)

    peer.expect_silence()
    assert states(subject) == [state]


@covers("rfc9293:3.10.7.4/segment-without-ack-dropped")
@in_each
def test_segment_without_ack_changes_nothing(serve: Serve, raw: Raw, state: State) -> None:
    """A segment with neither ACK nor RST is not taken, wherever the connection is: neither its octets nor its FIN."""
    subject = serve(slow_timers=True)
    peer = brought_to(state, subject, raw)

    for flags in ("", "PSH", "FIN"):
        peer.send(flags, b"wrong", seq=peer.snd_nxt)

    peer.flow().expect_no(got.RST | got.segment(ack=peer.snd_nxt + 5) | got.segment(ack=peer.snd_nxt + 6))
    assert states(subject) == [state]


@covers("rfc5961:4.2/syn-in-synchronized-state-challenged")
@in_each_synchronized
@pytest.mark.parametrize("place", [0, 1 << 31], ids=["next", "far"])
def test_syn_is_challenged_in_every_synchronized_state(serve: Serve, raw: Raw, state: State, place: int) -> None:
    """A SYN at any number draws an ACK of what is expected, and neither RST nor SYN ACK; the connection stands."""
    subject = serve(slow_timers=True)
    peer = brought_to(state, subject, raw)

    expected = peer.iss + peer.snd_nxt

    peer.send("SYN", seq=peer.snd_nxt + place)

    # Behind both FINs a SYN begins another flow, so that the number is looked at as it stands on the wire.
    answer = peer.expect(got.bare_ack())
    assert answer.segment.ack == expected, "the ACK tells what is expected"
    peer.expect_silence()
    assert states(subject) == [state]


@covers("rfc9293:3.10.7.4/syn-in-syn-received-returns-to-listen")
def test_other_syn_in_syn_received_leaves_the_listener_listening(serve: Serve, raw: Raw) -> None:
    """A second SYN, with another number, ends the half-open connection; the listener serves who comes next."""
    subject = serve(slow_timers=True)
    peer = brought_to(State.SYN_RECEIVED, subject, raw)

    peer.send("SYN", seq=peer.snd_nxt + 1)

    peer.flow().expect_no(got.SYN_ACK & got.segment(ack=peer.snd_nxt + 2))
    assert states(subject) == [], "the half-open connection is gone"
    raw.connect(subject)


@covers("rfc9293:3.10.7.4/ack-of-unsent-data-answered")
@in_each_synchronized
def test_acknowledgment_of_what_was_never_sent_is_answered_in_every_state(serve: Serve, raw: Raw, state: State) -> None:
    """An ACK above all that the subject has sent acknowledges nothing: an ACK answers, and the state stays."""
    subject = serve(slow_timers=True)
    peer = brought_to(state, subject, raw)

    peer.send("ACK", ack=peer.rcv_nxt + 10)

    peer.expect(got.bare_ack() & got.segment(ack=peer.snd_nxt))
    assert states(subject) == [state]


@covers("rfc9293:3.10.7.4/old-ack-is-ignored")
@pytest.mark.parametrize("state", UNACKNOWLEDGED, ids=str)
def test_old_acknowledgment_changes_nothing(serve: Serve, raw: Raw, state: State) -> None:
    """An ACK that lies below the FIN of the subject is a duplicate: nothing is answered, and the FIN still counts."""
    subject = serve(slow_timers=True)
    peer = brought_to(state, subject, raw)

    peer.send("ACK", ack=1)

    peer.expect_silence()
    assert states(subject) == [state]
    peer.send("ACK", ack=2)
    peer.expect_silence()
    with control():
        assert states(subject) != [state], "the control: the ACK of the FIN is another thing"


@covers("rfc9293:3.10.7.4/old-ack-is-ignored")
@pytest.mark.parametrize("state", RECEIVING, ids=str)
def test_data_beside_an_old_acknowledgment_is_taken(serve: Serve, raw: Raw, state: State) -> None:
    """What an old ACK acknowledges is old, and what stands beside it is not: the octets are read."""
    subject = serve(slow_timers=True)
    peer = brought_to(state, subject, raw)
    if state is State.ESTABLISHED:
        subject.tell("send 61")
        peer.expect(got.data(b"a"))

    peer.send("PSH ACK", b"new", ack=1)

    peer.expect(got.acked(3))
    assert bytes.fromhex(subject.tell("read 100")) == b"new"


@covers("rfc9293:3.10.7.4/data-after-peer-fin-ignored")
@pytest.mark.parametrize("state", ENDED, ids=str)
def test_octets_behind_our_end_are_not_taken(serve: Serve, raw: Raw, state: State) -> None:
    """Where our direction has ended, octets behind its FIN are acknowledged by nobody and read by nobody."""
    subject = serve(slow_timers=True)
    peer = brought_to(state, subject, raw)

    peer.send("PSH ACK", b"more", seq=peer.snd_nxt)

    peer.flow().expect_no(got.segment(ack=peer.snd_nxt + 4))
    assert subject.tell("drain")["size"] == 0


@covers("rfc9293:3.10.7.4/old-duplicate-data-re-acked", "rfc9293:3.10.7.4/retransmitted-fin-re-acked-in-time-wait")
@pytest.mark.parametrize("state", [*ENDED, State.TIME_WAIT], ids=str)
def test_our_end_that_comes_again_is_acknowledged_again(serve: Serve, raw: Raw, state: State) -> None:
    """A FIN that is there already draws an ACK, in every state behind it, and moves nothing."""
    subject = serve(slow_timers=True)
    peer = brought_to(state, subject, raw)

    peer.send("FIN ACK", seq=peer.snd_nxt - 1)

    peer.expect(got.bare_ack() & got.segment(ack=peer.snd_nxt))
    assert states(subject) == [state]

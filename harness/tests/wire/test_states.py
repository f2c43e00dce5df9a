"""Both ends pass through the states of RFC 9293 3.3.2, and what is sent again is known as such."""

from __future__ import annotations

import pytest

from harness.tests.wire.craft import Talk, half_close
from harness.wire.states import changes, repeated


def told(talk: Talk) -> list[tuple[str, str]]:
    return [(change.near, change.far) for change in changes(talk.flow().steps)]


OPEN = [("SYN-SENT", ""), ("ESTABLISHED", "SYN-RECEIVED"), ("", "ESTABLISHED")]


def opened() -> Talk:
    return Talk().handshake()


CLOSINGS = {
    "the probe first": (
        opened().sent("FIN ACK", 1, 1).got("ACK", 1, 2).got("FIN ACK", 1, 2).sent("ACK", 2, 2),
        [("FIN-WAIT-1", "CLOSE-WAIT"), ("FIN-WAIT-2", ""), ("TIME-WAIT", "LAST-ACK"), ("", "CLOSED")],
    ),
    "FIN and ACK in one segment": (
        opened().sent("FIN ACK", 1, 1).got("FIN ACK", 1, 2).sent("ACK", 2, 2),
        [("FIN-WAIT-1", "CLOSE-WAIT"), ("TIME-WAIT", "LAST-ACK"), ("", "CLOSED")],
    ),
    "the subject first": (
        opened().got("FIN ACK", 1, 1).sent("ACK", 1, 2).sent("FIN ACK", 1, 2).got("ACK", 2, 2),
        [("CLOSE-WAIT", "FIN-WAIT-1"), ("", "FIN-WAIT-2"), ("LAST-ACK", "TIME-WAIT"), ("CLOSED", "")],
    ),
    "both at once": (
        opened().sent("FIN ACK", 1, 1).got("FIN ACK", 1, 1).sent("ACK", 2, 2).got("ACK", 2, 2),
        [("FIN-WAIT-1", "CLOSE-WAIT"), ("CLOSING", "LAST-ACK"), ("", "CLOSED"), ("TIME-WAIT", "")],
    ),
    "reset by the subject": (opened().got("RST ACK", 1, 1), [("CLOSED", "CLOSED")]),
    "reset by the probe": (opened().sent("RST ACK", 1, 1), [("CLOSED", "CLOSED")]),
}


@pytest.mark.parametrize(("talk", "closing"), CLOSINGS.values(), ids=CLOSINGS)
def test_both_ends_pass_through_their_states(talk: Talk, closing: list[tuple[str, str]]) -> None:
    """Each closing sequence of RFC 9293 3.6 is told as its figures tell it."""
    assert told(talk) == [*OPEN, *closing]


@pytest.mark.parametrize("closing", CLOSINGS)
def test_a_connection_has_lived_when_both_ends_have_closed(closing: str) -> None:
    """Its last segment belongs to it, also one that resets."""
    flow = CLOSINGS[closing][0].flow()
    assert flow.lived() == flow


def test_what_an_end_that_is_gone_answers_belongs_to_no_connection() -> None:
    """Its ACK of our FIN was delivered behind its own FIN; TIME-WAIT answers the old number, and that is refused."""
    talk = opened().sent("FIN ACK", 1, 1).got("FIN ACK", 1, 2).sent("ACK", 2, 2)
    talk.got("ACK", 1, 2).sent("ACK", 2, 2).got("RST", 2)
    assert [step.number for step in talk.flow().lived().steps] == [1, 2, 3, 4, 5, 6]


def test_a_connection_that_goes_on_lives() -> None:
    flow = opened().sent("FIN ACK", 1, 1).got("ACK", 1, 2).flow()
    assert flow.lived() == flow


def test_data_changes_no_state() -> None:
    """Between handshake and FIN nothing is told."""
    talk = opened().sent("PSH ACK", 1, 1, b"hello").got("ACK", 1, 6).got("PSH ACK", 1, 6, b"hello").sent("ACK", 6, 6)

    assert told(talk) == OPEN


def test_a_refused_connection_leaves_both_ends_closed() -> None:
    """A RST that answers the SYN: the probe is closed again, and where nobody listened nothing changed."""
    assert told(Talk().sent("SYN").got("RST ACK", 0, 1))[-1][0] == "CLOSED"


def test_a_capture_that_begins_late_finds_a_connection() -> None:
    """Without SYNs both ends are ESTABLISHED as soon as they talk."""
    assert told(Talk().sent("PSH ACK", 1, 1, b"hello"))[0] == ("", "ESTABLISHED")
    assert told(Talk().sent("PSH ACK", 1, 1, b"hello").got("FIN ACK", 1, 6))[-1] == ("CLOSE-WAIT", "FIN-WAIT-1")


def test_what_was_sent_before_is_sent_again() -> None:
    """A segment whose octets had all been sent is told; new octets, ACKs and resets are not."""
    talk = opened().sent("PSH ACK", 1, 1, b"hello").sent("PSH ACK", 1, 1, b"hello").sent("PSH ACK", 4, 1, b"lo!")
    talk.got("ACK", 1, 6).got("ACK", 1, 6).sent("FIN ACK", 7, 1).sent("FIN ACK", 7, 1).got("RST", 1)

    assert repeated(talk.flow().steps) == {5, 10}
    assert repeated(half_close().flow().steps) == frozenset()

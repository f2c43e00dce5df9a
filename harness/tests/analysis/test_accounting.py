"""Accounting: what was acknowledged or delivered and never captured is found, and nothing else is complained about."""

from __future__ import annotations

import zlib

import pytest

from harness.analysis.accounting import Delivered, undelivered, unseen
from harness.tests.wire.craft import FAR, NEAR, Talk, half_close, long_flow


def without(talk: Talk, *numbers: int) -> Talk:
    """The same conversation with frames lost by the capture; the others keep their numbers."""
    talk.frames = [frame for frame in talk.frames if frame.number not in numbers]
    return talk


@pytest.mark.parametrize("talk", [Talk(), Talk().handshake(), half_close(), long_flow()])
def test_a_whole_capture_has_no_hole(talk: Talk) -> None:
    """Every acknowledgment is of something that is there."""
    assert unseen(talk.flow()) == []


@pytest.mark.parametrize(
    ("talk", "holes"),
    [
        # 4 sent hello, 5 its ACK, 6 sent FIN, 7 got hello (ACK of the FIN), 8 its ACK, 9 got FIN, 10 its ACK
        (without(half_close(), 4), ["#5 acknowledges up to 6, captured up to 1"]),
        (without(half_close(), 6), ["#7 acknowledges up to 7, captured up to 6"]),
        (without(half_close(), 7), ["#8 acknowledges up to 6, captured up to 1"]),
        (without(half_close(), 9), ["#10 acknowledges up to 7, captured up to 6"]),
        (without(half_close(), 5), []),  # a lost acknowledgment is told by none
    ],
)  # fmt: skip
def test_an_acknowledgment_of_what_was_not_captured_is_a_hole(talk: Talk, holes: list[str]) -> None:
    """Of octets and of FINs alike, in either direction; told once."""
    assert unseen(talk.flow()) == holes


def test_what_comes_behind_a_hole_does_not_hide_it() -> None:
    """Captured octets further on, or an ACK with a later number, do not make up for those that are missing."""
    talk = Talk().handshake().sent("ACK", 1, 1, b"lost").sent("ACK", 5, 1, b"seen").sent("ACK", 9, 1).got("ACK", 1, 9)

    assert unseen(talk.flow()) == []
    assert unseen(without(talk, 4).flow()) == ["#7 acknowledges up to 9, captured up to 1"]


def test_order_does_not_matter() -> None:
    """Segments that overtake each other leave no hole once all are there."""
    talk = Talk().handshake()
    for seq in (7, 4, 1):
        talk.sent("ACK", seq, 1, b"abc")

    assert unseen(talk.got("ACK", 1, 10).flow()) == []


def test_a_connection_older_than_the_capture_has_no_hole() -> None:
    """Without its SYN a stream begins where it was first seen."""
    talk = Talk().sent("ACK", 5001, 9001, b"abc").got("ACK", 9001, 5004, b"abc").sent("ACK", 5004, 9004)

    assert unseen(talk.flow()) == []


def test_a_reset_may_acknowledge_anything() -> None:
    """RFC 9293 3.5.2: it answers a segment that may never have been ours."""
    assert unseen(Talk().handshake().got("RST ACK", 1, 4711).flow()) == []


def test_a_retransmission_moves_nothing() -> None:
    """The highest number counts, not the last."""
    talk = Talk().handshake().sent("ACK", 1, 1, b"one").sent("ACK", 4, 1, b"two").sent("ACK", 1, 1, b"one")

    assert unseen(talk.got("ACK", 1, 7).flow()) == []


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"hello", ""),
        (b"hel", ""),  # the rest was not read
        (b"", ""),
        (b"hallo", "10.9.0.1:47732: the socket gave other octets than the capture holds"),
        (b"hello!", "10.9.0.1:47732: the socket gave 6 octets, the capture holds 5"),
    ],
)
def test_the_socket_and_the_wire_tell_the_same(octets: bytes, words: str) -> None:
    """What was read is the beginning of what was captured."""
    flow = half_close().flow()

    assert undelivered(flow, Delivered(NEAR, FAR, len(octets), zlib.crc32(octets))) == words

"""What the relay knows of a flow that it has only glanced at, when a rule asks at last."""

from __future__ import annotations

import pytest

from harness.lab.onlooker import Onlooker
from harness.tests.wire.craft import FAR, FAR6, NEAR, NEAR6, Talk, half_close, in_frame, ip, tcp, udp_frame


@pytest.fixture(params=["v4", "v6"])
def talk(request: pytest.FixtureRequest) -> Talk:
    """A conversation that has not begun."""
    return Talk(NEAR, FAR) if request.param == "v4" else Talk(NEAR6, FAR6)


def asked_of_the_last(talk: Talk) -> tuple[str, int, int, int]:
    """Flags, numbers and window of the last frame, by who has glanced at those before."""
    onlooker = Onlooker()
    *before, last = talk.frames
    for frame in before:
        onlooker.glance(frame.octets, sent=frame.sent)
    step = onlooker.read(last.octets, sent=last.sent)
    assert step is not None
    return str(step.flags), step.seq, step.ack, step.window


def test_numbers_count_from_a_beginning_that_was_glanced_at(talk: Talk) -> None:
    talk.handshake().sent("PSH ACK", 1, 1, b"hello").got("PSH ACK", 1, 6, b"hello", window=10)

    assert asked_of_the_last(talk) == ("PSH ACK", 1, 6, 10 << 7)


def test_a_new_connection_behind_a_close_is_told_apart(talk: Talk) -> None:
    talk.handshake().sent("FIN ACK", 1, 1).got("FIN ACK", 1, 2).sent("ACK", 2, 2)
    talk.near_initial, talk.far_initial = 5_000, 6_000
    talk.handshake().got("PSH ACK", 1, 1, b"hello", window=10)

    assert asked_of_the_last(talk) == ("PSH ACK", 1, 1, 10 << 7)


@pytest.mark.parametrize("sent", [True, False], ids=["sent", "got"])
def test_a_new_connection_behind_a_reset_is_told_apart(talk: Talk, sent: bool) -> None:
    """The reset stands where data has moved its sender to: it is believed because the last frames are known."""
    talk.handshake().sent("PSH ACK", 1, 1, b"hello").got("PSH ACK", 1, 6, b"hi")
    (talk.sent if sent else talk.got)("RST", 6 if sent else 3)
    talk.near_initial, talk.far_initial = 5_000, 6_000
    talk.handshake().got("PSH ACK", 1, 1, b"hello", window=10)

    assert asked_of_the_last(talk) == ("PSH ACK", 1, 1, 10 << 7)


def test_a_forged_reset_ends_nothing(talk: Talk) -> None:
    """RFC 5961 3.2: it stands where nobody is, so a SYN behind it belongs to the same connection."""
    talk.handshake().got("RST", 70_000).sent("SYN", 5_000).got("PSH ACK", 1, 1, b"hello", window=10)

    assert asked_of_the_last(talk) == ("PSH ACK", 1, 1, 10 << 7)


def test_only_what_begins_or_ends_a_connection_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    onlooker = Onlooker()
    read: list[bytes] = []

    def noted(octets: bytes, *, sent: bool) -> None:
        read.append(octets)

    monkeypatch.setattr(onlooker, "read", noted)
    talk = half_close()

    for frame in talk.frames:
        onlooker.glance(frame.octets, sent=frame.sent)
    onlooker.glance(udp_frame(NEAR, FAR, b"\x02" * 100), sent=True)

    assert read == [frame.octets for step, frame in zip(talk.flow().steps, talk.frames, strict=True) if step.flags & 7]


def test_frames_of_an_odd_shape_do_no_harm() -> None:
    """IP options are read at once; what is cut or of another kind is passed over."""
    onlooker = Onlooker()
    options = b"\x94\x04\x00\x00"
    syn = in_frame(ip(NEAR.host, FAR.host, 6, tcp(NEAR, FAR, "SYN", seq=1000), options=options))

    for octets in (b"", syn[:40], bytes(12) + b"\x08\x06" + bytes(28), syn):
        onlooker.glance(octets, sent=True)

    step = onlooker.read(in_frame(ip(NEAR.host, FAR.host, 6, tcp(NEAR, FAR, "ACK", seq=1001))), sent=True)
    assert step is not None
    assert step.seq == 1

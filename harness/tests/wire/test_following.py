"""Flows followed as they go: each step is what the flow of the whole has at its place, and costs the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.tests.wire.craft import FAR, FAR6, NEAR, NEAR6, SYN_OPTIONS, Talk, half_close, icmp_frame, long_flow
from harness.wire.decode import Decoder, decode
from harness.wire.flow import Flow
from harness.wire.following import Follower

if TYPE_CHECKING:
    from harness.wire.step import Step


def followed(talk: Talk) -> list[Step | None]:
    """The frames as steps, one by one."""
    decoder, follower = Decoder(), Follower()
    packets = [(decoder.read(frame), frame.sent) for frame in talk.frames]
    return [follower.step(packet, sent=sent) for packet, sent in packets if packet is not None]


def assembled(talk: Talk) -> list[Step]:
    """The same as the flow has them, but for the times."""
    flows = Flow.assemble_all(decode(talk.frames), talk.near, talk.far, "tcp")
    return [step._replace(since_ns=0) for flow in flows for step in flow.steps]


def wrapped() -> Talk:
    """A stream that passes 2**32 twice."""
    talk = Talk(near_initial=0xFFFFFF00).handshake()
    for turn in range(20):
        talk.sent("ACK", 1 + (turn << 29), 1, bytes(100))
    return talk


def anew() -> Talk:
    """A pair of ports that is used again behind a reset, and a strange SYN into the second connection."""
    talk = half_close().got("RST ACK", 7, 7)
    talk.near_initial, talk.far_initial = 77_000, 99_000
    talk.handshake().sent("PSH ACK", 1, 1, b"again")
    return talk.sent("SYN", 5_000).sent("PSH ACK", 6, 1, b"still the same")


def with_error() -> Talk:
    """An ICMP error about a segment among them."""
    talk = Talk().handshake().sent("PSH ACK", 1, 1, b"hello")
    quoted = talk.frames[-1].octets[14:]
    return talk.put(False, icmp_frame(FAR.host, NEAR.host, 3, 3, quoted)).got("ACK", 1, 6)


@pytest.mark.parametrize(
    "talk",
    [
        half_close(),
        long_flow(),
        wrapped(),
        anew(),
        with_error(),
        Talk(NEAR6, FAR6).handshake().got("FIN ACK", 1, 1),
        Talk().got("RST ACK", seq=-0xFFFFFFFD, ack=1),
        Talk().sent("ACK", 500, 1, b"no SYN").got("ACK", 1, 506),
    ],
    ids=["half-close", "long", "wrapped", "anew", "ICMP error", "IPv6", "reset of a SYN", "no SYN"],
)
def test_each_step_is_that_of_the_whole_flow(talk: Talk) -> None:
    assert followed(talk) == assembled(talk)


def test_a_syn_that_comes_late_corrects_the_guess() -> None:
    """The whole flow knows it from the start, who follows from then on."""
    talk = Talk().got("ACK", 100, 1).got("SYN", 0, options=SYN_OPTIONS).got("ACK", 100, 1)

    assert [step.seq for step in followed(talk) if step] == [1, 0, 100]


def test_datagrams_are_steps_and_others_are_none() -> None:
    talk = Talk().sent_datagram(b"hello").put(True, bytes(12) + b"\x08\x06" + bytes(28))

    datagram, other = followed(talk)

    assert datagram is not None
    assert (datagram.data, datagram.sent) == (b"hello", True)
    assert other is None


def test_connections_of_other_ends_do_not_touch_each_other() -> None:
    follower, decoder = Follower(), Decoder()
    one, other = Talk().handshake(), Talk(NEAR._replace(port=1), FAR, 5_000, 6_000).handshake()

    steps = []
    for pair in zip(one.frames, other.frames, strict=True):
        for frame in pair:
            packet = decoder.read(frame)
            assert packet is not None
            steps.append(follower.step(packet, sent=frame.sent))

    assert [step.seq for step in steps if step] == [0, 0, 0, 0, 1, 1]

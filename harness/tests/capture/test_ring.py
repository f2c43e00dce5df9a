"""The tap: the kernel fills it while nobody reads, every frame is there once, in order, and what is lost is counted."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from harness.budget import RESPONSE
from harness.capture.ring import Counts, Tap
from harness.lab.ends import FAR, NEAR
from harness.lab.packet import SLOTS, with_ring
from harness.wire.decode import decode
from harness.wire.segment import Datagram

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.lab.handle import Lab

BURST = 20_000  # datagrams


@pytest.fixture
def talking(lab: Lab) -> Iterator[Callable[[int], None]]:
    """Sends the datagram with this number over the link; the far end takes it in and is silent."""
    with (
        lab.socket("near", socket.AF_INET, socket.SOCK_DGRAM) as near,
        lab.socket("far", socket.AF_INET, socket.SOCK_DGRAM) as far,
    ):
        far.bind((FAR.v4[0], 9))
        near.connect(far.getsockname())

        def talk(number: int) -> None:
            near.send(number.to_bytes(4, "big") + bytes(196))

        yield talk


def tap_at(lab: Lab, slots: int) -> Tap:
    packet = with_ring(lab.socket("near", socket.AF_PACKET, socket.SOCK_RAW), slots=slots)
    return Tap(packet, NEAR.name, slots=slots)


def numbers(tap: Tap) -> list[int]:
    return [int.from_bytes(packet.data[:4], "big") for packet in decode(tap.frames) if isinstance(packet, Datagram)]


def test_a_burst_is_kept_while_nobody_reads(lab: Lab, talking: Callable[[int], None]) -> None:
    """Nothing is lost as long as the ring has room."""
    with tap_at(lab, slots=32768) as tap:
        for number in range(BURST):
            talking(number)

        assert tap.collect() == BURST
        assert numbers(tap) == list(range(BURST))
        assert tap.counts() == Counts(passed=BURST, dropped=0)


def test_a_ring_goes_round(lab: Lab, talking: Callable[[int], None]) -> None:
    """Read now and then, a ring of the usual size keeps what is many times its size."""
    with tap_at(lab, slots=SLOTS) as tap:
        for number in range(BURST):
            talking(number)
            if number % 1000 == 999:
                tap.collect()

        assert numbers(tap) == list(range(BURST))
        assert [frame.number for frame in tap.frames] == list(range(1, BURST + 1))
        assert tap.counts() == Counts(passed=BURST, dropped=0)


def test_what_finds_no_room_is_counted(lab: Lab, talking: Callable[[int], None]) -> None:
    """Of 100 frames a ring of 32 keeps the first 32; the count goes on over several looks."""
    with tap_at(lab, slots=32) as tap:
        for number in range(100):
            talking(number)

        assert tap.counts() == Counts(passed=100, dropped=68)
        tap.collect()
        talking(100)
        tap.collect()

        assert numbers(tap) == [*range(32), 100]
        assert tap.counts() == Counts(passed=101, dropped=68)


def test_a_frame_tells_who_sent_it_and_when(lab: Lab, family: str) -> None:
    """Both directions, whole, with rising times of the kernel in nanoseconds."""
    kind = socket.AF_INET if family == "v4" else socket.AF_INET6
    with (
        tap_at(lab, slots=32) as tap,
        lab.socket("near", kind, socket.SOCK_DGRAM) as near,
        lab.socket("far", kind, socket.SOCK_DGRAM) as far,
    ):
        far.bind((FAR.address(family), 7))
        far.settimeout(RESPONSE)
        near.settimeout(RESPONSE)
        near.sendto(b"there", (FAR.address(family), 7))
        octets, near_end = far.recvfrom(100)
        far.sendto(b"and back", near_end)
        near.recv(100)

        assert tap.wait(RESPONSE)
        assert tap.collect() == 2
        there, back = tap.frames

        assert [(frame.number, frame.sent, frame.size) for frame in tap.frames] == [
            (1, True, len(there.octets)),
            (2, False, len(back.octets)),
        ]
        assert (there.octets[-5:], back.octets[-8:]) == (octets, b"and back")
        assert 0 < there.time_ns < back.time_ns < there.time_ns + RESPONSE * 1e9
        assert not tap.wait(0)
        assert tap.collect() == 0

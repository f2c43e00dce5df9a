"""The ring as a scapy socket: scapy's own tools read what the tap has captured."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from scapy.layers.inet import UDP
from scapy.sendrecv import sniff

from harness.capture.recording import Wire
from harness.capture.scapy_socket import ScapySocket, packets
from harness.lab.ends import FAR
from harness.lab.near import LabNear

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.lab.handle import Lab


@pytest.fixture
def wire(lab_process: Lab) -> Iterator[Wire]:
    """A wire on which five datagrams were sent."""
    lab_process.ask("build")
    with Wire(LabNear(lab_process)) as wire:
        with (
            lab_process.socket("near", socket.AF_INET, socket.SOCK_DGRAM) as near,
            lab_process.socket("far", socket.AF_INET, socket.SOCK_DGRAM) as far,
        ):
            far.bind((FAR.v4[0], 7))
            for number in range(5):
                near.sendto(b"number %d" % number, (FAR.v4[0], 7))
        yield wire
    lab_process.ask("clear")


def test_sniff_gives_every_frame_once_and_in_order(wire: Wire) -> None:
    sniffed = sniff(opened_socket=ScapySocket(wire.tap), count=5, timeout=10)

    assert [bytes(packet[UDP].payload) for packet in sniffed] == [b"number %d" % number for number in range(5)]
    assert len(wire.capture().frames) == 5, "what scapy has read is still there for us"


def test_packets_carry_the_time_of_the_kernel(wire: Wire) -> None:
    frames = wire.capture().frames

    made = packets(frames)

    assert [packet.time for packet in made] == [frame.time_ns / 1e9 for frame in frames]
    assert [bytes(packet) for packet in made] == [frame.octets for frame in frames]


def test_a_tap_sends_nothing(wire: Wire) -> None:
    with pytest.raises(OSError, match="a tap sends nothing"):
        ScapySocket(wire.tap).send(packets(wire.capture().frames)[0])

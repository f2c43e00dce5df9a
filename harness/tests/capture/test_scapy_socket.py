"""The ring as a scapy socket: scapy's own tools read what the tap has captured."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import fuzz
from scapy.sendrecv import sniff

from harness.capture.recording import Wire
from harness.capture.scapy_socket import Recorded, ScapySocket, bpf, on_the_wire, packets
from harness.capture.scapy_socket import sniff as sniff_a_tap
from harness.lab.ends import FAR
from harness.lab.near import LabNear
from harness.wire.checksum import checksum_fault
from harness.wire.frame import Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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


def numbers(found: object) -> list[bytes]:
    return [bytes(packet[UDP].payload)[-1:] for packet in found]  # type: ignore[attr-defined] # scapy is untyped here


def test_a_wire_is_sniffed_with_the_arguments_of_scapy(wire: Wire) -> None:
    """Without a word about the end, what has passed; else until one of them says so, or a time has run down."""
    assert numbers(wire.sniff()) == [b"0", b"1", b"2", b"3", b"4"]
    assert numbers(wire.sniff(count=2)) == [b"0", b"1"]
    assert numbers(wire.sniff(lfilter=lambda packet: bytes(packet[UDP].payload) > b"number 2")) == [b"3", b"4"]
    assert numbers(wire.sniff(stop_filter=lambda packet: bytes(packet[UDP].payload) == b"number 1")) == [b"0", b"1"]
    assert numbers(wire.sniff(count=9, timeout=0.05)) == [b"0", b"1", b"2", b"3", b"4"]
    heard: list[bytes] = []
    assert len(wire.sniff(prn=lambda packet: heard.append(bytes(packet[UDP].payload)), store=False)) == 0
    assert len(heard) == 5


def test_all_packets_of_a_wire_are_scapys(wire: Wire) -> None:
    assert numbers(wire.packets()) == [b"0", b"1", b"2", b"3", b"4"]


@pytest.mark.parametrize("live", [False, True])
def test_what_a_function_raises_is_raised(wire: Wire, live: bool) -> None:
    """Scapy would warn and go on; a claim that is lost so would be a test that passes without looking."""

    def claim(packet: object) -> None:
        raise AssertionError("no such packet")

    with pytest.raises(AssertionError, match="no such packet"):
        wire.sniff(prn=claim, count=3 if live else 0)


def test_a_filter_is_that_of_tcpdump(wire: Wire) -> None:
    try:
        bpf("udp")
    except ValueError as lacks:
        pytest.skip(str(lacks))

    assert numbers(wire.sniff(filter="udp dst port 7")) == [b"0", b"1", b"2", b"3", b"4"]
    assert numbers(wire.sniff(filter="udp[15] = 0x33", count=1)) == [b"3"]
    assert len(wire.sniff(filter="tcp")) == 0
    with pytest.raises(ValueError, match="Failed to compile filter expression 'no such word'"):
        wire.sniff(filter="no such word")


def test_a_capture_that_is_over_ends(wire: Wire) -> None:
    """Not by a time that runs down: there is none."""
    frames = wire.capture().frames

    assert len(sniff_a_tap(Recorded(frames))) == 5
    assert len(sniff_a_tap(Recorded([]))) == 0


STATIONS = ("02:00:00:00:00:01", "02:00:00:00:00:02")
HOSTS = [("10.9.0.9", "10.9.0.2"), ("fd09::9", "fd09::2")]


@pytest.mark.parametrize(
    ("made", "ends"),
    [
        pytest.param(lambda: IP() / TCP(), ("10.9.0.9", "10.9.0.2"), id="v4"),
        pytest.param(lambda: IPv6() / UDP(), ("fd09::9", "fd09::2"), id="v6"),
        pytest.param(lambda: IP(dst="10.9.0.3") / TCP(), ("10.9.0.9", "10.9.0.3"), id="said"),
        pytest.param(lambda: fuzz(TCP(sport=7)), ("10.9.0.9", "10.9.0.2"), id="fuzzed alone"),
        pytest.param(
            lambda: fuzz(IP(version=4, proto=6, flags=0, frag=0) / TCP()), ("10.9.0.9", "10.9.0.2"), id="fuzzed"
        ),
    ],
)
def test_layers_get_what_they_do_not_say(made: Callable[[], object], ends: tuple[str, str]) -> None:
    """Stations and addresses are ours; the checksum is then over these."""
    octets = on_the_wire(made(), *STATIONS, HOSTS)

    frame = Ether(octets)
    assert (frame.src, frame.dst) == STATIONS
    assert (frame.payload.src, frame.payload.dst) == ends
    assert checksum_fault(Frame(1, 0, True, octets, len(octets))) == ""


def test_a_frame_of_ethernet_stays_as_it_is() -> None:
    said = Ether(src="02:00:00:00:00:07", dst="02:00:00:00:00:08") / IP(src="10.0.0.1", dst="10.0.0.2") / TCP()

    assert on_the_wire(said, *STATIONS, HOSTS) == bytes(said)

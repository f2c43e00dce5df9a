"""The port filter: the program run by a small interpreter, and the kernel's own opinion of it."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

import pytest

from harness.capture.port_filter import attach, program
from harness.lab.fence import PROTOCOL
from harness.tests.wire import craft

if TYPE_CHECKING:
    from harness.lab.handle import Lab

PORT = 7007


def accepts(octets: bytes, port: int = PORT) -> bool:
    """What the program says of a frame, as the kernel runs it: a load beyond the end rejects."""
    instructions = program(port)
    a = x = at = 0
    while True:
        code, yes, no, operand = instructions[at]
        at += 1
        match code:
            case 0x28 | 0x48:
                place = operand + (x if code == 0x48 else 0)
                if place + 2 > len(octets):
                    return False
                (a,) = struct.unpack_from("!H", octets, place)
            case 0x30:
                if operand >= len(octets):
                    return False
                a = octets[operand]
            case 0xB1:
                x = 4 * (octets[operand] & 0xF)
            case 0x15:
                at += yes if a == operand else no
            case 0x45:
                at += yes if a & operand else no
            case 0x06:
                return operand > 0
            case _:
                raise AssertionError(f"no such instruction: {code:#x}")


def ports(source: int, destination: int) -> bytes:
    return struct.pack("!HH", source, destination) + bytes(16)


def frame(host: str, protocol: int, payload: bytes, *, fragment: int = 0, options: bytes = b"") -> bytes:
    other, ethertype = ("10.9.0.1", 0x0800) if "." in host else ("fd09::1", 0x86DD)
    packet = craft.ip(host, other, protocol, payload, fragment=fragment, options=options)
    return craft.ethernet(packet, ethertype)


@pytest.mark.parametrize("host", ["10.9.0.2", "fd09::2"])
@pytest.mark.parametrize("protocol", [6, 17])
def test_takes_the_port_on_either_side_and_no_other(host: str, protocol: int) -> None:
    assert accepts(frame(host, protocol, ports(PORT, 40000)))
    assert accepts(frame(host, protocol, ports(40000, PORT)))
    assert not accepts(frame(host, protocol, ports(40000, 40001)))


def test_finds_the_ports_behind_ipv4_options() -> None:
    assert accepts(frame("10.9.0.2", 6, ports(PORT, 1), options=b"\1\1\1\1"))
    assert not accepts(frame("10.9.0.2", 6, ports(1, 2), options=b"\1\1\1\1"))


@pytest.mark.parametrize(
    ("host", "protocol"), [("10.9.0.2", 1), ("fd09::2", 58), ("10.9.0.2", PROTOCOL), ("fd09::2", 44)]
)
def test_takes_icmp_markers_and_fragments(host: str, protocol: int) -> None:
    assert accepts(frame(host, protocol, bytes(40)))


def test_takes_later_fragments_whose_ports_are_in_the_first() -> None:
    assert accepts(frame("10.9.0.2", 17, ports(1, 2), fragment=185))


@pytest.mark.parametrize(
    "octets", [b"", bytes(14), craft.ethernet(bytes(28), 0x0806), frame("10.9.0.2", 47, bytes(40))]
)
def test_takes_nothing_else(octets: bytes) -> None:
    assert not accepts(octets)


def test_the_kernel_takes_the_program(lab_process: Lab) -> None:
    lab_process.ask("build")
    with lab_process.socket("near", socket.AF_PACKET, socket.SOCK_RAW) as packet:
        attach(packet, PORT)
    lab_process.ask("clear")

"""Crafted packets: right where nothing is said, and as they are said where something is."""

from __future__ import annotations

from typing import Any

import pytest

from harness.lab.ends import FAR, NEAR
from harness.probe import craft, option
from harness.tests.wire.craft import frame, tcp_frame, udp_frame
from harness.wire.checksum import checksum_fault, checksum_right
from harness.wire.decode import decode
from harness.wire.segment import (
    ACK,
    PSH,
    SYN,
    Datagram,
    Endpoint,
    Flags,
    IcmpError,
    Malformed,
    Options,
    Segment,
    Truncated,
    read_options,
)

ENDS = {
    "v4": (Endpoint("10.9.0.1", 47732), Endpoint("10.9.0.2", 35171)),
    "v6": (Endpoint("fd09::1", 47732), Endpoint("fd09::2", 35171)),
}
FAMILIES = pytest.mark.parametrize(("source", "destination"), ENDS.values(), ids=ENDS.keys())


def in_frame(source: Endpoint, destination: Endpoint, protocol: int, octets: bytes, **said: Any) -> bytes:
    return craft.frame(FAR.mac, NEAR.mac, craft.packet(source.host, destination.host, protocol, octets, **said))


@FAMILIES
def test_a_segment_is_the_one_that_the_tests_of_the_wire_build(source: Endpoint, destination: Endpoint) -> None:
    """Written twice, so that one of them may be wrong."""
    fields = {"seq": 0xFFFFFFFF, "ack": 7, "window": 99, "urgent": 3, "options": option.mss(1400), "data": b"odd"}

    built = craft.segment(source, destination, Flags(PSH | ACK), **fields)  # type: ignore[arg-type]

    theirs = decode([frame(tcp_frame(source, destination, "PSH ACK", **fields))])
    ours = decode([frame(in_frame(source, destination, craft.TCP, built))])
    assert ours == theirs
    assert checksum_right(frame(in_frame(source, destination, craft.TCP, built)))


@FAMILIES
@pytest.mark.parametrize("data", [b"", b"x", b"even", bytes(1400)], ids=len)
def test_a_datagram_is_the_one_that_the_tests_of_the_wire_build(
    source: Endpoint, destination: Endpoint, data: bytes
) -> None:
    """Of no octets, of an odd number and of an even one."""
    ours = frame(in_frame(source, destination, craft.UDP, craft.datagram(source, destination, data)))

    assert decode([ours]) == decode([frame(udp_frame(source, destination, data))])
    assert checksum_right(ours)


@FAMILIES
def test_what_is_said_stands(source: Endpoint, destination: Endpoint) -> None:
    """A checksum, a data offset and reserved bits that are wrong."""
    wrong = craft.segment(source, destination, SYN, seq=0, checksum=1, reserved=0b1110, offset=15)

    octets = in_frame(source, destination, craft.TCP, wrong)

    assert wrong[12] == 15 << 4 | 0b1110
    assert checksum_fault(frame(octets)) == "TCP checksum is wrong"
    assert not isinstance(decode([frame(octets)])[0], Segment)


@FAMILIES
def test_a_length_that_is_said_stands(source: Endpoint, destination: Endpoint) -> None:
    """A datagram that promises more than there is."""
    octets = in_frame(source, destination, craft.UDP, craft.datagram(source, destination, b"short", length=99))

    assert isinstance(decode([frame(octets)])[0], Malformed)


def test_options_read_as_they_were_said() -> None:
    """All that have a name, and one that has none."""
    every = option.mss(1400) + option.window_scale(7) + option.SACK_PERMITTED + option.timestamps(5, 6)
    source, destination = ENDS["v4"]
    built = craft.segment(source, destination, SYN, seq=0, options=every + option.other(253, b"?"))

    read = decode([frame(in_frame(source, destination, craft.TCP, built))])[0]

    assert isinstance(read, Segment)
    assert read.options == Options(1400, 7, sack_permitted=True, timestamps=(5, 6), unknown=(253,))
    assert option.other(253, length=0) == b"\xfd\x00"
    assert read_options(option.NOP + option.sack((1, 2), (0x100000003, 4))).sack == ((1, 2), (3, 4))


def test_a_packet_with_an_identification_may_be_fragmented() -> None:
    """One without has DF, and needs none (RFC 6864)."""
    source, destination = "10.9.0.1", "10.9.0.2"

    assert craft.packet(source, destination, 6, b"")[4:8] == b"\0\0\x40\0"
    assert craft.packet(source, destination, 6, b"", ident=7)[4:8] == b"\0\7\0\0"


@FAMILIES
def test_fragments_are_put_together_again(source: Endpoint, destination: Endpoint) -> None:
    """In any order, and one that is missing is missed."""
    ends = source.host, destination.host
    whole = craft.datagram(source, destination, bytes(range(100)))
    slices = slice(64, None), slice(0, 64)

    pieces = [craft.fragment(*ends, craft.UDP, whole, piece, ident=7, ttl=9, traffic_class=3) for piece in slices]

    frames = [frame(craft.frame(FAR.mac, NEAR.mac, piece), number) for number, piece in enumerate(pieces, 1)]
    (read,) = decode(frames)
    assert isinstance(read, Datagram)
    assert (read.source, read.destination, read.data) == (source, destination, bytes(range(100)))
    assert isinstance(decode(frames[:1])[0], Truncated)
    if ":" not in source.host:
        assert [piece[6:8] for piece in pieces] == [b"\0\x08", b"\x20\0"]
        assert [craft.internet_checksum(piece[:20]) for piece in pieces] == [0, 0]
    else:
        assert [piece[40:48] for piece in pieces] == [b"\x11\0\0\x40\0\0\0\7", b"\x11\0\0\1\0\0\0\7"]


def test_a_fragment_cannot_begin_anywhere() -> None:
    """Its place is told in units of 8 octets."""
    with pytest.raises(ValueError, match=r"^a fragment begins at a multiple of 8 octets, not at 20$"):
        craft.fragment("10.9.0.1", "10.9.0.2", craft.UDP, bytes(40), slice(20, None), ident=1)


@FAMILIES
def test_an_icmp_error_is_read_back(source: Endpoint, destination: Endpoint) -> None:
    """A quoted datagram tells whom the error is about, and the last word of its header which MTU."""
    v4 = ":" not in source.host
    lost = craft.packet(destination.host, source.host, craft.UDP, craft.datagram(destination, source, b"lost"))
    kind, code = (3, 4) if v4 else (2, 0)

    built = craft.icmp(source.host, destination.host, kind, code, lost, rest=1280)

    whole = frame(craft.frame(FAR.mac, NEAR.mac, built))
    (error,) = decode([whole])
    assert isinstance(error, IcmpError)
    assert (error.mtu, error.quoted_source, error.quoted_destination) == (1280, destination, source)
    assert checksum_right(whole)


def test_options_of_ipv4_stand_between_header_and_segment() -> None:
    """The header says that they are there, and its checksum counts them."""
    source, destination = ENDS["v4"]
    built = craft.segment(source, destination, SYN, seq=1)

    whole = frame(in_frame(source, destination, craft.TCP, built, options=b"\x1e\4ab", traffic_class=3))

    assert isinstance(decode([whole])[0], Segment)
    assert checksum_right(whole)
    assert (whole.octets[14:16], whole.octets[34:38]) == (b"\x46\x03", b"\x1e\4ab")

"""What scapy reads in a frame is what our decoder reads; where a mistake of ours is planted, it shows.

Frames are made by `harness.probe.craft`, as a raw peer makes them, and damaged at places that hypothesis draws.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.capture.second_opinion import Difference, differences, everything, sample, those_of
from harness.probe import craft, option
from harness.tests.wire.craft import FAR, FAR6, NEAR, NEAR6, Talk, frame, icmp_frame, in_frame, tcp_frame, udp_frame
from harness.tests.wire.test_decode import EXAMPLES
from harness.wire.decode import decode
from harness.wire.segment import Datagram, Flags, IcmpError, Malformed, Other, Segment, Truncated

if TYPE_CHECKING:
    from harness.wire.frame import Frame
    from harness.wire.segment import Endpoint, Packet

FAMILIES = {"v4": (NEAR, FAR), "v6": (NEAR6, FAR6)}
OPTIONS = {
    "none": b"",
    "all of a SYN": option.mss(1460) + option.SACK_PERMITTED + option.timestamps(7, 0) + option.window_scale(7),
    "sack": option.NOP * 2 + option.sack((1, 2), (5, 9)),
    "ended": option.mss(536) + option.END + option.window_scale(3),
    "unknown": option.other(253, b"ab") + option.other(34, b"cookie!!") + option.other(29, b"ab") + option.mss(9),
    "length 0": option.mss(1460) + option.other(253, length=0),
    "length 1": option.other(253, length=1),
    "beyond the header": option.other(253, length=40),
    "mss of three": option.other(2, b"\x05", length=3),
    "sack of nine": option.other(5, b"1234567") + option.mss(1460),
}


def segment(near: Endpoint, far: Endpoint, **fields: Any) -> bytes:
    said = {"seq": 5, "ack": 0xFFFFFFFF, "window": 65535, **fields}
    return in_frame(
        craft.packet(near.host, far.host, craft.TCP, craft.segment(near, far, said.pop("flags", 24), **said))
    )


def every_kind(family: str) -> list[bytes]:
    """A frame of every kind, right and wrong."""
    near, far = FAMILIES[family]
    v6 = family == "v6"
    quoted = craft.packet(near.host, far.host, craft.UDP, craft.datagram(near, far, b"hello"))
    segment_quoted = craft.packet(near.host, far.host, craft.TCP, craft.segment(near, far, 2, seq=9))
    port, narrow, echo = ((1, 4), (2, 0), (128, 0)) if v6 else ((3, 3), (3, 4), (8, 0))
    return [
        *(segment(near, far, options=octets, data=b"data") for octets in OPTIONS.values()),
        *(segment(near, far, flags=1 << bit, urgent=bit, reserved=bit) for bit in range(8)),
        *(segment(near, far, offset=offset) for offset in (0, 4, 6, 15)),
        segment(near, far, checksum=0x1234),
        segment(near, far) + bytes(6),  # as short frames of Ethernet are padded
        *(
            in_frame(craft.packet(near.host, far.host, craft.UDP, craft.datagram(near, far, b"datagram", **how)))
            for how in ({}, {"length": 7}, {"length": 9}, {"length": 900}, {"checksum": 0}, {"checksum": 7})
        ),
        in_frame(craft.packet(near.host, far.host, craft.UDP, craft.datagram(near, far, b"inside") + b"outside")),
        in_frame(craft.packet(near.host, far.host, 253, b"what?")),
        icmp_frame(far.host, near.host, *port, quoted),
        icmp_frame(far.host, near.host, *narrow, segment_quoted, rest=1280),
        *(icmp_frame(far.host, near.host, *port, segment_quoted[:size]) for size in (10, 22, 28, 44, 48)),
        icmp_frame(far.host, near.host, *echo, b"ping"),
        tcp_frame(near, far, "SYN")[:40],
    ]


def numbered(octets: list[bytes]) -> list[Frame]:
    return [frame(one, number) for number, one in enumerate(octets, 1)]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_kind_of_frame_is_read_alike(family: str) -> None:
    frames = numbered(every_kind(family))
    packets = decode(frames)

    assert [str(one) for one in differences(packets, frames)] == []
    assert {type(packet) for packet in packets} == {Segment, Datagram, IcmpError, Other, Malformed, Truncated}


def test_examples_of_our_decoder_are_read_alike() -> None:
    """VLAN tags, extension headers, and whatever else its own tests have."""
    frames = numbered(list(EXAMPLES.values()))

    assert [str(one) for one in differences(decode(frames), frames)] == []


@given(st.sampled_from(["v4", "v6"]), st.data())
@settings(max_examples=300)
def test_damaged_frames_are_read_alike(family: str, data: st.DataObject) -> None:
    """A frame with two bits flipped, or cut, or longer than it says: nobody is wronged by what scapy makes of it."""
    octets = bytearray(data.draw(st.sampled_from(every_kind(family))))
    for place in data.draw(st.lists(st.integers(12 * 8, len(octets) * 8 - 1), max_size=2)):
        octets[place // 8] ^= 0x80 >> place % 8
    del octets[data.draw(st.integers(12, len(octets))) :]
    frames = [frame(bytes(octets) + bytes(data.draw(st.integers(0, 8))))]

    assert [str(one) for one in differences(decode(frames), frames)] == []


@pytest.mark.parametrize("family", FAMILIES)
def test_what_came_in_fragments_is_read_alike(family: str) -> None:
    """In order, out of order, with a piece missing; of pieces that overlap scapy is not asked."""
    near, far = FAMILIES[family]
    whole = craft.datagram(near, far, bytes(range(48)))
    cases: tuple[list[tuple[int, int | None]], ...] = (
        [(0, 24), (24, None)],
        [(24, None), (0, 24)],
        [(0, 24)],
        [(0, 24), (16, None)],
    )
    octets = [
        in_frame(craft.fragment(near.host, far.host, craft.UDP, whole, slice(*piece), ident=ident))
        for ident, pieces in enumerate(cases, 1)
        for piece in pieces
    ]
    frames = numbered(octets)
    packets = decode(frames)

    assert [packet.frames for packet in packets] == [(1, 2), (3, 4), (6, 7), (5,)]
    assert differences(packets, frames) == ()
    wrong = packets[0]._replace(data=b"")  # type: ignore[call-arg] # a datagram
    (found,) = differences([wrong], frames)
    assert (found.place, found.fields) == ("#1 and #2", ("length", "data"))


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_malformed_only_when_it_is_whole_has_all_its_frames(family: str) -> None:
    """A datagram of an impossible length, in two fragments: both frames belong to it, and it is read alike."""
    near, far = FAMILIES[family]
    whole = craft.datagram(near, far, bytes(16), length=3)
    pieces = (slice(0, 8), slice(8, None))
    frames = numbered(
        [in_frame(craft.fragment(near.host, far.host, craft.UDP, whole, piece, ident=1)) for piece in pieces]
    )

    (packet,) = decode(frames)

    assert (type(packet), packet.frames) == (Malformed, (1, 2))
    assert differences([packet], frames) == ()


PLANTED: dict[str, tuple[bytes, dict[str, Any], tuple[str, ...]]] = {
    "address": (tcp_frame(NEAR, FAR, "SYN"), {"source": NEAR._replace(host="10.9.0.3")}, ("source",)),
    "port": (tcp_frame(NEAR, FAR, "SYN"), {"destination": FAR._replace(port=8)}, ("destination",)),
    "flags": (tcp_frame(NEAR, FAR, "RST ACK"), {"flags": Flags.named("ACK")}, ("flags",)),
    "seq": (tcp_frame(NEAR, FAR, "ACK", seq=1), {"seq": 2}, ("seq",)),
    "ack": (tcp_frame(NEAR, FAR, "ACK", ack=1), {"ack": 0}, ("ack",)),
    "window": (tcp_frame(NEAR, FAR, "ACK", window=0), {"window": 1}, ("window",)),
    "urgent pointer": (tcp_frame(NEAR, FAR, "URG"), {"urgent": 1}, ("urgent pointer",)),
    "options": (tcp_frame(NEAR, FAR, "SYN", options=option.mss(1460)), {"option_octets": b""}, ("options",)),
    "checksum": (tcp_frame(NEAR, FAR, "SYN"), {"checksum": 0}, ("checksum",)),
    "payload": (tcp_frame(NEAR6, FAR6, "ACK", data=b"four"), {"data": b"fou"}, ("data",)),
    "UDP length": (udp_frame(NEAR6, FAR6, b"four"), {"data": b"fou"}, ("length", "data")),
    "ICMP code": (
        icmp_frame("10.9.0.2", "10.9.0.1", 3, 3, craft.packet("10.9.0.1", "10.9.0.2", 17, bytes(8))),
        {"kind": "host unreachable"},
        ("says",),
    ),
    "quoted port": (
        icmp_frame("fd09::2", "fd09::1", 1, 4, craft.packet("fd09::1", "fd09::2", 6, bytes(20))),
        {"quoted_destination": FAR6},
        ("quoted destination",),
    ),
}


@pytest.mark.parametrize("case", PLANTED)
def test_a_mistake_of_our_decoder_is_seen(case: str) -> None:
    octets, mistake, fields = PLANTED[case]
    (packet,) = decode([frame(octets)])

    assert differences([packet], [frame(octets)]) == ()
    (found,) = differences([packet._replace(**mistake)], [frame(octets)])
    assert found.fields == fields


def test_a_packet_of_another_kind_is_seen() -> None:
    """What our decoder could not read, and scapy could."""
    octets = tcp_frame(NEAR, FAR, "SYN")
    (found,) = differences([Malformed(1, 0, True, "no reason")], [frame(octets)])
    assert found.summary == "#1: kind is not readable by our decoder, TCP segment by scapy"


def test_both_readings_stand_side_by_side() -> None:
    ours = {"kind": "TCP segment", "flags": "ACK", "window": 512, "data": b"hello"}
    found = Difference((9,), ours, ours | {"window": 0, "data": b""})

    assert found.summary == "#9: window is 512 by our decoder, 0 by scapy (and 1 more)"
    assert str(found).splitlines() == [
        "#9 by two decoders:",
        "                        our decoder        scapy",
        "    kind                TCP segment        TCP segment",
        "    flags               ACK                ACK",
        "  > window              512                0",
        "  > data                5 octets, 'hello'  none",
    ]


def test_a_sample_has_one_of_each_shape_first() -> None:
    talk = Talk().handshake()
    for number in range(50):
        talk.got("PSH ACK", 1 + number, 1, b"x")
    packets = decode(talk.got("RST", 51).frames)

    chosen = sample(packets, 8)

    assert len(chosen) == 8
    assert [str(packet.flags) for packet in chosen if isinstance(packet, Segment)].count("PSH ACK") == 4
    assert {str(packet.flags) for packet in chosen if isinstance(packet, Segment)} == {
        *("SYN", "SYN ACK", "ACK", "PSH ACK", "RST")
    }
    assert sample(packets, 100) == packets


def test_frames_of_the_far_end_are_read_too() -> None:
    """A number may be one that only the subject's end has seen."""
    frames = [frame(tcp_frame(NEAR, FAR, "SYN"), 1), frame(tcp_frame(NEAR, FAR, "RST"), 2)._replace(far=True)]
    near: list[Packet] = decode(frames[:1])

    assert [packet.number for packet in those_of([2, 99], near, frames)] == [2]
    assert [packet.number for packet in everything(near, frames)] == [1, 2]

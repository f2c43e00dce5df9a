"""Frames that pass changed: one bit turned round, or cut and refused by a router, over both families."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from harness.lab.corrupted import corrupted, has_bit
from harness.lab.ends import ROUTER
from harness.lab.narrowed import Outcome, narrowed, too_large
from harness.tests.wire.craft import (
    FAR,
    FAR6,
    NEAR,
    NEAR6,
    address,
    ethernet,
    frame,
    icmp_frame,
    in_frame,
    internet_sum,
    ip,
    tcp,
    tcp_frame,
    udp,
    udp_frame,
)
from harness.wire.checksum import checksum_fault, with_right_checksums
from harness.wire.decode import decode
from harness.wire.segment import Datagram, IcmpError, Segment

if TYPE_CHECKING:
    from harness.wire.segment import Endpoint

DONT_FRAGMENT = 0x4000
ENDS = {"v4": (NEAR, FAR), "v6": (NEAR6, FAR6)}

FRAMES = {
    "TCP over IPv4": tcp_frame(NEAR, FAR, "ACK PSH", data=b"hello"),
    "TCP over IPv6": tcp_frame(NEAR6, FAR6, "ACK PSH", data=b"hello"),
    "UDP over IPv4": udp_frame(NEAR, FAR, b"hello"),
    "UDP over IPv6": udp_frame(NEAR6, FAR6, b"hello"),
    "ICMP": icmp_frame(FAR.host, NEAR.host, 3, 3, udp_frame(NEAR, FAR, b"hello")[14:]),
    "ICMPv6": icmp_frame(FAR6.host, NEAR6.host, 1, 4, udp_frame(NEAR6, FAR6, b"hello")[14:]),
}
each = pytest.mark.parametrize("octets", FRAMES.values(), ids=FRAMES)


# -- one bit


@each
@pytest.mark.parametrize("bit", [0, 15, 40, -1, -64])
def test_one_bit_is_turned_round_and_the_checksum_does_not_fit(octets: bytes, bit: int) -> None:
    changed = corrupted(octets, bit)

    differing = int.from_bytes(octets, "big") ^ int.from_bytes(changed, "big")
    assert differing.bit_count() == 1
    assert checksum_fault(frame(changed)).endswith("checksum is wrong")
    assert corrupted(changed, bit) == octets


@each
def test_a_mended_frame_fits_and_is_still_another(octets: bytes) -> None:
    changed = corrupted(octets, -1, mended=True)

    assert changed[-1] == octets[-1] ^ 1
    assert checksum_fault(frame(changed)) == ""


def test_bits_are_numbered_as_in_the_diagrams_of_the_rfcs() -> None:
    """RFC 9293 3.1: SYN stands in row 3 at column 14; the first bit of the data is the first behind the header."""
    octets = tcp_frame(NEAR, FAR, "ACK", seq=1, data=b"\x00")

    (segment,) = decode([frame(corrupted(octets, 3 * 32 + 14, mended=True))])
    (data,) = decode([frame(corrupted(octets, 5 * 32, mended=True))])

    assert isinstance(segment, Segment)
    assert str(segment.flags) == "SYN ACK"
    assert isinstance(data, Segment)
    assert data.data == b"\x80"


def test_padding_has_no_bits() -> None:
    octets = udp_frame(NEAR, FAR, b"x") + bytes(20)

    assert has_bit(octets, 71)
    assert not has_bit(octets, 72)
    assert corrupted(octets, -1) == octets[:42] + bytes([ord("x") ^ 1]) + bytes(20)


@pytest.mark.parametrize("octets", [b"", ethernet(bytes(28), 0x0806), FRAMES["TCP over IPv4"][:30]], ids=len)
def test_what_carries_nothing_has_no_bit(octets: bytes) -> None:
    assert not has_bit(octets, -1)
    with pytest.raises(ValueError, match="carries no bit -1"):
        corrupted(octets, -1)


@each
def test_right_checksums_stay_and_wrong_ones_become_right(octets: bytes) -> None:
    assert with_right_checksums(octets) == octets
    assert with_right_checksums(corrupted(octets, -1)) == corrupted(octets, -1, mended=True)


def test_a_datagram_whose_sum_is_zero_says_so_in_the_other_way() -> None:
    """RFC 768: 0 in the field says that there is no checksum."""
    nearly = udp_frame(NEAR, FAR, b"\x00\x00")
    sum_left = nearly[40:42]  # the data that makes the sum 0 is what the checksum was
    octets = with_right_checksums(nearly[:42] + sum_left)

    assert octets[40:42] == b"\xff\xff"
    assert checksum_fault(frame(octets)) == ""


# -- too large


def sized(family: str, size: int, protocol: str = "tcp", fragment: int = DONT_FRAGMENT) -> bytes:
    """A frame with an IP packet of so many octets."""
    near, far = ENDS[family]
    head = (20 if family == "v4" else 40) + (20 if protocol == "tcp" else 8)
    data = bytes(number % 251 for number in range(size - head))
    if protocol == "tcp":
        return in_frame(ip(near.host, far.host, 6, tcp(near, far, "ACK", seq=1, data=data), fragment=fragment))
    return in_frame(ip(near.host, far.host, 17, udp(near, far, data), fragment=fragment))


@pytest.mark.parametrize(("family", "mtu", "limit"), [("v4", 576, 576), ("v6", 1400, 1400), ("v6", 576, 1280)])
def test_what_is_too_large_is_so_by_one_octet(family: str, mtu: int, limit: int) -> None:
    """RFC 8200 5: whatever its MTU, a link takes IPv6 packets of 1280 octets."""
    assert not too_large(sized(family, limit), mtu)
    assert too_large(sized(family, limit + 1), mtu)


def test_what_is_no_packet_is_never_too_large() -> None:
    assert not too_large(ethernet(bytes(1000), 0x0806), 576)
    assert not too_large(b"", 576)


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
@pytest.mark.parametrize(
    ("family", "kind", "told"), [("v4", "fragmentation needed", 576), ("v6", "packet too big", 1280)]
)
def test_the_sender_is_told_how_large_it_may_be(family: str, kind: str, told: int, protocol: str) -> None:
    near, far = ENDS[family]
    octets = sized(family, 1500, protocol)

    outcome = narrowed(octets, 576)

    assert outcome.onward == ()
    assert outcome.back is not None
    assert checksum_fault(frame(outcome.back)) == ""
    assert outcome.back[:12] == octets[6:12] + octets[:6]
    assert_quotes(outcome.back, octets, near, far, kind, told)


def assert_quotes(back: bytes, octets: bytes, near: Endpoint, far: Endpoint, kind: str, told: int) -> None:
    """It is an error about this frame, from the link's own router to its sender, with as much of it as may be."""
    (error,) = decode([frame(back)])
    assert isinstance(error, IcmpError)
    assert (error.kind, error.mtu) == (kind, told)
    assert (error.quoted_source, error.quoted_destination) == (near, far)
    assert error.destination.host == near.host
    assert error.source.host in (*ROUTER.v4, *ROUTER.v6)
    header = 34 if ":" not in near.host else 54
    largest = 576 if ":" not in near.host else 1280  # RFC 1812 4.3.2.3, RFC 4443 3.2
    assert len(back) == 14 + largest
    assert octets[14:].startswith(back[header + 8 :])


@pytest.mark.parametrize("family", ["v4", "v6"])
def test_a_black_hole_tells_nothing(family: str) -> None:
    assert narrowed(sized(family, 1500), 576, silent=True) == Outcome()


@pytest.mark.parametrize(
    "octets",
    [
        icmp_frame(FAR.host, NEAR.host, 3, 3, bytes(1000)),
        icmp_frame(FAR6.host, NEAR6.host, 1, 4, bytes(1300)),
        sized("v4", 1000, "udp", fragment=DONT_FRAGMENT | 20),
    ],
    ids=["an ICMP error", "an ICMPv6 error", "a later fragment"],
)
def test_nobody_is_told_of_an_error_or_a_later_fragment(octets: bytes) -> None:
    """RFC 1122 3.2.2, RFC 4443 2.4."""
    head = octets[:20] + struct.pack("!H", DONT_FRAGMENT | int.from_bytes(octets[20:22], "big")) + octets[22:]
    assert narrowed(head if octets[12] == 8 else octets, 576) == Outcome()


@pytest.mark.parametrize("mtu", [68, 576, 1001])
@pytest.mark.parametrize(
    "options", [b"", b"\x01\x01\x01\x01", b"\x94\x04\x00\x00"], ids=["plain", "nop", "router alert"]
)
def test_a_packet_that_may_be_fragmented_comes_whole_in_pieces_that_fit(mtu: int, options: bytes) -> None:
    """RFC 791 3.2; an option goes into the first piece, or into each if it says so."""
    data = bytes(number % 251 for number in range(1400))
    octets = in_frame(ip(NEAR.host, FAR.host, 17, udp(NEAR, FAR, data), ident=77, options=options))

    pieces = narrowed(octets, mtu).onward

    assert all(len(piece) <= 14 + mtu for piece in pieces)
    assert all(checksum_fault(frame(piece)) == "" for piece in pieces)
    lengths = [4 * (piece[14] & 15) for piece in pieces]
    assert lengths == [20 + len(options)] + [20 + (len(options) if options[:1] == b"\x94" else 0)] * (len(pieces) - 1)
    (whole,) = decode([frame(piece, number) for number, piece in enumerate(pieces, 1)])
    assert isinstance(whole, Datagram)
    assert whole.data == data


def test_a_fragment_is_cut_further_in_its_place() -> None:
    data = bytes(number % 251 for number in range(1400))
    octets = in_frame(ip(NEAR.host, FAR.host, 17, udp(NEAR, FAR, data), ident=77))
    first, second = narrowed(octets, 1000).onward

    pieces = [*narrowed(first, 300).onward, *narrowed(second, 300).onward]

    (whole,) = decode([frame(piece, number) for number, piece in enumerate(pieces, 1)])
    assert isinstance(whole, Datagram)
    assert whole.data == data


def test_the_sum_of_the_error_is_that_of_rfc_1071() -> None:
    """Told by other code than what made it."""
    back = narrowed(sized("v4", 1500), 576).back

    assert back is not None
    assert internet_sum(back[14:34]) == internet_sum(back[34:]) == 0
    assert back[30:34] == address(NEAR.host)

"""Every example is decoded whole, cut at each octet, and with rubbish behind it."""

from __future__ import annotations

import gc
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.payload import octets
from harness.tests.wire.craft import (
    FAR,
    FAR6,
    NEAR,
    NEAR6,
    ethernet,
    frame,
    icmp_frame,
    in_frame,
    ip,
    tcp,
    tcp_frame,
    udp,
    udp_frame,
)
from harness.wire.checksum import checksum_fault, checksum_right
from harness.wire.decode import decode
from harness.wire.frame import Frame
from harness.wire.segment import (
    Datagram,
    Endpoint,
    Flags,
    IcmpError,
    Malformed,
    Options,
    Other,
    Packet,
    Segment,
    Truncated,
    read_options,
)

EXTENSIONS = {
    "hop-by-hop": (0, bytes([6, 0, 1, 4, 0, 0, 0, 0])),
    "destination options": (60, bytes([6, 0, 1, 4, 0, 0, 0, 0])),
    "routing": (43, bytes([6, 1]) + bytes(14)),
    "atomic fragment": (44, bytes([6, 0, 0, 0, 0, 0, 0, 9])),
}


def segment_between(near: Endpoint, far: Endpoint) -> bytes:
    return tcp(near, far, "PSH ACK", seq=1, ack=2, data=b"hello")


EXAMPLES: dict[str, bytes] = {
    "TCP over IPv4": tcp_frame(NEAR, FAR, "PSH ACK", seq=1, ack=2, data=b"hello"),
    "TCP over IPv6": tcp_frame(NEAR6, FAR6, "PSH ACK", seq=1, ack=2, data=b"hello"),
    "SYN with options": tcp_frame(NEAR, FAR, "SYN", seq=9, options=bytes.fromhex("020405b40402080a0000000100000000")),
    "bare ACK": tcp_frame(NEAR, FAR, "ACK", seq=1, ack=2),
    "VLAN tag": in_frame(ip(NEAR.host, FAR.host, 6, segment_between(NEAR, FAR)), tags=bytes.fromhex("81000064")),
    "two VLAN tags": in_frame(
        ip(NEAR.host, FAR.host, 6, segment_between(NEAR, FAR)), tags=bytes.fromhex("88a8000181000064")
    ),
    "loopback": in_frame(ip(NEAR.host, FAR.host, 6, segment_between(NEAR, FAR)), macs=bytes(12)),
    "IPv4 options": in_frame(ip(NEAR.host, FAR.host, 6, segment_between(NEAR, FAR), options=bytes([1, 1, 1, 0]))),
    "UDP over IPv4": udp_frame(NEAR, FAR, b"hello"),
    "UDP over IPv6": udp_frame(NEAR6, FAR6, b"hello"),
    "empty datagram": udp_frame(NEAR, FAR, b""),
    "port unreachable": icmp_frame(
        FAR.host, NEAR.host, 3, 3, ip(NEAR.host, FAR.host, 17, udp(NEAR, FAR, b"hello"))[:28]
    ),
    "ICMPv6 port unreachable": icmp_frame(
        FAR6.host, NEAR6.host, 1, 4, ip(NEAR6.host, FAR6.host, 17, udp(NEAR6, FAR6, b"hello"))
    ),
    **{
        name: in_frame(ip(NEAR6.host, FAR6.host, protocol, header + segment_between(NEAR6, FAR6)))
        for name, (protocol, header) in EXTENSIONS.items()
    },
}
examples = pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES.keys())


def only(octets: bytes, size: int | None = None) -> Packet:
    """The one packet in one frame."""
    (packet,) = decode([frame(octets, size=size)])
    return packet


# --- whole, cut, with rubbish behind


@examples
def test_a_whole_frame_is_read(example: bytes) -> None:
    assert isinstance(only(example), Segment | Datagram | IcmpError)
    assert checksum_fault(frame(example)) == ""


@examples
def test_a_frame_cut_at_any_octet_is_truncated_with_a_reason(example: bytes) -> None:
    for kept in range(len(example)):
        packet = only(example[:kept], size=len(example))

        assert isinstance(packet, Truncated), f"{kept} octets"
        assert packet.reason
        assert not checksum_right(frame(example[:kept]))


@examples
def test_rubbish_behind_the_packet_changes_nothing(example: bytes) -> None:
    for rubbish in (b"\x00", b"\xff" * 46):  # a short frame is padded, and not always with zeros
        assert only(example + rubbish) == only(example)
        assert checksum_right(frame(example + rubbish))


@examples
def test_any_wrong_bit_behind_the_ip_header_is_seen_by_the_checksum(example: bytes) -> None:
    for place in (len(example) - 1, len(example) - 8):
        bent = example[:place] + bytes([example[place] ^ 0x40]) + example[place + 1 :]

        assert not checksum_right(frame(bent))


def test_a_wrong_ipv4_header_is_told_apart_from_wrong_data() -> None:
    octets = EXAMPLES["TCP over IPv4"]

    assert checksum_fault(frame(bent(octets, 22, 9))) == "IPv4 header checksum is wrong"  # the time to live
    assert checksum_fault(frame(bent(octets, 58, 9))) == "TCP checksum is wrong"
    assert checksum_fault(frame(ethernet(bytes(28), 0x0806))) == ""
    assert checksum_fault(frame(in_frame(ip(NEAR.host, FAR.host, 17, b"x" * 16, fragment=0x2000)))) == ""


@given(st.sampled_from(list(EXAMPLES.values())), st.data())
def test_bent_octets_never_raise_and_never_lose_the_frame(example: bytes, data: st.DataObject) -> None:
    bent = bytearray(example)
    for _ in range(data.draw(st.integers(1, 4))):
        bent[data.draw(st.integers(12, len(bent) - 1))] = data.draw(st.integers(0, 255))

    (packet,) = decode([frame(bytes(bent))])

    assert packet.frames == (1,)
    checksum_fault(frame(bytes(bent)))


@given(st.lists(st.binary(max_size=80)))
def test_any_octets_at_all_are_accounted_for(heap: list[bytes]) -> None:
    packets = decode([frame(octets, number) for number, octets in enumerate(heap, start=1)])

    assert [packet.frames for packet in packets] == [(number,) for number in range(1, len(heap) + 1)]


# --- what is read


def test_a_segment_has_the_numbers_of_the_wire() -> None:
    octets = tcp_frame(NEAR, FAR, "URG ACK", seq=0xFFFFFFFF, ack=7, window=512, urgent=3, options=b"\x01", data=b"hi")
    checksum = int.from_bytes(octets[50:52], "big")

    assert decode([Frame(6, 99, True, octets, len(octets))]) == [
        Segment(
            number=6,
            time_ns=99,
            sent=True,
            source=NEAR,
            destination=FAR,
            seq=0xFFFFFFFF,
            ack=7,
            flags=Flags.named("ACK URG"),
            window=512,
            urgent=3,
            checksum=checksum,
            option_octets=b"\x01\x00\x00\x00",
            data=b"hi",
        )
    ]


def test_every_way_to_carry_a_segment_gives_the_same_segment() -> None:
    over_v4 = {name: only(EXAMPLES[name]) for name in ("TCP over IPv4", "VLAN tag", "two VLAN tags", "loopback")}
    over_v6 = {name: only(EXAMPLES[name]) for name in ("TCP over IPv6", *EXTENSIONS)}

    assert len(set(over_v4.values())) == 1
    assert len(set(over_v6.values())) == 1


def test_a_datagram_without_a_checksum_is_right_over_ipv4_and_wrong_over_ipv6() -> None:
    for near, far, fault in ((NEAR, FAR, ""), (NEAR6, FAR6, "UDP checksum 0 over IPv6")):
        header = struct.pack("!HHHH", near.port, far.port, 13, 0)
        octets = in_frame(ip(near.host, far.host, 17, header + b"hello"))

        assert only(octets) == Datagram(1, 0, False, near, far, 0, b"hello")
        assert checksum_fault(frame(octets)) == fault


def test_a_datagram_shorter_than_its_packet_ends_where_it_says() -> None:
    octets = in_frame(ip(NEAR.host, FAR.host, 17, udp(NEAR, FAR, b"hello") + b"behind"))

    packet = only(octets)

    assert isinstance(packet, Datagram)
    assert packet.data == b"hello"


def test_an_icmp_error_tells_whom_it_is_about() -> None:
    quoted = ip(NEAR.host, FAR.host, 6, tcp(NEAR, FAR, "SYN", seq=77))[:28]

    assert only(icmp_frame("10.9.0.254", NEAR.host, 3, 4, quoted, rest=1280)) == IcmpError(
        number=1,
        time_ns=0,
        sent=False,
        source=Endpoint("10.9.0.254", 0),
        destination=Endpoint(NEAR.host, 0),
        kind="fragmentation needed",
        mtu=1280,
        protocol="tcp",
        quoted_source=NEAR,
        quoted_destination=FAR,
        quoted_seq=77,
        checksum=int.from_bytes(icmp_frame("10.9.0.254", NEAR.host, 3, 4, quoted, rest=1280)[36:38], "big"),
    )


@pytest.mark.parametrize(
    ("version", "kind", "code", "words"),
    [
        ("v4", 3, 0, "network unreachable"),
        ("v6", 1, 0, "network unreachable"),
        ("v4", 3, 1, "host unreachable"),
        ("v6", 1, 3, "host unreachable"),
        ("v4", 3, 3, "port unreachable"),
        ("v6", 1, 4, "port unreachable"),
        ("v4", 3, 13, "communication prohibited"),
        ("v6", 1, 1, "communication prohibited"),
        ("v4", 3, 4, "fragmentation needed"),
        ("v6", 2, 0, "packet too big"),
        ("v4", 11, 0, "time exceeded"),
        ("v6", 3, 0, "time exceeded"),
        ("v4", 3, 99, "ICMP type 3 code 99"),
    ],
)
def test_icmp_kinds_have_the_same_words_in_both_families(version: str, kind: int, code: int, words: str) -> None:
    near, far = (NEAR, FAR) if version == "v4" else (NEAR6, FAR6)
    quoted = ip(near.host, far.host, 17, udp(near, far, b"hello"))

    packet = only(icmp_frame(far.host, near.host, kind, code, quoted))

    assert isinstance(packet, IcmpError)
    assert (packet.kind, packet.quoted_source, packet.quoted_destination) == (words, near, far)


@pytest.mark.parametrize(
    ("octets", "kind"),
    [
        (ethernet(bytes(28), 0x0806), "ARP"),
        (ethernet(b"marker", 0x88B5), "EtherType 0x88b5"),
        (ethernet(bytes(40), 0x0026), "IEEE 802.3 frame"),
        (in_frame(ip("10.9.0.1", "10.9.0.2", 47, b"gre")), "IP protocol 47"),
        (in_frame(ip("fd09::1", "fd09::2", 59, b"")), "IP protocol 59"),
        (icmp_frame("10.9.0.1", "10.9.0.2", 8, 0, b""), "ICMP type 8"),
        (icmp_frame("fd09::1", "fd09::2", 135, 0, bytes(16)), "ICMPv6 type 135"),
        (
            icmp_frame("10.9.0.2", "10.9.0.1", 3, 2, ip("10.9.0.1", "10.9.0.2", 47, b"gre")),
            "ICMP protocol unreachable of neither TCP nor UDP",
        ),
    ],
)
def test_everything_else_is_told_in_words(octets: bytes, kind: str) -> None:
    packet = only(octets)

    assert isinstance(packet, Other)
    assert (packet.kind, packet.payload) == (kind, octets[14:])


def bent(octets: bytes, at: int, value: int) -> bytes:
    return octets[:at] + bytes([value]) + octets[at + 1 :]


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (bent(EXAMPLES["TCP over IPv4"], 14, 0x65), "IPv4 header with version 6"),
        (bent(EXAMPLES["TCP over IPv4"], 14, 0x44), "IPv4 header of 16 octets"),
        (bent(EXAMPLES["TCP over IPv4"], 17, 19), "IPv4 total length 19, header 20"),
        (bent(EXAMPLES["TCP over IPv4"], 17, 30), "TCP header: 10 of 20 octets"),
        (bent(EXAMPLES["TCP over IPv4"], 46, 0x40), "TCP data offset 16 in a segment of 25 octets"),
        (bent(EXAMPLES["TCP over IPv4"], 46, 0xF0), "TCP data offset 60 in a segment of 25 octets"),
        (bent(EXAMPLES["TCP over IPv6"], 14, 0x45), "IPv6 header with version 4"),
        (bent(EXAMPLES["hop-by-hop"], 55, 9), "IPv6 extension header longer than the packet"),
        (bent(EXAMPLES["UDP over IPv4"], 39, 7), "UDP length 7 in 13 octets"),
        (bent(EXAMPLES["UDP over IPv4"], 39, 14), "UDP length 14 in 13 octets"),
        (bent(EXAMPLES["UDP over IPv4"], 17, 25), "UDP header: 5 of 8 octets"),
        (in_frame(ip("10.9.0.1", "10.9.0.2", 1, b"\x03\x03")), "ICMP header: 2 of 8 octets"),
        (in_frame(ip("fd09::1", "fd09::2", 0, b"\x06")), "IPv6 extension header 0 beyond the packet"),
    ],
)
def test_headers_that_contradict_themselves_are_malformed(octets: bytes, reason: str) -> None:
    packet = only(octets)

    assert isinstance(packet, Malformed)
    assert packet.reason == reason


def test_an_icmp_quote_without_ports_is_told() -> None:
    quoted = ip(NEAR.host, FAR.host, 17, udp(NEAR, FAR, b"hello"))

    assert str(only(icmp_frame(FAR.host, NEAR.host, 3, 3, quoted[:22]))) == (
        "#1 truncated: ICMP quote: 2 of 4 octets of the ports"
    )
    assert str(only(icmp_frame(FAR.host, NEAR.host, 3, 3, quoted[:12]))) == (
        "#1 truncated: IPv4 header: 12 of 20 octets"
    )


def test_the_collector_is_as_it_was_after_decoding() -> None:
    was = gc.isenabled()
    try:
        for enabled in (True, False):
            gc.enable() if enabled else gc.disable()
            decode([frame(EXAMPLES["bare ACK"])])
            assert gc.isenabled() == enabled
    finally:
        gc.enable() if was else gc.disable()


def test_a_cut_segment_still_tells_its_ends() -> None:
    packet = only(EXAMPLES["TCP over IPv4"][:54], size=59)

    assert packet == Truncated(1, 0, False, "20 of 25 octets behind the IP header", NEAR, FAR)


# --- fragments


def fragments(near: Endpoint, far: Endpoint, data: bytes, mtu: int = 1480) -> list[bytes]:
    """The frames of one datagram in fragments, over either family."""
    whole = udp(near, far, data)
    parts = [(start, whole[start : start + mtu]) for start in range(0, len(whole), mtu)]
    if ":" in near.host:
        return [
            in_frame(
                ip(
                    near.host,
                    far.host,
                    44,
                    struct.pack("!BBHI", 17, 0, start | (start + len(part) < len(whole)), 5) + part,
                )
            )
            for start, part in parts
        ]
    return [
        in_frame(
            ip(near.host, far.host, 17, part, fragment=start // 8 | (0x2000 if start + len(part) < len(whole) else 0))
        )
        for start, part in parts
    ]


both_families = pytest.mark.parametrize(("near", "far"), [(NEAR, FAR), (NEAR6, FAR6)], ids=["v4", "v6"])


def framed(octets: list[bytes]) -> list[Frame]:
    return [frame(each, number, time_ns=number) for number, each in enumerate(octets, start=1)]


@both_families
@given(order=st.permutations(range(4)), twice=st.integers(0, 3))
def test_fragments_in_any_order_become_one_datagram(
    near: Endpoint, far: Endpoint, order: list[int], twice: int
) -> None:
    data = octets(5000)
    parts = fragments(near, far, data)

    packets = decode(framed([parts[place] for place in (order[0], *order)]))

    assert [(type(packet), packet.frames) for packet in packets] == [(Datagram, (1, 2, 3, 4, 5))]
    assert isinstance(packets[0], Datagram)
    assert (packets[0].source, packets[0].destination, packets[0].data) == (near, far, data)
    assert (packets[0].number, packets[0].time_ns) == (5, 5)


@both_families
def test_the_largest_datagram_is_put_together(near: Endpoint, far: Endpoint) -> None:
    data = octets(65507 if near is NEAR else 65527)

    (packet,) = decode(framed(fragments(near, far, data)))

    assert isinstance(packet, Datagram)
    assert packet.data == data


@both_families
def test_fragments_that_never_become_whole_say_what_is_missing(near: Endpoint, far: Endpoint) -> None:
    parts = fragments(near, far, octets(5000))

    (packet,) = decode(framed([parts[0], parts[1], parts[3]]))

    assert isinstance(packet, Truncated)
    assert packet.frames == (1, 2, 3)
    assert packet.reason == "fragments hold 3528 of 5008 octets"


def test_the_next_header_counts_in_the_first_fragment_only() -> None:
    first, last = fragments(NEAR6, FAR6, b"x" * 2000)
    last = bent(last, 54, 59)  # its own fragment header says: nothing behind me (RFC 8200 4.5)

    for order in ([first, last], [last, first]):
        (packet,) = decode(framed(order))

        assert isinstance(packet, Datagram)
        assert packet.data == b"x" * 2000


def test_fragments_of_two_datagrams_are_not_mixed() -> None:
    one, other = fragments(NEAR, FAR, b"1" * 2000), fragments(FAR, NEAR, b"2" * 2000)

    packets = decode(framed([one[0], other[1], other[0], one[1]]))

    assert [(packet.frames, packet.data[:1]) for packet in packets if isinstance(packet, Datagram)] == [
        ((2, 3), b"2"),
        ((1, 4), b"1"),
    ]


def test_an_identification_that_returns_after_a_minute_is_another_packet() -> None:
    first, last = fragments(NEAR, FAR, b"x" * 2000)

    packets = decode([frame(first, 1), frame(last, 2, time_ns=61 * 10**9), frame(first, 3, time_ns=62 * 10**9)])

    assert [(type(packet), packet.frames) for packet in packets] == [(Datagram, (2, 3)), (Truncated, (1,))]


def test_a_fragment_that_no_sender_could_make_is_malformed() -> None:
    odd = in_frame(ip(NEAR.host, FAR.host, 17, b"x" * 9, fragment=0x2000))
    far_off = in_frame(ip(NEAR.host, FAR.host, 17, b"x" * 16, fragment=0x1FFF))

    assert [str(packet) for packet in decode(framed([odd, far_off]))] == [
        "#1 malformed: fragment of 9 octets with more to come: not a multiple of 8",
        "#2 malformed: fragment that ends at octet 65544 of a packet",
    ]


def test_a_segment_in_fragments_is_read_as_well() -> None:
    whole = tcp(NEAR, FAR, "ACK", seq=1, ack=2, data=b"x" * 100)
    parts = [
        in_frame(ip(NEAR.host, FAR.host, 6, whole[:80], fragment=0x2000)),
        in_frame(ip(NEAR.host, FAR.host, 6, whole[80:], fragment=10)),
    ]

    (packet,) = decode(framed(parts))

    assert isinstance(packet, Segment)
    assert (packet.data, packet.frames) == (b"x" * 100, (1, 2))


# --- options

OPTION_EXAMPLES: dict[str, tuple[str, Options]] = {
    "mss": ("020405b4", Options(mss=1460)),
    "window scale": ("01030307", Options(window_scale=7)),
    "SACK permitted": ("04020000", Options(sack_permitted=True)),
    "one SACK block": ("0101050a00000001ffffffff", Options(sack=((1, 0xFFFFFFFF),))),
    "two SACK blocks": ("051200000001000000020000000300000004", Options(sack=((1, 2), (3, 4)))),
    "timestamps": ("080a0000000100000002", Options(timestamps=(1, 2))),
    "unknown": ("fd04abcd020405b4", Options(mss=1460, unknown=(253,))),
    "end of list": ("020405b400ffff", Options(mss=1460)),
    "mss of three octets": ("020305", Options(malformed="option 2 at octet 0 of 3 has length 3")),
    "length 0": ("0101fd00", Options(malformed="option 253 at octet 2 of 4 has length 0")),
    "length 1": ("0801", Options(malformed="option 8 at octet 0 of 2 has length 1")),
    "no length": ("010102", Options(malformed="option 2 at octet 2 of 3 has length 0")),
    "beyond the header": ("0104020802", Options(sack_permitted=True)),
}
OPTION_EXAMPLES["beyond the header"] = (
    "040208 0a 0000".replace(" ", ""),
    Options(sack_permitted=True, malformed="option 8 at octet 2 of 6 has length 10"),
)


@pytest.mark.parametrize(("octets", "options"), OPTION_EXAMPLES.values(), ids=OPTION_EXAMPLES.keys())
def test_options_are_read_up_to_where_they_break(octets: str, options: Options) -> None:
    assert read_options(bytes.fromhex(octets)) == options


@given(st.binary(max_size=40))
def test_no_octets_make_reading_options_fail(octets: bytes) -> None:
    assert isinstance(read_options(octets), Options)


# --- how values print


def test_ends_and_flags_print_as_a_person_writes_them() -> None:
    assert str(NEAR) == "10.9.0.1:47732"
    assert str(NEAR6) == "[fd09::1]:47732"
    assert str(Flags(0x12)) == "SYN ACK"
    assert str(Flags(0)) == "none"
    assert Flags.named("ACK SYN") == Flags(0x12)


def test_an_unknown_flag_is_named() -> None:
    with pytest.raises(ValueError, match="'SYN FNI' is not a list of flags; they are FIN SYN RST PSH ACK URG ECE CWR"):
        Flags.named("SYN FNI")


def test_each_packet_prints_on_one_line() -> None:
    udp_quote = ip(NEAR.host, FAR.host, 17, udp(NEAR, FAR, b"hello"))
    lines = [
        str(only(EXAMPLES["TCP over IPv4"])),
        str(only(EXAMPLES["UDP over IPv6"])),
        str(only(icmp_frame(FAR.host, NEAR.host, 3, 3, udp_quote))),
        str(only(ethernet(bytes(28), 0x0806))),
        str(only(b"")),
    ]

    assert lines == [
        "#1 10.9.0.1:47732 > 10.9.0.2:35171 PSH ACK seq 1 ack 2 win 512 (5 octets)",
        "#1 [fd09::1]:47732 > [fd09::2]:35171 datagram (5 octets)",
        "#1 10.9.0.2 says port unreachable of 10.9.0.1:47732 > 10.9.0.2:35171",
        "#1 ARP",
        "#1 truncated: Ethernet header: 0 of 14 octets",
    ]
    assert str(frame(bytes(60), 4, sent=True, size=99)) == "#4 sent frame (60 of 99 octets)"


def test_a_udp_checksum_covers_the_length_of_udp() -> None:
    """What follows in the IP packet is not summed (RFC 768); scapy found that ours did."""
    inner = udp(NEAR, FAR, b"inside")

    assert checksum_fault(frame(in_frame(ip(NEAR.host, FAR.host, 17, inner + b"outside")))) == ""
    assert checksum_fault(frame(in_frame(ip(NEAR.host, FAR.host, 17, inner[:-1] + b"!outside")))) != ""

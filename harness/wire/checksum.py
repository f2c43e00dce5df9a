"""The Internet checksum of a frame (RFC 1071): apart from decoding, because nobody asks it of each segment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.wire.network import ICMP, ICMPV6, IPV4, IPV6, TCP, UDP, Carried, Unreadable, ethernet, ipv4, ipv6

if TYPE_CHECKING:
    from harness.wire.frame import Frame

_CHECKED: Final = {TCP: "TCP", UDP: "UDP", ICMP: "ICMP", ICMPV6: "ICMPv6"}
_UDP_FIELD: Final = slice(6, 8)
_FIELD_AT: Final = {TCP: 16, UDP: 6, ICMP: 2, ICMPV6: 2}  # octets from the beginning of the header
_IPV4_FIELD_AT: Final = 10


def checksum_right(frame: Frame) -> bool:
    """Whether no checksum in the frame is wrong."""
    return not checksum_fault(frame)


def checksum_fault(frame: Frame) -> str:
    """Which checksum is wrong, or why it cannot be told; empty if all are right or there is none to look at.

    Of a fragment only the IPv4 header is looked at: the rest of the sum lies in other frames. Behind a routing header
    the sum is taken over the address in the IPv6 header, as at the end of the route (RFC 8200 8.1).
    """
    try:
        ethertype, start = ethernet(frame.octets)
        if ethertype == IPV4:
            carried = ipv4(frame.octets, start)
            if carried.start > len(frame.octets):
                return "octets are missing"
            if _sum(frame.octets[start : carried.start]) != 0xFFFF:
                return "IPv4 header checksum is wrong"
        elif ethertype == IPV6:
            carried = ipv6(frame.octets, start)
        else:
            return ""
    except Unreadable as problem:
        return problem.reason
    if carried.fragment is not None or carried.protocol not in _CHECKED:
        return ""
    if carried.end > len(frame.octets):
        return "octets are missing"
    return _carried_fault(carried)


def _carried_fault(carried: Carried) -> str:
    carried = carried._replace(end=_summed_to(carried))
    octets = carried.octets[carried.start : carried.end]
    if carried.protocol == UDP and octets[_UDP_FIELD] == b"\x00\x00":
        # No checksum: allowed over IPv4 (RFC 768), discarded over IPv6 (RFC 8200 8.1).
        return "" if len(carried.source) == 4 else "UDP checksum 0 over IPv6"
    if _sum(_pseudo_header(carried) + octets) == 0xFFFF:
        return ""
    return f"{_CHECKED[carried.protocol]} checksum is wrong"


def _summed_to(carried: Carried) -> int:
    """Where the sum ends: of UDP with its own length, which may be less than that of IP (RFC 768)."""
    if carried.protocol != UDP or carried.start + 8 > carried.end:
        return carried.end
    length = int.from_bytes(carried.octets[carried.start + 4 : carried.start + 6], "big")
    return carried.start + length if 8 <= length <= carried.end - carried.start else carried.end


def _pseudo_header(carried: Carried) -> bytes:
    """What the sum is taken over beside the octets; none for ICMP over IPv4 (RFC 792).

    RFC 9293 3.1, RFC 8200 8.1: as sums the two pseudo-headers differ in the addresses only.
    """
    if carried.protocol == ICMP:
        return b""
    size = carried.end - carried.start
    return carried.source + carried.destination + size.to_bytes(4, "big") + bytes([0, carried.protocol])


def with_right_checksums(octets: bytes) -> bytes:
    """The frame with every checksum right that `checksum_fault` looks at; as it is if it cannot be read."""
    mended = bytearray(octets)
    try:
        ethertype, start = ethernet(octets)
        if ethertype not in (IPV4, IPV6):
            return octets
        carried = (ipv4 if ethertype == IPV4 else ipv6)(octets, start)
    except Unreadable:
        return octets
    if carried.end > len(octets):
        return octets
    if ethertype == IPV4:
        _mend(mended, start, carried.start, start + _IPV4_FIELD_AT)
    if carried.fragment is None and carried.protocol in _CHECKED:
        at = carried.start + _FIELD_AT[carried.protocol]
        carried = carried._replace(end=_summed_to(carried))
        if at + 2 <= carried.end:
            _mend(mended, carried.start, carried.end, at, _pseudo_header(carried))
            if carried.protocol == UDP and not any(mended[at : at + 2]):
                mended[at : at + 2] = b"\xff\xff"  # 0 would say that there is none (RFC 768)
    return bytes(mended)


def _mend(octets: bytearray, start: int, end: int, at: int, pseudo: bytes = b"") -> None:
    """Put the sum over `octets[start:end]` into the field at `at`."""
    octets[at : at + 2] = bytes(2)
    octets[at : at + 2] = (0xFFFF - _sum(pseudo + bytes(octets[start:end]))).to_bytes(2, "big")


def _sum(octets: bytes) -> int:
    """The ones' complement sum of the 16-bit words; 0xFFFF over octets that hold their own right checksum.

    2**16 is 1 modulo 0xFFFF, so the whole as one number leaves the same remainder as the sum of its words.
    """
    padded = octets + b"\x00" * (len(octets) % 2)
    number = int.from_bytes(padded, "big")
    return number % 0xFFFF or (0xFFFF if number else 0)

"""The Internet checksum of a frame (RFC 1071): apart from decoding, because nobody asks it of each segment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.wire.network import ICMP, ICMPV6, IPV4, IPV6, TCP, UDP, Carried, Unreadable, ethernet, ipv4, ipv6

if TYPE_CHECKING:
    from harness.wire.frame import Frame

_CHECKED: Final = {TCP: "TCP", UDP: "UDP", ICMP: "ICMP", ICMPV6: "ICMPv6"}
_UDP_FIELD: Final = slice(6, 8)


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
    octets = carried.octets[carried.start : carried.end]
    if carried.protocol == UDP and octets[_UDP_FIELD] == b"\x00\x00":
        # No checksum: allowed over IPv4 (RFC 768), discarded over IPv6 (RFC 8200 8.1).
        return "" if len(carried.source) == 4 else "UDP checksum 0 over IPv6"
    pseudo = b""
    if carried.protocol != ICMP:
        # RFC 9293 3.1, RFC 8200 8.1: as sums the two pseudo-headers differ in the addresses only.
        pseudo = carried.source + carried.destination + len(octets).to_bytes(4, "big") + bytes([0, carried.protocol])
    if _sum(pseudo + octets) == 0xFFFF:
        return ""
    return f"{_CHECKED[carried.protocol]} checksum is wrong"


def _sum(octets: bytes) -> int:
    """The ones' complement sum of the 16-bit words; 0xFFFF over octets that hold their own right checksum.

    2**16 is 1 modulo 0xFFFF, so the whole as one number leaves the same remainder as the sum of its words.
    """
    padded = octets + b"\x00" * (len(octets) % 2)
    number = int.from_bytes(padded, "big")
    return number % 0xFFFF or (0xFFFF if number else 0)

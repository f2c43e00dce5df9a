"""Where an IP packet lies in a frame and what it carries: Ethernet II, VLAN tags, IPv4, IPv6 with extension headers.

Bad input raises `Cut` or `Wrong`, and only `decode` and `checksum` catch them, so that a reader of a header needs no
second way out. No length is believed before it was compared with the octets that are there.
"""

from __future__ import annotations

import ipaddress
import struct
from functools import lru_cache
from typing import Final, NamedTuple

from harness.wire.segment import Endpoint

ETHERNET_HEADER: Final = 14
IPV4, ARP, VLAN, IPV6, PROVIDER_VLAN = 0x0800, 0x0806, 0x8100, 0x86DD, 0x88A8
LOWEST_ETHERTYPE: Final = 0x0600  # below, the field is an IEEE 802.3 length

ICMP, TCP, UDP, FRAGMENT, ICMPV6 = 1, 6, 17, 44, 58
PASSED_BY: Final = frozenset((0, 43, 60))  # hop-by-hop, routing, destination options: length in the second octet

_new: Final = tuple.__new__  # what a named tuple's constructor calls, without the detour: 0.1 instead of 0.3 µs
_IPV4_HEADER: Final = struct.Struct("!BxHHHxBxx4s4s")
_IPV6_HEADER: Final = struct.Struct("!IHBx16s16s")
_IPV6_FRAGMENT: Final = struct.Struct("!BxHI")


class Unreadable(Exception):  # noqa: N818 - what the frame is, not what we did
    """A frame that cannot be read to its end; with its ends where the ports could be read."""

    def __init__(self, reason: str, source: Endpoint | None = None, destination: Endpoint | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.source = source
        self.destination = destination


class Cut(Unreadable):
    """The octets end before what the headers promise."""


class Wrong(Unreadable):
    """The headers contradict themselves."""


class Fragment(NamedTuple):
    """What a fragment says of its place in the packet (RFC 791 3.1, RFC 8200 4.5)."""

    ident: int
    offset: int  # octets
    more: bool  # others follow


class Carried(NamedTuple):
    """What an IP packet carries: `octets[start:end]`, of which the last may not have been captured."""

    protocol: int
    source: bytes  # address, 4 or 16 octets
    destination: bytes
    octets: bytes
    start: int
    end: int
    fragment: Fragment | None


def ethernet(octets: bytes) -> tuple[int, int]:
    """The EtherType and the offset of what follows, behind any VLAN tags."""
    start = ETHERNET_HEADER
    while len(octets) >= start:
        ethertype = octets[start - 2] << 8 | octets[start - 1]
        if ethertype != VLAN and ethertype != PROVIDER_VLAN:
            return ethertype, start
        start += 4
    raise Cut(f"Ethernet header: {len(octets)} of {start} octets")


def ipv4(octets: bytes, start: int) -> Carried:
    """What the IPv4 packet at `start` carries."""
    if len(octets) < start + 20:
        raise Cut(f"IPv4 header: {len(octets) - start} of 20 octets")
    first, total, ident, fragmented, protocol, source, destination = _IPV4_HEADER.unpack_from(octets, start)
    header = (first & 0x0F) * 4
    if first >> 4 != 4:
        raise Wrong(f"IPv4 header with version {first >> 4}")
    if header < 20:
        raise Wrong(f"IPv4 header of {header} octets")
    if total < header:
        raise Wrong(f"IPv4 total length {total}, header {header}")
    fragment = None
    if fragmented & 0x3FFF:  # an offset, or more fragments to come
        fragment = Fragment(ident, (fragmented & 0x1FFF) * 8, bool(fragmented & 0x2000))
    return _new(Carried, (protocol, source, destination, octets, start + header, start + total, fragment))


def ipv6(octets: bytes, start: int) -> Carried:
    """What the IPv6 packet at `start` carries, behind its extension headers."""
    if len(octets) < start + 40:
        raise Cut(f"IPv6 header: {len(octets) - start} of 40 octets")
    first, length, protocol, source, destination = _IPV6_HEADER.unpack_from(octets, start)
    if first >> 28 != 6:
        raise Wrong(f"IPv6 header with version {first >> 28}")
    start += 40
    carried = _new(Carried, (protocol, source, destination, octets, start, start + length, None))
    return carried if protocol in (TCP, UDP) else behind_extensions(carried)


def behind_extensions(carried: Carried) -> Carried:
    """The same packet with `start` moved behind the IPv6 extension headers (RFC 8200 4), up to a fragment header."""
    protocol, source, destination, octets, start, end, fragment = carried
    while protocol in PASSED_BY or protocol == FRAGMENT:
        if start + 8 > end:
            raise Wrong(f"IPv6 extension header {protocol} beyond the packet")
        if start + 8 > len(octets):
            raise Cut(f"IPv6 extension header {protocol}: {len(octets) - start} of 8 octets")
        if protocol == FRAGMENT:
            protocol, place, ident = _IPV6_FRAGMENT.unpack_from(octets, start)
            start += 8
            if place & 0xFFF9:  # all zero is an atomic fragment, whole as it is (RFC 6946)
                fragment = Fragment(ident, place & 0xFFF8, bool(place & 1))
                break
        else:
            protocol, size = octets[start], (octets[start + 1] + 1) * 8
            start += size
            if start > end:
                raise Wrong("IPv6 extension header longer than the packet")
    return Carried(protocol, source, destination, octets, start, end, fragment)


@lru_cache(maxsize=65536)
def endpoint(address: bytes, port: int) -> Endpoint:
    """The end with this address (4 or 16 octets) and port; a capture has few of them, so they are kept."""
    return Endpoint(str(ipaddress.ip_address(address)), port)

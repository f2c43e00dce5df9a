"""What a router makes of a packet that is too large for its next link: pieces that go on, or word to its sender.

Every IPv6 link takes 1280 octets (RFC 8200 5): a narrower MTU counts for IPv4 only.
"""

from __future__ import annotations

import ipaddress
import struct
from typing import Final, NamedTuple

from harness.lab.ends import ROUTER
from harness.wire import icmp
from harness.wire.checksum import with_right_checksums
from harness.wire.network import ICMP, ICMPV6, IPV4, IPV6, Carried, Unreadable, ethernet, ipv4, ipv6

LEAST_IPV6_MTU: Final = 1280
_LARGEST_IPV4_ERROR: Final = 576  # octets of the whole packet (RFC 1812 4.3.2.3)
_DONT_FRAGMENT: Final = 0x4000
_MORE_FRAGMENTS: Final = 0x2000
_OFFSET: Final = 0x1FFF
_COPIED: Final = 0x80  # of an IPv4 option's kind: it goes into every fragment (RFC 791 3.1)
_TTL: Final = 64


class Outcome(NamedTuple):
    """What goes on, and what goes back."""

    onward: tuple[bytes, ...] = ()
    back: bytes | None = None


def too_large(octets: bytes, mtu: int) -> bool:
    """Whether the frame is an IP packet larger than this."""
    try:
        ethertype, start = ethernet(octets)
    except Unreadable:
        return False
    if ethertype == IPV6:
        return len(octets) - start > max(mtu, LEAST_IPV6_MTU)
    return ethertype == IPV4 and len(octets) - start > mtu


def narrowed(octets: bytes, mtu: int, *, silent: bool = False) -> Outcome:
    """What becomes of a frame that is too large; nothing goes back from a `silent` router."""
    ethertype, start = ethernet(octets)
    try:
        if ethertype == IPV6:
            told = _told_v6(octets, start, max(mtu, LEAST_IPV6_MTU))
        elif int.from_bytes(octets[start + 6 : start + 8], "big") & _DONT_FRAGMENT:
            told = _told_v4(octets, start, mtu)
        else:
            return Outcome(onward=_fragments(octets, start, mtu))
    except Unreadable:
        return Outcome()
    return Outcome(back=None if silent else told)


# -- word to the sender


def _told_v4(octets: bytes, start: int, mtu: int) -> bytes | None:
    """The ICMP error "fragmentation needed and DF set", with the MTU in its second word (RFC 1191 4)."""
    carried = ipv4(octets, start)
    if _tells_nobody(carried, ICMP):
        return None
    quoted = octets[start : start + _LARGEST_IPV4_ERROR - 20 - icmp.HEADER]
    message = struct.pack("!BBHHH", 3, 4, 0, 0, mtu) + quoted
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(message), 0, 0, _TTL, ICMP, 0)
    router = ipaddress.ip_address(ROUTER.v4[0]).packed
    return _back(octets, start, head + router + carried.source + message)


def _told_v6(octets: bytes, start: int, mtu: int) -> bytes | None:
    """The ICMPv6 error "packet too big" (RFC 4443 3.2)."""
    carried = ipv6(octets, start)
    if _tells_nobody(carried, ICMPV6):
        return None
    quoted = octets[start : start + LEAST_IPV6_MTU - 40 - icmp.HEADER]
    message = struct.pack("!BBHI", 2, 0, 0, mtu) + quoted
    head = struct.pack("!IHBB", 6 << 28, len(message), ICMPV6, _TTL)
    router = ipaddress.ip_address(ROUTER.v6[0]).packed
    return _back(octets, start, head + router + carried.source + message)


def _tells_nobody(carried: Carried, protocol: int) -> bool:
    """No error is sent about an error, nor about a fragment that is not the first (RFC 1122 3.2.2)."""
    if carried.fragment is not None and carried.fragment.offset:
        return True
    return carried.protocol == protocol and icmp.is_error(protocol, carried.octets[carried.start])


def _back(octets: bytes, start: int, packet: bytes) -> bytes:
    """The packet in a frame to the station from which the other came."""
    return with_right_checksums(octets[6:12] + octets[:6] + octets[12:start] + packet)


# -- fragments


def _fragments(octets: bytes, start: int, mtu: int) -> tuple[bytes, ...]:
    """The packet in pieces that fit (RFC 791 3.2); one that is a fragment already is cut further."""
    carried = ipv4(octets, start)
    header = octets[start : carried.start]
    place = int.from_bytes(header[6:8], "big")
    offset, more = (place & _OFFSET) * 8, place & _MORE_FRAGMENTS
    whole = octets[carried.start : carried.end]
    pieces: list[bytes] = []
    at = 0
    while at < len(whole):
        head = header if not at else header[:20] + _copied(header[20:])
        room = mtu - len(head)
        piece = whole[at : at + room] if len(whole) - at <= room else whole[at : at + room // 8 * 8]
        goes_on = _MORE_FRAGMENTS if at + len(piece) < len(whole) else more
        field = struct.pack("!H", goes_on | (offset + at) // 8)
        size = struct.pack("!H", len(head) + len(piece))
        first = bytes([0x40 | len(head) // 4]) + head[1:2]
        packet = first + size + head[4:6] + field + head[8:] + piece
        pieces.append(with_right_checksums(octets[:start] + packet))
        at += len(piece)
    return tuple(pieces)


def _copied(options: bytes) -> bytes:
    """The options that go into every fragment, padded to whole words."""
    kept, at = b"", 0
    while at < len(options) and options[at]:
        size = 1 if options[at] == 1 else max(2, options[at + 1]) if at + 1 < len(options) else len(options)
        if options[at] & _COPIED:
            kept += options[at : at + size]
        at += size
    return kept + bytes(-len(kept) % 4)

"""ICMP and ICMPv6 errors: their names, and the flow they quote (RFC 792, RFC 1122 3.2.2, RFC 4443).

Where the two families mean the same, they get the same words, so that one claim holds on both.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from harness.wire.network import ICMP, TCP, UDP, Cut, endpoint, ipv4, ipv6

if TYPE_CHECKING:
    from harness.wire.segment import Endpoint

HEADER: Final = 8

# (type, code) -> words
V4_KINDS: Final = {
    (3, 0): "network unreachable",
    (3, 1): "host unreachable",
    (3, 2): "protocol unreachable",
    (3, 3): "port unreachable",
    (3, 4): "fragmentation needed",
    (3, 5): "source route failed",
    (3, 6): "network unknown",
    (3, 7): "host unknown",
    (3, 8): "source host isolated",
    (3, 9): "network prohibited",
    (3, 10): "host prohibited",
    (3, 11): "network unreachable for type of service",
    (3, 12): "host unreachable for type of service",
    (3, 13): "communication prohibited",
    (3, 14): "host precedence violation",
    (3, 15): "precedence cutoff",
    (4, 0): "source quench",
    (5, 0): "redirect for network",
    (5, 1): "redirect for host",
    (11, 0): "time exceeded",
    (11, 1): "reassembly time exceeded",
    (12, 0): "parameter problem",
    (12, 1): "required option missing",
    (12, 2): "bad length",
}
V6_KINDS: Final = {
    (1, 0): "network unreachable",  # "no route to destination"
    (1, 1): "communication prohibited",
    (1, 2): "beyond scope of source address",
    (1, 3): "host unreachable",  # "address unreachable"
    (1, 4): "port unreachable",
    (1, 5): "source address failed policy",
    (1, 6): "route rejected",
    (2, 0): "packet too big",
    (3, 0): "time exceeded",
    (3, 1): "reassembly time exceeded",
    (4, 0): "parameter problem",
    (4, 1): "next header unknown",
    (4, 2): "option unknown",
}
V4_ERRORS: Final = frozenset(kind for kind, _ in V4_KINDS)
V6_ERRORS: Final = frozenset(kind for kind, _ in V6_KINDS)
EVERY_KIND: Final = frozenset(V4_KINDS.values()) | frozenset(V6_KINDS.values())


class Quote(NamedTuple):
    """The packet that an error is about."""

    protocol: str  # tcp or udp
    source: Endpoint
    destination: Endpoint
    seq: int | None


def is_error(protocol: int, icmp_type: int) -> bool:
    """Whether a message of this type quotes a packet."""
    return icmp_type in (V4_ERRORS if protocol == ICMP else V6_ERRORS)


def kind(protocol: int, icmp_type: int, code: int) -> str:
    """The words for an error."""
    words = (V4_KINDS if protocol == ICMP else V6_KINDS).get((icmp_type, code))
    return words or f"ICMP{'' if protocol == ICMP else 'v6'} type {icmp_type} code {code}"


def mtu(protocol: int, icmp_type: int, code: int, rest: int) -> int:
    """The MTU in the second word of the header, octets; 0 where the kind has none (RFC 1191 4, RFC 4443 3.2)."""
    if protocol == ICMP:
        return rest & 0xFFFF if (icmp_type, code) == (3, 4) else 0
    return rest if icmp_type == 2 else 0


def quote(protocol: int, octets: bytes, start: int) -> Quote | None:
    """The TCP or UDP packet quoted at `start`; None if another protocol, or a later fragment without ports, is."""
    quoted = (ipv4 if protocol == ICMP else ipv6)(octets, start)
    if quoted.protocol not in (TCP, UDP) or (quoted.fragment and quoted.fragment.offset):
        return None
    if len(octets) < quoted.start + 4:
        raise Cut(f"ICMP quote: {len(octets) - quoted.start} of 4 octets of the ports")
    ports: tuple[int, int] = struct.unpack_from("!HH", octets, quoted.start)
    seq = None
    if quoted.protocol == TCP and len(octets) >= quoted.start + 8:
        seq = int.from_bytes(octets[quoted.start + 4 : quoted.start + 8], "big")
    return Quote(
        "tcp" if quoted.protocol == TCP else "udp",
        endpoint(quoted.source, ports[0]),
        endpoint(quoted.destination, ports[1]),
        seq,
    )

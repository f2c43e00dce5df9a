"""What scapy makes of frames, in the words of `harness.wire.reading`.

Scapy dissects, and its fields are believed; what it does not do is judge whether a packet contradicts itself. That is
asked of its fields here, as a receiver would ask: a length beyond the octets that are there, a header too short for
itself. Fragments are joined in the order of scapy's offsets; where they overlap, which of them counts is no matter of
dissection, so such a packet has no reading.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Final

from harness.capture.scapy_layers import (
    ICMP,
    IP,
    TCP,
    UDP,
    Dot1AD,
    Dot1Q,
    Dot3,
    Ether,
    ICMPv6DestUnreach,
    ICMPv6PacketTooBig,
    ICMPv6ParamProblem,
    ICMPv6TimeExceeded,
    IPv6,
    IPv6Extension,
    IPv6ExtHdrFragment,
    IPv6ExtHdrRouting,
    NoPayload,
    Packet,
    Padding,
    Raw,
    checksum,
    in4_chksum,
)
from harness.wire import icmp
from harness.wire.network import ICMP as ICMP_NUMBER
from harness.wire.network import ICMPV6, IPV4, IPV6
from harness.wire.network import TCP as TCP_NUMBER
from harness.wire.network import UDP as UDP_NUMBER
from harness.wire.reading import (
    DATAGRAM,
    ICMP_ERROR,
    OTHER,
    RIGHT,
    SEGMENT,
    UNREADABLE,
    WRONG,
    Reading,
    option_words,
)
from harness.wire.segment import EVERY_FLAGS, Endpoint, Options

if TYPE_CHECKING:
    from collections.abc import Sequence

_V6_ERRORS: Final = (ICMPv6DestUnreach, ICMPv6PacketTooBig, ICMPv6TimeExceeded, ICMPv6ParamProblem)
_PASSED_BY: Final = (0, 43, 60)  # hop-by-hop, routing and destination options
_TRANSPORT: Final = {TCP_NUMBER: TCP, UDP_NUMBER: UDP}
_UNREADABLE: Final[Reading] = {"kind": UNREADABLE}
_OTHER: Final[Reading] = {"kind": OTHER}


def reading(pieces: Sequence[Packet]) -> Reading | None:
    """What the packet says that came in these frames, one or its fragments; None where that cannot be told."""
    if any(map(_misread, pieces)):
        return None
    networks = [_network(piece) for piece in pieces]
    first = networks[0]
    if isinstance(first, dict):
        return first
    if all(not isinstance(network, dict) and _fragment(network) for network in networks):
        return _joined([network for network in networks if not isinstance(network, dict)])
    return _of_network(first, checksums=True)


def _misread(frame: Packet) -> bool:
    """Whether scapy errs: it takes a routing header that does not end with a whole address for a shorter one."""
    routing = frame.getlayer(IPv6ExtHdrRouting) if isinstance(frame.payload, IPv6) else None
    return routing is not None and bool(routing.len % 2)


# --- Ethernet and IP


def _network(frame: Packet) -> Packet | Reading:
    """The IP layer of a frame, or what is to be said of a frame without one."""
    layer = frame
    while isinstance(layer, Ether | Dot1Q | Dot1AD):
        ethertype, layer = layer.type, layer.payload
        wanted = {IPV4: IP, IPV6: IPv6}.get(ethertype)
        if wanted is not None:
            return layer if isinstance(layer, wanted) and not _contradicts(layer) else _UNREADABLE
        if isinstance(layer, NoPayload) and isinstance(frame, Dot1Q | Dot1AD):
            return _UNREADABLE
    return _OTHER if isinstance(frame, Ether | Dot3) else _UNREADABLE


def _contradicts(network: Packet) -> bool:
    """Whether the header of IP cannot be."""
    if isinstance(network, IP):
        said = network.fields
        return bool(said["version"] != 4 or said["ihl"] < 5 or said["len"] < said["ihl"] * 4)
    return bool(network.fields["version"] != 6)


def _cut(network: Packet) -> bool:
    """Whether octets are missing that the header promises."""
    size = network.fields["len"] if isinstance(network, IP) else 40 + network.fields["plen"]
    return bool(size > len(network.original))


def _fragment(network: Packet) -> tuple[int, bool, int, bytes] | None:
    """Of a fragment its offset in octets, whether others follow, the protocol, and what it carries."""
    if isinstance(network, IP):
        if not network.fields["frag"] and not int(network.fields["flags"]) & 1:  # MF
            return None
        octets = network.original[network.ihl * 4 : network.len]
        return network.frag * 8, bool(network.flags.MF), network.proto, octets
    layer = network.payload
    while isinstance(layer, IPv6Extension):
        if isinstance(layer, IPv6ExtHdrFragment) and (layer.offset or layer.m):
            return layer.offset * 8, bool(layer.m), layer.nh, layer.original[8:]
        layer = layer.payload
    return None


def _joined(networks: list[Packet]) -> Reading | None:
    """What the packet says that came in fragments."""
    if _cut(networks[0]):  # it waits for no other
        offset, _, protocol, octets = _fragment(networks[0]) or (0, False, 0, b"")
        ends = _ends(networks[0], Raw(octets), UNREADABLE) if protocol in _TRANSPORT and not offset else None
        return ends or _UNREADABLE
    pieces = sorted((piece for network in networks if (piece := _fragment(network))), key=lambda piece: piece[0])
    octets = b""
    for offset, _, _, part in pieces:
        if offset < len(octets):
            return None
        if offset > len(octets):
            return _UNREADABLE
        octets += part
    if pieces[-1][1]:
        return _UNREADABLE
    ends = {"src": networks[0].src, "dst": networks[0].dst}
    protocol = pieces[0][2]
    whole = IP(**ends, proto=protocol) if isinstance(networks[0], IP) else IPv6(**ends, nh=protocol)
    return _of_network(type(whole)(bytes(whole / Raw(octets))), checksums=False)


def _of_network(network: Packet, *, checksums: bool) -> Reading:
    protocol, transport = _behind_extensions(network)
    if transport is None:
        return _UNREADABLE
    own = TCP_NUMBER, UDP_NUMBER, ICMP_NUMBER if isinstance(network, IP) else ICMPV6
    if _cut(network):
        ends = _ends(network, transport, UNREADABLE) if protocol in _TRANSPORT else None
        return ends or _UNREADABLE
    if protocol not in own:
        return _OTHER
    if protocol == TCP_NUMBER:
        said = _segment(network, transport)
    elif protocol == UDP_NUMBER:
        said = _datagram(network, transport)
    else:
        said = _icmp(network, transport)
    if checksums and said["kind"] in (SEGMENT, DATAGRAM, ICMP_ERROR) and not _routed(network):
        said["checksums"] = RIGHT if _right(network, transport, protocol) else WRONG
    return said


def _behind_extensions(network: Packet) -> tuple[int, Packet | None]:
    """The protocol that IP carries and its layer; no layer where an extension header is longer than the packet."""
    if isinstance(network, IP):
        return network.fields["proto"], network.payload
    protocol, layer = network.fields["nh"], network.payload
    left = min(network.plen, len(network.original) - 40)
    while protocol in _PASSED_BY or protocol == 44:
        if not isinstance(layer, IPv6Extension):
            return protocol, None
        left -= 8 if protocol == 44 else (layer.len + 1) * 8
        if left < 0:
            return protocol, None
        protocol, layer = layer.nh, layer.payload
    return protocol, layer


def _routed(network: Packet) -> bool:
    """Whether the address of the checksum may be another one than that of the header."""
    return isinstance(network.payload, IPv6Extension) and IPv6ExtHdrRouting in network


def _right(network: Packet, transport: Packet, protocol: int) -> bool:
    """Whether the checksums of header and transport are right, as scapy sums them up."""
    v4 = isinstance(network, IP)
    if v4 and checksum(network.original[: network.ihl * 4]) != 0:
        return False
    octets = transport.original
    if protocol == ICMP_NUMBER:
        return bool(checksum(octets) == 0)
    if protocol == UDP_NUMBER:
        if not transport.chksum:
            return v4
        octets = octets[: transport.len]  # what follows in the packet is not summed
    if not v4:
        # The pseudo-header of RFC 8200 8.1: scapy's in6_chksum builds a packet for it, which takes as long as all else.
        return bool(checksum(network.original[8:40] + struct.pack("!II", len(octets), protocol) + octets) == 0)
    if len(octets) < len(transport.original):  # scapy goes by the length of IP
        network = IP(src=network.src, dst=network.dst)
    return bool(in4_chksum(protocol, network, octets) == 0)


# --- TCP, UDP, ICMP


def _segment(network: Packet, layer: Packet) -> Reading:
    if not isinstance(layer, TCP):
        return _UNREADABLE
    said = layer.fields  # to ask a layer for a field takes ten times as long
    header = said["dataofs"] * 4
    if not 20 <= header <= len(layer.original):
        return _ends(network, layer, UNREADABLE) or _UNREADABLE
    return {
        **(_ends(network, layer, SEGMENT) or {}),
        "flags": str(EVERY_FLAGS[int(said["flags"]) & 0xFF]),  # the ninth is no flag of RFC 9293
        "seq": said["seq"],
        "ack": said["ack"],
        "window": said["window"],
        "urgent pointer": said["urgptr"],
        "options": option_words(_options(said["options"], layer.original[20:header])),
        "checksum": f"{said['chksum']:#06x}",
        "data": _octets_behind(layer),
    }


def _datagram(network: Packet, layer: Packet) -> Reading:
    if not isinstance(layer, UDP):
        return _UNREADABLE
    if not 8 <= layer.len <= len(layer.original):
        return _ends(network, layer, UNREADABLE) or _UNREADABLE
    return {
        **(_ends(network, layer, DATAGRAM) or {}),
        "length": layer.len,
        "checksum": f"{layer.chksum:#06x}",
        "data": _octets_behind(layer),
    }


def _icmp(network: Packet, layer: Packet) -> Reading:
    v4 = isinstance(network, IP)
    if len(layer.original) < icmp.HEADER:
        return _UNREADABLE
    protocol = ICMP_NUMBER if v4 else ICMPV6
    kind = layer.original[0]
    if not icmp.is_error(protocol, kind):
        return _OTHER
    if not isinstance(layer, ICMP if v4 else _V6_ERRORS):
        return _UNREADABLE
    quoted = layer.payload
    if not isinstance(quoted, IP if v4 else IPv6) or _contradicts(quoted):
        return _UNREADABLE
    carried, transport = _behind_extensions(quoted)
    fragment = _fragment(quoted)
    if carried not in _TRANSPORT or (fragment and fragment[0]):
        return _OTHER
    if not isinstance(quoted.payload, IPv6Extension) and not isinstance(transport, TCP | UDP):
        # The quote may hold more than the quoted header says: what was sent may have been shortened on its way.
        transport = Raw(quoted.original[quoted.ihl * 4 if v4 else 40 :])
    ends = _ends(quoted, transport, "") if transport is not None else None
    if ends is None or transport is None:
        return _UNREADABLE
    mtu = layer.nexthopmtu if v4 and (layer.type, layer.code) == (3, 4) else 0 if v4 else getattr(layer, "mtu", 0)
    return {
        "kind": ICMP_ERROR,
        "source": network.src,
        "destination": network.dst,
        "says": icmp.kind(protocol, layer.type, layer.code),
        "mtu": mtu,
        "quotes": "tcp" if carried == TCP_NUMBER else "udp",
        "quoted source": ends["source"],
        "quoted destination": ends["destination"],
        "quoted seq": _quoted_seq(transport) if carried == TCP_NUMBER else None,
        "checksum": f"{layer.chksum if v4 else layer.cksum:#06x}",
    }


def _quoted_seq(layer: Packet) -> int | None:
    if isinstance(layer, Raw):
        return int.from_bytes(layer.original[4:8], "big") if len(layer.original) >= 8 else None
    return getattr(layer, "seq", None) if len(layer.original) >= 8 else None


def _ends(network: Packet, layer: Packet, kind: str) -> Reading | None:
    """The two ends, by scapy's fields; None where there are no ports. What it could not dissect has them first."""
    if isinstance(layer, TCP | UDP):
        ports = layer.fields["sport"], layer.fields["dport"]
    elif not isinstance(layer, Padding) and len(octets := layer.original) >= 4:
        ports = int.from_bytes(octets[:2], "big"), int.from_bytes(octets[2:4], "big")
    else:
        return None
    hosts = network.fields["src"], network.fields["dst"]
    return {
        "kind": kind,
        "source": str(Endpoint(hosts[0], ports[0])),
        "destination": str(Endpoint(hosts[1], ports[1])),
    }


def _octets_behind(layer: Packet) -> bytes:
    payload = layer.payload
    return b"" if isinstance(payload, NoPayload | Padding) else bytes(payload.original)


def _options(found: list[tuple[str | int, Any]], octets: bytes) -> Options:
    """Scapy's list of options as ours; it goes on behind an option of impossible length, a receiver does not."""
    said: dict[str, Any] = {}
    unknown: tuple[int, ...] = ()
    at = 0
    for name, value in found:
        if name == "EOL":
            break
        if name == "NOP":
            at += 1
            continue
        kind, size = octets[at], octets[at + 1] if at + 1 < len(octets) else 0
        at += size
        if size < 2 or at > len(octets) or (name in _READ and not _fits(name, value)):
            return Options(**said, unknown=unknown, malformed=f"option {kind}")
        if name not in _READ:
            unknown += (kind,)
        elif name == "SAck":
            said["sack"] = tuple(zip(value[::2], value[1::2], strict=True))
        else:
            said[_READ[name]] = True if name == "SAckOK" else value
    return Options(**said, unknown=unknown)


_READ: Final[dict[str | int, str]] = {
    "MSS": "mss",
    "WScale": "window_scale",
    "SAckOK": "sack_permitted",
    "SAck": "sack",
    "Timestamp": "timestamps",
}


def _fits(name: str | int, value: object) -> bool:
    """Whether scapy found a value of the option's own length; else it leaves the octets as they are."""
    if name == "SAckOK":
        return value in (b"", "")
    if name == "SAck":
        return isinstance(value, tuple) and len(value) in (2, 4, 6, 8)
    return isinstance(value, tuple if name == "Timestamp" else int)

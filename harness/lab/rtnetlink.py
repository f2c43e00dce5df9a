"""Requests to the network of a namespace, sent together, and what the kernel answers (rtnetlink(7)).

Each request is octets, so those that are the same for every test are written once; the kernel carries out as many as it
is sent in one call, in their order. pyroute2 can do all this. But to import it takes 0.22 s of a processor, in each
lab process, and to write and await the requests of one link 15 ms: a test holds ours against what it writes.
"""

from __future__ import annotations

import socket
import struct

from harness.lab import netlink

_ROUTE = 0  # NETLINK_ROUTE
_NEW_LINK, _GET_LINK, _NEW_ADDRESS, _NEW_ROUTE, _NEW_NEIGHBOUR = 16, 18, 20, 24, 28  # RTM_…
_ORDER = 0x5  # NLM_F_REQUEST | NLM_F_ACK
_CREATE = _ORDER | 0x600  # NLM_F_CREATE | NLM_F_EXCL
_IF_ADDRESS, _IF_NAME, _IF_MTU, _IF_INFO, _IF_NAMESPACE = 1, 3, 4, 18, 28  # IFLA_…, IFLA_LINKINFO, IFLA_NET_NS_FD
_INFO_KIND, _INFO_DATA, _INFO_PEER = 1, 2, 1  # IFLA_INFO_KIND, IFLA_INFO_DATA, VETH_INFO_PEER
_FA_ADDRESS, _FA_LOCAL, _FA_FLAGS = 1, 2, 8  # IFA_…
_RT_TO, _RT_LINK, _RT_GATEWAY, _RT_SOURCE, _RT_TABLE = 1, 4, 5, 7, 15  # RTA_DST, OIF, GATEWAY, PREFSRC, TABLE
_ND_ADDRESS, _ND_STATION = 1, 2  # NDA_DST, NDA_LLADDR
_UP, _RUNNING, _NO_ARP = 0x1, 0x40, 0x80  # IFF_…; running is up, and with a carrier (RFC 2863's "up")
_NO_DETECTION = 0x02  # IFA_F_NODAD
_PERMANENT = 0x80  # NUD_PERMANENT: a neighbour that is never asked for
_MAIN, _LOCAL = 254, 255  # RT_TABLE_…
_STATIC = 4  # RTPROT_STATIC: an administrator has set the route
_UNICAST, _LOCAL_DELIVERY = 1, 2  # RTN_UNICAST, RTN_LOCAL
_FLAGS_AT = 8  # octets from the beginning of an ifinfomsg


def veth(index: int, name: str, station: str, peer: tuple[int, str, str], namespace: int) -> bytes:
    """Makes two joined interfaces (veth(4)), each by its index, name and hardware address.

    The `peer` is made in the namespace behind the descriptor.
    """
    other_index, other_name, other_station = peer
    other = _link(other_index) + _named(other_name, other_station) + _attribute(_IF_NAMESPACE, _number(namespace))
    info = _attribute(_INFO_KIND, b"veth\0") + _attribute(_INFO_DATA, _attribute(_INFO_PEER, other))
    return _request(_NEW_LINK, _CREATE, _link(index) + _named(name, station) + _attribute(_IF_INFO, info))


def up(index: int) -> bytes:
    """Brings an interface up."""
    return _request(_NEW_LINK, _ORDER, _link(index, _UP, _UP))


def up_without_arp(index: int, mtu: int) -> bytes:
    """Brings an interface up that resolves no addresses and takes IP packets of up to `mtu` octets."""
    return _request(_NEW_LINK, _ORDER, _link(index, _UP | _NO_ARP, _UP | _NO_ARP) + _attribute(_IF_MTU, _number(mtu)))


def address(index: int, host: str, prefix: int) -> bytes:
    """Gives an interface an address of a network with that many bits; an IPv6 address is not looked for elsewhere."""
    family, octets = _octets(host)
    body = struct.pack("=BBBBI", family, prefix, 0, 0, index) + _attribute(_FA_ADDRESS, octets)
    if family == socket.AF_INET:
        body += _attribute(_FA_LOCAL, octets)
    else:
        body += _attribute(_FA_FLAGS, _number(_NO_DETECTION))
    return _request(_NEW_ADDRESS, _CREATE, body)


def neighbour(index: int, host: str, station: str) -> bytes:
    """Says for good which hardware address a host behind an interface has."""
    family, octets = _octets(host)
    body = struct.pack("=B3xIHBB", family, index, _PERMANENT, 0, 0)
    body += _attribute(_ND_ADDRESS, octets) + _attribute(_ND_STATION, _station(station))
    return _request(_NEW_NEIGHBOUR, _CREATE, body)


def local_route(index: int, host: str) -> bytes:
    """Has the kernel take in what arrives for a host."""
    family, octets = _octets(host)
    body = _route(family, len(octets) * 8, _LOCAL_DELIVERY) + _attribute(_RT_TO, octets)
    body += _attribute(_RT_LINK, _number(index)) + _attribute(_RT_TABLE, _number(_LOCAL))
    return _request(_NEW_ROUTE, _CREATE, body)


def route(index: int, network: str, prefix: int, gateway: str, source: str) -> bytes:
    """Sends what is for a network, of that many bits, to a gateway, and gives it a source address."""
    family, octets = _octets(network)
    body = _route(family, prefix, _UNICAST) + _attribute(_RT_TO, octets) + _attribute(_RT_GATEWAY, _octets(gateway)[1])
    body += _attribute(_RT_LINK, _number(index)) + _attribute(_RT_SOURCE, _octets(source)[1])
    return _request(_NEW_ROUTE, _CREATE, body)


def question(index: int) -> bytes:
    """Asks about an interface; `runs` understands the answer."""
    return _request(_GET_LINK, _ORDER, _link(index))


def carry_out(requests: bytes) -> list[bytes]:
    """Have the kernel of this namespace carry the requests out; what it answers besides acknowledging them.

    OSError for the first that it refuses; those behind it have been carried out all the same.
    """
    answers: list[bytes] = []
    unacknowledged = sum(1 for _ in netlink.messages(requests))
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _ROUTE) as kernel:
        kernel.send(requests)
        while unacknowledged:
            for kind, body in netlink.messages(kernel.recv(netlink.LARGEST)):
                if kind != netlink.ERROR:
                    answers.append(body)
                    continue
                unacknowledged -= 1
                netlink.see_acknowledged(body, "rtnetlink")
    return answers


def runs(link: bytes) -> bool:
    """Whether a link is up and has a carrier, by the kernel's answer about it."""
    (flags,) = struct.unpack_from("=I", link, _FLAGS_AT)
    return bool(flags & _RUNNING)


def _request(kind: int, flags: int, body: bytes) -> bytes:
    return netlink.HEADER.pack(netlink.HEADER.size + len(body), kind, flags, 0, 0) + body


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _link(index: int, flags: int = 0, change: int = 0) -> bytes:
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, flags, change)


def _route(family: int, prefix: int, kind: int) -> bytes:
    return struct.pack("=BBBBBBBBI", family, prefix, 0, 0, _MAIN, _STATIC, 0, kind, 0)


def _named(name: str, station: str) -> bytes:
    return _attribute(_IF_NAME, name.encode() + b"\0") + _attribute(_IF_ADDRESS, _station(station))


def _station(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _number(value: int) -> bytes:
    return struct.pack("=I", value)


def _octets(host: str) -> tuple[int, bytes]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return family, socket.inet_pton(family, host)

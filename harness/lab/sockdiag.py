"""The sockets of a network namespace as the kernel lists them (sock_diag(7)), without touching any.

A subject that waits is looked at many times, each time over both families and both ends of the link: the list is asked
for and read in 0.05 ms. (pyroute2, which knows these messages as well, takes ten times as long.)
"""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

from harness.lab import netlink

_SOCK_DIAG = 4  # NETLINK_SOCK_DIAG
_BY_FAMILY = 20  # SOCK_DIAG_BY_FAMILY
_REQUEST_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_ASKED = struct.Struct("=BBBxI48x")  # inet_diag_req_v2: family, protocol, extensions, states; any ends
# inet_diag_msg: family, state, timer; ports; addresses; interface, cookie; timer in ms, queues; user, inode
_TOLD = struct.Struct("=BBxx2s2s16s16s4x8xIII4xI")
_ATTRIBUTE = struct.Struct("=HH")  # length, type
_ONLY_V6 = 11  # INET_DIAG_SKV6ONLY


class Socket(NamedTuple):
    """One socket. What the queues count depends on its state: of a listener, who waits in it and how many may."""

    state: int
    inode: int
    local: tuple[str, int]
    remote: tuple[str, int]
    unread: int  # octets
    unsent: int  # octets that are not acknowledged
    timer_ms: int  # until its timer runs out; in TIME-WAIT, how long it still lasts
    only_v6: bool


class Listing:
    """Asks one network namespace: that of the caller when it was made."""

    def __init__(self) -> None:
        self._kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG)

    def close(self) -> None:
        """Ask no more."""
        self._kernel.close()

    def sockets(self, family: int, protocol: int, states: int) -> list[Socket]:
        """Those of an address family and a protocol whose state is in the bit mask; OSError when that is refused."""
        asked = _ASKED.pack(family, protocol, 0, states)
        self._kernel.send(
            netlink.HEADER.pack(netlink.HEADER.size + len(asked), _BY_FAMILY, _REQUEST_DUMP, 0, 0) + asked
        )
        found: list[Socket] = []
        while True:
            for kind, body in netlink.messages(self._kernel.recv(netlink.LARGEST)):
                if kind in {netlink.DONE, netlink.ERROR}:
                    netlink.see_acknowledged(body, "sock_diag")
                    return found
                found.append(_told(body))


def _told(body: bytes) -> Socket:
    family, state, source_port, other_port, source, other, expires, unread, unsent, inode = _TOLD.unpack_from(body)
    local, remote = _end(family, source, source_port), _end(family, other, other_port)
    return Socket(state, inode, local, remote, unread, unsent, expires, _only_v6(body))


def _end(family: int, address: bytes, port: bytes) -> tuple[str, int]:
    size = 16 if family == socket.AF_INET6 else 4
    return socket.inet_ntop(family, address[:size]), int.from_bytes(port, "big")


def _only_v6(body: bytes) -> bool:
    at = _TOLD.size
    while at < len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        if kind == _ONLY_V6:
            return bool(body[at + _ATTRIBUTE.size])
        at += length + 3 & ~3
    return False

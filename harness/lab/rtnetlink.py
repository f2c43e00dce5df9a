"""Requests to the kernel's network, written once and sent together (rtnetlink(7)).

pyroute2 knows how a request is written. To write those of a link anew, and to await each answer, took 15 ms of a
processor for every test; they are the same for all, so they are written once in a process, and the kernel carries them
out in one call, in their order.
"""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

from pyroute2 import IPBatch

from harness.lab import netlink

if TYPE_CHECKING:
    from collections.abc import Callable

_ROUTE = 0  # NETLINK_ROUTE
_RUNNING = 0x40  # IFF_RUNNING: up, and with a carrier (RFC 2863's "up")
_FLAGS_AT = 8  # octets from the beginning of an ifinfomsg


def written(write: Callable[[IPBatch], object]) -> bytes:
    """The requests that `write` makes of pyroute2, in their order, each to be acknowledged."""
    with IPBatch() as batch:
        write(batch)
        return bytes(batch.batch)


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

"""What every netlink(7) message begins with, and how the kernel acknowledges or refuses one."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST = 1 << 16  # octets of an answer
HEADER = struct.Struct("=IHHII")  # length, type, flags, number, port
ERROR, DONE = 2, 3  # NLMSG_ERROR, which an acknowledgment is, too: of number 0; NLMSG_DONE, which ends a list


def messages(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """The type and the body of each message."""
    at = 0
    while at < len(octets):
        length, kind, *_ = HEADER.unpack_from(octets, at)
        yield kind, octets[at + HEADER.size : at + length]
        at += length + 3 & ~3


def see_acknowledged(body: bytes, who: str) -> None:
    """OSError if this body of an `ERROR` or `DONE` says that the request was refused; `who` did so."""
    (refused,) = struct.unpack_from("=i", body)
    if refused:
        raise OSError(-refused, f"{who}: {os.strerror(-refused)}")

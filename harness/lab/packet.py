"""Packet sockets (packet(7)) and their rings: for the tap, and for the relay."""

from __future__ import annotations

import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

SLOT = 2048  # octets: a frame of 1514, the kernel's header of 66, rounded up to a power of two
SLOTS = 4096

_SOL_PACKET = 263
_PACKET_RX_RING, _PACKET_STATISTICS, _PACKET_VERSION = 5, 6, 10
_TPACKET_V2 = 1

# Closing a packet socket waits for a grace period of the kernel, 10 ms and more: a test need not wait for that.
_closing = ThreadPoolExecutor(1, "close-packet")


def with_ring(packet: socket.socket, *, slots: int = SLOTS, slot: int = SLOT) -> socket.socket:
    """Give an unbound packet socket (protocol 0) its ring of `slots` slots of `slot` octets, and return it.

    The kernel lets a grace period pass before it returns, 8 to 16 ms, whatever the size.
    """
    block = max(slot, 1 << 16)
    packet.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V2)
    layout = struct.pack("=IIII", block, slots * slot // block, slot, slots)
    packet.setsockopt(_SOL_PACKET, _PACKET_RX_RING, layout)
    return packet


def unbound() -> socket.socket:
    """A packet socket of this network namespace that hears nothing yet."""
    return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)


def dropped(packet: socket.socket) -> int:
    """How many frames had no room in the socket's ring since this was asked last."""
    _, drops = struct.unpack("=II", packet.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))
    return int(drops)


def let_go(close: Callable[[], object]) -> Future[object]:
    """Close a packet socket in the background; what is returned is done when it and those before it are closed."""
    return _closing.submit(close)

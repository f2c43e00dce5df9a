"""The states of a TCP connection (RFC 9293 3.3.2), with the numbers that the kernel gives them in sock_diag."""

from __future__ import annotations

import socket
from enum import IntEnum
from typing import Final

PROTOCOLS: Final = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP}
ALL: Final = (1 << 12) - 1  # as sock_diag is asked for sockets in any state


class State(IntEnum):
    """What a socket of the subject's end may be in; a TIME-WAIT that still waits for the peer's FIN is FIN-WAIT-2."""

    ESTABLISHED = 1
    SYN_SENT = 2
    SYN_RECEIVED = 3
    FIN_WAIT_1 = 4
    FIN_WAIT_2 = 5
    TIME_WAIT = 6
    CLOSED = 7
    CLOSE_WAIT = 8
    LAST_ACK = 9
    LISTEN = 10
    CLOSING = 11

    def __str__(self) -> str:
        return self.name.replace("_", "-")


def mask(*states: State) -> int:
    """These states as sock_diag is asked for them."""
    return sum(1 << state for state in set(states))


def waiting(transport: str) -> int:
    """The states in which a socket waits for clients: a TCP socket in LISTEN, a UDP socket in any, for it has none."""
    return mask(State.LISTEN) if transport == "tcp" else ALL

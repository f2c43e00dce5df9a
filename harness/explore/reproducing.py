"""What a script that shows a failure again is made of: this file is written into it, in front of the sequence.

So it imports nothing but the standard library, and it knows no more than sockets show. A line of the sequence is a call
of one of these functions; `owes()` and `owes_datagrams()` say what a client has to have heard by then, all in all.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import struct
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 3.0  # seconds in which something has to come, if it is to come
SETTLED = 0.3  # seconds that the server gets to accept and to look
UDP = False  # whether the service is one over UDP

place: tuple[str, int] = ("", 0)
sockets: dict[int, socket.socket] = {}
said: dict[int, bytes] = {}  # what each client sent, and what came for it
came: dict[int, bytes] = {}
ended: dict[int, str] = {}  # "FIN" or "RST"
datagrams: dict[int, list[bytes]] = {}


class Bug(Exception):  # noqa: N818 - what it is
    """The server is wrong; the message tells in what."""


def connect(client: int) -> None:
    """Connect a new client."""
    family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
    made = sockets[client] = socket.socket(family, socket.SOCK_DGRAM if UDP else socket.SOCK_STREAM)
    said[client], came[client], datagrams[client] = b"", b"", []
    made.settimeout(PATIENCE)
    if UDP:
        return
    try:
        made.connect(place)
    except OSError as error:
        raise Bug(f"client {client} is not let in: {error}") from error
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def let_in(client: int) -> None:
    """Complain if a client that was connected is thrown out before it has said a word.

    Where a server has ended, its listener takes in who comes until the last moment, and resets them all in that.
    """
    while more(client, PATIENCE) and len(came[client]) < 1 << 20:
        pass
    if ended.get(client) == "RST":
        raise Bug(f"client {client} is not let in: reset at once")


def send(client: int, octets: bytes) -> None:
    """Send octets, or a datagram."""
    said[client] += octets
    with contextlib.suppress(OSError):  # what is wrong, if anything is, shows when the client reads
        if UDP:
            sockets[client].sendto(octets, place)
        else:
            sockets[client].sendall(octets)


def half_close(client: int) -> None:
    """Send FIN."""
    with contextlib.suppress(OSError):
        sockets[client].shutdown(socket.SHUT_WR)


def reset(client: int) -> None:
    """Send RST."""
    sockets[client].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sockets.pop(client).close()


def close(client: int) -> None:
    """Close the socket."""
    sockets.pop(client).close()


def wait() -> None:
    """Give the server time to accept who is there, and to look at what was sent."""
    select.select([], [], [], SETTLED)


def read(client: int, size: int) -> None:
    """Read until `size` octets have come in all, or the end."""
    while len(came[client]) < size and client not in ended and more(client, PATIENCE):
        pass


def hear(client: int, number: int) -> None:
    """Receive until so many datagrams have come in all."""
    while len(datagrams[client]) < number and more(client, PATIENCE):
        pass


def more(client: int, seconds: float) -> bool:
    """Take in what comes next, within so many seconds; whether anything did."""
    if client in ended or not select.select([sockets[client]], [], [], seconds)[0]:
        return False
    try:
        octets, source = sockets[client].recvfrom(1 << 16)
    except OSError:
        if not UDP:
            ended[client] = "RST"
        return True
    if UDP:
        if source[:2] != place:
            raise Bug(f"client {client} got an answer from {source[:2]}, and had asked {place}")
        datagrams[client].append(octets)
    elif octets:
        came[client] += octets
    else:
        ended[client] = "FIN"
    return True


def owes(
    client: int,
    octets: bytes | None,
    *,
    least: int = 0,
    like: bytes = b"",
    end: str = "must not",
    reset: bool = False,
    owed: bool = True,
) -> None:
    """Complain unless the client has heard exactly these octets, or so many at least, or octets like these.

    `end` says whether the server "must", "may" or "must not" end the connection then, `reset` whether RST will do.
    Where it is not `owed`, it may stay away.
    """

    def lacks() -> bool:
        heard = came[client]
        if octets is not None:
            return len(heard) < len(octets)
        return len(heard) < least or bool(like and not re.fullmatch(like, heard))

    while owed and (lacks() or end == "must") and more(client, PATIENCE):
        pass
    while more(client, SETTLED) and len(came[client]) < 1 << 20:
        pass
    heard, how = came[client], ended.get(client, "")
    seen = f"got {heard[:60]!r} ({len(heard)} octets), then {how or 'nothing more'}"
    if octets is not None and not octets.startswith(heard):
        raise Bug(f"client {client} {seen}, and not {octets[:60]!r} ({len(octets)} octets)")
    if octets is None and like and (found := re.match(like, heard)) and found.end() < len(heard):
        raise Bug(f"client {client} {seen}: more than it is owed")
    if how and end == "must not":
        raise Bug(f"client {client} {seen}, though it has not closed")
    if how == "RST" and not reset:
        raise Bug(f"client {client} {seen}, in the place of FIN")
    if owed and lacks():
        raise Bug(f"client {client} {seen}: something is missing")
    if owed and end == "must" and not how:
        raise Bug(f"client {client} {seen}, and no end of the stream")


def owes_datagrams(client: int, answers: list[bytes | re.Pattern[bytes]]) -> None:
    """Complain unless the client has got exactly these datagrams, each from where it asked, in any order."""
    while len(datagrams[client]) < len(answers) and more(client, PATIENCE):
        pass
    while more(client, SETTLED):
        pass
    left = list(answers)
    for datagram in datagrams[client]:
        fitting = [one for one in left if (one == datagram if isinstance(one, bytes) else one.fullmatch(datagram))]
        if not fitting:
            raise Bug(f"client {client} got {datagram[:60]!r} ({len(datagram)} octets), which it is not owed")
        left.remove(fitting[0])
    if left:
        raise Bug(f"client {client} got {len(datagrams[client])} datagrams of {len(answers)}")


def run(sequence: Callable[[], None]) -> None:
    """Do it all, with HOST and PORT from the command line; exit with 1 if the bug shows, with 0 if not."""
    global place
    if len(sys.argv) != 3:
        sys.exit(f"usage: python {sys.argv[0]} HOST PORT")
    place = (sys.argv[1], int(sys.argv[2]))
    try:
        sequence()
    except Bug as bug:
        print(f"the bug shows: {bug}")
        sys.exit(1)
    print("the bug does not show")

"""The socket calls of a warm program, as it makes them: for the margin of a ladder diagram, at the subject's side.

A program of ours runs with a class of sockets that notes what was called and what came of it, one line a call, in
memory that it shares with the lab: no descriptor, which the program would have one less of, and nothing lost when it is
killed. The processes that a server forks write each in a part of its own. The program sees ordinary sockets: same
calls, same results, same errors, two microseconds later.

    1790000000123456789 47732 send() 5

Nanoseconds since the epoch, the port of the other end (0 where there is none), the call, what came of it.
"""

from __future__ import annotations

import errno
import functools
import mmap
import os
import socket
from typing import TYPE_CHECKING, Any

from harness import budget

if TYPE_CHECKING:
    from collections.abc import Callable

PARTS = 32  # processes that write at the same time; later ones write over the earliest
ROOM = 16 * 1024  # octets of one part: some 350 calls
READ = 32 * 1024  # octets that a reader gets

# How the result is told: a number of octets, octets, octets with an address, a size that the caller gave.
_COUNTED = ("send", "sendto", "sendmsg", "recv_into")
_RECEIVED = ("recv",)
_FROM = ("recvfrom", "recvfrom_into")
_PLAIN = ("shutdown", "close", "connect", "sendall")


def memory() -> mmap.mmap:
    """Room for the calls of one program and whatever it forks; made before it starts, shared with it by fork()."""
    return mmap.mmap(-1, PARTS * ROOM)


def read(shared: mmap.mmap) -> str:
    """The first `READ` octets of all lines, in the order of their times."""
    lines: list[bytes] = []
    for part in range(PARTS):
        if shared[part * ROOM]:
            lines += shared[part * ROOM : (part + 1) * ROOM].rstrip(b"\0").splitlines()
    return b"\n".join(sorted(lines))[:READ].decode("ascii", "replace")


def install(shared: mmap.mmap) -> None:
    """Make every socket that this process creates from now on note its calls in the memory."""
    witness = _Witness(shared)
    names = (*_COUNTED, *_RECEIVED, *_FROM, *_PLAIN)
    methods: dict[str, Any] = {name: _noted(witness, name) for name in names}
    methods["accept"] = _accepting(witness)
    methods["__module__"], methods["__qualname__"] = "socket", "socket"
    socket.socket = type("socket", (socket.socket,), methods)  # type: ignore[assignment,misc] # the class that the program meets


class _Witness:
    """Writes the lines of one process."""

    def __init__(self, shared: mmap.mmap) -> None:
        self._shared = shared
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        part = os.getpid() % PARTS
        self._at, self._end = part * ROOM, (part + 1) * ROOM

    def note(self, time_ns: int, port: int, name: str, outcome: object) -> None:
        """One line, as long as there is room."""
        line = f"{time_ns} {port} {name} {outcome}\n".encode("ascii", "replace")
        start = self._at
        if start + len(line) <= self._end:
            self._at = start + len(line)
            self._shared[start : self._at] = line


def _noted(witness: _Witness, name: str) -> Callable[..., Any]:
    call = getattr(socket.socket, name)
    received = name.startswith("recv")

    @functools.wraps(call)
    def method(self: Any, *arguments: Any, **named: Any) -> Any:
        port = getattr(self, "_peer_port", 0)
        if name == "close" and self.fileno() < 0:
            return call(self)
        began = budget.wall_ns()
        if name == "close":  # noted first: who sees the FIN may end the program before the call has returned
            witness.note(began, port, "close()", "")
            return call(self)
        try:
            result = call(self, *arguments, **named)
        except OSError as error:
            witness.note(budget.wall_ns(), port, f"{name}()", errno.errorcode.get(error.errno or 0, error))
            raise
        if name in _FROM:
            port = _port(result[1])
        elif name == "sendto":
            port = _port(arguments[-1])
        elif name == "connect":
            self._peer_port = port = _port(arguments[0])
        shown = f"{name}({_HOW.get(arguments[0], '')})" if name == "shutdown" else f"{name}()"
        witness.note(budget.wall_ns() if received else began, port, shown, _outcome(name, arguments, result))
        return result

    return method


def _accepting(witness: _Witness) -> Callable[..., Any]:
    call = socket.socket.accept

    @functools.wraps(call)
    def accept(self: Any) -> Any:
        try:
            connection, address = call(self)
        except OSError as error:
            if error.errno != errno.EAGAIN:
                witness.note(budget.wall_ns(), 0, "accept()", errno.errorcode.get(error.errno or 0, error))
            raise
        port = _port(address)
        connection.__dict__["_peer_port"] = port
        witness.note(budget.wall_ns(), port, "accept()", "")
        return connection, address

    return accept


_HOW = {socket.SHUT_RD: "SHUT_RD", socket.SHUT_WR: "SHUT_WR", socket.SHUT_RDWR: "SHUT_RDWR"}


def _outcome(name: str, arguments: tuple[Any, ...], result: Any) -> object:
    if name in _COUNTED:
        return result
    if name in _RECEIVED:
        return len(result)
    if name in _FROM:
        return result[0] if isinstance(result[0], int) else len(result[0])
    return len(arguments[0]) if name == "sendall" else ""


def _port(address: Any) -> int:
    return address[1] if isinstance(address, tuple) and len(address) > 1 else 0

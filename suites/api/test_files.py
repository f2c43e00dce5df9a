"""makefile(), and how a socket object is made (Python's socket module)."""

from __future__ import annotations

import errno
import os
import socket
import sys
from typing import TYPE_CHECKING

from harness.suite import Ending, covers, families, got, raises, requires

if TYPE_CHECKING:
    from harness.suite import Probe, Runtime, Wire


@families("v4")
@covers("python:file/makefile-modes", "python:file/unbuffered-must-be-binary")
def test_what_kinds_of_file_a_socket_makes(runtime: Runtime, probe: Probe) -> None:
    """makefile() reads, writes, or both, text or octets; other modes are ValueErrors."""

    def kinds(connection: socket.socket) -> list[str]:
        return [type(connection.makefile(mode)).__name__ for mode in ("r", "w", "rb", "wb", "rwb")]

    connection, client = runtime.connected(probe)
    assert runtime.run(kinds, connection) == [
        *("TextIOWrapper", "TextIOWrapper"),
        *("BufferedReader", "BufferedWriter", "BufferedRWPair"),
    ]
    for wrong in ("x", "a", "rbt"):
        with raises(ValueError):
            connection.makefile(wrong)
    client.send_all(b"first\nsecond\n")
    reader = connection.makefile("r", encoding="utf-8")
    assert [reader.readline() for _ in range(2)] == ["first\n", "second\n"]
    writer = connection.makefile("wb")
    writer.write(b"answer")
    writer.flush()
    client.expect(b"answer")
    with requires("python:file/unbuffered-must-be-binary"), raises(ValueError):
        connection.makefile("r", 0)


@covers("python:close/close-waits-for-makefile-objects")
def test_a_file_keeps_its_socket_open(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """close() of a socket with an open file sends nothing; close() of the file then ends the connection."""
    connection, client = runtime.connected(probe)
    file = connection.makefile("wb")
    connection.close()
    wire.flow(client).expect_no(got.FIN | got.RST)

    file.write(b"still open")
    file.close()

    client.expect(b"still open")
    client.expect_end(Ending.EOF)


@families("v4")
@covers("python:file/makefile-needs-blocking-mode", "python:file/non-blocking-reads-return-none")
def test_files_want_sockets_that_block(runtime: Runtime, probe: Probe) -> None:
    """After a timeout a file cannot be read any more; without blocking, nothing is None."""
    connection, _ = runtime.connected(probe)
    connection.settimeout(0.02)
    reader = connection.makefile("rb")
    with raises(TimeoutError):
        reader.read(1)
    with raises(OSError) as caught:
        reader.read(1)
    assert not isinstance(caught[0], TimeoutError), "it does not wait a second time"
    with requires("python:file/non-blocking-reads-return-none"):
        connection.setblocking(False)
        assert connection.makefile("rb").read(1) is None


@families("v4")
@covers(
    "python:ctor/constructor-defaults",
    "python:ctor/new-sockets-non-inheritable",
    "python:ctor/family-and-type-are-intenum",
    "python:ctor/sockettype-is-base-class",
    "python:ssl/no-read-write-methods",
)
def test_a_new_socket(runtime: Runtime) -> None:
    """socket() is a TCP socket over IPv4 that no child inherits; its family and type are enumerations."""

    def facts() -> list[bool]:
        with socket.socket() as ours:
            return [isinstance(ours, socket.SocketType), hasattr(ours, "read"), hasattr(ours, "write")]

    ours = runtime.socket()
    assert (ours.family, ours.type, ours.proto) == (socket.AF_INET, socket.SOCK_STREAM, 0)
    with requires("python:ctor/new-sockets-non-inheritable"):
        assert ours.get_inheritable() is False
    with requires("python:ctor/family-and-type-are-intenum"):
        assert (type(ours.family), type(ours.type)) == (socket.AddressFamily, socket.SocketKind)
    is_socket, reads, writes = runtime.run(facts)
    with requires("python:ctor/sockettype-is-base-class"):
        assert is_socket
    with requires("python:ssl/no-read-write-methods"):
        assert (reads, writes) == (False, False)


@families("v4")
@covers(
    "posix:socket/unsupported-family-fails-eafnosupport",
    "posix:socket/unsupported-protocol-fails",
    "python:ctor/bad-fileno-rejected",
)
def test_what_socket_refuses(runtime: Runtime) -> None:
    """An unknown family, a protocol that does not fit and a descriptor that is no socket have their errors."""

    def a_file() -> int:
        return os.open("/etc/hosts", os.O_RDONLY)

    with raises(errno.EAFNOSUPPORT):
        runtime.socket(200, socket.SOCK_STREAM)
    with requires("posix:socket/unsupported-protocol-fails"), raises(errno.EPROTONOSUPPORT, errno.EPROTOTYPE):
        runtime.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_UDP)
    with requires("python:ctor/bad-fileno-rejected"):
        with raises(ValueError):
            runtime.socket(fileno=-1)
        with raises(errno.ENOTSOCK):
            runtime.socket(fileno=runtime.run(a_file))


@families("v4")
@covers("posix:socket/socket-returns-lowest-free-descriptor")
def test_a_new_socket_takes_the_lowest_free_number(runtime: Runtime) -> None:
    """The number of a descriptor that was closed is the next one to be given."""
    first, _second, third = (runtime.tcp() for _ in range(3))
    lowest = first.fileno()
    third.close()
    first.close()

    assert runtime.tcp().fileno() == lowest


@families("v4")
@covers("posix:pair/socketpair-is-connected", "python:pair/socketpair-default-af-unix")
def test_a_pair_is_connected(runtime: Runtime) -> None:
    """What one of a pair sends the other receives, both ways; they are AF_UNIX and not inherited."""
    ours, other = runtime.socketpair()
    ours.sendall(b"there")
    other.sendall(b"and back")
    assert (other.recv(100), ours.recv(100)) == (b"there", b"and back")
    with requires("python:pair/socketpair-default-af-unix"):
        assert [(one.family, one.type, one.get_inheritable()) for one in (ours, other)] == [
            (socket.AF_UNIX, socket.SOCK_STREAM, False)
        ] * 2


@families("v4")
@covers("python:audit/audit-events-raised")
def test_calls_can_be_audited(runtime: Runtime) -> None:
    """An audit hook hears of each socket that is made, bound and connected, and of names that are looked up."""

    def heard() -> list[str]:
        events: list[str] = []
        sys.addaudithook(lambda event, _: events.append(event) if event.startswith("socket.") else None)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
            ours.bind(("127.0.0.1", 0))
            ours.connect(ours.getsockname())
            ours.sendto(b"x", ours.getsockname())
            socket.getaddrinfo("127.0.0.1", 7)
        return events

    expected = ["socket.__new__", "socket.bind", "socket.connect", "socket.sendto", "socket.getaddrinfo"]
    assert runtime.run(heard) == expected

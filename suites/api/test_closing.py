"""shutdown(), close() and detach(): what each ends, for whom, and when (shutdown(2), close(2), socket(7))."""

from __future__ import annotations

import errno
import gc
import os
import socket
import struct
import warnings
from typing import TYPE_CHECKING

from harness.suite import Ending, KiB, MiB, State, covers, families, got, octets, raises, requires, sent

if TYPE_CHECKING:
    from harness.suite import Probe, Runtime, Wire


@covers("posix:shut/shut-rd-returns-eof", "linux:shut/shut-rd-is-local-only")
def test_shut_rd_ends_reading_and_says_nothing_to_the_peer(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """After SHUT_RD recv() is at the end; the peer notices nothing, and what it sends Linux still hands over."""
    connection, client = runtime.connected(probe)

    connection.shutdown(socket.SHUT_RD)

    connection.setblocking(False)
    assert connection.recv(10) == b""
    with requires("linux:shut/shut-rd-is-local-only"):
        client.send_all(b"abc")
        wire.wait_for(client, got.acked(3))
        wire.flow(client).expect_no(got.FIN | got.RST)
        assert connection.recv(10) == b"abc"


@covers("python:shut/shutdown-halves-connection", "linux:shut/repeated-shut-wr-harmless")
def test_shut_wr_ends_sending_alone(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """SHUT_WR is the end of the stream for the peer, who may go on sending; a second one does nothing."""
    connection, client = runtime.connected(probe)

    connection.shutdown(socket.SHUT_WR)
    client.expect_end(Ending.EOF)
    with requires("linux:shut/repeated-shut-wr-harmless"):
        connection.shutdown(socket.SHUT_WR)
        wire.flow(client).expect(got.FIN)
        assert len(wire.flow(client).pick(got.FIN)) == 1

    client.send_all(b"still here")
    client.half_close()
    assert connection.recv(100) == b"still here"


@covers("posix:shut/unconnected-shutdown-enotconn", "posix:shut/invalid-how-einval")
def test_shutdown_wants_a_connection_and_a_direction(runtime: Runtime, probe: Probe) -> None:
    """shutdown() without a peer is ENOTCONN, and EINVAL for what is no direction."""
    for one in (runtime.tcp(), runtime.udp()):
        with raises(errno.ENOTCONN):
            one.shutdown(socket.SHUT_RDWR)
    with requires("posix:shut/invalid-how-einval"), raises(errno.EINVAL):
        runtime.connected(probe)[0].shutdown(7)


@covers("linux:shut/shutdown-wakes-blocked-recv")
def test_shutdown_wakes_who_waits(runtime: Runtime, probe: Probe) -> None:
    """A recv() that waits in another thread returns b"" when the socket is shut down."""
    connection, _ = runtime.connected(probe)
    pending = connection.begin.recv(10)
    pending.expect_waiting()

    connection.shutdown(socket.SHUT_RDWR)

    assert pending.result() == b""


@covers("linux:close/close-does-not-wake-blocked-calls")
def test_close_does_not_wake_who_waits(runtime: Runtime, probe: Probe) -> None:
    """A recv() that waits in another thread goes on when the descriptor is closed, and gets what comes."""
    connection, client = runtime.connected(probe)
    pending = connection.begin.recv(10)
    pending.expect_waiting()

    runtime.os.close(connection.fileno())

    pending.expect_no_answer()
    client.send_all(b"here")
    assert pending.result() == b"here"
    connection.detach()


@covers(
    "posix:close/fin-only-on-last-descriptor",
    "linux:shut/shutdown-affects-all-duplicates",
    "python:close/close-may-not-end-connection",
    "python:dup/dup-non-inheritable-copy",
)
def test_a_connection_lasts_as_long_as_its_last_descriptor(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """close() with a duplicate left sends nothing; shutdown() of one ends the connection for both."""
    connection, client = runtime.connected(probe)
    connection.settimeout(7)
    copy = connection.dup()
    with requires("python:dup/dup-non-inheritable-copy"):
        assert copy.fileno() != connection.fileno()
        assert (copy.get_inheritable(), copy.gettimeout()) == (False, 7)

    connection.close()
    wire.flow(client).expect_no(got.FIN | got.RST)
    with requires("python:dup/dup-non-inheritable-copy"):
        copy.sendall(b"still open")
        client.expect(b"still open")

    with requires("linux:shut/shutdown-affects-all-duplicates"):
        third = copy.dup()
        third.shutdown(socket.SHUT_WR)
        with raises(errno.EPIPE):
            copy.send(b"x")
    with requires("python:close/close-may-not-end-connection"):
        client.expect_end(Ending.EOF)


@covers("posix:inherit/sockets-shared-across-fork")
def test_a_child_shares_the_socket(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """What a forked child closes stays open in the parent, and what it sends is in the parent's stream."""

    def fork_and_close(connection: socket.socket) -> None:
        pid = os.fork()
        if not pid:
            connection.send(b"from the child ")
            connection.close()
            os._exit(0)
        os.waitpid(pid, 0)
        connection.send(b"from the parent")

    connection, client = runtime.connected(probe)

    runtime.run(fork_and_close, connection)

    client.expect(b"from the child from the parent")
    wire.flow(client).expect_no(got.FIN | got.RST)
    connection.close()
    client.expect_end(Ending.EOF)


@families("v4")
@covers("posix:inherit/close-on-exec-closes-at-exec", "python:inh/inheritable-flag-settable")
def test_a_program_inherits_what_is_inheritable(runtime: Runtime) -> None:
    """A descriptor with close-on-exec is gone in a new program; set_inheritable(True) keeps it."""

    def is_open_after_exec(ours: socket.socket, inheritable: bool) -> bool:
        ours.set_inheritable(inheritable)
        if ours.get_inheritable() is not inheritable:
            return not inheritable
        pid = os.fork()
        if not pid:
            os.execv("/bin/sh", ["sh", "-c", f"test -e /proc/self/fd/{ours.fileno()}"])
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

    assert runtime.run(is_open_after_exec, runtime.tcp(), False) is False
    with requires("python:inh/inheritable-flag-settable"):
        assert runtime.run(is_open_after_exec, runtime.tcp(), True) is True


@covers("posix:close/linger-time-blocks-close")
def test_close_waits_as_long_as_it_is_to_linger(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """With SO_LINGER close() waits while the peer takes nothing, and returns when all is acknowledged."""
    connection, client = runtime.connected(probe, receive_buffer=4 * KiB)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 * MiB)
    taken = connection.send(octets(1 * MiB), socket.MSG_DONTWAIT)
    wire.wait_for(client, sent.window(0))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 60))

    pending = connection.begin.close()

    pending.expect_waiting()
    client.widen()
    client.expect(octets(1 * MiB)[:taken])
    pending.result()
    client.expect_end(Ending.EOF)


@families("v4")
@covers(
    "posix:close/second-close-ebadf", "python:close/operations-after-close-fail", "python:close/close-reports-errors"
)
def test_a_closed_socket_can_do_nothing(runtime: Runtime) -> None:
    """Methods of a closed socket are EBADF, its fileno() is -1; closing it again is harmless."""
    ours = runtime.tcp()
    number = ours.fileno()
    ours.close()
    with raises(errno.EBADF):
        runtime.os.close(number)

    with requires("python:close/operations-after-close-fail"):
        assert ours.fileno() == -1
        for method, arguments in (("send", (b"x",)), ("recv", (1,)), ("getsockname", ()), ("listen", ())):
            with raises(errno.EBADF):
                getattr(ours, method)(*arguments)
        assert ours.close() is None
    with requires("python:close/close-reports-errors"):
        other = runtime.tcp()
        runtime.os.close(other.fileno())
        with raises(errno.EBADF):
            other.close()


@covers("posix:name/unconnected-getpeername-enotconn", "linux:name/peer-name-after-full-close")
def test_only_a_connection_has_a_peer(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """getpeername() is ENOTCONN before a connection, in LISTEN, in SYN-SENT, and after both ends have closed."""
    attempt = runtime.tcp()
    attempt.setblocking(False)
    attempt.connect_ex((runtime.nowhere, 7))
    for one in (runtime.tcp(), runtime.listener(), attempt):
        with raises(errno.ENOTCONN):
            one.getpeername()

    with requires("linux:name/peer-name-after-full-close"):
        connection, client = runtime.connected(probe)
        connection.shutdown(socket.SHUT_WR)
        assert connection.getpeername()[:2] == client.near
        client.expect_end(Ending.EOF)
        client.half_close()
        assert connection.recv(1) == b""
        wire.flow(client)
        with raises(errno.ENOTCONN):
            connection.getpeername()


@covers(
    "python:detach/detach-returns-descriptor",
    "python:dup/fromfd-duplicates",
    "python:close/module-close-fd",
    "python:ctor/fileno-adopts-descriptor",
)
def test_descriptors_come_and_go(runtime: Runtime, probe: Probe) -> None:
    """detach() leaves the descriptor open, socket(fileno=…) takes it over, fromfd() copies it, close() closes it."""
    connection, client = runtime.connected(probe)
    number = connection.detach()
    assert connection.fileno() == -1
    runtime.os.fstat(number)

    with requires("python:ctor/fileno-adopts-descriptor"):
        adopted = runtime.socket(fileno=number)
        assert adopted.fileno() == number
        assert (adopted.family, adopted.type, adopted.proto) == (runtime.af, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        adopted.sendall(b"adopted ")
    with requires("python:dup/fromfd-duplicates"):
        copy = runtime.fromfd(number, runtime.af, socket.SOCK_STREAM)
        assert copy.fileno() != number
        assert copy.get_inheritable() is False
        copy.sendall(b"copied")
        copy.close()
    client.expect(b"adopted copied")
    with requires("python:close/module-close-fd"):
        runtime.run(close_number, adopted.detach())
        client.expect_end(Ending.EOF)


def close_number(number: int) -> None:
    """Close a descriptor by its number."""
    socket.close(number)


@families("v4")
@covers("python:ctor/context-manager-closes", "python:close/garbage-collection-closes")
def test_sockets_that_nobody_holds_are_closed(runtime: Runtime) -> None:
    """The end of a `with` closes the socket, and so does the end of its last reference, with a warning."""

    def after_with() -> list[int]:
        numbers = []
        for error in (None, ValueError):
            try:
                with socket.socket() as ours:
                    if error:
                        raise error
            except ValueError:
                pass
            numbers.append(ours.fileno())
        return numbers

    def after_del() -> tuple[bool, list[str]]:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            ours = socket.socket()
            number = ours.fileno()
            del ours
            gc.collect()
        return os.path.exists(f"/proc/self/fd/{number}"), [warning.category.__name__ for warning in heard]

    assert runtime.run(after_with) == [-1, -1]
    with requires("python:close/garbage-collection-closes"):
        assert runtime.run(after_del) == (False, ["ResourceWarning"])


@covers("linux:opt/tcp-linger2-fin-wait-2-lifetime", "linux:close/orphaned-fin-wait-2-is-bounded")
def test_a_closed_socket_waits_for_the_peer_no_longer_than_tcp_linger2(
    runtime: Runtime, probe: Probe, wire: Wire
) -> None:
    """In FIN-WAIT-2 nobody waits for ever: after TCP_LINGER2 the peer's next segment is answered with RST."""
    connection, client = runtime.connected(probe)
    assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_LINGER2) == 60
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_LINGER2, 1)
    connection.close()
    client.expect_end(Ending.EOF)

    def forgotten() -> str:
        left = runtime.process.sockets(State.FIN_WAIT_1, State.FIN_WAIT_2)  # in the first until our ACK is there
        return "it still waits for the peer's FIN" if left else ""

    probe.expect_soon(runtime.at(runtime.udp()), "FIN-WAIT-2 ends", forgotten)
    with requires("linux:close/orphaned-fin-wait-2-is-bounded"):
        client.send_all(b"anybody there?")
        wire.wait_for(client, got.RST)

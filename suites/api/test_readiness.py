"""What select, poll and epoll say of a socket, and when (select(2), poll(2), epoll(7))."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import resource
import select
import socket
import struct
from typing import TYPE_CHECKING, Any

from harness.suite import KiB, control, covers, families, raises, requires, sent

if TYPE_CHECKING:
    from harness.suite import Probe, Runtime, Wire

ALL = select.POLLIN | select.POLLOUT | select.POLLPRI | select.POLLRDHUP


def polled(runtime: Runtime, one: Any, events: int = ALL, milliseconds: int = 0) -> int:
    """What poll() says of one socket."""
    poll = runtime.select.poll()
    poll.register(one, events)
    return sum(found for _, found in poll.poll(milliseconds))


@covers(
    "posix:poll/pollin-when-data-readable",
    "linux:poll/pollrdhup-on-peer-half-close",
    "posix:poll/pollerr-and-pollhup-always-reported",
)
def test_what_poll_says_of_a_connection(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """Nothing, octets, the peer's FIN, both FINs, a reset: each has its events."""
    connection, client = runtime.connected(probe)
    assert polled(runtime, connection) == select.POLLOUT

    client.send_all(b"x")
    wire.flow(client)
    assert polled(runtime, connection) == select.POLLIN | select.POLLOUT
    connection.recv(1)
    assert polled(runtime, connection, select.POLLIN) == 0
    client.half_close()
    wire.flow(client)
    assert polled(runtime, connection, select.POLLIN) == select.POLLIN, "the end of the stream is readable"
    with requires("linux:poll/pollrdhup-on-peer-half-close"):
        assert polled(runtime, connection) == select.POLLIN | select.POLLOUT | select.POLLRDHUP
        connection.shutdown(socket.SHUT_WR)
        assert polled(runtime, connection) & select.POLLHUP
    with requires("posix:poll/pollerr-and-pollhup-always-reported"):
        other, resetting = runtime.connected(probe)
        resetting.reset()
        wire.flow(resetting).expect(sent.RST)
        assert polled(runtime, other, 0) == select.POLLERR | select.POLLHUP


@covers("posix:poll/pollout-when-writable")
def test_a_full_connection_is_not_writable_until_there_is_room(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """POLLOUT goes when the buffers are full, and comes back when the peer reads."""
    connection, client = runtime.connected(probe, receive_buffer=4 * KiB)
    connection.setblocking(False)
    assert polled(runtime, connection, select.POLLOUT) == select.POLLOUT
    taken = 0
    wire.flow(client)
    try:
        while True:
            taken += connection.send(bytes(1 << 20))
    except BlockingIOError:
        wire.wait_for(client, sent.window(0))
    try:
        while True:
            taken += connection.send(bytes(1 << 20))
    except BlockingIOError:
        pass
    assert polled(runtime, connection, select.POLLOUT) == 0

    client.widen()
    client.read(taken)

    assert polled(runtime, connection, select.POLLOUT, 5000) == select.POLLOUT


@covers("posix:poll/listener-readable-on-connection", "linux:poll/fresh-tcp-socket-polls-hup")
def test_a_listener_is_readable_when_somebody_is_there(runtime: Runtime, probe: Probe) -> None:
    """POLLIN on a listener is a connection to accept; a fresh TCP socket says POLLOUT and POLLHUP."""
    listener = runtime.listener()
    assert polled(runtime, listener) == 0
    probe.connect(runtime.at(listener))
    assert polled(runtime, listener, select.POLLIN, 5000) == select.POLLIN
    listener.accept()
    assert polled(runtime, listener) == 0
    with requires("linux:poll/fresh-tcp-socket-polls-hup"):
        assert polled(runtime, runtime.tcp()) == select.POLLOUT | select.POLLHUP


@families("v4")
@covers(
    "posix:poll/pollnval-for-closed-descriptor",
    "posix:poll/select-closed-descriptor-ebadf",
    "posix:poll/timeout-semantics",
    "posix:poll/negative-fd-ignored",
)
def test_closed_negative_and_idle_descriptors(runtime: Runtime) -> None:
    """A closed descriptor is POLLNVAL for poll(), EBADF for select(); a negative one is passed over."""

    def ignored() -> tuple[int, int]:
        entry = struct.pack("ihh", -1, select.POLLIN, 99)
        buffer = ctypes.create_string_buffer(entry, len(entry))
        return ctypes.CDLL(None).poll(buffer, 1, 0), struct.unpack("ihh", buffer.raw)[2]

    ours = runtime.udp()
    number = runtime.os.dup(ours.fileno())
    runtime.os.close(number)
    assert polled(runtime, number) == select.POLLNVAL
    with requires("posix:poll/select-closed-descriptor-ebadf"), raises(errno.EBADF):
        runtime.select.select([number], [], [], 0)
    with requires("posix:poll/timeout-semantics"):
        poll = runtime.select.poll()
        poll.register(ours, select.POLLIN)
        assert (poll.poll(0), poll.poll(20)) == ([], [])
        pending = poll.begin.poll(-1)
        pending.expect_waiting()
        ours.sendto(b"wake up", ours.getsockname())
        assert [events for _, events in pending.result()] == [select.POLLIN]
    with requires("posix:poll/negative-fd-ignored"):
        assert runtime.run(ignored) == (0, 0)


@families("v4")
@covers("posix:poll/select-limited-to-fd-setsize", "python:select/select-rejects-large-descriptors")
def test_select_knows_1024_descriptors(runtime: Runtime) -> None:
    """A descriptor of 1024 or more is a ValueError for select(), and nothing special for poll()."""

    def high(ours: socket.socket) -> int:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
        return fcntl.fcntl(ours.fileno(), fcntl.F_DUPFD, 1100)

    number = runtime.run(high, runtime.udp())
    assert number >= 1100
    with raises(ValueError):
        runtime.select.select([number], [], [], 0)
    with requires("python:select/select-rejects-large-descriptors"):
        assert polled(runtime, number) == select.POLLOUT


@covers(
    "linux:poll/epoll-level-triggered-default",
    "linux:poll/epoll-edge-triggered-reports-changes",
    "linux:poll/epolloneshot-disarms",
)
def test_how_often_epoll_tells(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """By level as long as it lasts, by edge once for each change, one-shot once until it is armed again."""
    connection, client = runtime.connected(probe)
    level, edge, once = (runtime.select.epoll() for _ in range(3))
    level.register(connection, select.EPOLLIN)
    edge.register(connection, select.EPOLLIN | select.EPOLLET)
    once.register(connection, select.EPOLLIN | select.EPOLLONESHOT)
    client.send_all(b"abc")
    wire.flow(client)

    assert [len(level.poll(0)) for _ in range(3)] == [1, 1, 1]
    with requires("linux:poll/epoll-edge-triggered-reports-changes"):
        assert len(edge.poll(0)) == 1
        connection.recv(1)
        assert edge.poll(0) == []
        client.send_all(b"d")
        wire.flow(client)
        assert len(edge.poll(0)) == 1
    with requires("linux:poll/epolloneshot-disarms"):
        assert [len(once.poll(0)) for _ in range(2)] == [1, 0]
        once.modify(connection, select.EPOLLIN | select.EPOLLONESHOT)
        assert len(once.poll(0)) == 1


@families("v4")
@covers("linux:poll/epoll-ctl-errors", "linux:poll/close-removes-epoll-registration")
def test_what_epoll_refuses_and_forgets(runtime: Runtime) -> None:
    """A second registration, one that is missing, a file and itself are errors; what is closed is forgotten."""

    def a_file() -> int:
        return os.open("/etc/hosts", os.O_RDONLY)

    epoll, ours = runtime.select.epoll(), runtime.udp()
    epoll.register(ours)
    with raises(errno.EEXIST):
        epoll.register(ours)
    with raises(errno.ENOENT):
        epoll.modify(runtime.udp(), 0)
    with raises(errno.ENOENT):
        epoll.unregister(runtime.udp())
    with raises(errno.EPERM):
        epoll.register(runtime.run(a_file))
    with raises(errno.EINVAL):
        epoll.register(epoll)

    with requires("linux:poll/close-removes-epoll-registration"):
        assert len(epoll.poll(0)) == 1
        copy = ours.dup()
        ours.close()
        assert len(epoll.poll(0)) == 1, "a duplicate keeps it"
        copy.close()
        assert epoll.poll(0) == []


@families("v4")
@covers("linux:poll/epollexclusive-limits-wakeups")
def test_one_client_does_not_wake_everybody(runtime: Runtime, probe: Probe) -> None:
    """With EPOLLEXCLUSIVE some, but not all, of those that wait for a listener hear of a client."""
    listener = runtime.listener()
    waiting = []
    for _ in range(6):
        epoll = runtime.select.epoll()
        epoll.register(listener, select.EPOLLIN | select.EPOLLEXCLUSIVE)
        pending = epoll.begin.poll()
        pending.expect_waiting()
        waiting.append(pending)

    client = probe.connect(runtime.at(listener))
    assert runtime.select.select([listener], [], [], 5)[0]

    probe.expect_soon(
        runtime.at(listener),
        "at least one hears of the client",
        lambda: "" if any(one.done for one in waiting) else "none",
    )
    with control():
        assert probe.at_rest(runtime.process), "the control: whoever was woken has said so"
    assert 1 <= sum(one.done for one in waiting) < 6, "some are woken, but not all six"
    client.close()


@families("v4")
@covers("linux:opt/unsent-low-water-mark")
def test_writability_can_be_bound_to_what_is_unsent(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """With TCP_NOTSENT_LOWAT a connection is writable only while less than so much waits to be sent."""
    connection, client = runtime.connected(probe, receive_buffer=4 * KiB)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 16384)
    connection.setblocking(False)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    connection.send(bytes(200_000))
    wire.wait_for(client, sent.window(0))

    assert polled(runtime, connection, select.POLLOUT) == 0
    client.widen()
    client.read(200_000)
    assert polled(runtime, connection, select.POLLOUT, 5000) == select.POLLOUT

"""listen() and accept(): who may, what is admitted, and what an accepted socket is like (listen(2), accept(2))."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import resource
import signal
import socket
import struct
from typing import TYPE_CHECKING

import pytest

from harness.suite import Ending, covers, families, got, raises, requires, sent

if TYPE_CHECKING:
    from harness.suite import Probe, Runtime, Wire


@covers("posix:listen/listen-enables-passive-opens", "linux:listen/so-acceptconn-tells-listening-state")
def test_only_a_listener_is_connected_to(runtime: Runtime, probe: Probe) -> None:
    """Before listen() a client is refused, afterwards it is admitted; SO_ACCEPTCONN tells the two apart."""
    bound = runtime.tcp()
    bound.bind((runtime.host, 0))

    assert probe.try_connect(runtime.at(bound)) == "refused (RST)"
    with requires("linux:listen/so-acceptconn-tells-listening-state"):
        assert bound.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 0
    bound.listen(1)
    assert not isinstance(probe.try_connect(runtime.at(bound)), str)
    with requires("linux:listen/so-acceptconn-tells-listening-state"):
        assert bound.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
        with raises(errno.ENOPROTOOPT):
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN, 0)


@covers("posix:listen/backlog-is-a-hint", "linux:listen/repeated-listen-changes-backlog")
def test_a_larger_backlog_admits_more_and_can_be_given_again(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """listen(4) admits five, listen(1) two; listen(4) on that socket keeps these and lets three more in."""
    roomy = runtime.at(runtime.listener(4))
    for _ in range(5):
        probe.connect(roomy)
    listener = runtime.listener(1)
    place = runtime.at(listener)
    first = [probe.connect(place) for _ in range(2)]
    with requires("linux:listen/repeated-listen-changes-backlog"):
        wire.flow(beyond := probe.begin_connect(place)).expect_only(sent.SYN)
        beyond.close()

        listener.listen(4)

        more = [probe.connect(place) for _ in range(3)]
        ports = [listener.accept()[1][1] for _ in range(5)]
    assert set(ports) == {client.near.port for client in (*first, *more)}


@covers(
    "posix:listen/somaxconn-values-supported",
    "python:listen/listen-default-backlog",
    "posix:listen/negative-backlog-behaves-as-zero",
)
def test_backlogs_up_to_somaxconn_are_taken(runtime: Runtime) -> None:
    """The limit of the queue is what was asked for, as TCP_INFO tells; 128 where nothing was said."""

    def limit(listener: object) -> int:
        info: bytes = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)  # type: ignore[attr-defined]
        return int(struct.unpack_from("I", info, 28)[0])  # tcpi_sacked: for a listener its backlog

    listener = runtime.listener(socket.SOMAXCONN)
    assert limit(listener) == min(socket.SOMAXCONN, 4096)
    with requires("python:listen/listen-default-backlog"):
        listener.listen()
        assert limit(listener) == min(socket.SOMAXCONN, 128)
    with requires("posix:listen/negative-backlog-behaves-as-zero"):
        # 0 by POSIX; Linux takes it for a number without sign, and cuts that to somaxconn.
        assert runtime.run(listen_of_libc, listener, -1) == 0
        assert limit(listener) in {0, 4096}


def listen_of_libc(listener: socket.socket, backlog: int) -> int:
    """What listen(2) itself returns: Python's never sees a negative backlog."""
    return int(ctypes.CDLL(None).listen(listener.fileno(), backlog))


@covers("python:listen/negative-backlog-raised-to-zero")
def test_a_negative_backlog_is_0(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """listen(-1) is listen(0) in Python: one client is admitted, no more."""
    place = runtime.at(runtime.listener(-1))
    probe.connect(place)

    beyond = probe.begin_connect(place)

    wire.flow(beyond).expect_only(sent.SYN)


@covers(
    "posix:listen/listen-on-connected-socket-fails",
    "posix:listen/listen-unsupported-on-datagram",
    "linux:listen/second-listener-fails-eaddrinuse",
)
def test_listen_is_refused_where_it_makes_no_sense(runtime: Runtime, probe: Probe) -> None:
    """listen() is EINVAL when connected, EOPNOTSUPP for datagrams, EADDRINUSE where another one listens."""
    connection, _ = runtime.connected(probe)
    with raises(errno.EINVAL):
        connection.listen(1)
    with requires("posix:listen/listen-unsupported-on-datagram"), raises(errno.EOPNOTSUPP):
        runtime.udp().listen(1)

    with requires("linux:listen/second-listener-fails-eaddrinuse"):
        first, second = runtime.tcp(), runtime.tcp()
        for one in (first, second):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        first.bind((runtime.host, 0))
        second.bind(first.getsockname())
        first.listen(1)
        with raises(errno.EADDRINUSE):
            second.listen(1)


@covers("linux:listen/listen-without-bind-autobinds")
def test_listen_without_bind_takes_a_free_port_everywhere(runtime: Runtime, probe: Probe) -> None:
    """listen() on a socket without address gives it an ephemeral port of all addresses."""
    listener = runtime.tcp()
    listener.listen(1)

    host, port = listener.getsockname()[:2]

    assert host == runtime.everywhere
    assert port > 0
    probe.connect(runtime.at(listener))


@covers(
    "posix:accept/accept-reports-peer-address",
    "python:accept/accept-returns-pair",
    "python:accept/accepted-socket-non-inheritable",
    "linux:accept/o-nonblock-not-inherited-on-linux",
    "posix:name/names-match-across-ends",
)
def test_accept_returns_a_new_socket_and_who_is_at_its_other_end(runtime: Runtime, probe: Probe) -> None:
    """accept() returns a blocking socket of the listener's kind, not inherited, and the client's address."""
    listener = runtime.listener()
    listener.setblocking(False)
    client = probe.connect(runtime.at(listener))

    connection, address = listener.accept()

    assert address[:2] == client.near
    with requires("python:accept/accept-returns-pair"):
        assert connection != listener
        assert (connection.family, connection.type) == (listener.family, listener.type)
    with requires("python:accept/accepted-socket-non-inheritable"):
        assert connection.get_inheritable() is False
    with requires("linux:accept/o-nonblock-not-inherited-on-linux"):
        assert not runtime.fcntl.fcntl(connection, fcntl.F_GETFL) & os.O_NONBLOCK
    with requires("posix:name/names-match-across-ends"):
        assert connection.getpeername()[:2] == client.socket.getsockname()[:2]
        assert connection.getsockname()[:2] == client.socket.getpeername()[:2]


@covers(
    "posix:accept/accept-blocks-or-fails-eagain",
    "python:accept/accept-honours-timeout",
    "python:accept/non-blocking-listener-accept-mode",
)
def test_accept_waits_as_the_listener_is_told_to(runtime: Runtime, probe: Probe) -> None:
    """With nobody there accept() waits, or gives up at the listener's timeout, or at once when it must not block."""
    listener = runtime.listener()
    pending = listener.begin.accept()
    pending.expect_waiting()
    client = probe.connect(runtime.at(listener))
    assert pending.result()[1][:2] == client.near

    listener.settimeout(0.05)
    with requires("python:accept/accept-honours-timeout"), raises(TimeoutError):
        listener.accept()
    listener.setblocking(False)
    with raises(errno.EAGAIN):
        listener.accept()
    with requires("python:accept/non-blocking-listener-accept-mode"):
        probe.connect(runtime.at(listener))
        assert listener.accept()[0].getblocking() is True


@covers("python:accept/accept-timeout-inheritance", "python:timeout/default-timeout-applies-to-new-sockets")
def test_timeouts_of_accepted_sockets(runtime: Runtime, probe: Probe) -> None:
    """An accepted socket blocks, whatever the listener's timeout, unless there is a default timeout, which counts."""
    listener = runtime.listener()
    listener.settimeout(5)
    for default in (None, 2.0):
        runtime.setdefaulttimeout(default)
        probe.connect(runtime.at(listener))
        assert listener.accept()[0].gettimeout() == default
    with requires("python:timeout/default-timeout-applies-to-new-sockets"):
        ours, other = runtime.socketpair()
        assert [one.gettimeout() for one in (runtime.tcp(), ours, other, ours.dup())] == [2.0] * 4
        assert runtime.getdefaulttimeout() == 2.0


@covers(
    "posix:accept/accept-without-listen-einval",
    "posix:accept/accept-on-datagram-eopnotsupp",
)
def test_accept_is_refused_where_nobody_listens(runtime: Runtime, probe: Probe) -> None:
    """accept() is EINVAL for a bound and for a connected socket, EOPNOTSUPP for datagrams."""
    bound = runtime.tcp()
    bound.bind((runtime.host, 0))
    connection, _ = runtime.connected(probe)
    for one in (bound, connection):
        with raises(errno.EINVAL):
            one.accept()
    with requires("posix:accept/accept-on-datagram-eopnotsupp"), raises(errno.EOPNOTSUPP):
        runtime.udp().accept()


@covers("linux:accept/accepted-socket-inherits-options")
def test_options_of_the_listener_hold_for_accepted_sockets(runtime: Runtime, probe: Probe) -> None:
    """What was set on the listener is set on each socket that it gives: buffers, keep-alive, linger, Nagle, TTL."""
    wanted = [
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.SOL_SOCKET, socket.SO_RCVBUF, 20000),
        (socket.SOL_SOCKET, socket.SO_SNDBUF, 20000),
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 7000),
    ]
    wanted += [(socket.IPPROTO_IP, socket.IP_TTL, 42)] if runtime.family == "v4" else []
    listener = runtime.listener()
    for level, option, value in wanted:
        listener.setsockopt(level, option, value)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 3))
    probe.connect(runtime.at(listener))

    connection, _ = listener.accept()

    for level, option, _value in wanted:
        assert connection.getsockopt(level, option) == listener.getsockopt(level, option), (level, option)
    assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) == struct.pack("ii", 1, 3)


@covers("posix:accept/accept-emfile-keeps-connection-queued", "posix:socket/descriptor-limit-gives-emfile")
def test_without_a_free_descriptor_the_client_stays_in_the_queue(runtime: Runtime, probe: Probe) -> None:
    """accept() and socket() are EMFILE at the limit of descriptors; with one free again, the client is accepted."""

    def exhausted(listener: socket.socket) -> list[int]:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        held, numbers = [os.open("/", os.O_RDONLY)], []
        resource.setrlimit(resource.RLIMIT_NOFILE, (held[0] + 1, hard))
        for call in (listener.accept, lambda: socket.socket(listener.family)):
            try:
                call()
                numbers.append(0)
            except OSError as error:
                numbers.append(error.errno or 0)
        os.close(held[0])
        connection, _ = listener.accept()
        numbers.append(int(connection.recv(1)))
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        return numbers

    listener = runtime.listener()
    client = probe.connect(runtime.at(listener))
    client.send_all(b"1")

    accepting, making, octet = runtime.run(exhausted, listener)

    assert (accepting, octet) == (errno.EMFILE, 1)
    with requires("posix:socket/descriptor-limit-gives-emfile"):
        assert making == errno.EMFILE


@covers("linux:accept/aborted-connection-before-accept", "linux:accept/data-before-accept-is-kept")
def test_a_client_that_resets_before_accept(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """Linux still accepts it: first what it sent is read, then ECONNRESET, and it has no peer any more."""
    listener = runtime.listener()
    client = probe.connect(runtime.at(listener))
    client.send_all(b"hey")
    wire.wait_for(client, got.acked(3))
    client.reset()
    wire.wait_for(client, sent.RST)
    wire.flow(client)

    connection, _ = listener.accept()

    with requires("linux:accept/data-before-accept-is-kept"):
        assert connection.recv(100) == b"hey"
    with raises(errno.ECONNRESET):
        connection.recv(100)
    with raises(errno.ENOTCONN):
        connection.getpeername()


@covers("linux:accept/accept4-flags-set-atomically")
def test_accept4_sets_flags_of_the_new_descriptor(runtime: Runtime, probe: Probe) -> None:
    """SOCK_NONBLOCK and SOCK_CLOEXEC given to accept4() hold for the new descriptor; another flag is EINVAL."""

    def flags(listener: socket.socket, asked: int) -> tuple[int, int, int]:
        libc = ctypes.CDLL(None, use_errno=True)
        made = libc.accept4(listener.fileno(), None, None, asked)
        if made < 0:
            return -1, -1, ctypes.get_errno()
        status, descriptor = fcntl.fcntl(made, fcntl.F_GETFL), fcntl.fcntl(made, fcntl.F_GETFD)
        os.close(made)
        return status & os.O_NONBLOCK, descriptor & fcntl.FD_CLOEXEC, 0

    listener = runtime.listener()
    for asked, expected in (
        (0, (0, 0, 0)),
        (socket.SOCK_NONBLOCK, (os.O_NONBLOCK, 0, 0)),
        (socket.SOCK_CLOEXEC, (0, fcntl.FD_CLOEXEC, 0)),
    ):
        probe.connect(runtime.at(listener))
        assert runtime.run(flags, listener, asked) == expected
    assert runtime.run(flags, listener, 1) == (-1, -1, errno.EINVAL)


@covers("python:accept/accept-retries-on-eintr", "python:recv/receive-family-retries-eintr")
@pytest.mark.parametrize("call", ["accept", "recv"])
def test_a_signal_does_not_end_a_call_that_waits(runtime: Runtime, probe: Probe, call: str) -> None:
    """A handler that returns leaves accept() and recv() waiting; one that raises ends them with its exception."""

    def interrupted(waiting: socket.socket, call: str) -> list[int]:
        seen: list[int] = []

        def handler(number: int, frame: object) -> None:
            seen.append(number)
            if len(seen) == 3:
                raise ValueError("enough")

        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
        try:
            getattr(waiting, call)(*((1,) if call == "recv" else ()))
        except ValueError:
            return seen
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        return []

    waiting = runtime.listener() if call == "accept" else runtime.connected(probe)[0]

    with requires(f"python:{call}/{'accept-retries-on-eintr' if call == 'accept' else 'receive-family-retries-eintr'}"):
        assert len(runtime.run(interrupted, waiting, call)) == 3


@covers("linux:opt/tcp-defer-accept-waits-for-data")
def test_deferred_clients_are_accepted_when_they_say_something(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """With TCP_DEFER_ACCEPT a client is nobody until its first octet has come."""
    listener = runtime.listener()
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 5)
    client = probe.connect(runtime.at(listener))
    wire.flow(client)
    assert runtime.select.select([listener], [], [], 0)[0] == []

    client.send_all(b"x")

    assert runtime.select.select([listener], [], [], 5)[0] == [listener]
    assert listener.accept()[0].recv(10) == b"x"


@pytest.mark.slow
@covers("linux:opt/deferred-handshake-on-the-wire")
def test_a_deferred_client_is_asked_again(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """With TCP_DEFER_ACCEPT the last ACK of the handshake counts for nothing: the SYN ACK is sent again."""
    listener = runtime.listener()
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 5)

    client = probe.connect(runtime.at(listener))

    wire.wait_for(client, got.SYN_ACK, count=2, seconds=15)  # it is asked after 7 s


@covers("linux:opt/reuseport-needed-on-all-sockets", "linux:opt/reuseport-spreads-connections")
def test_listeners_that_share_a_port_share_its_clients(runtime: Runtime, probe: Probe) -> None:
    """With SO_REUSEPORT on all of them several sockets listen on one address, and each gets some clients."""
    listeners = [runtime.tcp() for _ in range(2)]
    for one in listeners:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind((runtime.host, listeners[0].getsockname()[1]))
        one.listen(64)
        one.setblocking(False)
    without = runtime.tcp()
    with raises(errno.EADDRINUSE):
        without.bind(listeners[0].getsockname()[:2])

    with requires("linux:opt/reuseport-spreads-connections"):
        for _ in range(40):  # that all go to one of two has a chance of 2 in 2**40
            probe.connect(runtime.at(listeners[0]))
        ready = runtime.select.select(listeners, [], [], 0)[0]
        assert len(ready) == 2, "both listeners have clients"


@covers("linux:opt/reuseport-listener-close-loses-queue")
def test_closing_one_of_the_listeners_of_a_port_resets_its_queue(runtime: Runtime, probe: Probe) -> None:
    """Who waits in the queue of a listener of a SO_REUSEPORT group is not handed to another one when it closes."""
    listeners = [runtime.tcp() for _ in range(2)]
    for one in listeners:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind((runtime.host, listeners[0].getsockname()[1]))
        one.listen(64)
    place = runtime.at(listeners[0])
    clients = [probe.connect(place) for _ in range(20)]
    runtime.select.select(listeners, [], [], 0)
    listeners[1].setblocking(False)
    kept = set()
    while True:
        try:
            kept.add(listeners[1].accept()[1][1])
        except BlockingIOError:
            break

    listeners[0].close()

    for client in clients:
        if client.near.port not in kept:
            assert client.ending() is Ending.RESET


@covers("linux:shut/shutdown-stops-a-listener")
def test_shutdown_ends_listening(runtime: Runtime, probe: Probe) -> None:
    """SHUT_RD on a listener ends a waiting accept() with EINVAL and refuses clients; listen() begins again."""
    listener = runtime.listener()
    place = runtime.at(listener)
    pending = listener.begin.accept()
    pending.expect_waiting()

    listener.shutdown(socket.SHUT_RD)

    with raises(errno.EINVAL):
        pending.result()
    assert probe.try_connect(place) == "refused (RST)"
    listener.listen()  # on a port of the kernel's choice again: the old one was chosen by it too
    probe.connect(runtime.at(listener))


@families("v4")
@covers(
    "python:cs/create-server-sets-reuseaddr-on-posix",
    "python:cs/create-server-backlog",
    "python:cs/reuse-port-option",
    "python:cs/bind-error-names-address",
    "python:cs/options-keyword-only",
)
def test_create_server_makes_a_listener(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """create_server() binds with SO_REUSEADDR and listens; its options are keywords, its errors name the address."""
    server = runtime.create_server((runtime.host, 0), backlog=0)
    assert server.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR) == 1
    assert server.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
    with requires("python:cs/create-server-backlog"):
        probe.connect(runtime.at(server))
        beyond = probe.begin_connect(runtime.at(server))
        wire.flow(beyond).expect_only(sent.SYN)
    with requires("python:cs/reuse-port-option"):
        shared = runtime.create_server((runtime.host, 0), reuse_port=True)
        runtime.create_server(shared.getsockname(), reuse_port=True)
        assert shared.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT) == 1
        assert server.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT) == 0
    with requires("python:cs/bind-error-names-address"):
        with raises(errno.EADDRINUSE) as caught:
            runtime.create_server(server.getsockname())
        assert runtime.host in str(caught[0])
    with requires("python:cs/options-keyword-only"), raises(TypeError):
        runtime.create_server((runtime.host, 0), socket.AF_INET)


@families("v4")
@covers("python:cs/dualstack-ipv6-rules", "python:cs/has-dualstack-ipv6-boolean")
def test_create_server_for_both_families(runtime: Runtime) -> None:
    """A dual-stack server is an IPv6 one that takes IPv4 too; for AF_INET it is a ValueError."""
    assert runtime.has_dualstack_ipv6() is True
    with raises(ValueError):
        runtime.create_server(("127.0.0.1", 0), dualstack_ipv6=True)
    for both in (True, False):
        server = runtime.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=both)
        assert server.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == (not both)
        client = runtime.socket(socket.AF_INET, socket.SOCK_STREAM)
        refused = client.connect_ex(("127.0.0.1", server.getsockname()[1]))
        assert refused == (0 if both else errno.ECONNREFUSED)

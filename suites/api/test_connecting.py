"""connect(): what it waits for, what it says when nobody is there, and what becomes of an attempt (connect(2))."""

from __future__ import annotations

import ctypes
import errno
import select
import signal
import socket
import struct
from typing import TYPE_CHECKING

import pytest

from harness.suite import Endpoint, FourTuple, covers, families, got, raises, requires, sent

if TYPE_CHECKING:
    from harness.suite import Probe, Runtime, Wire


def port_of_nobody(runtime: Runtime, probe: Probe) -> tuple[str, int]:
    """An address of the probe on which nobody listens."""
    listener = probe.listen(runtime.at(runtime.udp()))
    listener.close()
    return listener.address


@covers("posix:connect/connect-completes-handshake", "posix:connect/connecting-twice-eisconn")
def test_connect_returns_when_the_handshake_is_done(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """SYN, SYN ACK and ACK are on the wire when connect() returns; a second connect() is EISCONN."""
    ours = runtime.tcp()
    listener = probe.listen(runtime.at(runtime.udp()))

    assert ours.connect(listener.address) is None

    client = listener.accept()
    wire.flow(client).expect(got.SYN, sent.SYN_ACK, got.bare_ack())
    assert ours.getpeername()[:2] == listener.address
    with requires("posix:connect/connecting-twice-eisconn"), raises(errno.EISCONN):
        ours.connect(listener.address)


@covers(
    "posix:connect/refused-connection-econnrefused",
    "python:connect/refusal-maps-to-connectionrefusederror",
    "python:connect/connect-ex-returns-errno",
)
def test_where_nobody_listens_connect_is_refused(runtime: Runtime, probe: Probe) -> None:
    """The RST that answers the SYN is ECONNREFUSED; connect_ex() returns the number, and 0 where it succeeds."""
    nobody = port_of_nobody(runtime, probe)
    with raises(errno.ECONNREFUSED) as caught:
        runtime.tcp().connect(nobody)
    with requires("python:connect/refusal-maps-to-connectionrefusederror"):
        assert isinstance(caught[0], ConnectionRefusedError)
    with requires("python:connect/connect-ex-returns-errno"):
        assert runtime.tcp().connect_ex(nobody) == errno.ECONNREFUSED
        ours, listener = runtime.tcp(), probe.listen(runtime.at(runtime.udp()))
        assert [ours.connect_ex(listener.address) for _ in range(2)] == [0, errno.EISCONN]


@covers("python:connect/connect-ex-still-raises-resolution-errors")
@families("v4")
def test_connect_ex_raises_what_is_no_error_of_connect(runtime: Runtime) -> None:
    """A name that is not known is an exception also of connect_ex()."""
    with raises(socket.gaierror):
        runtime.tcp().connect_ex(("no.such.name.invalid", 7))


@covers(
    "posix:connect/non-blocking-connect-einprogress",
    "posix:connect/second-connect-ealready",
    "python:connect/non-blocking-connect-ex-einprogress",
    "linux:send/send-during-syn-sent",
)
def test_an_attempt_that_nobody_answers_goes_on_in_the_background(runtime: Runtime) -> None:
    """A non-blocking connect() is EINPROGRESS, a second one EALREADY; nothing is sent or written meanwhile."""
    ours = runtime.tcp()
    ours.setblocking(False)

    with raises(errno.EINPROGRESS):
        ours.connect((runtime.nowhere, 7))

    with requires("posix:connect/second-connect-ealready"), raises(errno.EALREADY):
        ours.connect((runtime.nowhere, 7))
    with requires("linux:send/send-during-syn-sent"), raises(errno.EAGAIN):
        ours.send(b"x")
    with requires("python:connect/non-blocking-connect-ex-einprogress"):
        other = runtime.tcp()
        other.setblocking(False)
        assert other.connect_ex((runtime.nowhere, 7)) == errno.EINPROGRESS


@covers("linux:connect/completion-polled-by-writability", "linux:connect/connect-after-completion-returns-0-once")
def test_a_completed_attempt_makes_the_socket_writable(runtime: Runtime, probe: Probe) -> None:
    """When the handshake is done poll() says POLLOUT and SO_ERROR 0; connect() then succeeds once, and is EISCONN."""
    ours, listener = runtime.tcp(), probe.listen(runtime.at(runtime.udp()))
    ours.setblocking(False)
    assert ours.connect_ex(listener.address) == errno.EINPROGRESS

    poll = runtime.select.poll()
    poll.register(ours, select.POLLOUT)

    assert [events for _, events in poll.poll(5000)] == [select.POLLOUT]
    assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    with requires("linux:connect/connect-after-completion-returns-0-once"):
        assert [ours.connect_ex(listener.address) for _ in range(2)] == [0, errno.EISCONN]


@covers(
    "posix:opt/so-error-reads-and-clears",
    "linux:connect/connect-after-asynchronous-failure",
    "posix:poll/select-readiness-equals-non-blocking",
)
def test_a_refused_attempt_leaves_its_error_to_be_fetched_once(runtime: Runtime, probe: Probe) -> None:
    """SO_ERROR tells why a non-blocking connect() failed, and then 0; the socket is readable and writable."""
    ours, nobody = runtime.tcp(), port_of_nobody(runtime, probe)
    ours.setblocking(False)
    assert ours.connect_ex(nobody) == errno.EINPROGRESS

    with requires("posix:poll/select-readiness-equals-non-blocking"):
        assert runtime.select.select([], [ours], [], 5) == ([], [ours], [])
        assert runtime.select.select([ours], [ours], [], 5) == ([ours], [ours], [])

    errors = [ours.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) for _ in range(2)]
    assert errors == [errno.ECONNREFUSED, 0]
    with raises(errno.ENOPROTOOPT):
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_ERROR, 0)
    with requires("linux:connect/connect-after-asynchronous-failure"):
        assert [ours.connect_ex(nobody) for _ in range(2)] == [errno.ECONNABORTED, errno.EINPROGRESS]


@covers(
    "python:connect/connect-honours-timeout",
    "python:connect/connect-ex-timeout-code",
    "linux:connect/so-sndtimeo-bounds-connect",
)
def test_connect_gives_up_at_its_timeout(runtime: Runtime) -> None:
    """A timeout ends connect() with TimeoutError, connect_ex() with EAGAIN, and SO_SNDTIMEO with EINPROGRESS."""
    ours, other, third = (runtime.tcp() for _ in range(3))
    ours.settimeout(0.05)
    with raises(TimeoutError):
        ours.connect((runtime.nowhere, 7))
    with requires("python:connect/connect-ex-timeout-code"):
        other.settimeout(0.05)
        assert other.connect_ex((runtime.nowhere, 7)) == errno.EAGAIN
    with requires("linux:connect/so-sndtimeo-bounds-connect"):
        third.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 50_000))
        assert [third.connect_ex((runtime.nowhere, 7)) for _ in range(2)] == [errno.EINPROGRESS, errno.EALREADY]


@pytest.mark.slow
@covers(
    "posix:connect/unanswered-connect-etimedout",
    "linux:connect/tcp-syncnt-limits-syn-retries",
    "rfc9293:MUST-22",
)
def test_an_unanswered_attempt_ends_with_etimedout(runtime: Runtime, wire: Wire) -> None:
    """With TCP_SYNCNT 1 the SYN is sent again, not more than linear timeouts allow, and connect() is ETIMEDOUT."""
    runtime.process.sysctl("net/ipv4/tcp_syn_linear_timeouts", "0")
    ours = runtime.tcp()
    ours.bind((runtime.host, 0))
    with requires("linux:connect/tcp-syncnt-limits-syn-retries"):
        for wrong in (0, 256):
            with raises(errno.EINVAL):
                ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, wrong)
    ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, 1)
    attempt = FourTuple(Endpoint(runtime.nowhere, 7), Endpoint(*ours.getsockname()[:2]))
    wire.meet(attempt)

    pending = ours.begin.connect((runtime.nowhere, 7))

    with raises(errno.ETIMEDOUT):
        pending.result(seconds=10)
    with requires("linux:connect/tcp-syncnt-limits-syn-retries"):
        wire.flow(attempt).expect_only(got.SYN, got.SYN)


@covers("posix:connect/no-route-enetunreach")
def test_without_a_route_connect_is_enetunreach(runtime: Runtime) -> None:
    """An address that no route leads to cannot be connected to."""
    with raises(errno.ENETUNREACH):
        runtime.tcp().connect(("203.0.113.1" if runtime.family == "v4" else "2001:db8::1", 7))


@covers("posix:connect/same-four-tuple-eaddrnotavail")
def test_a_connection_cannot_be_made_twice(runtime: Runtime, probe: Probe) -> None:
    """A second socket with the same address and port cannot connect to the same place."""
    listener = probe.listen(runtime.at(runtime.udp()))
    ours = [runtime.tcp() for _ in range(2)]
    for one in ours:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((runtime.host, ours[0].getsockname()[1]))
    ours[0].connect(listener.address)

    with raises(errno.EADDRNOTAVAIL, errno.EADDRINUSE):
        ours[1].connect(listener.address)


@covers(
    "linux:connect/udp-connect-sets-peer-filter",
    "linux:connect/udp-connect-may-repeat",
    "posix:connect/af-unspec-dissolves-association",
)
def test_a_connected_datagram_socket_hears_its_peer_alone(runtime: Runtime, probe: Probe) -> None:
    """What others send does not come in; the peer may be changed, and be given up with AF_UNSPEC."""

    def dissolve(ours: socket.socket) -> None:
        ctypes.CDLL(None).connect(ours.fileno(), ctypes.create_string_buffer(28), 16)

    ours = runtime.udp()
    peer, stranger = (probe.datagrams(runtime.at(ours)) for _ in range(2))
    ours.connect(peer.near)
    stranger.send(b"from a stranger")
    peer.send(b"from the peer")
    assert ours.recv(100) == b"from the peer"
    ours.setblocking(False)
    with raises(errno.EAGAIN):
        ours.recv(100)

    with requires("linux:connect/udp-connect-may-repeat"):
        ours.connect(stranger.near)
        ours.send(b"to the new peer")
        stranger.expect(b"to the new peer")
    with requires("posix:connect/af-unspec-dissolves-association"):
        runtime.run(dissolve, ours)
        with raises(errno.ENOTCONN):
            ours.getpeername()


@covers("linux:connect/connecting-to-inaddr-any-means-local-host", "linux:connect/self-connect-is-possible")
def test_odd_destinations_of_connect(runtime: Runtime) -> None:
    """0.0.0.0 and :: are this host; a socket that connects to its own address talks to itself."""
    listener = runtime.listener(host=runtime.everywhere)
    ours = runtime.tcp()
    ours.connect((runtime.everywhere, listener.getsockname()[1]))
    assert listener.accept()[1][1] == ours.getsockname()[1]

    with requires("linux:connect/self-connect-is-possible"):
        alone = runtime.tcp()
        alone.bind((runtime.loopback, 0))
        alone.connect(alone.getsockname())
        alone.sendall(b"hello me")
        assert alone.recv(100) == b"hello me"


@covers("posix:connect/interrupted-connect-continues-asynchronously")
def test_a_signal_ends_connect_but_not_the_attempt(runtime: Runtime) -> None:
    """connect(2) that a signal interrupts is EINTR, and the attempt goes on: connecting again is EALREADY."""

    def interrupted(family: int, address: bytes) -> list[int]:
        libc = ctypes.CDLL(None, use_errno=True)
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.siginterrupt(signal.SIGALRM, True)
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
        made, errors = socket.socket(family, socket.SOCK_STREAM), []
        for _ in range(2):
            libc.connect(made.fileno(), ctypes.create_string_buffer(address, len(address)), len(address))
            errors.append(ctypes.get_errno())
            signal.setitimer(signal.ITIMER_REAL, 0)
            made.setblocking(False)  # or the second call would wait for the first one's attempt
        return errors

    port = (7).to_bytes(2, "big")
    packed = socket.inet_pton(runtime.af, runtime.nowhere)
    head = int(runtime.af).to_bytes(2, "little") + port
    address = head + packed + bytes(8) if runtime.family == "v4" else head + bytes(4) + packed + bytes(4)

    assert runtime.run(interrupted, runtime.af, address) == [errno.EINTR, errno.EALREADY]


@covers("python:connect/interrupted-connect-waits")
def test_connect_of_python_goes_on_after_a_signal(runtime: Runtime) -> None:
    """A handler that returns leaves connect() waiting, and its timeout running."""

    def interrupted(family: int, host: str) -> int:
        seen: list[int] = []
        signal.signal(signal.SIGALRM, lambda number, _: seen.append(number))
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
        made = socket.socket(family, socket.SOCK_STREAM)
        made.settimeout(0.2)
        try:
            made.connect((host, 7))
        except TimeoutError:
            return len(seen)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        return 0

    assert runtime.run(interrupted, runtime.af, runtime.nowhere) > 1


@covers(
    "python:cc/create-connection-timeout-set",
    "python:cc/source-address-bound-first",
    "python:cc/all-errors-gives-exceptiongroup",
)
def test_create_connection(runtime: Runtime, probe: Probe) -> None:
    """create_connection() connects from the address given, with a timeout that stays; it tells its errors."""
    listener = probe.listen(runtime.at(runtime.udp()))
    nobody = port_of_nobody(runtime, probe)

    assert runtime.create_connection(listener.address).gettimeout() is None
    assert runtime.create_connection(listener.address, timeout=5).gettimeout() == 5.0
    with requires("python:cc/source-address-bound-first"):
        other = runtime.hosts[1]
        ours = runtime.create_connection(listener.address, source_address=(other, 40001))
        assert ours.getsockname()[:2] == (other, 40001)
    with requires("python:cc/all-errors-gives-exceptiongroup"):
        with raises(errno.ECONNREFUSED):
            runtime.create_connection(nobody)
        with raises(ExceptionGroup) as caught:
            runtime.create_connection(nobody, all_errors=True)
        assert isinstance(caught[0], ExceptionGroup)
        assert [type(error) for error in caught[0].exceptions] == [ConnectionRefusedError]


@covers("python:cc/create-connection-tries-all-addresses")
def test_create_connection_tries_every_address_of_a_name(runtime: Runtime) -> None:
    """`subject` has an address of each family; whichever is listened on is reached."""
    listener = runtime.listener()

    ours = runtime.create_connection(("subject", listener.getsockname()[1]))

    assert ours.getpeername()[0] == runtime.host

"""Socket options: their defaults, what they take, what comes back, and what they do (socket(7), tcp(7), ip(7))."""

from __future__ import annotations

import errno
import socket
import struct
from typing import TYPE_CHECKING

import pytest

from harness.suite import Endpoint, KiB, covers, families, got, octets, raises, requires, sent

if TYPE_CHECKING:
    from harness.suite import Link, Probe, Runtime, Wire

SOL, TCP = socket.SOL_SOCKET, socket.IPPROTO_TCP
CLAMP = 4096  # octets
BULK = 200 * KiB
EXCHANGES = 4  # after some versions of Linux take one for no conversation yet


@covers("posix:opt/unknown-option-enoprotoopt", "linux:socket/so-type-so-domain-so-protocol-readable")
def test_unknown_and_read_only_options(runtime: Runtime) -> None:
    """An option that nobody knows is ENOPROTOOPT; family, type and protocol can be read and not be set."""
    ours = runtime.tcp()
    for level in (TCP, SOL):
        with raises(errno.ENOPROTOOPT):
            ours.setsockopt(level, 9999, 1)
        with raises(errno.ENOPROTOOPT):
            ours.getsockopt(level, 9999)
    with requires("linux:socket/so-type-so-domain-so-protocol-readable"):
        known = {socket.SO_TYPE: socket.SOCK_STREAM, socket.SO_DOMAIN: runtime.af, socket.SO_PROTOCOL: TCP}
        for option, value in known.items():
            assert ours.getsockopt(SOL, option) == value
            with raises(errno.ENOPROTOOPT):
                ours.setsockopt(SOL, option, value)


@covers(
    "posix:opt/so-reuseaddr-default-off",
    "posix:opt/so-keepalive-boolean",
    "posix:opt/so-linger-default-off",
    "posix:opt/low-water-marks",
)
def test_options_are_off_until_they_are_set(runtime: Runtime) -> None:
    """SO_REUSEADDR, SO_KEEPALIVE and SO_LINGER are off on a new socket, and read back as they were set."""
    ours = runtime.tcp()
    claims = {
        socket.SO_REUSEADDR: "posix:opt/so-reuseaddr-default-off",
        socket.SO_KEEPALIVE: "posix:opt/so-keepalive-boolean",
    }
    for option, requirement in claims.items():
        with requires(requirement):
            assert ours.getsockopt(SOL, option) == 0
            ours.setsockopt(SOL, option, 1)
            assert ours.getsockopt(SOL, option) != 0
            ours.setsockopt(SOL, option, 0)
            assert ours.getsockopt(SOL, option) == 0
    with requires("posix:opt/so-linger-default-off"):
        assert ours.getsockopt(SOL, socket.SO_LINGER, 8) == bytes(8)
        ours.setsockopt(SOL, socket.SO_LINGER, struct.pack("ii", 1, 5))
        assert struct.unpack("ii", ours.getsockopt(SOL, socket.SO_LINGER, 8)) == (1, 5)
    with requires("posix:opt/low-water-marks"):
        assert [ours.getsockopt(SOL, option) for option in (socket.SO_RCVLOWAT, socket.SO_SNDLOWAT)] == [1, 1]
        with raises(errno.ENOPROTOOPT):
            ours.setsockopt(SOL, socket.SO_SNDLOWAT, 2)


@covers(
    "linux:opt/buffer-sizes-doubled-on-linux", "linux:opt/buffer-minimum-applies", "linux:opt/buffer-maximum-clamped"
)
@pytest.mark.parametrize("option", ["SO_RCVBUF", "SO_SNDBUF"])
def test_buffer_sizes_are_doubled_and_bounded(runtime: Runtime, option: str) -> None:
    """The kernel doubles what is asked for, raises what is too little and cuts what is too much."""
    ours, number = runtime.tcp(), getattr(socket, option)

    def size(asked: int) -> int:
        ours.setsockopt(SOL, number, asked)
        return int(ours.getsockopt(SOL, number))

    assert size(10000) == 20000
    with requires("linux:opt/buffer-minimum-applies"):
        assert size(1) > 1000
    with requires("linux:opt/buffer-maximum-clamped"):
        assert size(1 << 30) == size((1 << 30) - 1) < 1 << 31
        assert size(1 << 30) < 1 << 30


@covers("linux:opt/so-rcvbuf-before-connect-sets-window")
def test_the_receive_buffer_bounds_the_window(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """A small SO_RCVBUF on the listener keeps the window small, however much the client sends."""
    listener = runtime.listener()
    listener.setsockopt(SOL, socket.SO_RCVBUF, 4 * KiB)
    client = probe.connect(runtime.at(listener))
    connection, _ = listener.accept()
    client.send_all(bytes(2 * KiB))
    assert len(connection.recv(1 << 16)) > 0

    flow = wire.flow(client)

    flow.expect(got.SYN)
    flow.expect_no(got.window(above=8 * KiB))


@covers("linux:opt/keepalive-ranges-enforced", "linux:opt/ip-ttl-range")
def test_values_outside_of_their_range_are_refused(runtime: Runtime) -> None:
    """The times and counts of keep-alive, the retries of SYN and the TTL have bounds: EINVAL beyond."""
    ours = runtime.tcp()
    for option, wrong in (
        (socket.TCP_KEEPIDLE, (0, 32768)),
        (socket.TCP_KEEPINTVL, (0, 32768)),
        (socket.TCP_KEEPCNT, (0, 128)),
        (socket.TCP_SYNCNT, (0, 256)),
    ):
        for value in wrong:
            with raises(errno.EINVAL):
                ours.setsockopt(TCP, option, value)
        ours.setsockopt(TCP, option, 3)
        assert ours.getsockopt(TCP, option) == 3
    with requires("linux:opt/ip-ttl-range"):
        level, option = (
            (socket.IPPROTO_IP, socket.IP_TTL)
            if runtime.family == "v4"
            else (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS)
        )
        for value in (0, 256) if runtime.family == "v4" else (-2, 256):
            with raises(errno.EINVAL):
                ours.setsockopt(level, option, value)
        ours.setsockopt(level, option, 42)
        assert ours.getsockopt(level, option) == 42


@covers("rfc9293:MUST-28")
def test_keep_alive_waits_two_hours_unless_told_otherwise(runtime: Runtime) -> None:
    """TCP_KEEPIDLE of a new socket is 7200 s or more."""
    assert runtime.tcp().getsockopt(TCP, socket.TCP_KEEPIDLE) >= 7200


@pytest.mark.slow
@covers("linux:opt/keepalive-timers-per-socket", "linux:opt/user-timeout-overrides-keepalive")
@pytest.mark.parametrize("user_timeout", [0, 1500])
def test_keep_alive_finds_out_that_the_peer_is_gone(
    runtime: Runtime, probe: Probe, link: Link, user_timeout: int
) -> None:
    """With its timers small keep-alive ends a silent connection with ETIMEDOUT; TCP_USER_TIMEOUT decides when."""
    connection, _ = runtime.connected(probe)
    retries = 20 if user_timeout else 1
    for option, value in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, retries)):
        connection.setsockopt(TCP, option, value)
    connection.setsockopt(TCP, socket.TCP_USER_TIMEOUT, user_timeout)
    connection.setsockopt(SOL, socket.SO_KEEPALIVE, 1)
    overriding = "linux:opt/user-timeout-overrides-keepalive"

    with link.drop(sent.segment()):
        pending = connection.begin.recv(1)
        with requires(overriding if user_timeout else "linux:opt/keepalive-timers-per-socket"):
            with raises(errno.ETIMEDOUT):
                pending.result(seconds=10)


@pytest.mark.slow
@covers(
    "linux:opt/tcp-user-timeout-bounds-unacked-data",
    "linux:err/etimedout-after-retransmissions",
    "rfc9293:MUST-20",
)
@pytest.mark.parametrize("limit", ["user-timeout", "retries"])
def test_data_that_nobody_acknowledges_ends_the_connection(
    runtime: Runtime, probe: Probe, link: Link, limit: str
) -> None:
    """When TCP_USER_TIMEOUT is over, or tcp_retries2 is used up, the connection is ETIMEDOUT."""
    runtime.process.sysctl("net/ipv4/tcp_retries2", "2" if limit == "retries" else "15")
    connection, _ = runtime.connected(probe)
    if limit == "user-timeout":
        connection.setsockopt(TCP, socket.TCP_USER_TIMEOUT, 500)
        name = "linux:opt/tcp-user-timeout-bounds-unacked-data"
    else:
        name = "linux:err/etimedout-after-retransmissions"

    with link.drop(got.data()):
        connection.send(b"lost")
        pending = connection.begin.recv(1)
        with requires(name), raises(errno.ETIMEDOUT):
            pending.result(seconds=10)


@pytest.mark.slow
@covers("linux:opt/user-timeout-and-syn-sent")
def test_the_user_timeout_ends_an_attempt_too(runtime: Runtime) -> None:
    """Linux gives up an unanswered connect() at TCP_USER_TIMEOUT, although the manual speaks of connections alone."""
    ours = runtime.tcp()
    ours.setsockopt(TCP, socket.TCP_USER_TIMEOUT, 700)

    pending = ours.begin.connect((runtime.nowhere, 7))

    with raises(errno.ETIMEDOUT):
        pending.result(seconds=5)


@covers("linux:opt/tcp-nodelay-disables-nagle")
def test_without_nagle_small_segments_go_at_once(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """With TCP_NODELAY each send() is a segment of its own; the option reads back as it was set."""
    connection, client = runtime.connected(probe)
    assert connection.getsockopt(TCP, socket.TCP_NODELAY) == 0
    connection.setsockopt(TCP, socket.TCP_NODELAY, 1)
    assert connection.getsockopt(TCP, socket.TCP_NODELAY) == 1

    for octet in (b"a", b"b", b"c"):
        connection.send(octet)

    client.expect(b"abc")
    wire.flow(client).expect(got.data(b"a"), got.data(b"b"), got.data(b"c"))


@covers("linux:opt/cork-overrides-nodelay")
def test_cork_is_stronger_than_nodelay(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """Corked octets wait also with TCP_NODELAY, but to set that flushes what waits."""
    connection, client = runtime.connected(probe)
    connection.setsockopt(TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(TCP, socket.TCP_CORK, 1)
    connection.send(b"one ")
    connection.send(b"segment")
    connection.setsockopt(TCP, socket.TCP_NODELAY, 1)

    client.expect(b"one segment")
    assert len(wire.flow(client).pick(got.data())) == 1


@covers("linux:opt/tcp-maxseg-sets-advertised-mss")
def test_segment_size_can_be_bounded(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """TCP_MAXSEG of the listener is in its SYN ACK."""
    listener = runtime.listener()
    with raises(errno.EINVAL):
        listener.setsockopt(TCP, socket.TCP_MAXSEG, 1)
    listener.setsockopt(TCP, socket.TCP_MAXSEG, 500)
    client = probe.connect(runtime.at(listener))

    wire.flow(client).expect(got.SYN & got.segment(mss=500))


@covers("linux:opt/tcp-window-clamp-bounds-window")
def test_window_stays_within_its_clamp(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """TCP_WINDOW_CLAMP bounds the windows that follow, however much is received."""
    connection, client = runtime.connected(probe)
    connection.setsockopt(TCP, socket.TCP_WINDOW_CLAMP, CLAMP)

    pending = connection.begin.recv(BULK, socket.MSG_WAITALL)
    client.send_all(octets(BULK, seed=7))
    assert len(pending.result()) == BULK, "the control: all of it arrives"

    last = wire.flow(client).pick(got.bare_ack())[-1].window
    assert last <= CLAMP, f"a window of {CLAMP} octets at most: after {BULK} octets the window is {last}"


@covers("linux:opt/tcp-info-returns-state")
def test_tcp_info_tells_the_state(runtime: Runtime, probe: Probe) -> None:
    """The first octet of TCP_INFO is the state: 7 closed, 10 LISTEN, 2 SYN-SENT, 1 ESTABLISHED, 8 CLOSE-WAIT."""

    def state(one: object) -> int:
        return int(one.getsockopt(TCP, socket.TCP_INFO, 1)[0])  # type: ignore[attr-defined]

    attempt, (connection, client) = runtime.tcp(), runtime.connected(probe)
    assert state(attempt) == 7
    attempt.setblocking(False)
    attempt.connect_ex((runtime.nowhere, 7))
    assert (state(attempt), state(runtime.listener()), state(connection)) == (2, 10, 1)
    client.half_close()
    assert connection.recv(1) == b""
    assert state(connection) == 8


@families("v4")
@covers(
    "linux:opt/tcp-congestion-selects-algorithm",
    "linux:opt/tcp-fastopen-enables-tfo-listener",
)
def test_congestion_control_and_fast_open(runtime: Runtime) -> None:
    """TCP_CONGESTION takes what is allowed and no other; TCP_FASTOPEN is as it was set."""
    ours = runtime.tcp()
    assert ours.getsockopt(TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0") == b"reno"
    ours.setsockopt(TCP, socket.TCP_CONGESTION, b"reno")
    with raises(errno.ENOENT, errno.EPERM):
        ours.setsockopt(TCP, socket.TCP_CONGESTION, b"nope")
    with requires("linux:opt/tcp-fastopen-enables-tfo-listener"):
        runtime.process.sysctl("net/ipv4/tcp_fastopen", "3")
        listener = runtime.listener()
        listener.setsockopt(TCP, socket.TCP_FASTOPEN, 5)
        assert listener.getsockopt(TCP, socket.TCP_FASTOPEN) == 5


@covers("linux:opt/tcp-quickack-is-not-sticky")
def test_quick_acknowledgments_last_until_an_answer(runtime: Runtime, probe: Probe) -> None:
    """TCP_QUICKACK is on when a connection begins, and off after a request and an answer, even if it was set before."""
    connection, client = runtime.connected(probe)

    assert connection.getsockopt(TCP, socket.TCP_QUICKACK) == 1, "it is on when the connection begins"
    for turn in range(2):
        connection.setsockopt(TCP, socket.TCP_QUICKACK, 1)
        assert connection.getsockopt(TCP, socket.TCP_QUICKACK) == 1, "it is on when it has been set"
        for _ in range(EXCHANGES):
            client.send_all(b"request")
            assert connection.recv(100) == b"request"
            connection.send(b"answer")
            client.expect(b"answer")
        assert connection.getsockopt(TCP, socket.TCP_QUICKACK) == 0, f"it is off after answers, in turn {turn + 1}"


@families("v4")
@covers("linux:opt/ip-pktinfo-gives-destination")
def test_a_datagram_tells_where_it_was_sent_to(runtime: Runtime, probe: Probe) -> None:
    """With IP_PKTINFO a socket on every address learns which of them was asked, and may answer from it."""
    ours = runtime.udp(host="0.0.0.0")
    ours.setsockopt(socket.IPPROTO_IP, 8, 1)  # IP_PKTINFO
    other = runtime.hosts[1]
    client = probe.datagrams(runtime.at(ours))
    client.send(b"to the second", Endpoint(other, ours.getsockname()[1]))

    _, ancillary, _, sender = ours.recvmsg(100, 100)

    assert [(level, kind, socket.inet_ntoa(info[8:12])) for level, kind, info in ancillary] == [(0, 8, other)]
    answer = struct.pack("I4s4s", 0, socket.inet_aton(other), bytes(4))
    ours.sendmsg([b"from there"], [(socket.IPPROTO_IP, 8, answer)], 0, sender)
    client.expect(b"from there", Endpoint(other, ours.getsockname()[1]))


@families("v4")
@covers("linux:opt/ip-mtu-discover-modes")
def test_a_datagram_that_must_not_be_fragmented_is_refused(runtime: Runtime, probe: Probe) -> None:
    """With IP_PMTUDISC_DO what is larger than the MTU is EMSGSIZE; with IP_PMTUDISC_DONT it is sent in fragments."""
    ours = runtime.udp()
    client = probe.datagrams(runtime.at(ours))
    ours.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER, IP_PMTUDISC_DO
    with raises(errno.EMSGSIZE):
        ours.sendto(bytes(3000), client.near)

    ours.setsockopt(socket.IPPROTO_IP, 10, 0)
    ours.sendto(bytes(3000), client.near)

    client.expect(bytes(3000))


@covers("linux:opt/reuseaddr-shares-udp-ports")
def test_the_last_of_several_datagram_sockets_on_a_port_receives(runtime: Runtime, probe: Probe) -> None:
    """With SO_REUSEADDR UDP sockets share a port on Linux; what comes goes to the one that was bound last."""
    sockets = [runtime.udp(port=None) for _ in range(2)]
    for one in sockets:
        one.setsockopt(SOL, socket.SO_REUSEADDR, 1)
        one.bind((runtime.host, sockets[0].getsockname()[1]))
    probe.datagrams(runtime.at(sockets[0])).send(b"for whom?")

    assert sockets[1].recv(100) == b"for whom?"
    sockets[0].setblocking(False)
    with raises(errno.EAGAIN):
        sockets[0].recv(100)


@families("v4")
@covers(
    "posix:opt/so-dontroute-bypasses-gateways",
    "linux:opt/so-bindtodevice-restricts-interface",
    "linux:opt/peek-offset-moves",
)
def test_options_of_the_way_and_of_peeking(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """SO_DONTROUTE reaches neighbours alone; a socket bound to lo hears nothing of the link; SO_PEEK_OFF goes on."""
    ours = runtime.udp()
    assert ours.getsockopt(SOL, socket.SO_DONTROUTE) == 0
    ours.setsockopt(SOL, socket.SO_DONTROUTE, 1)
    assert ours.getsockopt(SOL, socket.SO_DONTROUTE) == 1
    client = probe.datagrams(runtime.at(ours))
    ours.sendto(b"to a neighbour", client.near)
    client.expect(b"to a neighbour")
    with raises(errno.ENETUNREACH):
        ours.sendto(b"far away", ("203.0.113.1", 9))

    with requires("linux:opt/so-bindtodevice-restricts-interface"):
        ours.setsockopt(SOL, socket.SO_BINDTODEVICE, b"lo")
        client.send(b"not from lo")
        wire.flow(client)
        ours.setblocking(False)
        with raises(errno.EAGAIN, errno.ECONNREFUSED):
            ours.recv(100)
    with requires("linux:opt/peek-offset-moves"):
        pair, other = runtime.socketpair()
        pair.setsockopt(SOL, 42, 4)  # SO_PEEK_OFF
        other.send(b"0123456789")
        assert [pair.recv(2, socket.MSG_PEEK) for _ in range(2)] == [b"45", b"67"]


@families("v4")
@covers(
    "python:opt/getsockopt-int-or-bytes", "python:opt/setsockopt-value-forms", "python:opt/constants-depend-on-platform"
)
def test_options_in_python(runtime: Runtime) -> None:
    """getsockopt() returns a number, or as many octets as asked for; setsockopt() takes either."""

    def known() -> list[bool]:
        return [hasattr(socket, name) for name in ("TCP_USER_TIMEOUT", "SO_REUSEPORT", "SO_NO_SUCH_THING")]

    ours = runtime.tcp()
    assert ours.getsockopt(SOL, socket.SO_LINGER, 8) == bytes(8)
    assert isinstance(ours.getsockopt(SOL, socket.SO_RCVBUF), int)
    with raises(OSError):
        ours.getsockopt(SOL, socket.SO_LINGER, 2000)
    with requires("python:opt/setsockopt-value-forms"):
        for value in (1, struct.pack("i", 1), bytearray(struct.pack("i", 1))):
            ours.setsockopt(SOL, socket.SO_KEEPALIVE, value)
            assert ours.getsockopt(SOL, socket.SO_KEEPALIVE) == 1
        with raises(TypeError):
            ours.setsockopt(SOL, socket.SO_KEEPALIVE, None)
    with requires("python:opt/constants-depend-on-platform"):
        assert runtime.run(known) == [True, True, False]

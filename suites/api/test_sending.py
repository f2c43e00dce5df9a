"""What send() and its kin return, what they refuse, and what is on the wire then (send(2), udp(7), tcp(7))."""

from __future__ import annotations

import array
import errno
import io
import os
import signal
import socket
import struct
import tempfile
from typing import TYPE_CHECKING

import pytest

from harness.suite import (
    LARGEST_V4,
    LARGEST_V6,
    Ending,
    KiB,
    MiB,
    covers,
    families,
    got,
    octets,
    raises,
    requires,
    sent,
)

if TYPE_CHECKING:
    from harness.suite import Probe, Runtime, Wire

MUCH = 4 * MiB  # octets: more than the buffers of both kernels take together


@covers(
    "posix:send/broken-pipe-epipe-and-sigpipe",
    "posix:send/msg-nosignal-suppresses-sigpipe",
    "posix:shut/send-after-shut-wr-epipe",
)
def test_sending_on_a_broken_connection_is_epipe_and_sigpipe(runtime: Runtime, probe: Probe) -> None:
    """send() after SHUT_WR is EPIPE; SIGPIPE comes with it, but not with MSG_NOSIGNAL."""

    def signals(connection: socket.socket) -> list[tuple[int, bool]]:
        seen: list[int] = []
        signal.signal(signal.SIGPIPE, lambda number, _: seen.append(number))
        found = []
        for flags in (socket.MSG_NOSIGNAL, 0):
            number = 0
            try:
                connection.send(b"x", flags)
            except OSError as error:
                number = error.errno or 0
            signal.getsignal(signal.SIGPIPE)  # a handler runs after the next call that succeeds
            found.append((number, bool(seen)))
        return found

    connection, _ = runtime.connected(probe)
    connection.shutdown(socket.SHUT_WR)
    with requires("posix:shut/send-after-shut-wr-epipe"), raises(errno.EPIPE):
        connection.send(b"x")

    quiet, loud = runtime.run(signals, connection)

    assert loud == (errno.EPIPE, True)
    with requires("posix:send/msg-nosignal-suppresses-sigpipe"):
        assert quiet == (errno.EPIPE, False)


@families("v4")
@covers("python:send/sigpipe-ignored-by-interpreter", "python:exc/errno-mapped-to-subclasses")
def test_python_ignores_sigpipe(runtime: Runtime, probe: Probe) -> None:
    """The interpreter ignores SIGPIPE, so that a broken connection is a BrokenPipeError; others have classes too."""
    connection, _ = runtime.connected(probe)
    assert runtime.signal.getsignal(signal.SIGPIPE) == signal.SIG_IGN
    connection.shutdown(socket.SHUT_WR)
    with raises(BrokenPipeError):
        connection.send(b"x")
    with requires("python:exc/errno-mapped-to-subclasses"):
        connection.setblocking(False)
        with raises(BlockingIOError):
            connection.recv(1)
        with raises(ConnectionRefusedError):
            runtime.create_connection((runtime.loopback, 9))


@covers(
    "posix:send/udp-without-destination-edestaddrreq",
    "linux:send/udp-port-zero-rejected",
    "posix:send/oversized-datagram-emsgsize",
    "posix:err/unsupported-operation-eopnotsupp",
)
def test_what_no_datagram_can_be_sent_with(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """A datagram needs an address, a port and a size that fits, and has no urgent data; what is refused is not sent."""
    ours = runtime.udp()
    client = probe.datagrams(runtime.at(ours))
    largest = LARGEST_V4 if runtime.family == "v4" else LARGEST_V6

    with raises(errno.EDESTADDRREQ):
        ours.send(b"x")
    with requires("linux:send/udp-port-zero-rejected"), raises(errno.EINVAL):
        ours.sendto(b"x", (runtime.probe, 0))
    with requires("posix:send/oversized-datagram-emsgsize"), raises(errno.EMSGSIZE):
        ours.sendto(bytes(largest + 1), client.near)
    if runtime.family == "v4":  # over IPv6 Linux sends it as if nothing had been asked
        with requires("posix:err/unsupported-operation-eopnotsupp"), raises(errno.EOPNOTSUPP):
            ours.sendto(b"x", socket.MSG_OOB, client.near)

    with requires("posix:send/oversized-datagram-emsgsize"):
        ours.sendto(b"fence", client.near)
        client.expect(b"fence")
        assert len(wire.flow(client).pick(got.datagram())) == 1, "the fence is all that was sent"


@covers("posix:send/unconnected-stream-send-enotconn")
def test_sending_without_a_connection(runtime: Runtime) -> None:
    """send() on a TCP socket that is not connected fails: ENOTCONN by POSIX, EPIPE on Linux."""
    for one in (runtime.tcp(), runtime.listener()):
        with raises(errno.ENOTCONN, errno.EPIPE):
            one.send(b"x")


@covers(
    "linux:send/sendto-on-connected-stream",
    "linux:send/sendto-overrides-connected-udp-peer",
    "python:send/sendto-overloads",
)
def test_sendto_on_connected_sockets(runtime: Runtime, probe: Probe) -> None:
    """A stream goes to its peer whatever address is given; a datagram goes where it is told to."""
    connection, client = runtime.connected(probe)
    assert connection.sendto(b"x", (runtime.nowhere, 7)) == 1
    client.expect(b"x")

    ours = runtime.udp()
    peer, other = (probe.datagrams(runtime.at(ours)) for _ in range(2))
    ours.connect(peer.near)
    with requires("linux:send/sendto-overrides-connected-udp-peer"):
        ours.sendto(b"elsewhere", other.near)
        other.expect(b"elsewhere")
    with requires("python:send/sendto-overloads"):
        ours.sendto(b"with flags", 0, other.near)
        other.expect(b"with flags")
        with raises(TypeError):
            ours.sendto(b"one argument")


@covers(
    "posix:send/zero-length-datagram-is-sent",
    "linux:send/zero-length-stream-send-is-silent",
    "python:empty/empty-send-returns-zero",
)
def test_sending_no_octets(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """An empty datagram is a datagram; an empty send() on a stream is nothing."""
    ours = runtime.udp()
    receiver = probe.datagrams(runtime.at(ours))
    assert ours.sendto(b"", receiver.near) == 0
    receiver.expect(b"")

    connection, client = runtime.connected(probe)
    with requires("linux:send/zero-length-stream-send-is-silent"):
        assert connection.send(b"") == 0
        wire.flow(client).expect_no(got.data())
    with requires("python:empty/empty-send-returns-zero"):
        assert connection.sendall(b"") is None


@covers("linux:send/msg-dontwait-per-call", "python:send/send-returns-count")
def test_msg_dontwait_is_for_one_call(runtime: Runtime, probe: Probe) -> None:
    """On a blocking socket with no room send(MSG_DONTWAIT) is EAGAIN at once, after taking what there was room for."""
    connection, client = runtime.connected(probe, receive_buffer=4 * KiB)

    with requires("python:send/send-returns-count"):
        taken = connection.send(octets(MUCH), socket.MSG_DONTWAIT)
        assert 0 < taken < MUCH
    with raises(errno.EAGAIN):
        for _ in range(1000):
            taken += connection.send(octets(MUCH)[taken:], socket.MSG_DONTWAIT)

    assert connection.getblocking() is True
    client.widen()
    with requires("python:send/send-returns-count"):
        client.expect(octets(MUCH)[:taken])


@covers("linux:send/msg-more-corks-data", "linux:opt/tcp-cork-holds-partial-frames")
def test_small_pieces_can_be_held_for_one_segment(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """MSG_MORE and TCP_CORK hold what would be a small segment or datagram until the rest is there."""
    connection, client = runtime.connected(probe)
    connection.send(b"begun ", socket.MSG_MORE)
    connection.send(b"and ended")
    client.expect(b"begun and ended")
    assert len(wire.flow(client).pick(got.data())) == 1

    with requires("linux:opt/tcp-cork-holds-partial-frames"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        connection.send(b"corked ")
        connection.send(b"and let go")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
        client.expect(b"corked and let go")
        assert len(wire.flow(client).pick(got.data())) == 2

    ours = runtime.udp()
    receiver = probe.datagrams(runtime.at(ours))
    ours.connect(receiver.near)
    ours.send(b"one ", socket.MSG_MORE)
    ours.send(b"datagram")
    receiver.expect(b"one datagram")


@covers(
    "posix:send/sendmsg-gathers-buffers",
    "python:send/sendmsg-gathers-and-returns-count",
    "python:send/buffer-count-limit",
    "linux:send/too-many-iovecs-emsgsize",
)
def test_sendmsg_makes_one_message_of_many_buffers(runtime: Runtime, probe: Probe) -> None:
    """The buffers are sent in order, as one datagram, to an address that may be given; more than 1024 are EMSGSIZE."""
    ours = runtime.udp()
    receiver = probe.datagrams(runtime.at(ours))

    with requires("python:send/sendmsg-gathers-and-returns-count"):
        assert ours.sendmsg([b"a", b"bc", b"def"], [], 0, receiver.near) == 6
    receiver.expect(b"abcdef")
    connection, client = runtime.connected(probe)
    assert connection.sendmsg([b"x", b"", b"yz"]) == 3
    client.expect(b"xyz")
    with requires("linux:send/too-many-iovecs-emsgsize"), raises(errno.EMSGSIZE):
        connection.sendmsg([b"x"] * 1025)
    with requires("python:send/buffer-count-limit"):
        with raises(errno.EMSGSIZE):
            ours.sendmsg([b"x"] * 1025, [], 0, receiver.near)
        assert connection.sendmsg([b"x"] * 1024) == 1024


@covers(
    "linux:send/send-timeout-gives-partial-or-eagain",
    "python:send/sendall-timeout-is-total",
    "python:send/sendall-error-leaves-count-unknown",
)
def test_sending_gives_up_at_its_timeout(runtime: Runtime, probe: Probe) -> None:
    """With SO_SNDTIMEO send() returns what was taken, then is EAGAIN; sendall() has one timeout for all pieces."""
    connection, _ = runtime.connected(probe, receive_buffer=4 * KiB)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 50_000))
    assert 0 < connection.send(octets(MUCH)) < MUCH
    with raises(errno.EAGAIN):
        for _ in range(1000):
            connection.send(octets(MUCH))

    with requires("python:send/sendall-timeout-is-total"):
        other, slow = runtime.connected(probe, receive_buffer=4 * KiB)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 * KiB)
        other.settimeout(1.0)  # a loaded machine may keep the reader from reading for a part of it
        pending = other.begin.sendall(octets(MiB))
        came = 0
        while not pending.returns_within(0.01):  # who reads on as slowly has not read all of it in that second
            came += len(slow.read(4 * KiB))  # each piece would start the timeout of a single send() anew
        with raises(TimeoutError):
            pending.result()
    with requires("python:send/sendall-error-leaves-count-unknown"):
        other.close()
        assert 0 < came < MiB


@covers(
    "posix:send/reset-gives-econnreset",
    "posix:err/pending-error-reported-once",
    "posix:recv/reset-connection-econnreset",
)
@pytest.mark.parametrize("call", ["send", "recv"])
def test_a_reset_is_told_once(runtime: Runtime, probe: Probe, wire: Wire, call: str) -> None:
    """The call after the peer's RST is ECONNRESET; after that recv() sees the end of stream, and send() is EPIPE."""
    connection, client = runtime.connected(probe)
    client.reset()
    wire.flow(client).expect(sent.RST)
    arguments = {"send": b"x", "recv": 10}

    with requires(
        {"send": "posix:send/reset-gives-econnreset", "recv": "posix:recv/reset-connection-econnreset"}[call]
    ):
        with raises(errno.ECONNRESET):
            getattr(connection, call)(arguments[call])

    with requires("posix:err/pending-error-reported-once"):
        assert connection.recv(10) == b""
        with raises(errno.EPIPE):
            connection.send(b"x")


@covers("linux:err/epipe-after-close-wait-reset")
def test_sending_to_a_peer_that_has_closed(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """The first send() after the peer's FIN is taken, and answered with RST; the next is EPIPE, and recv() ends."""
    connection, client = runtime.connected(probe)
    client.close()
    assert connection.recv(10) == b""

    assert connection.send(b"into the void") == len(b"into the void")
    wire.wait_for(client, sent.RST)
    wire.flow(client)

    with raises(errno.EPIPE):
        connection.send(b"x")
    assert connection.recv(10) == b""


@covers("posix:dgram/datagrams-keep-boundaries", "linux:send/udp-does-not-fragment-across-calls")
def test_one_send_is_one_datagram(runtime: Runtime, probe: Probe) -> None:
    """Datagrams of all sizes arrive as they were sent, from either end: none is merged, split or cut."""
    ours = runtime.udp()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    client = probe.datagrams(runtime.at(ours))
    largest = LARGEST_V4 if runtime.family == "v4" else LARGEST_V6
    sizes = (0, 1, 1472, 1473, 9000, largest)

    for size in sizes:
        client.send(octets(size))
    for size in sizes:
        assert ours.recv(1 << 16) == octets(size)
    with requires("linux:send/udp-does-not-fragment-across-calls"):
        for size in (1, 2, 3):
            ours.sendto(octets(size), client.near)
        for size in (1, 2, 3):
            client.expect(octets(size))


@covers(
    "posix:stream/streams-keep-no-boundaries",
    "python:send/sendall-sends-everything",
    "posix:stream/streams-are-reliable",
)
def test_a_stream_keeps_order_and_no_borders(runtime: Runtime, probe: Probe) -> None:
    """Many small sends are one stream; sendall() returns None when the kernel has taken every octet."""
    connection, client = runtime.connected(probe)
    for number in range(20):
        connection.send(bytes([number]) * 10)
    client.expect(b"".join(bytes([number]) * 10 for number in range(20)))

    with requires("python:send/sendall-sends-everything"):
        pending = connection.begin.sendall(octets(MUCH))
        client.expect(octets(MUCH))
        assert pending.result() is None
    with requires("posix:stream/streams-are-reliable"):
        pending = connection.begin.recv(1 * MiB, socket.MSG_WAITALL)
        client.send_all(octets(1 * MiB))
        assert pending.result() == octets(1 * MiB)
        connection.close()
        client.expect_end(Ending.EOF)


@families("v4")
@covers("python:send/bytes-like-required")
def test_only_octets_can_be_sent(runtime: Runtime, probe: Probe) -> None:
    """bytes, bytearray, memoryview and array are sent as they are; str is a TypeError."""

    def send_each(connection: socket.socket) -> list[int]:
        return [connection.send(one) for one in (b"ab", bytearray(b"cd"), memoryview(b"ef"), array.array("B", b"gh"))]

    connection, client = runtime.connected(probe)
    with raises(TypeError):
        connection.send("text")
    with raises(TypeError):
        connection.sendall("text")

    assert runtime.run(send_each, connection) == [2] * 4
    client.expect(b"abcdefgh")


@families("v4")
@covers("python:send/send-family-retries-eintr")
def test_sendall_goes_on_after_a_signal(runtime: Runtime, probe: Probe) -> None:
    """A handler that returns leaves sendall() waiting until its timeout."""

    def interrupted(connection: socket.socket) -> int:
        seen: list[int] = []
        signal.signal(signal.SIGALRM, lambda number, _: seen.append(number))
        signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
        connection.settimeout(0.3)
        try:
            connection.sendall(bytes(1 << 23))
        except TimeoutError:
            return len(seen)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        return 0

    connection, _ = runtime.connected(probe, receive_buffer=4 * KiB)

    assert runtime.run(interrupted, connection) > 1


@covers(
    "python:sendfile/sendfile-returns-total-and-moves-position",
    "python:sendfile/sendfile-falls-back-to-send",
    "linux:sendfile/sendfile-sends-file-range",
)
def test_sendfile_sends_a_part_of_a_file(runtime: Runtime, probe: Probe) -> None:
    """sendfile(offset, count) sends these octets, says how many and moves the file on; other files work by send()."""

    def send_part(connection: socket.socket, text: bytes, real: bool) -> tuple[int, int]:
        with tempfile.TemporaryFile() if real else io.BytesIO() as file:
            file.write(text)
            file.flush()
            return connection.sendfile(file, 5, 100), file.tell()

    def send_range(connection: socket.socket, text: bytes) -> tuple[int, int]:
        with tempfile.TemporaryFile() as file:
            file.write(text)
            file.flush()
            file.seek(0)
            return os.sendfile(connection.fileno(), file.fileno(), 7, 50), file.tell()

    connection, client = runtime.connected(probe)
    text = octets(1000)

    assert runtime.run(send_part, connection, text, True) == (100, 105)
    client.expect(text[5:105])
    with requires("python:sendfile/sendfile-falls-back-to-send"):
        assert runtime.run(send_part, connection, text, False) == (100, 105)
        client.expect(text[5:105])
    with requires("linux:sendfile/sendfile-sends-file-range"):
        assert runtime.run(send_range, connection, text) == (50, 0)
        client.expect(text[7:57])


@families("v4")
@covers("python:sendfile/sendfile-constraints")
def test_what_sendfile_refuses(runtime: Runtime, probe: Probe) -> None:
    """sendfile() wants a stream socket that blocks and a count above 0."""

    def refused(connection: socket.socket, count: int | None) -> bool:
        try:
            connection.sendfile(io.BytesIO(b"x"), 0, count)
        except ValueError:
            return True
        return False

    connection, _ = runtime.connected(probe)
    assert [runtime.run(refused, connection, count) for count in (0, -1)] == [True, True]
    connection.setblocking(False)
    assert runtime.run(refused, connection, None) is True
    assert runtime.run(refused, runtime.udp(), None) is True


@covers("rfc9293:MUST-62", "rfc6093:3/urgent-pointer-ambiguity")
def test_the_urgent_pointer_points_behind_the_urgent_octet(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """send(MSG_OOB) of three octets puts URG on the wire, and a pointer to the octet behind them."""
    connection, client = runtime.connected(probe)

    connection.send(b"abc", socket.MSG_OOB)

    step = wire.wait_for(client, got.segment(flags="URG"))
    assert step.seq + step.segment.urgent == 1 + 3

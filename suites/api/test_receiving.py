"""What recv() and its kin return, what they leave, and how the end is told (recv(2), tcp(7), udp(7))."""

from __future__ import annotations

import array
import ctypes
import errno
import fcntl
import os
import signal
import socket
import struct
import termios
from typing import TYPE_CHECKING

from harness.suite import KiB, covers, families, octets, raises, requires, sent

if TYPE_CHECKING:
    from harness.suite import Probe, Raw, Runtime, Wire


@covers(
    "posix:recv/recv-returns-available-data",
    "python:recv/recv-up-to-bufsize",
    "posix:recv/zero-means-orderly-shutdown",
    "posix:recv/no-data-non-blocking-eagain",
    "linux:recv/msg-dontwait-receives-per-call",
)
def test_recv_returns_what_is_there(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """recv() returns up to as many octets as asked for, without waiting for more, and b"" at the end, each time."""
    connection, client = runtime.connected(probe)
    connection.setblocking(False)
    with requires("posix:recv/no-data-non-blocking-eagain"), raises(errno.EAGAIN):
        connection.recv(10)
    connection.setblocking(True)
    with requires("linux:recv/msg-dontwait-receives-per-call"), raises(errno.EAGAIN):
        connection.recv(10, socket.MSG_DONTWAIT)
    client.send_all(b"abcdef")

    with requires("python:recv/recv-up-to-bufsize"):
        assert connection.recv(2) == b"ab"
    assert connection.recv(100) == b"cdef"
    client.half_close()
    wire.flow(client).expect(sent.FIN)
    with requires("posix:recv/zero-means-orderly-shutdown"):
        assert [connection.recv(10) for _ in range(3)] == [b"", b"", b""]


@covers("posix:recv/unconnected-stream-recv-enotconn")
def test_receiving_without_a_connection(runtime: Runtime) -> None:
    """recv() on a TCP socket that is not connected is ENOTCONN."""
    for one in (runtime.tcp(), runtime.listener()):
        with raises(errno.ENOTCONN):
            one.recv(1)


@covers("linux:recv/data-queued-before-rst-readable")
def test_what_came_before_a_reset_can_be_read(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """Linux gives the octets first and ECONNRESET after them."""
    connection, client = runtime.connected(probe)
    client.send_all(b"before")
    client.reset()
    wire.flow(client).expect(sent.data(b"before"), sent.RST)

    assert connection.recv(100) == b"before"
    with raises(errno.ECONNRESET):
        connection.recv(100)


@covers("posix:recv/msg-peek-leaves-data")
def test_peeked_octets_are_there_for_the_next_recv(runtime: Runtime, probe: Probe) -> None:
    """What recv(MSG_PEEK) returned is returned again by the next recv(), of a stream and of a datagram."""
    connection, client = runtime.connected(probe)
    client.send_all(b"twice")
    ours = runtime.udp()
    probe.datagrams(runtime.at(ours)).send(b"again")

    assert connection.recv(100, socket.MSG_PEEK) == b"twice"
    assert connection.recv(100, socket.MSG_DONTWAIT) == b"twice"
    assert ours.recv(100, socket.MSG_PEEK) == b"again"
    assert ours.recv(100, socket.MSG_DONTWAIT) == b"again"


@covers(
    "posix:recv/msg-waitall-waits-for-all",
    "linux:recv/msg-waitall-no-effect-on-udp",
    "python:recv/msg-waitall-with-timeout-may-be-short",
    "linux:recv/receive-timeout-gives-eagain",
)
def test_msg_waitall_waits_for_all(runtime: Runtime, probe: Probe) -> None:
    """recv(10, MSG_WAITALL) returns ten octets, what came before the end or the timeout, or one datagram."""
    connection, client = runtime.connected(probe)
    pending = connection.begin.recv(10, socket.MSG_WAITALL)
    client.send_all(b"abc")
    pending.expect_waiting()
    client.send_all(b"defghij")
    assert pending.result() == b"abcdefghij"

    with requires("python:recv/msg-waitall-with-timeout-may-be-short"):
        connection.settimeout(5)
        client.send_all(b"abc")
        assert connection.recv(10, socket.MSG_WAITALL) == b"abc"
        connection.settimeout(None)
    with requires("linux:recv/receive-timeout-gives-eagain"):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 50_000))
        client.send_all(b"abc")
        assert connection.recv(10, socket.MSG_WAITALL) == b"abc"
        with raises(errno.EAGAIN):
            connection.recv(10)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 0))
    client.send_all(b"xyz")
    client.half_close()
    assert connection.recv(10, socket.MSG_WAITALL) == b"xyz"
    with requires("linux:recv/msg-waitall-no-effect-on-udp"):
        ours = runtime.udp()
        probe.datagrams(runtime.at(ours)).send(b"alone")
        assert ours.recv(100, socket.MSG_WAITALL) == b"alone"


@covers(
    "linux:recv/msg-trunc-returns-real-length",
    "linux:recv/msg-trunc-discards-stream-bytes",
    "python:recv/recv-msg-trunc-pads-result",
)
def test_msg_trunc_tells_how_much_there_was(runtime: Runtime, probe: Probe) -> None:
    """With MSG_TRUNC the size of a datagram is told, whatever the buffer; of a stream octets are thrown away."""
    ours, (connection, client) = runtime.udp(), runtime.connected(probe)
    sender = probe.datagrams(runtime.at(ours))
    buffer = bytearray(3)
    sender.send(b"abcdef")
    assert ours.recv_into(buffer, 3, socket.MSG_TRUNC) == 6
    assert buffer == b"abc"

    with requires("python:recv/recv-msg-trunc-pads-result"):
        sender.send(b"abcdef")
        result = ours.recv(3, socket.MSG_TRUNC)
        assert (len(result), result[:3]) == (6, b"abc")
    with requires("linux:recv/msg-trunc-discards-stream-bytes"):
        client.send_all(b"gone, kept")
        buffer = bytearray(6)
        assert connection.recv_into(buffer, 6, socket.MSG_TRUNC) == 6
        assert (bytes(buffer), connection.recv(100)) == (bytes(6), b"kept")


@covers(
    "posix:recv/truncated-datagram-flagged-and-lost",
    "python:recv/recvmsg-four-tuple",
    "posix:recv/control-truncation-flagged",
)
def test_what_does_not_fit_is_flagged_and_lost(runtime: Runtime, probe: Probe) -> None:
    """recvmsg() says MSG_TRUNC of a datagram that is longer than the buffer, MSG_CTRUNC of ancillary data."""
    ours = runtime.udp()
    sender = probe.datagrams(runtime.at(ours))
    sender.send(b"abcdef")
    sender.send(b"next")

    data, ancillary, flags, address = ours.recvmsg(3)

    assert flags & socket.MSG_TRUNC
    assert ours.recv(100) == b"next"
    with requires("python:recv/recvmsg-four-tuple"):
        assert (data, ancillary, address[:2]) == (b"abc", [], sender.near)
    with requires("posix:recv/control-truncation-flagged"):
        if runtime.family == "v4":
            ours.setsockopt(socket.IPPROTO_IP, 8, 1)  # IP_PKTINFO
        else:
            ours.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        sender.send(b"with more beside it")
        assert ours.recvmsg(100, 1)[2] & socket.MSG_CTRUNC


@covers(
    "linux:recv/empty-datagram-returns-zero",
    "posix:recv/recvfrom-gives-datagram-source",
    "python:recv/recvfrom-returns-data-and-address",
    "python:recv/recvfrom-into-returns-count-and-address",
)
def test_recvfrom_tells_the_sender(runtime: Runtime, probe: Probe) -> None:
    """Each datagram comes with the address of its sender, an empty one too; a stream has none."""
    ours, (connection, client) = runtime.udp(), runtime.connected(probe)
    senders = [probe.datagrams(runtime.at(ours)) for _ in range(2)]
    for sender, text in zip(senders, (b"", b"x"), strict=True):
        sender.send(text)

    (empty, first), (text, second) = ours.recvfrom(100), ours.recvfrom(100)

    assert (empty, text) == (b"", b"x")
    with requires("posix:recv/recvfrom-gives-datagram-source"):
        assert (first[:2], second[:2]) == (senders[0].near, senders[1].near)
    with requires("python:recv/recvfrom-returns-data-and-address"):
        client.send_all(b"stream")
        assert connection.recvfrom(100) == (b"stream", None)
    with requires("python:recv/recvfrom-into-returns-count-and-address"):
        buffer = bytearray(10)
        senders[0].send(b"into")
        count, address = ours.recvfrom_into(buffer)
        assert (count, address[:2], bytes(buffer[:5])) == (4, senders[0].near, b"into\0")


@covers(
    "linux:recv/zero-size-receive-on-stream",
    "linux:recv/zero-size-receive-eats-datagram",
    "python:recv/recv-0-returns-immediately",
)
def test_receiving_no_octets(runtime: Runtime, probe: Probe) -> None:
    """recv(0) of Python makes no call; that of the kernel is EAGAIN on an empty stream, and takes a datagram away."""

    def of_the_kernel(ours: socket.socket) -> tuple[int, int]:
        libc = ctypes.CDLL(None, use_errno=True)
        ctypes.set_errno(0)
        return libc.recv(ours.fileno(), ctypes.create_string_buffer(1), 0, socket.MSG_DONTWAIT), ctypes.get_errno()

    connection, client = runtime.connected(probe)
    assert runtime.run(of_the_kernel, connection) == (-1, errno.EAGAIN)
    client.send_all(b"x")
    assert runtime.select.select([connection], [], [], 5)[0]
    assert runtime.run(of_the_kernel, connection) == (0, 0)

    ours = runtime.udp()
    sender = probe.datagrams(runtime.at(ours))
    sender.send(b"eaten")
    sender.send(b"kept")
    with requires("linux:recv/zero-size-receive-eats-datagram"):
        assert runtime.select.select([ours], [], [], 5)[0]
        assert runtime.run(of_the_kernel, ours) == (0, 0)
        with requires("python:recv/recv-0-returns-immediately"):
            assert ours.recv(0) == b""
            assert ours.recv(100) == b"kept"


@covers("linux:recv/receive-buffer-overflow-drops-datagrams", "linux:opt/drop-counter-ancillary")
def test_datagrams_that_find_no_room_are_dropped(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """What is more than SO_RCVBUF is lost in silence, and counted for who asks with SO_RXQ_OVFL."""
    ours = runtime.udp()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    ours.setsockopt(socket.SOL_SOCKET, 40, 1)  # SO_RXQ_OVFL
    sender = probe.datagrams(runtime.at(ours))
    for number in range(50):
        sender.send(bytes([number]) * 1000)
    wire.flow(sender)
    ours.setblocking(False)
    kept = []
    while True:
        try:
            kept.append(ours.recv(2000)[0])
        except BlockingIOError:
            break

    assert kept == list(range(len(kept))), "the first ones have room"
    assert 0 < len(kept) < 50, "some find room, and some do not"
    with requires("linux:opt/drop-counter-ancillary"):
        sender.send(b"the next one")
        wire.flow(sender)
        ((_, kind, count),) = ours.recvmsg(100, 64)[1]
        assert (kind, struct.unpack("I", count)) == (40, (50 - len(kept),))


@covers("linux:recv/so-rcvlowat-delays-readiness")
def test_a_low_water_mark_delays_readiness(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """With SO_RCVLOWAT 4 a connection is readable when four octets are there."""
    connection, client = runtime.connected(probe)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 4)
    client.send_all(b"ab")
    wire.flow(client)
    assert runtime.select.select([connection], [], [], 0)[0] == []

    client.send_all(b"cd")

    assert runtime.select.select([connection], [], [], 5)[0] == [connection]


@covers(
    "posix:recv/msg-oob-reads-urgent-byte",
    "posix:recv/sockatmark-detects-urgent-mark",
    "posix:poll/urgent-data-gives-pollpri",
    "rfc9293:MUST-33",
)
def test_an_urgent_octet_is_read_apart(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """recv(MSG_OOB) reads the urgent octet, once; the stream goes on without it, and knows where it stood."""

    def at_mark(ours: socket.socket) -> int:
        number = array.array("i", [0])
        fcntl.ioctl(ours.fileno(), 0x8905, number)  # SIOCATMARK
        return number[0]

    connection, client = runtime.connected(probe)
    with raises(errno.EINVAL):
        connection.recv(1, socket.MSG_OOB)
    client.send_all(b"ab")
    client.send_urgent(b"c")
    wire.flow(client)
    with requires("posix:poll/urgent-data-gives-pollpri"):
        assert runtime.select.select([], [], [connection], 5) == ([], [], [connection])

    assert connection.recv(1, socket.MSG_OOB) == b"c"
    with raises(errno.EINVAL):
        connection.recv(1, socket.MSG_OOB)
    with requires("posix:recv/sockatmark-detects-urgent-mark"):
        assert runtime.run(at_mark, connection) == 0
        assert connection.recv(10) == b"ab"
        assert runtime.run(at_mark, connection) == 1
    client.send_all(b"de")
    assert connection.recv(10) == b"de"


@covers("rfc9293:MUST-32")
def test_urgent_data_is_announced_by_a_signal(runtime: Runtime, raw: Raw) -> None:
    """The owner of a socket gets SIGURG when urgent data arrives, and again when the pointer moves on."""

    def owned(ours: socket.socket) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGURG})
        fcntl.fcntl(ours.fileno(), 8, os.getpid())  # F_SETOWN

    def announced() -> bool:
        return signal.sigtimedwait({signal.SIGURG}, 5) is not None

    with runtime.listener() as listener:
        peer = raw.connect(runtime.at(listener))
        connection, _ = listener.accept()
    runtime.run(owned, connection)

    for _ in range(2):
        peer.send("PSH ACK URG", b"now", urgent=3)
        assert runtime.run(announced), "SIGURG comes"


@covers("linux:recv/newer-urgent-byte-displaces-older", "linux:recv/so-oobinline-keeps-byte-in-stream")
def test_urgent_octets_in_the_stream(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """A second urgent octet makes the first an ordinary one; with SO_OOBINLINE it is always one, behind the mark."""
    connection, client = runtime.connected(probe)
    for text, urgent in ((b"1", b"A"), (b"2", b"B")):
        client.send_all(text)
        client.send_urgent(urgent)
    wire.flow(client)
    assert connection.recv(1, socket.MSG_OOB) == b"B"
    assert connection.recv(10) == b"1A2"

    with requires("linux:recv/so-oobinline-keeps-byte-in-stream"):
        inline, other = runtime.connected(probe)
        inline.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        other.send_all(b"12")
        other.send_urgent(b"X")
        other.send_all(b"34")
        wire.flow(other)
        with raises(errno.EINVAL):
            inline.recv(1, socket.MSG_OOB)
        assert [inline.recv(10) for _ in range(2)] == [b"12", b"X34"]


@covers(
    "posix:recv/recvmsg-scatters-into-buffers",
    "python:recv/recvmsg-into-scatters",
    "python:recv/recv-into-fills-buffer",
)
def test_receiving_into_buffers(runtime: Runtime, probe: Probe) -> None:
    """recv_into() fills one buffer, recvmsg_into() several in order; both say how much they got."""
    connection, client = runtime.connected(probe)
    client.send_all(b"four")
    buffer = bytearray(10)
    with requires("python:recv/recv-into-fills-buffer"):
        assert connection.recv_into(buffer, 0) == 4
        assert buffer == b"four" + bytes(6)
        with raises(ValueError):
            connection.recv_into(bytearray(2), 5)

    client.send_all(octets(22))
    assert connection.recv(22, socket.MSG_PEEK | socket.MSG_WAITALL) == octets(22)
    parts = [bytearray(4), bytearray(7), bytearray(14)]
    count = connection.recvmsg_into(parts)[0]
    assert b"".join(parts) == octets(22) + bytes(3)
    with requires("python:recv/recvmsg-into-scatters"):
        assert count == 22


@families("v4")
@covers("linux:recv/error-queue-via-msg-errqueue")
def test_icmp_errors_are_queued_for_who_asks(runtime: Runtime, probe: Probe) -> None:
    """With IP_RECVERR the error queue holds the datagram that met a closed port, and what the ICMP message said."""
    ours = runtime.udp()
    ours.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
    other = probe.datagrams(runtime.at(ours))
    other.close()
    ours.sendto(b"to nobody", other.near)

    poll = runtime.select.poll()
    poll.register(ours, 0)
    assert poll.poll(5000)
    text, ((level, kind, error),), flags, _ = ours.recvmsg(100, 200, socket.MSG_ERRQUEUE)

    assert (text, level, kind) == (b"to nobody", socket.IPPROTO_IP, 11)
    assert flags & socket.MSG_ERRQUEUE
    number, origin, icmp_type, icmp_code = struct.unpack_from("IBBB", error)
    assert (number, origin, icmp_type, icmp_code) == (errno.ECONNREFUSED, 2, 3, 3)


@covers("linux:recv/connected-udp-error-delivered-once", "linux:recv/unconnected-udp-error-reporting")
def test_a_connected_datagram_socket_hears_of_a_closed_port_once(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """The next call after the ICMP message is ECONNREFUSED, the one after is not; unconnected sockets hear nothing."""
    ours, free = runtime.udp(), runtime.udp()
    other = probe.datagrams(runtime.at(ours))
    other.close()
    ours.connect(other.near)
    ours.send(b"to nobody")
    free.sendto(b"to nobody", other.near)
    wire.flow(other)

    with raises(errno.ECONNREFUSED):
        ours.send(b"again")
    wire.flow(other)
    assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) in {0, errno.ECONNREFUSED}
    assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    with requires("linux:recv/unconnected-udp-error-reporting"):
        assert free.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


@families("v4")
@covers("python:recv/negative-size-valueerror")
def test_a_negative_size_is_refused(runtime: Runtime) -> None:
    """recv(-1) and recv_into(buffer, -1) are ValueErrors, not calls."""
    ours = runtime.udp()
    with raises(ValueError):
        ours.recv(-1)
    with raises(ValueError):
        ours.recv_into(bytearray(2), -1)


@covers("python:recv/msg-dontwait-with-timeout-waits", "python:recv/msg-oob-with-timeout-waits-pollin")
def test_a_timeout_is_stronger_than_flags(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """With a timeout recv(MSG_DONTWAIT) waits all the same, and recv(MSG_OOB) for ordinary octets."""
    connection, client = runtime.connected(probe)
    connection.settimeout(0.05)
    with raises(TimeoutError):
        connection.recv(1, socket.MSG_DONTWAIT)
    with requires("python:recv/msg-oob-with-timeout-waits-pollin"):
        client.send_urgent(b"x")
        wire.flow(client)
        with raises(TimeoutError):
            connection.recv(1, socket.MSG_OOB)


@families("v4")
@covers("python:fds/descriptor-passing", "python:fds/recv-fds-truncation", "python:recv/default-drops-ancillary-data")
def test_descriptors_travel_over_unix_sockets(runtime: Runtime) -> None:
    """recv_fds() returns as many descriptors as it is ready for, and says what it cut; recvmsg() alone keeps none."""

    def passed(ready_for: int) -> tuple[bytes, int, int]:
        ours, other = socket.socketpair()
        reading, writing = os.pipe()
        socket.send_fds(ours, [b"text"], [reading, writing])
        text, found, flags, _ = socket.recv_fds(other, 100, ready_for)
        if len(found) == 2:
            os.write(found[1], b"through")
            assert os.read(reading, 10) == b"through"
        return text, len(found), flags & socket.MSG_CTRUNC

    assert runtime.run(passed, 2) == (b"text", 2, 0)
    with requires("python:fds/recv-fds-truncation"):
        assert runtime.run(passed, 1) == (b"text", 1, socket.MSG_CTRUNC)
    with requires("python:recv/default-drops-ancillary-data"):

        def plain() -> tuple[bytes, list[object], int]:
            ours, other = socket.socketpair()
            socket.send_fds(ours, [b"text"], [0])
            return other.recvmsg(10)[:3]  # type: ignore[return-value]

        assert runtime.run(plain) == (b"text", [], socket.MSG_CTRUNC)


@covers(
    "linux:opt/fionread-counts-unread-bytes",
    "linux:opt/receive-timestamps",
    "linux:opt/siocoutq-counts-unacknowledged-bytes",
)
def test_what_the_kernel_counts_and_notes(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """FIONREAD is what waits to be read, TIOCOUTQ what waits to be acknowledged; SO_TIMESTAMP notes when."""

    def ioctl(ours: socket.socket, request: int) -> int:
        number = array.array("i", [0])
        fcntl.ioctl(ours.fileno(), request, number)
        return number[0]

    connection, client = runtime.connected(probe, receive_buffer=4 * KiB)
    client.send_all(b"12345")
    wire.flow(client)
    assert runtime.run(ioctl, connection, termios.FIONREAD) == 5
    with raises(errno.EINVAL):
        runtime.run(ioctl, runtime.listener(), termios.FIONREAD)
    ours = runtime.udp()
    sender = probe.datagrams(runtime.at(ours))
    ours.setsockopt(socket.SOL_SOCKET, 35, 1)  # SO_TIMESTAMPNS
    for size in (7, 9):
        sender.send(bytes(size))
    wire.flow(sender)
    assert runtime.run(ioctl, ours, termios.FIONREAD) == 7, "the first of two datagrams"

    with requires("linux:opt/siocoutq-counts-unacknowledged-bytes"):
        connection.setblocking(False)
        assert connection.send(bytes(1 << 22)) > 0
        assert runtime.run(ioctl, connection, termios.TIOCOUTQ) > 0
    with requires("linux:opt/receive-timestamps"):
        ((_, kind, stamp),) = ours.recvmsg(100, 100)[1]
        seconds, nanoseconds = struct.unpack("ll", stamp)
        assert kind == 35
        assert 0 <= runtime.time.time() - seconds - nanoseconds / 1e9 < 60

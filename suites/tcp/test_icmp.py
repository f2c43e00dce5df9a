"""What TCP makes of ICMP errors: hints, sizes of the path, and what it must not hear (RFC 9293 3.9.2.2, RFC 1191).

The subject is a runtime, its peer a raw one that acknowledges nothing: what the errors quote is in flight.
"""

from __future__ import annotations

import errno
import functools
import socket
from typing import TYPE_CHECKING, Any

from harness.suite import control, covers, families, got, raises, requires

if TYPE_CHECKING:
    from harness.suite import Raw, RawPeer, Runtime, Step

SOFT = {  # errors that may pass (RFC 9293 3.9.2.2)
    "v4": ("network unreachable", "host unreachable", "source route failed", "time exceeded", "parameter problem"),
    "v6": ("network unreachable", "host unreachable", "time exceeded", "parameter problem"),
}
HARD = {"v4": ("protocol unreachable", "port unreachable"), "v6": ("communication prohibited", "port unreachable")}
TOO_BIG = {"v4": "fragmentation needed", "v6": "packet too big"}
HEADERS = {"v4": 40, "v6": 60}  # octets of IP and TCP, without options
RECVERR = {"v4": (socket.IPPROTO_IP, 11), "v6": (socket.IPPROTO_IPV6, 25)}  # IP_RECVERR, IPV6_RECVERR


@control()
def in_flight(runtime: Runtime, raw: Raw, data: bytes = b"in flight", *, told: bool = False) -> tuple[Any, Any, Step]:
    """A connection, its raw peer, and data of ours that is not acknowledged; with `told`, errors are reported."""
    with runtime.listener() as listener:
        peer = raw.connect(runtime.at(listener))
        connection, _ = listener.accept()
    if told:
        connection.setsockopt(*RECVERR[runtime.family], 1)
    peer.acknowledges = False
    connection.send(data)
    return connection, peer, peer.expect(got.data())


def put_in(packet: bytes, octets: bytes, at: int) -> bytes:
    """The packet with these octets at that place."""
    return packet[:at] + octets + packet[at + len(octets) :]


def goes_on(connection: Any, peer: RawPeer) -> None:
    """Claim that octets still go both ways."""
    peer.acknowledge()
    peer.send("PSH ACK", b"and on")
    assert connection.recv(100) == b"and on"
    connection.send(b"and back")
    peer.expect(got.data(b"and back"))


@covers("rfc9293:MUST-56", "rfc5927:5.2/hard-errors-soft-when-synchronized")
def test_errors_that_may_pass_end_no_connection(runtime: Runtime, raw: Raw) -> None:
    """Unreachable hosts, exceeded times and problems with parameters leave a connection standing, and so do others."""
    connection, peer, data = in_flight(runtime, raw)

    for kind in SOFT[runtime.family]:
        raw.complain(data, kind)
    goes_on(connection, peer)

    with requires("rfc5927:5.2/hard-errors-soft-when-synchronized"):
        connection, peer, data = in_flight(runtime, raw)
        for kind in HARD[runtime.family]:
            raw.complain(data, kind)
        goes_on(connection, peer)


@covers("rfc9293:MUST-47", "rfc9293:MUST-54", "rfc9293:SHLD-20", "rfc9293:SHLD-25")
def test_an_error_is_told_to_the_connection_that_it_quotes(runtime: Runtime, raw: Raw) -> None:
    """Who asks for it (IP_RECVERR) is told EHOSTUNREACH once; another connection, or one that did not ask, is not."""
    asked, peer, data = in_flight(runtime, raw, told=True)
    beside, its_peer, _ = in_flight(runtime, raw, told=True)
    silent, last_peer, its_data = in_flight(runtime, raw)

    raw.complain(data, "host unreachable")
    raw.complain(its_data, "host unreachable")

    with raises(errno.EHOSTUNREACH):
        asked.recv(100)
    goes_on(asked, peer)
    with requires("rfc9293:MUST-54"):
        goes_on(beside, its_peer)
    with requires("rfc9293:SHLD-20"):
        goes_on(silent, last_peer)


@covers("rfc5927:4/icmp-quoting-wrong-sequence-ignored")
def test_an_error_that_quotes_what_was_not_sent_is_ignored(runtime: Runtime, raw: Raw) -> None:
    """A sequence number that is not in flight gives away who did not see the segment: it is told to nobody."""
    connection, peer, data = in_flight(runtime, raw, told=True)
    at = (20 if runtime.family == "v4" else 40) + 4  # of the sequence number

    for distance in (-(1 << 20), 1 << 20):
        guess = ((data.segment.seq + distance) % (1 << 32)).to_bytes(4, "big")
        raw.complain(data, "host unreachable", quoted=functools.partial(put_in, octets=guess, at=at))

    goes_on(connection, peer)


@families("v4")
@covers("rfc9293:MUST-55", "rfc6633:4/source-quench-deprecated")
def test_source_quench_is_not_heard(runtime: Runtime, raw: Raw) -> None:
    """After Source Quench as many segments go out at once as before, and no error is told."""
    connection, peer, data = in_flight(runtime, raw, told=True)

    for _ in range(3):
        raw.complain(data, "source quench")
    connection.send(bytes(4 * 1460))

    peer.expect_at_once(got.segment(seq=data.end + 3 * 1460) | got.data(size=4 * 1460))
    goes_on(connection, peer)


@covers(
    "rfc1191:3/pmtu-reduced-on-frag-needed",
    "rfc1191:3/icmp-never-raises-pmtu",
    "rfc1191:3/pmtu-never-below-68",
)
def test_the_path_is_as_wide_as_its_narrowest_link(runtime: Runtime, raw: Raw) -> None:
    """What is told to be too big is sent again in segments that fit; a wider or an absurd size later is none."""
    connection, peer, data = in_flight(runtime, raw, bytes(1300))

    raw.complain(data, TOO_BIG[runtime.family], rest=1280)

    fits = 1280 - HEADERS[runtime.family]
    again = peer.expect(got.data(size=fits))
    peer.acknowledges = True
    peer.expect(got.data(size=1300 - fits))
    with requires("rfc1191:3/icmp-never-raises-pmtu"):
        raw.complain(again, TOO_BIG[runtime.family], rest=1400)
        connection.send(bytes(1300))
        peer.expect(got.data(size=fits))
        peer.expect(got.data(size=1300 - fits))
    with requires("rfc1191:3/pmtu-never-below-68"):
        peer.acknowledges = False
        connection.send(b"absurd")
        absurd = peer.expect(got.data(b"absurd"))
        for mtu in (0, 20, 67):
            raw.complain(absurd, TOO_BIG[runtime.family], rest=mtu)
        peer.acknowledge()
        connection.send(bytes(100))
        first = peer.expect(got.data() & got.segment(seq=peer.rcv_nxt))
        assert len(first.data) > 67 - HEADERS["v4"], "segments keep a sane size"


@covers("rfc1122:3.2.2.1/tcp-accepts-icmp-port-unreachable", "rfc9293:SHLD-26")
def test_an_unreachable_port_refuses_an_attempt(runtime: Runtime, raw: Raw) -> None:
    """ICMP port unreachable about a SYN is ECONNREFUSED, as RST would be."""
    ours = runtime.tcp()
    ours.bind((runtime.host, 0))
    peer = raw.peer(runtime.at(ours), port=7)
    pending = ours.begin.connect(tuple(peer.near))

    raw.complain(peer.expect(got.SYN), "port unreachable")

    with raises(errno.ECONNREFUSED):
        pending.result()


@covers("rfc5461:4/soft-errors-may-fail-connect")
def test_an_attempt_ends_where_no_host_is(runtime: Runtime, raw: Raw) -> None:
    """ICMP host unreachable about a SYN is EHOSTUNREACH at once, although it may only be so for now."""
    ours = runtime.tcp()
    ours.bind((runtime.host, 0))
    peer = raw.peer(runtime.at(ours), port=7)
    pending = ours.begin.connect(tuple(peer.near))

    raw.complain(peer.expect(got.SYN), "host unreachable")

    with raises(errno.EHOSTUNREACH):
        pending.result()

"""Active opens: the attempt in SYN-SENT, and the address that it goes out from (RFC 9293 3.5, 3.9.2, 3.10.7.3).

A runtime connects, and the passive end is a raw peer, which waits for the SYN and answers with what an end of a kernel
would not.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from typing import TYPE_CHECKING, Any

from harness.suite import Endpoint, control, covers, families, got, raises, requires

if TYPE_CHECKING:
    from harness.suite import Probe, Raw, RawPeer, Runtime, Wire

SILENT = 7  # a port of the raw peer
NO_HOST = {"v4": ("255.255.255.255", "10.9.0.255", "224.0.0.1"), "v6": ("ff02::1", "ff0e::1")}


@control()
def connecting(runtime: Runtime, raw: Raw) -> tuple[Any, Any, RawPeer]:
    """A socket in SYN-SENT, its connect() that waits, and the peer that has heard the SYN."""
    ours = runtime.tcp()
    ours.bind((runtime.host, 0))
    peer = raw.peer(runtime.at(ours), port=SILENT)
    pending = ours.begin.connect(tuple(peer.near))
    peer.expect(got.SYN)
    return ours, pending, peer


@covers("rfc9293:MUST-10")
def test_both_ends_may_open_at_once(runtime: Runtime, raw: Raw) -> None:
    """A SYN that crosses ours draws SYN ACK, and its acknowledgment makes one connection of both attempts."""
    ours, pending, peer = connecting(runtime, raw)

    peer.send_syn()
    peer.expect(got.SYN_ACK & got.segment(seq=0, ack=1))
    peer.send("ACK")

    assert pending.result() is None
    ours.send(b"one connection")
    peer.expect(got.data(b"one connection"))
    peer.send("PSH ACK", b"both ways")
    assert ours.recv(100) == b"both ways"


@covers("rfc9293:MUST-11")
def test_reset_in_syn_received_goes_where_it_came_from(runtime: Runtime, raw: Raw) -> None:
    """RST in SYN-RECEIVED refuses an attempt of ours, and leaves a listener to wait for the next SYN."""
    _, pending, peer = connecting(runtime, raw)
    peer.send_syn()
    peer.expect(got.SYN_ACK)
    peer.send("RST")
    with raises(errno.ECONNREFUSED, errno.ECONNRESET):
        pending.result()

    listener = runtime.listener()
    client = raw.peer(runtime.at(listener))
    client.send_syn()
    client.expect(got.SYN_ACK)
    client.send("RST")
    again = raw.connect(runtime.at(listener))

    assert tuple(listener.accept()[1][:2]) == tuple(again.near)


@covers("rfc9293:3.10.7.3/wrong-ack-in-syn-sent-resets")
def test_wrong_acknowledgment_of_a_syn_is_reset(runtime: Runtime, raw: Raw) -> None:
    """A SYN ACK for another SYN draws RST at the number it named; the attempt goes on and succeeds."""
    _, pending, peer = connecting(runtime, raw)

    peer.send("SYN ACK", seq=0, ack=7)
    peer.expect(got.RST & got.segment(seq=7))
    pending.expect_waiting()
    peer.send("SYN ACK")

    assert pending.result() is None


@covers("rfc9293:3.10.7.3/rst-with-good-ack-refuses")
def test_reset_of_a_syn_refuses_the_attempt(runtime: Runtime, raw: Raw) -> None:
    """A reset that acknowledges the SYN is ECONNREFUSED, at once."""
    _, pending, peer = connecting(runtime, raw)

    peer.send("RST ACK")

    with raises(errno.ECONNREFUSED):
        pending.result()


@covers("rfc9293:3.10.7.3/rst-without-ack-ignored")
def test_reset_that_proves_nothing_is_ignored(runtime: Runtime, raw: Raw) -> None:
    """A reset without an acknowledgment may come from anybody: the attempt goes on and succeeds."""
    _, pending, peer = connecting(runtime, raw)

    peer.send("RST", seq=0)
    peer.expect_silence()
    pending.expect_waiting()
    peer.send("SYN ACK")

    assert pending.result() is None


@covers("rfc9293:MUST-41")
def test_a_new_listener_leaves_connections_alone(runtime: Runtime, probe: Probe) -> None:
    """Who listens on the port of a connection, at its address or at another, disturbs it in neither direction."""
    connection, client = runtime.connected(probe)
    port = connection.getsockname()[1]

    for host in runtime.hosts:
        listener = runtime.tcp()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # To refuse, as Linux does where the connection's socket did not allow it, is the other way to obey.
        with contextlib.suppress(OSError):
            listener.bind((host, port))
            listener.listen(1)

    client.send_all(b"still here")
    assert connection.recv(100) == b"still here"
    connection.send(b"so am I")
    client.expect(b"so am I")


@covers("rfc9293:MUST-42")
def test_a_port_can_listen_while_an_attempt_uses_it(runtime: Runtime, raw: Raw, probe: Probe) -> None:
    """A port from which an attempt is in SYN-SENT can be listened on, and takes connections."""
    attempt, listener = runtime.tcp(), runtime.tcp()
    for ours in (attempt, listener):
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    attempt.bind((runtime.host, 0))
    peer = raw.peer(runtime.at(attempt), port=SILENT)
    pending = attempt.begin.connect(tuple(peer.near))
    peer.expect(got.SYN)

    listener.bind((runtime.host, attempt.getsockname()[1]))
    listener.listen(1)

    client = probe.connect(runtime.at(listener))
    assert tuple(listener.accept()[1][:2]) == tuple(client.near)
    peer.send("SYN ACK")
    assert pending.result() is None


@covers("rfc9293:MUST-43", "rfc9293:MUST-45")
def test_an_attempt_goes_out_from_the_address_it_was_given(runtime: Runtime, raw: Raw) -> None:
    """A socket bound to the second address of its host connects from there, and stays there for all that it sends.

    That the SYN, the data and the FIN come to the peer, whose other end is that address, is what shows it.
    """
    ours = runtime.tcp()
    ours.bind((runtime.hosts[1], 0))
    peer = raw.peer(runtime.at(ours), to=Endpoint(runtime.hosts[1], ours.getsockname()[1]), port=SILENT)
    pending = ours.begin.connect(tuple(peer.near))

    peer.expect(got.SYN)
    peer.send("SYN ACK")
    pending.result()
    with requires("rfc9293:MUST-45"):
        ours.send(b"from the second")
        peer.expect(got.data(b"from the second"))
        ours.close()
        peer.expect(got.FIN)


@covers("rfc9293:MUST-43")
def test_a_listener_on_one_address_refuses_the_other(runtime: Runtime, raw: Raw) -> None:
    """A SYN to the second address draws RST where only the first is listened on."""
    listener = runtime.listener()
    place = runtime.at(listener)
    other = raw.peer(place, to=Endpoint(runtime.hosts[1], place.address.port))

    other.send_syn()

    other.expect(got.RST)
    raw.connect(place)


@covers("rfc9293:MUST-44")
def test_the_host_chooses_an_address_where_none_was_given(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """A socket that was not bound connects from an address of its host, and getsockname() says the one on the wire."""
    listener = probe.listen(runtime.at(runtime.udp()))
    ours = runtime.tcp()

    ours.connect(listener.address)

    client = listener.accept()
    chosen = wire.flow(client).expect(got.SYN).packet.source
    assert tuple(chosen) == ours.getsockname()[:2], "getsockname() says the source of the SYN"
    assert chosen.host in runtime.hosts, "it is an address of the host"


@covers("rfc9293:MUST-46")
def test_nobody_connects_to_everybody(runtime: Runtime) -> None:
    """connect() to a broadcast or multicast address is refused at once."""
    for host in NO_HOST[runtime.family]:
        ours = runtime.tcp()
        ours.setblocking(False)
        with raises(errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EINVAL, errno.EADDRNOTAVAIL, errno.EACCES):
            ours.connect((host, SILENT))


@families("v4")
@covers("rfc9293:MUST-50")
def test_options_of_ip_that_nobody_knows_are_ignored(runtime: Runtime, raw: Raw) -> None:
    """SYN and data with an IP option of no known kind, and with NOPs, are taken as any others."""
    listener = runtime.listener()
    peer = raw.peer(runtime.at(listener))
    peer.ip_options = bytes([0x1E, 4, 1, 2]) + b"\1\1\1\0"  # 0x1E: an experiment (RFC 4727 3.2); NOPs and the end

    peer.handshake()
    connection, _ = listener.accept()
    peer.send("PSH ACK", b"with options")

    assert connection.recv(100) == b"with options"

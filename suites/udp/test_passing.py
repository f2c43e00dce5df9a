"""What UDP passes between a program and IP: addresses, TTL, options, and ICMP errors (RFC 1122 4.1.3 and 4.1.4).

The subject is a runtime: what its calls ask for is looked for on the wire, and what we put there in what they return.
"""

from __future__ import annotations

import errno
import socket
import struct
from typing import TYPE_CHECKING, Any

from harness.suite import Endpoint, FourTuple, control, covers, families, got, raises, requires

if TYPE_CHECKING:
    from harness.suite import Probe, Raw, Runtime, Step, Wire

IP, IPV6 = socket.IPPROTO_IP, socket.IPPROTO_IPV6
PKTINFO = {"v4": (IP, 8), "v6": (IPV6, 49)}  # IP_PKTINFO, IPV6_RECVPKTINFO
RECVERR = {"v4": (IP, 11), "v6": (IPV6, 25)}  # IP_RECVERR, IPV6_RECVERR
HOPS = {"v4": (IP, socket.IP_TTL), "v6": (IPV6, socket.IPV6_UNICAST_HOPS)}
CLASS = {"v4": (IP, socket.IP_TOS), "v6": (IPV6, socket.IPV6_TCLASS)}
LARGEST_MTU = {"v4": (IP, 14), "v6": (IPV6, 24)}  # IP_MTU, IPV6_MTU
TOO_BIG = {"v4": "fragmentation needed", "v6": "packet too big"}
ERRQUEUE = 0x2000  # MSG_ERRQUEUE
ORIGIN = {"v4": (2, 3, 3), "v6": (3, 1, 4)}  # SO_EE_ORIGIN_ICMP or ICMP6, type and code of port unreachable
RECORD_ROUTE = bytes([7, 7, 4, 0, 0, 0, 0, 0])  # room for one address, and the end of options (RFC 791 3.1)
UNREACHABLE = "rfc1122:3.2.2.1/codes-0-1-5-are-hints-only"
EXCEEDED = "rfc1122:3.2.2.4/time-exceeded-passed-to-transport"
HINTS = {"v4": ("network unreachable", "host unreachable", "source route failed"), "v6": ("network unreachable",)}


@control()
def sent_to(runtime: Runtime, raw: Raw, wire: Wire, data: bytes = b"is anybody there?") -> tuple[Any, Step]:
    """A connected socket that reports errors, and the datagram that it sent to a raw end."""
    ours = runtime.udp()
    end = raw.datagrams(runtime.at(ours))
    ours.setsockopt(*RECVERR[runtime.family], 1)
    ours.connect(tuple(end.near))
    ours.send(data)
    return ours, wire.wait_for(end, got.datagram(data))


@covers("rfc1122:4.1.3.5/specific-destination-address-passed-up")
def test_the_address_that_was_asked_is_passed_up(runtime: Runtime, probe: Probe) -> None:
    """A socket on every address learns with each datagram to which of them it was sent."""
    ours = runtime.udp(host=runtime.everywhere)
    ours.setsockopt(*PKTINFO[runtime.family], 1)
    port = ours.getsockname()[1]
    client = probe.datagrams(runtime.at(ours))

    for host in runtime.hosts:
        client.send(b"to you", Endpoint(host, port))
        _, ancillary, _, _ = ours.recvmsg(100, 100)
        place = slice(8, 12) if runtime.family == "v4" else slice(16)
        assert [socket.inet_ntop(runtime.af, info[place]) for _, _, info in ancillary] == [host]


@covers("rfc1122:4.1.3.5/application-selects-source-address", "rfc1122:4.1.3.6/only-own-source-addresses-sent")
def test_a_program_chooses_its_source_among_its_own(runtime: Runtime, probe: Probe, wire: Wire) -> None:
    """What is bound to an address sends from there, what is not from one of the host's; no other can be taken."""
    client = probe.datagrams(runtime.at(runtime.udp()))
    for host in runtime.hosts:
        ours = runtime.udp(host=host)
        ours.sendto(b"from here", tuple(client.near))
        client.expect(b"from here", Endpoint(host, ours.getsockname()[1]))
        chosen = FourTuple(client.near, Endpoint(host, ours.getsockname()[1]), "udp")
        assert len(wire.so_far(chosen).pick(got.datagram(b"from here"))) == 1, "the source of the frame is the same"

    with requires("rfc1122:4.1.3.6/only-own-source-addresses-sent"):
        open_to_choice = runtime.udp(host=runtime.everywhere)
        open_to_choice.sendto(b"from anywhere", tuple(client.near))
        came = client.receive()
        assert came is not None
        assert came.source.host in runtime.hosts
        chosen = FourTuple(client.near, came.source, "udp")
        assert len(wire.so_far(chosen).pick(got.datagram(b"from anywhere"))) == 1, "the source of the frame is the same"
        with raises(errno.EADDRNOTAVAIL):
            runtime.udp(host=runtime.nowhere)


@covers("rfc1122:4.1.3.5/chosen-source-address-is-readable", "rfc768:User/send-chooses-addresses-and-ports")
def test_the_chosen_source_can_be_read(runtime: Runtime, probe: Probe) -> None:
    """After connect() getsockname() says the source that the next datagram has."""
    client = probe.datagrams(runtime.at(runtime.udp()))
    ours = runtime.udp(port=None)

    ours.connect(tuple(client.near))

    ours.send(b"who am I?")
    client.expect(b"who am I?", Endpoint(*ours.getsockname()[:2]))


@covers("rfc1122:4.1.4/ttl-tos-and-options-settable")
def test_hops_and_class_go_out_as_they_were_set(runtime: Runtime, raw: Raw, wire: Wire) -> None:
    """IP_TTL and IP_TOS, or their like of IPv6, are in the header of what is sent."""
    ours = runtime.udp()
    end = raw.datagrams(runtime.at(ours))
    ours.setsockopt(*HOPS[runtime.family], 42)
    ours.setsockopt(*CLASS[runtime.family], 0xB8)

    ours.sendto(b"marked", tuple(end.near))

    step = wire.wait_for(end, got.datagram(b"marked"))
    packet = wire.frame(step.number).octets[14:]
    traffic_class = packet[1] if runtime.family == "v4" else int.from_bytes(packet[:2], "big") >> 4 & 255
    assert (traffic_class, packet[8 if runtime.family == "v4" else 7]) == (0xB8, 42)


@families("v4")
@covers("rfc1122:4.1.3.2/application-can-set-ip-options", "rfc1122:4.1.4/ttl-tos-and-options-settable")
def test_options_of_ip_go_out_as_they_were_set(runtime: Runtime, raw: Raw, wire: Wire) -> None:
    """Record Route, set with IP_OPTIONS, is in the header of what is sent."""
    ours = runtime.udp()
    end = raw.datagrams(runtime.at(ours))
    ours.setsockopt(IP, socket.IP_OPTIONS, RECORD_ROUTE)

    ours.sendto(b"by which way?", tuple(end.near))

    step = wire.wait_for(end, got.datagram(b"by which way?"))
    packet = wire.frame(step.number).octets[14:]
    assert packet[20:22] == RECORD_ROUTE[:2], "the option stands behind the header"


@families("v4")
@covers("rfc1122:4.1.3.2/received-ip-options-passed-up")
def test_options_of_ip_are_passed_up(runtime: Runtime, raw: Raw) -> None:
    """A datagram with an option hands it to a program that asked for options (IP_RECVOPTS)."""
    ours = runtime.udp()
    ours.setsockopt(IP, socket.IP_RECVOPTS, 1)
    end = raw.datagrams(runtime.at(ours))
    end.ip_options = b"\1\1\1\1" + bytes([0x1E, 4, 1, 2])  # 0x1E: an experiment (RFC 4727 3.2)

    end.send(b"with options")

    data, ancillary, _, _ = ours.recvmsg(100, 100)
    assert data == b"with options"
    assert [options[:8] for _, _, options in ancillary] == [end.ip_options]


@covers("rfc1122:4.1.4/maximum-datagram-size-learnable", "rfc8085:3.2/oversized-send-gives-emsgsize")
def test_the_largest_datagram_can_be_learned(runtime: Runtime, raw: Raw, wire: Wire) -> None:
    """IP_MTU is that of the link, and that of the path once an error told it; what is larger is EMSGSIZE then."""
    ours, step = sent_to(runtime, raw, wire)
    assert ours.getsockopt(*LARGEST_MTU[runtime.family]) == 1500

    raw.complain(step, TOO_BIG[runtime.family], rest=1300)

    with raises(errno.EMSGSIZE):  # the error is told once, by the next call
        ours.recv(100)
    assert ours.getsockopt(*LARGEST_MTU[runtime.family]) == 1300
    ours.setsockopt(*((IP, 10) if runtime.family == "v4" else (IPV6, 23)), 2)  # MTU_DISCOVER: never fragment
    with requires("rfc8085:3.2/oversized-send-gives-emsgsize"), raises(errno.EMSGSIZE):
        ours.send(bytes(1400))


@covers("rfc1122:4.1.3.3/icmp-errors-passed-to-application", "rfc1122:4.1.3.3/error-queue-has-icmp-details")
def test_an_error_is_passed_up_with_what_it_quotes(runtime: Runtime, raw: Raw, wire: Wire) -> None:
    """ICMP port unreachable is ECONNREFUSED; the error queue has its type, its code and the datagram it is about."""
    ours, step = sent_to(runtime, raw, wire)

    raw.complain(step, "port unreachable")

    with raises(errno.ECONNREFUSED):
        ours.recv(100)
    with requires("rfc1122:4.1.3.3/error-queue-has-icmp-details"):
        data, ancillary, _, destination = ours.recvmsg(100, 200, ERRQUEUE)
        told = [struct.unpack_from("=IBBB", error) for _, _, error in ancillary]
        assert told == [(errno.ECONNREFUSED, *ORIGIN[runtime.family])]
        assert (data, tuple(destination[:2])) == (step.data, tuple(step.packet.destination))


@covers("rfc1122:3.2.2.1/codes-0-1-5-are-hints-only", "rfc1122:3.2.2.4/time-exceeded-passed-to-transport")
def test_errors_that_may_pass_are_told_and_forgotten(runtime: Runtime, raw: Raw, wire: Wire) -> None:
    """Each unreachable host or exceeded time is told once, and the next datagrams go out and come in."""
    ours, step = sent_to(runtime, raw, wire)
    end = raw.datagrams(runtime.at(ours), port=step.packet.destination.port)

    for kind in (*HINTS[runtime.family], "time exceeded"):
        raw.complain(step, kind)
        with requires(EXCEEDED if kind == "time exceeded" else UNREACHABLE):
            with raises(errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EOPNOTSUPP):
                ours.recv(100)
            ours.send(kind.encode())
            wire.wait_for(end, got.datagram(kind.encode()))
            end.send(b"still here")
            assert ours.recv(100) == b"still here"


@covers("rfc8085:5.2/icmp-payload-is-validated")
def test_an_error_about_somebody_else_is_not_told(runtime: Runtime, raw: Raw, wire: Wire) -> None:
    """Port unreachable that quotes a port to which nothing was sent is not told to a connected socket."""
    ours, step = sent_to(runtime, raw, wire)
    at = (20 if runtime.family == "v4" else 40) + 2  # of the destination port

    raw.complain(step, "port unreachable", quoted=lambda was: was[:at] + b"\x12\x34" + was[at + 2 :])

    raw.datagrams(runtime.at(ours), port=step.packet.destination.port).send(b"no error")
    assert ours.recv(100) == b"no error"


@covers("rfc768:User/new-receive-ports-creatable")
def test_a_program_makes_as_many_ports_as_it_wants(runtime: Runtime, probe: Probe) -> None:
    """Each of fifty sockets that asked for a port gets one of its own, and what is sent there."""
    sockets = [runtime.udp() for _ in range(50)]
    client = probe.datagrams(runtime.at(sockets[0]))
    ports = [ours.getsockname()[1] for ours in sockets]
    assert len(set(ports)) == 50, "each has a port of its own"

    for port in ports:
        client.send(b"%d" % port, Endpoint(runtime.host, port))

    assert [ours.recv(100) for ours in sockets] == [b"%d" % port for port in ports]

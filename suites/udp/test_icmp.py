"""When a host speaks ICMP, and when it must be silent (RFC 1122 3.2.2, RFC 4443 2.4).

The subject is the kernel of the told server. Each silence has a fence behind it: an error that must come.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from harness.suite import covers, families, got, octets

if TYPE_CHECKING:
    from harness.suite import Raw, Serve, Subject, Wire

CLOSED = 1  # a port on which nobody listens
TO_MANY = {"v4": ("10.9.0.255", "255.255.255.255", "224.0.0.1"), "v6": ("ff02::1",)}
HOSTS = {"v4": ("10.9.0.2", "10.9.0.3"), "v6": ("fd09::2", "fd09::3")}
EXPERIMENTAL = 254  # a number that no protocol will ever have (RFC 3692 2.1); the fence has the other one
UNKNOWN = {"v4": (3, 2), "v6": (4, 1)}  # type and code: protocol unreachable, unrecognized next header
REPLY = {"v4": 0, "v6": 129}  # the type of an echo reply (RFC 792, RFC 4443 4.2)


def icmp_of(subject: Subject, wire: Wire) -> list[tuple[str, bytes]]:
    """The ICMP messages that the subject sent, each with the address that it came from."""
    v4 = subject.family == "v4"
    protocol, source, body = (23, slice(26, 30), 34) if v4 else (20, slice(22, 38), 54)
    return [
        (str(ipaddress.ip_address(frame.octets[source])), frame.octets[body:])
        for frame in wire.capture().frames
        if not frame.sent
        and not frame.far
        and frame.octets[12:14] in {b"\x08\x00", b"\x86\xdd"}
        and frame.octets[protocol] in {1, 58}
    ]


@covers("rfc1122:3.2.2.6/echo-requests-are-answered")
def test_echo_is_answered_with_all_that_was_sent(serve: Serve, raw: Raw, wire: Wire) -> None:
    """An echo request to each address of the host draws a reply from that address with the same octets."""
    subject = serve()
    end = raw.datagrams(subject, to=subject.address._replace(port=CLOSED))

    for mark, host in enumerate(HOSTS[subject.family]):
        raw.ask_echo(host, octets(400, seed=mark), mark=mark)
    end.send(b"fence")
    wire.wait_for(end, got.icmp("port unreachable"))

    replies = [(host, body[4:]) for host, body in icmp_of(subject, wire) if body[0] == REPLY[subject.family]]
    expected = [
        (host, mark.to_bytes(4, "big") + octets(400, seed=mark)) for mark, host in enumerate(HOSTS[subject.family])
    ]
    assert replies == expected, "each request draws its reply"


@covers("rfc1122:3.2.2/no-icmp-error-for-broadcast-multicast")
def test_what_was_sent_to_many_draws_no_error(serve: Serve, raw: Raw, wire: Wire) -> None:
    """A datagram to a closed port of a broadcast or multicast address is dropped in silence."""
    subject = serve()
    to_many = [
        raw.datagrams(subject, to=subject.address._replace(host=host, port=CLOSED)) for host in TO_MANY[subject.family]
    ]
    to_one = raw.datagrams(subject, to=subject.address._replace(port=CLOSED))

    for end in (*to_many, to_one):
        end.send(b"anybody?")

    wire.wait_for(to_one, got.icmp("port unreachable"))
    for end in to_many:
        wire.flow(end).expect_no(got.icmp())


@covers("rfc1122:3.2.2/no-icmp-error-about-icmp-error")
def test_an_error_draws_no_error(serve: Serve, raw: Raw, wire: Wire) -> None:
    """An ICMP error about what the subject never sent is dropped in silence."""
    subject = serve()
    end = raw.datagrams(subject, to=subject.address._replace(port=CLOSED))
    end.send(b"anybody?")
    asked = wire.wait_for(end, got.icmp("port unreachable"))

    raw.complain(asked, "port unreachable")
    end.send(b"fence")

    wire.wait_for(end, got.icmp("port unreachable"), count=2)
    assert len(icmp_of(subject, wire)) == 2, "only the two datagrams draw an error"


@families("v4")
@covers("rfc1122:3.2.2/no-icmp-error-for-later-fragments")
def test_a_later_fragment_draws_no_error(serve: Serve, raw: Raw, wire: Wire) -> None:
    """A fragment that is not the first has no ports: whatever stands in their place, nobody is told of a closed one."""
    subject = serve()
    end = raw.datagrams(subject, to=subject.address._replace(port=CLOSED))
    like_a_header = end.near.port.to_bytes(2, "big") + CLOSED.to_bytes(2, "big") + b"\x00\x10\x00\x00"

    for place in (8, 16):
        end.send(like_a_header * 3, fragments=[slice(place, place + 16)])
    end.send(b"fence")

    wire.wait_for(end, got.icmp("port unreachable"))
    assert len(icmp_of(subject, wire)) == 1, "only the whole datagram draws an error"


@covers("rfc1122:3.2.2.1/protocol-unreachable-for-unknown-protocol")
def test_an_unknown_protocol_is_told(serve: Serve, raw: Raw, wire: Wire) -> None:
    """A packet of a protocol that the host does not speak draws an error that says so, and quotes it."""
    subject = serve()
    end = raw.datagrams(subject, to=subject.address._replace(port=CLOSED))

    end.carry(EXPERIMENTAL, b"does anybody speak this?")
    end.send(b"fence")
    wire.wait_for(end, got.icmp("port unreachable"))

    told = [body for _, body in icmp_of(subject, wire) if (body[0], body[1]) == UNKNOWN[subject.family]]
    assert told, "an ICMP error says that nobody speaks this protocol"
    assert b"does anybody speak this?" in told[0], "it quotes the packet"

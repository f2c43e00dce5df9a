"""The fields of a datagram: ports, length, checksum, and what the kernel makes of wrong ones (RFC 768; RFC 1122 4.1.3).

The subject is the kernel's UDP: the told server has a socket beside its listener, and receives when it is told to. Our
end is raw, so each field is free to lie; behind each lie comes the truth, which must be received first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.suite import Endpoint, checksum_fault, control, covers, got, octets, requires, sent

if TYPE_CHECKING:
    from harness.suite import Probe, Raw, Serve, Subject, Wire

CLOSED = 1  # a port on which nobody listens (tcpmux, which was never offered over UDP)
HEADER = {"v4": 34, "v6": 54}  # octets before the UDP header: Ethernet and IP
ON_THE_LINK = {"v4": 1472, "v6": 1452}  # octets of data in the largest datagram that goes in one frame
LARGEST = {"v4": 65507, "v6": 65527}  # octets of data in the largest datagram that there is
NO_HOST = {"v4": ("224.0.0.1", "255.255.255.255", "10.9.0.255"), "v6": ("ff02::1",)}  # sources that no host has


@control()
def receiving(serve: Serve, *, buffer: int = 0) -> tuple[Subject, Endpoint]:
    """A subject with a UDP socket, and where that is bound."""
    subject = serve()
    host, port = subject.tell(f"datagrams {buffer}")["address"]
    return subject, Endpoint(host, port)


def received(subject: Subject, size: int = 100) -> bytes:
    """The next datagram that the program receives: 16 octets of it at most."""
    return bytes.fromhex(subject.tell(f"receive-from {size}")["first"])


@covers("rfc1122:4.1.3.4/bad-checksum-silently-discarded", "rfc1122:4.1.3.4/checksums-generated-and-validated")
@pytest.mark.parametrize("size", [0, 1, 8])
def test_wrong_checksum_is_discarded_in_silence(serve: Serve, raw: Raw, wire: Wire, size: int) -> None:
    """A datagram with a wrong checksum is neither received nor answered."""
    subject, place = receiving(serve)
    end = raw.datagrams(subject, to=place)

    end.send(b"wrong!!!"[:size], checksum=0x1234)
    end.send(b"right")

    assert received(subject) == b"right", "the first datagram that is received is the right one"
    wire.flow(end).expect_no(got.icmp() | got.datagram())


@covers("rfc768:Fields/all-zero-checksum-means-none-ipv4", "rfc8085:3.4.1/ipv6-zero-checksum-discarded")
def test_datagram_without_a_checksum_counts_over_ipv4_alone(serve: Serve, raw: Raw) -> None:
    """A checksum field of 0 means none over IPv4, and the datagram is good; over IPv6 it is discarded."""
    subject, place = receiving(serve)
    end = raw.datagrams(subject, to=place)

    end.send(b"unchecked", checksum=0)
    end.send(b"checked")

    if subject.family == "v4":
        assert received(subject) == b"unchecked", "over IPv4 the datagram without a checksum is received"
    with requires("rfc8085:3.4.1/ipv6-zero-checksum-discarded"):
        assert received(subject) == b"checked", "the datagram with a checksum is received next"


@covers("rfc768:Fields/source-port-zero-is-legal")
def test_datagram_may_come_from_no_port(serve: Serve, raw: Raw) -> None:
    """A source port of 0 says that no answer is wanted; the datagram is received."""
    subject, place = receiving(serve)

    raw.datagrams(subject, to=place, port=0).send(b"no answer, please")
    raw.datagrams(subject, to=place).send(b"behind it")

    assert subject.tell("receive-from 100")["source"][1] == 0, "the first one that is received is from port 0"


@covers("rfc768:Fields/length-below-eight-rejected", "rfc768:Fields/udp-length-longer-than-ip-payload")
@pytest.mark.parametrize("length", [1, 7, 14, 65535], ids=["one", "seven", "one_too_many", "most"])
def test_length_that_cannot_be_is_rejected(serve: Serve, raw: Raw, length: int) -> None:
    """A length below that of the header, or beyond what arrived, delivers nothing and reads nothing.

    A length of 0 is another matter: over IPv6 it stands for that of the packet (RFC 2675 4).
    """
    subject, place = receiving(serve)
    end = raw.datagrams(subject, to=place)

    end.send(b"wrong", length=length)
    end.send(b"right")

    assert received(subject) == b"right", "the first datagram that is received is the right one"


@covers("rfc768:Fields/udp-length-shorter-than-ip-payload")
def test_octets_behind_the_length_do_not_belong_to_the_datagram(serve: Serve, raw: Raw) -> None:
    """Where the packet is longer than the datagram in it says, the program gets what the length counts."""
    subject, place = receiving(serve)
    end = raw.datagrams(subject, to=place)

    end.send(b"inside and outside", length=8 + 6, checksum=end.checksum_of(b"inside"))

    assert received(subject) == b"inside", "the datagram ends where its length says"


@covers("rfc768:Fields/length-covers-header-and-data", "rfc768:Protocol/ip-protocol-number-is-17")
@pytest.mark.parametrize("size", [0, 1, 1001])
def test_header_of_the_subject_says_what_is_there(serve: Serve, raw: Raw, wire: Wire, size: int) -> None:
    """Protocol 17, its own port and ours, and a length of eight octets more than the data."""
    subject, place = receiving(serve)
    end = raw.datagrams(subject, to=place)

    subject.tell(f"send-pattern-to {end.near.host} {end.near.port} {size} 7")

    step = wire.wait_for(end, got.datagram(octets(size, seed=7)))
    frame = wire.frame(step.number).octets
    header = HEADER[subject.family]
    assert frame[header - (11 if subject.family == "v4" else 34)] == 17, "the protocol is UDP"
    fields = [int.from_bytes(frame[at : at + 2], "big") for at in range(header, header + 6, 2)]
    assert fields == [place.port, end.near.port, 8 + size]


@covers("rfc768:Fields/checksum-covers-pseudo-header-and-data")
@pytest.mark.parametrize("size", [1, 2, 1001])
def test_checksum_of_the_subject_is_right(serve: Serve, raw: Raw, wire: Wire, size: int) -> None:
    """The checksum is right over an even number of octets and over an odd one."""
    subject, place = receiving(serve)
    end = raw.datagrams(subject, to=place)

    subject.tell(f"send-pattern-to {end.near.host} {end.near.port} {size} 7")

    step = wire.wait_for(end, got.datagram(size=size))
    assert not checksum_fault(wire.frame(step.number)), "the checksum is right"


@covers("rfc1122:4.1.3.1/closed-udp-port-draws-port-unreachable")
def test_closed_port_is_told(serve: Serve, raw: Raw, wire: Wire) -> None:
    """A datagram to a port where nobody listens draws ICMP port unreachable, and nothing else."""
    subject = serve()
    end = raw.datagrams(subject, to=subject.address._replace(port=CLOSED))

    end.send(b"anybody?")

    wire.wait_for(end, got.icmp("port unreachable"))
    wire.flow(end).expect_only(sent.datagram(), got.icmp("port unreachable"))


@covers("rfc768:Fields/destination-port-demultiplexes-per-address")
def test_port_of_another_address_is_another_port(serve: Serve, raw: Raw, probe: Probe, wire: Wire) -> None:
    """A socket bound to one address of a host hears nothing of what comes to the same port of another one."""
    subject, place = receiving(serve)
    other = place._replace(host="10.9.0.3" if subject.family == "v4" else "fd09::3")

    stranger = probe.datagrams(subject, to=other)
    stranger.send(b"not for you")
    raw.datagrams(subject, to=place).send(b"for you")

    assert received(subject) == b"for you", "what came to the other address is not received"
    wire.wait_for(stranger, got.icmp("port unreachable"))


@covers("rfc768:User/receive-returns-data-and-source", "rfc768:Fields/source-port-names-the-reply-target")
def test_each_datagram_comes_with_its_source(serve: Serve, raw: Raw, wire: Wire) -> None:
    """Of three senders each is told with its own datagram, and an answer there reaches it alone."""
    subject, place = receiving(serve)
    ends = [raw.datagrams(subject, to=place) for _ in range(3)]

    for number, end in enumerate(ends):
        end.send(b"%d" % number)
    for number, end in enumerate(ends):
        seen = subject.tell("receive-from 100")
        told = bytes.fromhex(seen["first"]), seen["source"]
        assert told == (b"%d" % number, list(end.near)), "a datagram is told with its own source"
    subject.tell(f"send-to {ends[1].near.host} {ends[1].near.port} {b'you'.hex()}")

    wire.wait_for(ends[1], got.datagram(b"you"))
    for other in (ends[0], ends[2]):
        wire.flow(other).expect_no(got.datagram())


@covers("rfc1122:4.1.3.6/invalid-source-address-discarded", "rfc1122:3.2.2/no-icmp-error-to-invalid-sources")
def test_datagram_from_no_host_is_discarded(serve: Serve, raw: Raw, wire: Wire) -> None:
    """A source that is a broadcast or multicast address is neither received from nor complained to."""
    subject, place = receiving(serve)
    subject.sysctl("net/ipv4/conf/all/rp_filter", "1")  # without it Linux takes a broadcast address of the link's net
    sources = NO_HOST[subject.family]
    closed = [raw.datagrams(subject, to=place._replace(port=CLOSED), host=host) for host in sources]

    for host, end in zip(sources, closed, strict=True):
        raw.datagrams(subject, to=place, host=host).send(b"from nobody")
        end.send(b"from nobody")
    raw.datagrams(subject, to=place).send(b"from somebody")

    assert received(subject) == b"from somebody", "what came from nobody is not received"
    with requires("rfc1122:3.2.2/no-icmp-error-to-invalid-sources"):
        for end in closed:
            wire.flow(end).expect_no(got.icmp())


@covers("rfc1122:3.2.2/icmp-error-quotes-offending-packet")
def test_icmp_error_quotes_what_drew_it(serve: Serve, raw: Raw, wire: Wire) -> None:
    """ICMP port unreachable carries the IP header and eight octets or more of the datagram, unchanged."""
    subject = serve()
    end = raw.datagrams(subject, to=subject.address._replace(port=CLOSED))

    end.send(b"anybody?")

    complaint = wire.wait_for(end, got.icmp("port unreachable"))
    asked = wire.flow(end).expect(sent.datagram())
    quoted = wire.frame(asked.number).octets[14 : HEADER[subject.family] + 8]
    assert quoted in wire.frame(complaint.number).octets, "the packet is quoted as it was"


@covers("rfc768:Fields/at-most-65527-octets-over-ipv6", "rfc1122:3.3.2/reassembly-up-to-emtu-r")
@pytest.mark.parametrize("beyond", [-1, 0, 1, 2000, None], ids=["below_mtu", "mtu", "above_mtu", "twice", "largest"])
def test_datagram_goes_in_as_many_frames_as_it_needs(
    serve: Serve, probe: Probe, wire: Wire, beyond: int | None
) -> None:
    """What fits the MTU goes in one frame, one octet more in two fragments; either way it arrives as one datagram."""
    subject, place = receiving(serve)
    client = probe.datagrams(subject, to=place)
    fits = ON_THE_LINK[subject.family]
    size = LARGEST[subject.family] if beyond is None else fits + beyond
    # Fragments carry multiples of eight octets, the first one those of the UDP header too (RFC 791 3.2, RFC 8200 4.5).
    room = 1480 if subject.family == "v4" else 1448
    frames = 1 if size <= fits else -(-(8 + size) // room)

    client.send(octets(size, seed=7))
    seen = subject.tell(f"receive-from {1 << 16}")
    subject.tell(f"send-pattern-to {client.near.host} {client.near.port} {size} 7")
    client.expect(octets(size, seed=7))

    assert seen["size"] == size
    answer = wire.flow(client).expect(got.datagram(size=size))
    assert len(answer.packet.frames) == frames, f"{size} octets go in {frames} frames"


@covers("posix:dgram/datagrams-keep-boundaries")
def test_burst_waits_in_order(serve: Serve, raw: Raw) -> None:
    """Fifty datagrams that arrive before the program looks are received one by one, as they came, none joined."""
    subject, place = receiving(serve)
    end = raw.datagrams(subject, to=place)

    for number in range(50):
        end.send(b"%d" % number)

    for number in range(50):
        assert received(subject) == b"%d" % number, "the next one is received, and it alone"


@covers("rfc1122:4.1.3.3/survives-port-unreachable")
def test_unreachable_peer_costs_the_others_nothing(serve: Serve, raw: Raw, probe: Probe, wire: Wire) -> None:
    """ICMP port unreachable for one peer keeps a socket from neither sending nor receiving."""
    subject, place = receiving(serve)
    gone = probe.datagrams(subject, to=place)
    end = raw.datagrams(subject, to=place)
    gone.close()

    subject.tell(f"send-to {gone.near.host} {gone.near.port} 00")
    wire.wait_for(gone, got.datagram())
    end.send(b"and me?")

    assert received(subject) == b"and me?", "the other one is heard"
    subject.tell(f"send-to {end.near.host} {end.near.port} {b'you too'.hex()}")
    wire.wait_for(end, got.datagram(b"you too"))

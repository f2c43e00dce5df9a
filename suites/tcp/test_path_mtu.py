"""How large a packet may be on its way: what is told, who is believed, and what goes on when nobody tells (RFC 1191).

The subject is a runtime, its peer a raw one that acknowledges when the test says so. RFC 8201 says for IPv6 what RFC
1191 says for IPv4; RFC 4821 is about routers that drop in silence.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from harness.suite import control, covers, families, got, requires

if TYPE_CHECKING:
    from harness.suite import Raw, RawPeer, Runtime, Step, Wire

MTU = 1500  # octets, of the lab's link
HEADERS = {"v4": 40, "v6": 60}  # octets of IP and TCP, without options
TOO_BIG = {"v4": "fragmentation needed", "v6": "packet too big"}
LEAST_OF_V6 = 1280  # octets: every link of IPv6 takes so much (RFC 8200 5)
DONT_FRAGMENT = 0x40  # in the octet of an IPv4 header that follows its identification


@control()
def connected(runtime: Runtime, raw: Raw) -> tuple[Any, RawPeer]:
    """A connection with a raw peer that acknowledges nothing by itself."""
    with runtime.listener() as listener:
        peer = raw.connect(runtime.at(listener))
        connection, _ = listener.accept()
    peer.acknowledges = False
    return connection, peer


def full_segment(runtime: Runtime, connection: Any, peer: RawPeer) -> Step:
    """Have it send as much as the link takes in one packet; the segment."""
    connection.send(bytes(MTU - HEADERS[runtime.family]))
    return peer.expect(got.data(size=MTU - HEADERS[runtime.family]) & got.segment(seq=peer.rcv_nxt))


def put_in(packet: bytes, octets: bytes, at: int) -> bytes:
    """The packet with these octets at that place."""
    return packet[:at] + octets + packet[at + len(octets) :]


@families("v4")
@covers("rfc1191:3/df-set-for-discovery")
def test_nothing_may_be_fragmented_on_its_way(runtime: Runtime, raw: Raw, wire: Wire) -> None:
    """SYN ACK, data and FIN forbid every router to fragment them: who cannot pass one on has to say so."""
    connection, peer = connected(runtime, raw)
    full_segment(runtime, connection, peer)
    connection.close()
    peer.expect(got.FIN)

    packets = [wire.frame(step.number).octets[14:] for step in peer.flow().pick(got.segment())]

    with control():
        assert len(packets) >= 3, "the control: there were several"
    assert [packet[6] & DONT_FRAGMENT for packet in packets] == [DONT_FRAGMENT] * len(packets)


@covers("rfc1191:6.4/immediate-resend-on-frag-needed")
def test_what_was_too_big_comes_again_at_once(runtime: Runtime, raw: Raw) -> None:
    """Who is told that a packet was too big sends its octets again in smaller ones, and waits for no timer."""
    connection, peer = connected(runtime, raw)

    raw.complain(full_segment(runtime, connection, peer), TOO_BIG[runtime.family], rest=LEAST_OF_V6)

    peer.expect_at_once(got.data(size=LEAST_OF_V6 - HEADERS[runtime.family]) & got.segment(seq=1))


@covers("rfc5927:4/icmp-quoting-wrong-sequence-ignored")
def test_narrow_path_is_believed_only_with_a_number_in_flight(runtime: Runtime, raw: Raw) -> None:
    """Who quotes a number that is not in flight did not see the packet: segments stay as large as they were."""
    connection, peer = connected(runtime, raw)
    segment = full_segment(runtime, connection, peer)
    at = (20 if runtime.family == "v4" else 40) + 4  # of the sequence number

    for distance in (-(1 << 20), 1 << 20):
        guess = ((segment.segment.seq + distance) % (1 << 32)).to_bytes(4, "big")
        quoted = functools.partial(put_in, octets=guess, at=at)
        raw.complain(segment, TOO_BIG[runtime.family], rest=LEAST_OF_V6, quoted=quoted)
    peer.acknowledge()

    full_segment(runtime, connection, peer)


@covers("rfc9293:MUST-54")
def test_narrow_path_is_believed_only_of_a_connection_that_is_there(runtime: Runtime, raw: Raw) -> None:
    """Who quotes ports between which there is no connection is not heard."""
    connection, peer = connected(runtime, raw)
    segment = full_segment(runtime, connection, peer)
    at = (20 if runtime.family == "v4" else 40) + 2  # of the port that it was sent to

    quoted = functools.partial(put_in, octets=(peer.near.port + 1).to_bytes(2, "big"), at=at)
    raw.complain(segment, TOO_BIG[runtime.family], rest=LEAST_OF_V6, quoted=quoted)
    peer.acknowledge()

    full_segment(runtime, connection, peer)


@families("v6")
@covers("rfc8201:4/pmtu-never-below-1280", "rfc8201:4/packet-too-big-never-raises")
def test_path_of_ipv6_is_never_below_1280(runtime: Runtime, raw: Raw) -> None:
    """A path that is told to be narrower than every link of IPv6 is taken for one of 1280 octets; none grows wider."""
    connection, peer = connected(runtime, raw)
    smallest = LEAST_OF_V6 - HEADERS["v6"]

    for mtu in (0, 68, 1279):
        raw.complain(full_or(smallest, connection, peer), TOO_BIG["v6"], rest=mtu)
        peer.acknowledge()
    connection.send(bytes(2000))
    first = next_data(peer)

    assert len(first.data) >= smallest, f"a packet may have 1280 octets, and this segment has {len(first.data)}"
    with requires("rfc8201:4/packet-too-big-never-raises"):
        raw.complain(first, TOO_BIG["v6"], rest=LEAST_OF_V6)
        peer.acknowledge()
        raw.complain(full_or(smallest, connection, peer), TOO_BIG["v6"], rest=9000)
        peer.acknowledge()
        connection.send(bytes(2000))
        assert len(next_data(peer).data) <= smallest, "it did not grow"


def full_or(smallest: int, connection: Any, peer: RawPeer) -> Step:
    """Have it send some, and the first segment of that."""
    connection.send(bytes(smallest))
    return next_data(peer)


def next_data(peer: RawPeer) -> Step:
    """The first segment of what is not acknowledged yet, and no repetition of what was."""
    return peer.expect(got.data() & got.segment(seq=peer.rcv_nxt))


@covers("rfc4821:7.7/black-hole-recovered-without-icmp")
def test_black_hole_is_found_without_being_told(runtime: Runtime, raw: Raw) -> None:
    """Where large packets vanish and nobody tells, smaller ones are tried after some timers (tcp_mtu_probing)."""
    runtime.sysctl("net/ipv4/tcp_mtu_probing", "1")
    runtime.sysctl("net/ipv4/tcp_retries1", "1")
    connection, peer = connected(runtime, raw)
    size = len(full_segment(runtime, connection, peer).data)

    again = peer.expect(got.data())
    while len(again.data) == size:
        again = peer.expect(got.data())
    peer.send("ACK", ack=again.end)

    peer.expect(got.data() & got.segment(seq=again.end))
    assert len(again.data) <= LEAST_OF_V6 - HEADERS[runtime.family], "it comes in smaller packets"

"""From frames to packets: every frame is accounted for, and no input makes an exception.

Each frame becomes one packet, except that the fragments of one datagram become one together; so the `frames` of all
packets are the frames that were given, each once. What cannot be read is `Truncated` or `Malformed` with its reason.
A capture on loopback has Ethernet headers of zeros and reads the same.

Checksums are not looked at here (see `checksum`): it would cost more than all the rest.
"""

from __future__ import annotations

import gc
import struct
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from harness.wire import icmp
from harness.wire.fragments import Fragments
from harness.wire.network import (
    ARP,
    ICMP,
    ICMPV6,
    IPV4,
    IPV6,
    LOWEST_ETHERTYPE,
    TCP,
    UDP,
    Carried,
    Cut,
    Unreadable,
    Wrong,
    endpoint,
    ethernet,
    ipv4,
    ipv6,
)
from harness.wire.segment import (
    EVERY_FLAGS,
    Datagram,
    IcmpError,
    Malformed,
    Other,
    Packet,
    Segment,
    Truncated,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harness.wire.frame import Frame

_new: Final = tuple.__new__  # as in network
_TCP_HEADER: Final = struct.Struct("!HHIIBBHHH")
_UDP_HEADER: Final = struct.Struct("!HHHH")
_ICMP_HEADER: Final = struct.Struct("!BBHI")
_PORTS: Final = struct.Struct("!HH")

ALONE: Final = ()  # the fragments of a packet that came in one frame


class Decoder:
    """Reads frames one by one, as they come."""

    def __init__(self) -> None:
        """Begin without any fragment."""
        self.fragments = Fragments()

    def read(self, frame: Frame) -> Packet | None:
        """The packet in a frame, or the one that it completes; None for a fragment that waits for others."""
        try:
            return _read(frame, self.fragments)
        except Unreadable as problem:
            return _unreadable(frame, problem)


def decode(frames: Iterable[Frame]) -> list[Packet]:
    """What the frames mean, in the order in which they became whole; never-completed fragments come last."""
    decoder = Decoder()
    with _uncollected():
        packets = [packet for packet in map(decoder.read, frames) if packet is not None]
    for incomplete in decoder.fragments.incomplete():
        numbers = tuple(part.frame.number for part in incomplete.parts)
        last = incomplete.parts[-1].frame
        packets.append(Truncated(last.number, last.time_ns, last.sent, str(incomplete), fragments=numbers))
    return packets


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the cycle collector out meanwhile.

    Packets are tuples without cycles, yet the collector walks over all that were made so far, again and again: it took
    half the time (200,000 frames: 2.7 µs each without it, 5.2 µs with it).
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _unreadable(frame: Frame, problem: Unreadable, numbers: tuple[int, ...] = ALONE) -> Truncated | Malformed:
    kind = Truncated if isinstance(problem, Cut) else Malformed
    return kind(frame.number, frame.time_ns, frame.sent, problem.reason, problem.source, problem.destination, numbers)


def _read(frame: Frame, fragments: Fragments) -> Packet | None:
    """The packet in a frame, or None for a fragment that waits for others."""
    ethertype, start = ethernet(frame.octets)
    if ethertype == IPV4:
        carried = ipv4(frame.octets, start)
    elif ethertype == IPV6:
        carried = ipv6(frame.octets, start)
    else:
        return _other(frame, _ethertype_words(ethertype))
    if carried.fragment is None:
        return _read_carried(frame, carried, ALONE)
    if carried.end > len(frame.octets):
        raise _cut_short(carried)
    whole = fragments.add(frame, carried, carried.fragment)
    if whole is None:
        return None
    try:
        return _read_carried(frame, whole.carried, whole.frames)
    except Unreadable as problem:
        return _unreadable(frame, problem, whole.frames)


def _read_carried(frame: Frame, carried: Carried, numbers: tuple[int, ...]) -> Packet:
    """The packet that IP carries; `numbers` are the frames of its fragments."""
    protocol = carried.protocol
    if carried.end > len(carried.octets):
        raise _cut_short(carried)
    if protocol == TCP:
        return _segment(frame, carried, numbers)
    if protocol == UDP:
        return _datagram(frame, carried, numbers)
    if protocol == (ICMP if len(carried.source) == 4 else ICMPV6):
        return _icmp(frame, carried, numbers)
    return _other(frame, f"IP protocol {protocol}", numbers)


def _segment(frame: Frame, carried: Carried, numbers: tuple[int, ...]) -> Segment:
    """The TCP segment (RFC 9293 3.1)."""
    _, source, destination, octets, start, end, _ = carried
    if start + 20 > end:
        raise Wrong(f"TCP header: {end - start} of 20 octets")
    source_port, destination_port, seq, ack, offset, flags, window, checksum, urgent = _TCP_HEADER.unpack_from(
        octets, start
    )
    near, far = endpoint(source, source_port), endpoint(destination, destination_port)
    data = start + (offset >> 4) * 4
    if data < start + 20 or data > end:
        raise Wrong(f"TCP data offset {data - start} in a segment of {end - start} octets", near, far)
    fields = (
        frame.number,
        frame.time_ns,
        frame.sent,
        near,
        far,
        seq,
        ack,
        EVERY_FLAGS[flags],
        window,
        urgent,
        checksum,
        octets[start + 20 : data],
        octets[data:end],
        numbers,
    )
    return _new(Segment, fields)


def _datagram(frame: Frame, carried: Carried, numbers: tuple[int, ...]) -> Datagram:
    """The UDP datagram (RFC 768)."""
    _, source, destination, octets, start, end, _ = carried
    if start + 8 > end:
        raise Wrong(f"UDP header: {end - start} of 8 octets")
    source_port, destination_port, size, checksum = _UDP_HEADER.unpack_from(octets, start)
    near, far = endpoint(source, source_port), endpoint(destination, destination_port)
    if size < 8 or start + size > end:
        raise Wrong(f"UDP length {size} in {end - start} octets", near, far)
    data = octets[start + 8 : start + size]
    return Datagram(frame.number, frame.time_ns, frame.sent, near, far, checksum, data, numbers)


def _icmp(frame: Frame, carried: Carried, numbers: tuple[int, ...]) -> IcmpError | Other:
    """The ICMP error, or something else if it quotes neither TCP nor UDP."""
    protocol, source, destination, octets, start, end, _ = carried
    if start + icmp.HEADER > end:
        raise Wrong(f"ICMP header: {end - start} of {icmp.HEADER} octets")
    icmp_type, code, checksum, rest = _ICMP_HEADER.unpack_from(octets, start)
    family = "ICMP" if protocol == ICMP else "ICMPv6"
    if not icmp.is_error(protocol, icmp_type):
        return _other(frame, f"{family} type {icmp_type}", numbers)
    kind = icmp.kind(protocol, icmp_type, code)
    quote = icmp.quote(protocol, octets[:end], start + icmp.HEADER)
    if quote is None:
        return _other(frame, f"{family} {kind} of neither TCP nor UDP", numbers)
    return IcmpError(
        frame.number,
        frame.time_ns,
        frame.sent,
        endpoint(source, 0),
        endpoint(destination, 0),
        kind,
        icmp.mtu(protocol, icmp_type, code, rest),
        quote.protocol,
        quote.source,
        quote.destination,
        quote.seq,
        checksum,
        numbers,
    )


def _other(frame: Frame, kind: str, numbers: tuple[int, ...] = ALONE) -> Other:
    ethertype, start = ethernet(frame.octets)
    return Other(frame.number, frame.time_ns, frame.sent, kind, ethertype, frame.octets[start:], numbers)


def _ethertype_words(ethertype: int) -> str:
    if ethertype == ARP:
        return "ARP"
    return f"EtherType {ethertype:#06x}" if ethertype >= LOWEST_ETHERTYPE else "IEEE 802.3 frame"


def _cut_short(carried: Carried) -> Cut:
    """A packet of which octets are missing, with its ends if the ports are there."""
    protocol, source, destination, octets, start, end, fragment = carried
    reason = f"{max(0, len(octets) - start)} of {end - start} octets behind the IP header"
    later = fragment is not None and fragment.offset > 0
    if protocol not in (TCP, UDP) or later or min(len(octets), end) < start + 4:
        return Cut(reason)
    source_port, destination_port = _PORTS.unpack_from(octets, start)
    return Cut(reason, endpoint(source, source_port), endpoint(destination, destination_port))

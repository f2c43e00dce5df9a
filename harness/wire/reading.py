"""What a packet says, as named values in which two decoders can be compared.

Our decoder's packets become readings here; `harness.capture.scapy_reading` makes the same of scapy's. Only what a
verdict may rest on is read. What could not be read to its end has the ends that could be, and no more.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias, assert_never

from harness.payload import count, quote
from harness.wire.segment import Datagram, IcmpError, Malformed, Options, Other, Packet, Segment, Truncated

Reading: TypeAlias = dict[str, Any]

SEGMENT: Final = "TCP segment"
DATAGRAM: Final = "UDP datagram"
ICMP_ERROR: Final = "ICMP error"
OTHER: Final = "something else"
UNREADABLE: Final = "not readable"

RIGHT, WRONG = "right", "wrong"  # what the checksums of a packet are


def reading(packet: Packet, checksums: str = "") -> Reading:
    """What our decoder makes of a packet; `checksums` says whether they are right, where that is known."""
    match packet:
        case Segment():
            said: Reading = {
                **_ends(SEGMENT, str(packet.source), str(packet.destination)),
                "flags": str(packet.flags),
                "seq": packet.seq,
                "ack": packet.ack,
                "window": packet.window,
                "urgent pointer": packet.urgent,
                "options": option_words(packet.options),
                "checksum": f"{packet.checksum:#06x}",
                "data": packet.data,
            }
        case Datagram():
            said = {
                **_ends(DATAGRAM, str(packet.source), str(packet.destination)),
                "length": 8 + len(packet.data),
                "checksum": f"{packet.checksum:#06x}",
                "data": packet.data,
            }
        case IcmpError():
            said = {
                **_ends(ICMP_ERROR, packet.source.host, packet.destination.host),
                "says": packet.kind,
                "mtu": packet.mtu,
                "quotes": packet.protocol,
                "quoted source": str(packet.quoted_source),
                "quoted destination": str(packet.quoted_destination),
                "quoted seq": packet.quoted_seq,
                "checksum": f"{packet.checksum:#06x}",
            }
        case Truncated() | Malformed():
            ends = (packet.source, packet.destination)
            return _ends(UNREADABLE, *map(str, ends)) if all(ends) else {"kind": UNREADABLE}
        case Other():
            return {"kind": OTHER}
        case _:
            assert_never(packet)
    return said | ({"checksums": checksums} if checksums else {})


def _ends(kind: str, source: str, destination: str) -> Reading:
    return {"kind": kind, "source": source, "destination": destination}


def option_words(options: Options) -> str:
    """The options in words. Why a list of options breaks off is a matter of style, that it does is not."""
    said = []
    if options.mss is not None:
        said.append(f"MSS {options.mss}")
    if options.window_scale is not None:
        said.append(f"window scale {options.window_scale}")
    if options.sack_permitted:
        said.append("SACK permitted")
    said += [f"SACK {left}-{right}" for left, right in options.sack]
    if options.timestamps is not None:
        said.append(f"timestamps {options.timestamps[0]} {options.timestamps[1]}")
    said += [f"kind {kind}" for kind in options.unknown]
    if options.malformed:
        said.append("then one that is malformed")
    return ", ".join(said) or "none"


def differing(ours: Reading, theirs: Reading) -> tuple[str, ...]:
    """The names of what two readings do not have alike; of what only one of them has, where ours has it."""
    if ours.get("kind") != theirs.get("kind"):
        return ("kind",)
    return tuple(name for name, value in ours.items() if theirs.get(name) != value)


def shown(value: object) -> str:
    """A value of a reading as it stands in a table."""
    if isinstance(value, bytes):
        return f"{count(len(value))}, {quote(value, 24)}" if value else "none"
    return "none" if value is None else str(value)

"""A second opinion on what frames say: scapy dissects them, and what it reads is held against what our decoder read.

A verdict rests on our decoder, which is fast and has one author. So the frames that a finding cites are read once more,
by scapy over the capture's own scapy socket, and where the two do not agree, nothing may be concluded from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.wire.checksum import checksum_fault
from harness.wire.decode import decode
from harness.wire.reading import RIGHT, WRONG, Reading, differing, reading, shown
from harness.wire.segment import Datagram, IcmpError, Other, Segment

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from harness.wire.frame import Frame
    from harness.wire.segment import Packet

_WIDTH = 20  # of the column of names
_LOOKED_AT = 2000  # packets of a capture whose shapes are told apart


@dataclass(frozen=True)
class Difference:
    """A packet of which the two say something else."""

    frames: tuple[int, ...]
    ours: Reading
    theirs: Reading

    @property
    def fields(self) -> tuple[str, ...]:
        """What they do not have alike."""
        return differing(self.ours, self.theirs)

    @property
    def place(self) -> str:
        """`#9`, or `#7, #8 and #9` of a packet in fragments."""
        names = [f"#{number}" for number in self.frames]
        return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]

    @property
    def summary(self) -> str:
        """`#9: window is 512 by our decoder, 0 by scapy`."""
        name = self.fields[0]
        ours, theirs = shown(self.ours.get(name)), shown(self.theirs.get(name))
        more = f" (and {len(self.fields) - 1} more)" if len(self.fields) > 1 else ""
        return f"{self.place}: {name} is {ours} by our decoder, {theirs} by scapy{more}"

    def __str__(self) -> str:
        names = dict.fromkeys((*self.ours, *self.theirs))
        rows = [(name, shown(self.ours.get(name)), shown(self.theirs.get(name))) for name in names]
        width = max(len("our decoder"), *(len(ours) for _, ours, _ in rows))
        lines = [f"{self.place} by two decoders:", f"    {'':<{_WIDTH}}{'our decoder':<{width}}  scapy"]
        for name, ours, theirs in rows:
            mark = ">" if name in self.fields else " "
            lines.append(f"  {mark} {name:<{_WIDTH}}{ours:<{width}}  {theirs}")
        return "\n".join(lines)


def differences(packets: Iterable[Packet], frames: Sequence[Frame]) -> tuple[Difference, ...]:
    """Of these packets, decoded by us from a capture's `frames`, those that scapy reads otherwise.

    The frames are all of the capture, in their order: the frame #9 stands at place 8.
    """
    from harness.capture.scapy_reading import reading as scapys_reading
    from harness.capture.scapy_socket import dissected

    found = []
    for packet in packets:
        pieces = [frames[number - 1] for number in packet.frames]
        theirs = scapys_reading(dissected(pieces))
        if theirs is None:
            continue
        ours = reading(packet, _checksums(pieces))
        if "checksums" not in theirs:
            ours.pop("checksums", None)
        if differing(ours, theirs):
            found.append(Difference(packet.frames, ours, theirs))
    return tuple(found)


def _checksums(pieces: list[Frame]) -> str:
    if len(pieces) > 1:
        return ""
    return WRONG if checksum_fault(pieces[0]) else RIGHT


def those_of(numbers: Collection[int], packets: Iterable[Packet], frames: Sequence[Frame]) -> list[Packet]:
    """The packets that the frames with these numbers hold; those of the subject's end are decoded here."""
    wanted = {number for number in numbers if 0 < number <= len(frames)}
    near = [packet for packet in packets if packet.number in wanted]
    if any(frames[number - 1].far for number in wanted):
        near += [packet for packet in decode(frame for frame in frames if frame.far) if packet.number in wanted]
    return near


def everything(packets: Sequence[Packet], frames: Sequence[Frame]) -> list[Packet]:
    """The packets at the probe's end and, where a relay is between, those at the subject's."""
    return [*packets, *decode(frame for frame in frames if frame.far)]


def sample(packets: Sequence[Packet], most: int) -> list[Packet]:
    """At most so many of the packets: one of each shape first, then others from all over the capture.

    What two packets of one shape differ in is numbers and octets alone, and a decoder goes the same way through both.
    """
    if len(packets) <= most:
        return list(packets)
    shapes: dict[object, int] = {}
    for place, packet in enumerate(packets[:_LOOKED_AT]):
        shapes.setdefault(_shape(packet), place)
    places = dict.fromkeys([*shapes.values()][:most])
    for place in range(0, len(packets), max(1, len(packets) // most)):
        if len(places) >= most:
            break
        places.setdefault(place)
    return [packets[place] for place in sorted(places)]


def _shape(packet: Packet) -> tuple[object, ...]:
    """What a decoder's way through a packet depends on."""
    match packet:
        case Segment():
            said: object = (packet.flags, len(packet.option_octets), bool(packet.data))
        case IcmpError():
            said = (packet.kind, packet.protocol)
        case Datagram():
            said = bool(packet.data)
        case Other():
            said = packet.kind
        case _:
            said = packet.reason
    v6 = ":" in packet.source.host if not isinstance(packet, Other) and packet.source else False
    return type(packet), said, packet.fragments != (), v6

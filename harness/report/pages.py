"""The page of each test: what it asks, what it found, and what passed on the wire, as pictures and as text.

Thousands of them lie packed in the one file of the report, many to a pack since they resemble each other, and are
unpacked when somebody opens one. What is drawn comes from the capture in the evidence folder, so any run can be drawn
again; where there is no capture, the page shows the texts that there are.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from harness.capture import pcapng
from harness.capture.traced import traced, without_relay
from harness.lab.fates import Corrupt, Delay, Drop, Duplicate, Hold, Narrow, Reorder
from harness.record import faults
from harness.record.talks import Talk
from harness.report import ladder as drawing
from harness.report.graph import graph
from harness.report.ladder import Did, Relayed, ladder, legend
from harness.wire.decode import decode
from harness.wire.flow import Flow, by_ends, key_of
from harness.wire.segment import Datagram, Segment
from harness.wire.states import repeated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from markupsafe import Markup

    from harness.record.evidence import Shown
    from harness.wire.flow import FlowKey
    from harness.wire.frame import Frame
    from harness.wire.segment import Packet

DRAWN: Final = 4  # flows of one test: the cited ones, then the first
PACK: Final = 24  # pages in one pack

_KINDS: Final = {
    Drop: drawing.LOST,
    Duplicate: drawing.TWICE,
    Hold: drawing.LATE,
    Delay: drawing.LATE,
    Reorder: drawing.OVERTAKEN,
    Corrupt: drawing.CHANGED,
    Narrow: drawing.TOO_LARGE,
}


@dataclass(frozen=True)
class Picture:
    """One flow as it is shown."""

    name: str
    ladder: Markup
    graphs: tuple[Markup, ...]
    remarks: tuple[str, ...]
    legend: tuple[tuple[Markup, str], ...] = ()  # of what the relay did: key and word


@dataclass(frozen=True)
class Pictures:
    """The flows of one test."""

    shown: tuple[Picture, ...] = ()
    more: int = 0  # flows that the capture holds and the page does not show
    unreadable: str = ""  # why there is no picture though there is a capture


def pictures(shown: Shown, drawn: int = DRAWN) -> Pictures:
    """What can be drawn of the evidence of one test."""
    if not shown.wire:
        return Pictures()
    try:
        capture = pcapng.read(shown.wire)
    except pcapng.BadCapture as bad:
        return Pictures(unreadable=str(bad))
    notes = {number: said for number, text in capture.comments.items() if (said := without_relay(text))}
    packets = decode(frame for frame in capture.frames if not frame.far)
    sorted_packets = by_ends(packets)
    relay = _Relay.of(capture.frames, shown.faults)
    known = {_key(talk) for talk in shown.talks}
    strangers = (talk for talk in _talks(sorted_packets) if _key(talk) not in known)
    talks = (*shown.talks, *strangers)
    cited = {key_of(packet) for packet in packets if packet.number in notes}
    talks = tuple(talk for talk in talks if _key(talk) in sorted_packets or talk.calls)
    first = sorted(talks, key=lambda talk: _key(talk) not in cited)[:drawn]  # stable: else in their order
    return Pictures(
        tuple(_picture(talk, sorted_packets.get(_key(talk), []), notes, relay) for talk in first),
        len(talks) - len(first),
    )


@dataclass(frozen=True)
class _Relay:
    """What the relay did, with the frames that only the far tap has seen."""

    did: Mapping[int, Did] = field(default_factory=dict)
    unseen: frozenset[int] = frozenset()
    far: Mapping[FlowKey, list[Packet]] = field(default_factory=dict)

    @classmethod
    def of(cls, frames: Sequence[Frame], content: bytes) -> _Relay:
        """As `faults.jsonl` tells it; nothing where the file is missing or does not belong to the capture."""
        try:
            found = traced(frames, faults.read(content, frames))
        except ValueError:
            return cls()
        near = {frame.number for frame in frames if not frame.far}
        did: dict[int, Did] = {}
        unseen: set[int] = set()
        for one in found:
            what = Did(_KINDS[type(one.act.fate)], one.act.fate.done)
            arrived = {one.frame} if one.act.sent else near & set(one.passed)
            if not one.act.sent and not arrived and one.frame:
                unseen.add(one.frame)
            did |= dict.fromkeys(arrived or {one.frame}, what)
            if what.kind == drawing.TWICE and not one.act.sent and arrived:  # the probe saw both: two arrows are there
                first, *doubles = sorted(arrived)
                del did[first]
                did |= dict.fromkeys(doubles, Did(drawing.DOUBLE, "doubled by the relay"))
        far = by_ends(decode(frame for frame in frames if frame.far)) if unseen else {}
        return cls(did, frozenset(unseen), far)

    def of_flow(self, flow: Flow) -> Relayed:
        """What it did with one flow."""
        key = (flow.protocol, frozenset((flow.near, flow.far)))
        seen = Flow.assemble(self.far.get(key, []), flow.near, flow.far, flow.protocol)
        unseen = tuple(step for step in seen.steps if step.number in self.unseen)
        numbers = {step.number for step in (*flow.steps, *unseen)}
        return Relayed({number: what for number, what in self.did.items() if number in numbers}, unseen)


def _picture(talk: Talk, packets: list[Packet], notes: Mapping[int, str], relay: _Relay) -> Picture:
    flow = Flow.assemble(packets, talk.near, talk.far, talk.protocol)
    relayed = relay.of_flow(flow)
    doubles = {number for number, did in relayed.did.items() if did.kind == drawing.DOUBLE}
    again = repeated(flow.steps) - doubles
    graphs = (graph(flow, sent=sent, again=again) for sent in (True, False))
    return Picture(
        name=f"{talk.protocol.upper()} {talk.near} ↔ {talk.far}",
        ladder=ladder(flow, talk.calls, talk.answers, notes, again=again, relayed=relayed),
        graphs=tuple(one for one in graphs if one),
        remarks=flow.remarks,
        legend=legend(relayed),
    )


def _key(talk: Talk) -> FlowKey:
    return talk.protocol, frozenset((talk.near, talk.far))


def _talks(sorted_packets: Mapping[FlowKey, list[Packet]]) -> Iterator[Talk]:
    """Who talked, from the capture alone: the probe's end is where what it sent came from."""
    for (protocol, _), packets in sorted_packets.items():
        first = next((packet for packet in packets if isinstance(packet, Segment | Datagram)), None)
        if protocol and first is not None:
            near, far = (first.source, first.destination) if first.sent else (first.destination, first.source)
            yield Talk(protocol, near, far)


def pack(pages: Iterable[str]) -> str:
    """A pack of pages: a JSON array of HTML, compressed (RFC 1950), in base64 (RFC 4648 4)."""
    text = json.dumps(list(pages), ensure_ascii=False).encode("utf-8", "replace")
    return base64.b64encode(zlib.compress(text, 6)).decode("ascii")

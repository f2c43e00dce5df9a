"""The page of each test: what it asks, what it found, and what passed on the wire, as pictures and as text.

Thousands of them lie packed in the one file of the report, many to a pack since they resemble each other, and are
unpacked when somebody opens one. What is drawn comes from the capture in the evidence folder, so any run can be drawn
again; where there is no capture, the page shows the texts that there are.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from harness.capture import pcapng
from harness.record.talks import Talk
from harness.report.graph import graph
from harness.report.ladder import ladder
from harness.wire.decode import decode
from harness.wire.flow import Flow, by_ends, key_of
from harness.wire.segment import Datagram, Segment
from harness.wire.states import repeated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from markupsafe import Markup

    from harness.record.evidence import Shown
    from harness.wire.flow import FlowKey
    from harness.wire.segment import Packet

DRAWN: Final = 4  # flows of one test: the cited ones, then the first
PACK: Final = 24  # pages in one pack


@dataclass(frozen=True)
class Picture:
    """One flow as it is shown."""

    name: str
    ladder: Markup
    graphs: tuple[Markup, ...]
    remarks: tuple[str, ...]


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
    packets = decode(capture.frames)
    sorted_packets = by_ends(packets)
    known = {_key(talk) for talk in shown.talks}
    strangers = (talk for talk in _talks(sorted_packets) if _key(talk) not in known)
    talks = (*shown.talks, *strangers)
    cited = {key_of(packet) for packet in packets if packet.number in capture.comments}
    talks = tuple(talk for talk in talks if _key(talk) in sorted_packets or talk.calls)
    first = sorted(talks, key=lambda talk: _key(talk) not in cited)[:drawn]  # stable: else in their order
    return Pictures(
        tuple(_picture(talk, sorted_packets.get(_key(talk), []), capture.comments) for talk in first),
        len(talks) - len(first),
    )


def _picture(talk: Talk, packets: list[Packet], notes: Mapping[int, str]) -> Picture:
    flow = Flow.assemble(packets, talk.near, talk.far, talk.protocol)
    again = repeated(flow.steps)
    graphs = (graph(flow, sent=sent, again=again) for sent in (True, False))
    return Picture(
        name=f"{talk.protocol.upper()} {talk.near} ↔ {talk.far}",
        ladder=ladder(flow, talk.calls, talk.answers, notes, again=again),
        graphs=tuple(one for one in graphs if one),
        remarks=flow.remarks,
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


def packs(pages: Iterable[str]) -> Iterator[str]:
    """The pages in packs of `PACK`: JSON arrays of HTML, compressed (RFC 1950), in base64 (RFC 4648 4)."""
    waiting: list[str] = []
    for page in pages:
        waiting.append(page)
        if len(waiting) == PACK:
            yield _packed(waiting)
            waiting.clear()
    if waiting:
        yield _packed(waiting)


def _packed(pages: list[str]) -> str:
    text = json.dumps(pages, ensure_ascii=False).encode("utf-8", "replace")
    return base64.b64encode(zlib.compress(text, 6)).decode("ascii")

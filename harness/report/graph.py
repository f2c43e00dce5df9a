"""The time-sequence graph of one direction of a connection: octets over time, as Wireshark draws it.

Each data segment is an upright stroke from its first to its last octet; the lower stairs are what the other end has
acknowledged, the upper ones the edge of its window. Octets that were sent again are marked. Long pauses are cut out of
the time axis, and the cut says how long it was. SVG for the page's own style; every word is escaped.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final, TypeVar

from markupsafe import Markup, escape

from harness.wire.segment import RST, SYN, Segment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.wire.flow import Flow
    from harness.wire.step import Step

_T = TypeVar("_T")

LEAST: Final = 4  # data segments in one direction: fewer show nothing that the ladder does not
STROKES: Final = 700  # of one kind in one graph; of more every so many are drawn

_WIDTH: Final = 1020
_HEIGHT: Final = 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 90, 1000, 14, 218
_PAUSE_SHARE: Final = 12  # a pause of more than a twelfth of all the time between segments is cut
_SHORT_NS: Final = 5_000_000  # a pause that is never cut
_MARKS: Final = 5  # of the octet axis at least


@dataclass(frozen=True)
class Scale:
    """Nanoseconds to places on the time axis; pauses are cut."""

    times: tuple[int, ...]  # when something happened, sorted
    places: tuple[float, ...]  # of each, from 0 to 1
    cuts: tuple[tuple[float, int], ...]  # where a pause was cut, and its nanoseconds

    @classmethod
    def of(cls, moments: Sequence[int]) -> Scale:
        """The scale on which these moments are spread."""
        times = tuple(sorted(set(moments)))
        steps = [later - earlier for earlier, later in pairwise(times)]
        total = sum(steps)
        # What is left when every long pause is cut to a twelfth decides how wide a cut one is drawn.
        limit = max(_SHORT_NS, total // _PAUSE_SHARE)
        short = sum(step for step in steps if step <= limit)
        cut = max(1, min(limit, short // 3 or limit))
        kept = [step if step <= limit else cut for step in steps]
        places = list(accumulate(kept, initial=0))
        whole = places[-1] or 1
        cuts = tuple(
            ((places[place] + kept[place] / 2) / whole, step) for place, step in enumerate(steps) if step > limit
        )
        return cls(times, tuple(place / whole for place in places), cuts)

    def place(self, time_ns: int) -> float:
        """Where a moment stands, from 0 to 1."""
        return self.places[max(0, bisect_right(self.times, time_ns) - 1)]


def graph(flow: Flow, *, sent: bool, again: frozenset[int] = frozenset()) -> Markup:
    """The graph of what one end sent, an SVG element, the frames in `again` marked; empty with too little to show."""
    data = [step for step in flow.steps if step.sent == sent and step.data and _counts(step)]
    if flow.protocol != "tcp" or len(data) < LEAST:
        return Markup("")
    answers = [step for step in flow.steps if step.sent != sent and step.ack and _counts(step)]
    return _Graph(flow, sent, data, answers, again).drawn()


def _counts(step: Step) -> bool:
    return isinstance(step.packet, Segment) and not step.flags & RST


class _Graph:
    """One drawing: where octets and moments stand in it."""

    def __init__(
        self, flow: Flow, sent: bool, data: Sequence[Step], answers: Sequence[Step], again: frozenset[int]
    ) -> None:
        self._flow = flow
        self._sent = sent
        self._data = data
        self._answers = answers
        self._again = again
        self._scale = Scale.of([step.time_ns for step in (*data, *answers)])
        sent_up_to = max(step.end for step in data)
        edge = max((step.right_edge for step in answers if not step.flags & SYN), default=0)
        # A window's edge that lies far above the octets would flatten them.
        self._top_octet = max(sent_up_to, min(edge, 2 * sent_up_to))

    def drawn(self) -> Markup:
        """The whole element."""
        who = "the probe" if self._sent else "the subject"
        title = f"Time-sequence graph: what {who} sent, {self._data[-1].end - 1} octets"
        parts = [*self._axis(), self._stairs("edge", [(step, step.right_edge) for step in self._answers])]
        parts.append(self._stairs("acked", [(step, step.ack) for step in self._answers]))
        parts.extend(self._strokes())
        return Markup(
            f'<svg class="graph" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img"'
            f' aria-label="{escape(title)}"><text class="end" x="{_LEFT + 8}" y="{_TOP + 4}">{who} sent</text>'
            f"{''.join(parts)}</svg>"
        )

    def _x(self, time_ns: int) -> float:
        return round(_LEFT + (_RIGHT - _LEFT) * self._scale.place(time_ns), 1)

    def _y(self, octet: int) -> float:
        shown = min(octet, self._top_octet)
        return round(_BOTTOM - (_BOTTOM - _TOP) * shown / max(1, self._top_octet), 1)

    def _axis(self) -> list[str]:
        parts = [f'<path class="axis" d="M{_LEFT} {_TOP}V{_BOTTOM}H{_RIGHT}"/>']
        for octet in _marks(self._top_octet):
            y = self._y(octet)
            parts.append(f'<path class="grid" d="M{_LEFT} {y}H{_RIGHT}"/>')
            parts.append(f'<text class="mark left" x="{_LEFT - 6}" y="{y + 4}">{octet:,}</text>')
        first, last = self._scale.times[0], self._scale.times[-1]
        start = self._flow.steps[0].time_ns
        for time_ns, side in ((first, "right"), (last, "left")):
            text = f"{(time_ns - start) / 1e9:.4f} s"
            parts.append(f'<text class="mark {side}" x="{self._x(time_ns)}" y="{_BOTTOM + 18}">{text}</text>')
        for place, nanoseconds in self._scale.cuts[:8]:
            x = round(_LEFT + (_RIGHT - _LEFT) * place, 1)
            parts.append(f'<path class="gap" d="M{x} {_TOP}V{_BOTTOM}"/>')
            parts.append(f'<text class="wait" x="{x}" y="{_BOTTOM + 32}">{nanoseconds / 1e9:.2g} s</text>')
        return parts

    def _stairs(self, kind: str, points: Sequence[tuple[Step, int]]) -> str:
        if not points:
            return ""
        path = ""
        for step, octet in _thinned(points):
            x, y = self._x(step.time_ns), self._y(octet)
            path += f"H{x}V{y}" if path else f"M{x} {y}"
        return f'<path class="{kind}" d="{path}H{_RIGHT}"/>'

    def _strokes(self) -> list[str]:
        paths = {"data": "", "again": ""}
        for step in _thinned(self._data):
            x = self._x(step.time_ns)
            top, bottom = self._y(step.seq + len(step.data)), self._y(step.seq)
            # A stroke shorter than a point would not be seen.
            paths["again" if step.number in self._again else "data"] += f"M{x} {bottom}V{min(top, bottom - 1.5)}"
        return [f'<path class="{kind}" d="{path}"/>' for kind, path in paths.items() if path]


def _marks(highest: int) -> list[int]:
    """Round numbers of octets for the axis."""
    step = 1
    while highest // step > 2 * _MARKS:
        step *= 10
    while highest // step < _MARKS and step > 1:
        step //= 2
    return list(range(0, highest + 1, max(1, step)))


def _thinned(points: Sequence[_T]) -> list[_T]:
    """Every so many of the points, the last one among them."""
    stride = -(-len(points) // STROKES)
    thin = list(points[::stride])
    return thin if not points or thin[-1] is points[-1] else [*thin, points[-1]]

"""The ladder diagram of a flow: the probe at the left, the subject at the right, each segment an arrow between them.

Time runs down, one line for each event in its order; where long nothing happened the lifelines break and say how long.
What the ends called stands at the margins, their states (see `harness.wire.states`) beside their lifelines. A cited
segment is marked, with the reason. Of a long flow the uncited middle of a transfer is told in one line.

What a relay did stands in a colour of its own: an arrow that ends in a cross was lost on the way, two arrows for one
arrived twice, a bent one was late. What the subject sent and the probe never saw is drawn too, from the far tap.

The text is SVG for the page's own style: every word of it is escaped here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

from markupsafe import Markup, escape

from harness.payload import count, quote
from harness.wire.listing import seconds, words
from harness.wire.segment import FIN, RST, SYN, URG, IcmpError, Segment
from harness.wire.states import changes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.probe.calls import Call
    from harness.wire.flow import Flow
    from harness.wire.states import Change
    from harness.wire.step import Step

WHOLE: Final = 48  # steps: a flow of so many is drawn whole
FOLDED: Final = 6  # steps of a transfer in a row at least, for a long flow to tell them in one line
DRAWN: Final = 160  # lines of one ladder; of a longer one the middle is left out

_WIDTH: Final = 1020
_CLOCK: Final = 66  # right edge of the time column
_LEFT: Final = 300  # the probe's lifeline
_RIGHT: Final = 750  # the subject's
_LINE: Final = 24  # height of an event
_SLOPE: Final = 7  # how much lower an arrow ends than it begins: time passes on the way
_CHARACTERS: Final = 66  # of a label that fit between the lifelines
_OUTSIDE: Final = 30  # of a call that fit outside
_LONG_NS: Final = 20_000_000  # nothing happened for so long: worth a line


LOST, TWICE, DOUBLE, LATE, OVERTAKEN = "lost", "twice", "double", "late", "overtaken"
CHANGED, TOO_LARGE = "changed", "too-large"

# How the line of each runs from its start x, with the middle m, to its end e: the height y falls by d on the way.
_LINES: Final = {
    LOST: "M{x} {y}L{m} {h}M{m} {h}m-4 -3l8 8m0 -8l-8 8",
    TWICE: "M{x} {y}L{e} {z}m{p} -5l{q} 5l{p} 4M{x} {y5}L{e} {z5}",
    DOUBLE: "M{x} {y}L{e} {z}m{p} -5l{q} 5l{p} 4",
    LATE: "M{x} {y}H{m}V{z}H{e}m{p} -5l{q} 5l{p} 5",
    OVERTAKEN: "M{x} {y}H{m}m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0m4 4V{z}H{e}m{p} -5l{q} 5l{p} 5",
    CHANGED: "M{x} {y}L{b} {h}l{s3} -5l{s5} 10l{s5} -10l{s3} 5L{e} {z}m{p} -5l{q} 5l{p} 4",
    TOO_LARGE: "M{x} {y}L{m} {h}m0 -7v14",
}
KINDS: Final = tuple(_LINES)
_WORDS: Final = {
    LOST: "lost",
    TWICE: "arrives twice",
    DOUBLE: "a second time",
    LATE: "late",
    OVERTAKEN: "overtaken by the next",
    CHANGED: "changed",
    TOO_LARGE: "too large for the link",
}


@dataclass(frozen=True)
class Did:
    """What the relay did with a step."""

    kind: str
    words: str  # "delayed by 0.05 s"


@dataclass(frozen=True)
class Relayed:
    """What the relay did with a flow."""

    did: Mapping[int, Did] = field(default_factory=dict)  # number of the frame → what
    unseen: tuple[Step, ...] = ()  # what the subject sent and the probe never saw, numbered in `did`

    @property
    def kinds(self) -> tuple[str, ...]:
        """What there is to explain, in the order of the legend."""
        met = {one.kind for one in self.did.values()}
        return tuple(kind for kind in _LINES if kind in met)


_CALM: Final = Relayed()


@dataclass(frozen=True)
class _Arrow:
    """One step."""

    step: Step
    change: Change | None
    again: bool
    note: str | None
    did: Did | None = None

    @property
    def stands_out(self) -> bool:
        """Whether a reader must see it, however long the flow; on a slow link everything is late."""
        return self.note is not None or (self.did is not None and self.did.kind != LATE)

    @property
    def time_ns(self) -> int:
        return self.step.time_ns


@dataclass(frozen=True)
class _Called:
    """A socket call at one end."""

    call: Call
    near: bool

    @property
    def time_ns(self) -> int:
        return self.call.time_ns


@dataclass(frozen=True)
class _Folded:
    """Steps that are told in one line."""

    steps: tuple[Step, ...]

    @property
    def time_ns(self) -> int:
        return self.steps[0].time_ns


_Event: TypeAlias = "_Arrow | _Called | _Folded"


def ladder(
    flow: Flow,
    near_calls: Sequence[Call] = (),
    far_calls: Sequence[Call] = (),
    notes: Mapping[int, str] | None = None,
    *,
    again: frozenset[int] = frozenset(),
    relayed: Relayed = _CALM,
) -> Markup:
    """The diagram of a flow as an SVG element: `notes` are the cited frames with the reason, `again` those repeated."""
    events = _events(flow, near_calls, far_calls, notes or {}, again, relayed)
    drawing = _Drawing(flow, events[0].time_ns if events else 0)
    before = drawing.start
    drawn = -1
    for number in _kept(events):
        event = events[number]
        if number > drawn + 1:
            drawing.remark(f"… {number - drawn - 1} lines left out: the capture has them …")
            before = event.time_ns
        drawn = number
        drawing.pause(event.time_ns - before)
        before = max(before, event.steps[-1].time_ns if isinstance(event, _Folded) else event.time_ns)
        drawing.draw(event)
    return drawing.finished()


def _kept(events: Sequence[_Event]) -> list[int]:
    """Which events are drawn: all of a short ladder, of a longer one both ends and what is cited."""
    if len(events) <= DRAWN:
        return list(range(len(events)))
    half = DRAWN // 2
    cited = [number for number, event in enumerate(events) if isinstance(event, _Arrow) and event.stands_out]
    return sorted({*range(half), *cited[:half], *range(len(events) - half, len(events))})


def _events(
    flow: Flow,
    near_calls: Sequence[Call],
    far_calls: Sequence[Call],
    notes: Mapping[int, str],
    again: frozenset[int],
    relayed: Relayed,
) -> list[_Event]:
    """What happened, in the order of time; a call stands before the segment that it caused."""
    changed = {change.number: change for change in changes(flow.steps)}
    events: list[_Event] = []
    run: list[Step] = []

    def fold() -> None:
        if len(run) >= FOLDED:
            events.append(_Folded(tuple(run)))
        else:
            events.extend(_Arrow(step, None, step.number in again, None, relayed.did.get(step.number)) for step in run)
        run.clear()

    for step in flow.steps:
        did = relayed.did.get(step.number)
        marked = step.number in notes or step.number in changed or step.number in again
        marked = marked or (did is not None and did.kind != LATE)
        plain = not (marked or step.flags & (SYN | FIN | RST | URG) or isinstance(step.packet, IcmpError))
        if len(flow.steps) > WHOLE and plain:
            run.append(step)
            continue
        fold()
        events.append(_Arrow(step, changed.get(step.number), step.number in again, notes.get(step.number), did))
    fold()
    events.extend(_Arrow(step, None, False, None, relayed.did.get(step.number)) for step in relayed.unseen)
    events.extend(_Called(call, near=True) for call in near_calls)
    events.extend(_Called(call, near=False) for call in far_calls)
    return sorted(events, key=lambda event: event.time_ns)


class _Drawing:
    """The SVG as it grows downwards."""

    def __init__(self, flow: Flow, start: int) -> None:
        self.start = start
        self._flow = flow
        self._parts: list[str] = []
        self._y = 34

    def pause(self, nanoseconds: int) -> None:
        """A break of the lifelines where nothing happened for long."""
        if nanoseconds < _LONG_NS:
            return
        y = self._y
        self._parts.append(
            f'<path class="gap" d="M{_LEFT} {y}V{y + _LINE}M{_RIGHT} {y}V{y + _LINE}"/>'
            f'<text class="wait" x="{(_LEFT + _RIGHT) // 2}" y="{y + 15}">{nanoseconds / 1e9:.3g} s</text>'
        )
        self._y += _LINE

    def remark(self, text: str) -> None:
        """A line of words where arrows are left out."""
        self._clear(self._y, _LINE)
        self._parts.append(f'<text class="wait" x="{(_LEFT + _RIGHT) // 2}" y="{self._y + 15}">{escape(text)}</text>')
        self._y += _LINE

    def draw(self, event: _Event) -> None:
        """One event on a line of its own."""
        if isinstance(event, _Called):
            self._call(event)
        elif isinstance(event, _Folded):
            self._folded(event)
        else:
            self._arrow(event)

    def finished(self) -> Markup:
        """The whole element."""
        near, far = self._flow.near, self._flow.far
        height = self._y + 10
        lifelines = f"M{_LEFT} 26V{height - 4}M{_RIGHT} 26V{height - 4}"
        title = f"Ladder diagram: probe {near}, subject {far}, {len(self._flow.steps)} steps"
        return Markup(
            f'<svg class="ladder" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" role="img"'
            f' aria-label="{escape(title)}">'
            f'<path class="life" d="{lifelines}"/>'
            f'<text class="end" x="{_LEFT}" y="16">probe {escape(near)}</text>'
            f'<text class="end" x="{_RIGHT}" y="16">subject {escape(far)}</text>'
            f"{''.join(self._parts)}</svg>"
        )

    def _arrow(self, arrow: _Arrow) -> None:
        step, y = arrow.step, self._y
        height = _LINE + (15 if arrow.note is not None else 0)
        if arrow.note is not None:
            self._parts.append(f'<rect class="cited" x="0" y="{y}" width="{_WIDTH}" height="{height}"/>')
        start, end = (_LEFT, _RIGHT) if step.sent else (_RIGHT, _LEFT)
        top, bottom = y + 14, y + 14 + _SLOPE
        point = -8 if step.sent else 8
        kind = " rst" if step.flags & RST else " again" if arrow.again else ""
        self._clock(step.time_ns)
        label, line = escape(_label(arrow)), f"M{start} {top}L{end} {bottom}m{point} -5l{-point} 5l{point} 4"
        if arrow.did is not None:
            line = _bent(arrow.did.kind, start, end, top)
            label += Markup('<tspan class="did"> {}</tspan>').format(arrow.did.words)
        self._parts.append(
            f'<path class="arrow{kind}{" did" if arrow.did else ""}" d="{line}"/>'
            f'<text class="label{kind}" x="{(_LEFT + _RIGHT) // 2}" y="{y + 10}">{label}</text>'
        )
        if arrow.change is not None:
            self._state(arrow.change.near, _LEFT - 8, "left", y + (10 if step.sent else 22))
            self._state(arrow.change.far, _RIGHT + 8, "right", y + (22 if step.sent else 10))
        if arrow.note is not None:
            text = escape(f"cited: {arrow.note}")
            self._parts.append(f'<text class="why" x="{(_LEFT + _RIGHT) // 2}" y="{y + 33}">{text}</text>')
        self._y += height

    def _state(self, state: str, x: int, side: str, y: int) -> None:
        if state:
            self._parts.append(f'<text class="state {side}" x="{x}" y="{y}">{state}</text>')

    def _folded(self, folded: _Folded) -> None:
        self._clock(folded.time_ns)
        y = self._y
        self._parts.append(
            f'<path class="bulk" d="M{_LEFT + 6} {y + 4}v{_LINE - 8}M{_RIGHT - 6} {y + 4}v{_LINE - 8}"/>'
            f'<text class="wait" x="{(_LEFT + _RIGHT) // 2}" y="{y + 15}">{escape(_bulk(folded.steps))}</text>'
        )
        self._y += _LINE

    def _call(self, called: _Called) -> None:
        text = str(called.call)
        shown = escape(text if len(text) <= _OUTSIDE else text[: _OUTSIDE - 1] + "…")
        x, side = (_LEFT - 8, "left") if called.near else (_RIGHT + 8, "right")
        self._clock(called.time_ns)
        self._parts.append(f'<text class="call {side}" x="{x}" y="{self._y + 12}">{shown}</text>')
        self._y += 17

    def _clock(self, time_ns: int) -> None:
        since = max(0, time_ns - self.start)
        self._parts.append(f'<text class="clock" x="{_CLOCK}" y="{self._y + 12}">{seconds(since)}</text>')

    def _clear(self, y: int, height: int) -> None:
        self._parts.append(f'<path class="gap" d="M{_LEFT} {y}v{height}M{_RIGHT} {y}v{height}"/>')


def _bent(kind: str, start: int, end: int, top: int, slope: int = _SLOPE) -> str:
    """The line of an arrow that met this on its way from `start` to `end`."""
    toward = 1 if end > start else -1
    return _LINES[kind].format(
        x=start,
        e=end,
        m=(start + end) // 2,
        b=(start + end) // 2 - 8 * toward,
        y=top,
        h=top + slope // 2,
        z=top + slope,
        y5=top + 5,
        z5=top + slope + 5,
        p=-8 * toward,
        q=8 * toward,
        s3=3 * toward,
        s5=5 * toward,
    )


def legend(relayed: Relayed) -> tuple[tuple[Markup, str], ...]:
    """A key for each thing that the relay did, with its word."""
    return tuple(
        (
            Markup(
                '<svg class="key" width="46" height="18" aria-hidden="true"><path class="arrow did" d="{}"/></svg>'
            ).format(_bent(kind, 2, 44, 6, 4)),
            _WORDS[kind],
        )
        for kind in relayed.kinds
    )


def _label(arrow: _Arrow) -> str:
    text = " ".join(words(arrow.step).split())
    if arrow.again:
        text += " (sent again)"
    data = arrow.step.data
    room = _CHARACTERS - (len(arrow.did.words) + 1 if arrow.did else 0)
    if isinstance(arrow.step.packet, Segment) and data and len(text) + 6 < room:
        shown = quote(data[:24])
        text = f"{text} {shown}" if len(text) + len(shown) + 2 <= room and len(data) <= 24 else text
    return text if len(text) <= room else text[: room - 1] + "…"


def _bulk(steps: Sequence[Step]) -> str:
    """What so many steps carried."""
    parts = []
    for sent, word in ((True, "sent"), (False, "got")):
        own = [step for step in steps if step.sent == sent]
        octets = sum(len(step.data) for step in own)
        if own:
            parts.append(f"{len(own)} {word}" + (f" ({count(octets)})" if octets else ""))
    longest = max((later.time_ns - step.time_ns for step, later in pairwise(steps)), default=0)
    pause = f", a pause of {longest / 1e9:.2g} s" if longest >= _LONG_NS else ""
    return f"… {', '.join(parts)}{pause} …"

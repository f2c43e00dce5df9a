"""One line for each step of a flow: the one notation for a segment, in failures, reports and documents alike.

      > #9   +0.000129  got   FIN ACK  6:6(0)           ack 7      win 65536   = got FIN

Frame number, seconds since the first step of the flow, sender, flags, sequence numbers first:next(octets), all
relative and unwrapped, window scaled. `>` and the words behind `=` stand where a finding cites the step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from harness.payload import count, quote
from harness.wire.pattern import sender_word
from harness.wire.segment import ACK, SYN, URG, Datagram, IcmpError, Segment

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from harness.wire.segment import Endpoint, Options
    from harness.wire.step import Step

WHOLE: Final = 16  # a flow of so many steps is always shown whole
WIDTHS: Final = (7, 15, 9, 9)  # columns of a segment at least: flags, sequence numbers, ack, window
SHOWN: Final = 24  # octets of a datagram
AROUND: Final = 3  # of a longer one, so many steps at both ends and on both sides of those concerned


class Trace(Protocol):
    """What a listing needs of a flow."""

    @property
    def near(self) -> Endpoint: ...
    @property
    def far(self) -> Endpoint: ...
    @property
    def steps(self) -> tuple[Step, ...]: ...
    @property
    def remarks(self) -> tuple[str, ...]: ...


def listing(
    trace: Trace, notes: Mapping[int, str] | None = None, concerned: Collection[int] | None = None
) -> list[str]:
    """The flow as lines: its ends, its steps, and what is to be remarked.

    `notes` are the frames that are cited, with the words to stand behind them. Of a long flow only the neighbourhood of
    the frames `concerned` is shown; by default those with a note.
    """
    notes = notes or {}
    shown = _shown(trace.steps, notes if concerned is None else concerned)
    rows = [_cells(step) if here else None for step, here in zip(trace.steps, shown, strict=True)]
    widths = _widths(rows)
    lines = [f"the wire: {trace.near} <-> {trace.far}"]
    if not trace.steps:
        lines.append("    (nothing between these ends)")
    left_out = 0
    for step, row in zip(trace.steps, rows, strict=True):
        if row is None:
            left_out += 1
            continue
        lines.extend(_left_out(left_out))
        left_out = 0
        lines.append(_line(step, row, notes.get(step.number), widths))
    lines.extend(_left_out(left_out))
    lines.extend(f"remark:   {remark}" for remark in trace.remarks)
    return lines


def line(step: Step, note: str | None = None) -> str:
    """One step; with a note it is marked."""
    return _line(step, _cells(step), note, WIDTHS)


def _line(step: Step, row: Sequence[str], note: str | None, widths: Sequence[int]) -> str:
    mark = ">" if note is not None else " "
    head = f"  {mark} #{step.number:<3} +{seconds(step.since_ns)}  {sender_word(step.sent):<4}"
    columns = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False))
    told = f"{columns:<{sum(widths) + 2 * len(widths) - 2}}"
    return f"{head}  {told}{'   = ' + note if note else ''}".rstrip()


def words(step: Step) -> str:
    """One step in the words of the listing, without columns, time and number."""
    return "  ".join(filter(None, _cells(step)))


def _widths(rows: Sequence[tuple[str, ...] | None]) -> list[int]:
    """How wide each column is, so that all lines of one listing stand in line; one cell alone is no column."""
    segments = [row for row in rows if row is not None and len(row) == len(WIDTHS)]
    widths = [max([least, *(len(row[column]) for row in segments)]) for column, least in enumerate(WIDTHS)]
    return [*widths[:-1], WIDTHS[-1]]  # the options of a SYN stand behind the last column, they do not stretch it


def seconds(nanoseconds: int) -> str:
    """Seconds with microseconds: `0.000129`."""
    return f"{nanoseconds // 10**9}.{nanoseconds % 10**9 // 1000:06}"


def _left_out(number: int) -> Iterator[str]:
    if number:
        yield f"    …    {number} step{'' if number == 1 else 's'} left out"


def _shown(steps: Sequence[Step], kept: Collection[int]) -> list[bool]:
    """Which steps stand in a listing: all of a short flow, of a long one those near an end or near a kept frame."""
    if len(steps) <= WHOLE:
        return [True] * len(steps)
    shown = [False] * len(steps)
    places = [place for place, step in enumerate(steps) if step.number in kept]
    for place in (*places, *range(AROUND), *range(len(steps) - AROUND, len(steps))):
        around = AROUND if steps[place].number in kept else 0
        for near in range(max(0, place - around), min(len(steps), place + around + 1)):
            shown[near] = True
    return shown


def _cells(step: Step) -> tuple[str, ...]:
    """The columns of a segment; what is no segment is told in one."""
    packet = step.packet
    if isinstance(packet, Segment):
        return _segment(step, packet)
    if isinstance(packet, Datagram):
        shown = f" {quote(packet.data[:SHOWN])}{'…' if len(packet.data) > SHOWN else ''}" if packet.data else ""
        parts = f" in {len(packet.fragments)} fragments" if packet.fragments else ""
        return (f"datagram ({count(len(packet.data))}){parts}{shown}",)
    return (_icmp(packet),)


def _segment(step: Step, segment: Segment) -> tuple[str, str, str, str]:
    numbers = f"{step.seq}:{step.seq + len(step.data)}({len(step.data)})"
    ack = f"ack {step.ack}" if step.flags & ACK else ""
    words = [f"win {step.window}"]
    if step.flags & URG:
        words.append(f"urg {segment.urgent}")
    if step.flags & SYN:
        words.extend(_syn_options(segment.options))
    words.extend(f"sack {left}:{right}" for left, right in step.sack)
    if segment.options.malformed:
        words.append(segment.options.malformed)
    return str(step.flags), numbers, ack, "  ".join(words)


def _syn_options(options: Options) -> Iterator[str]:
    """Options that two ends agree on in their SYNs."""
    if options.mss is not None:
        yield f"mss {options.mss}"
    if options.window_scale is not None:
        yield f"wscale {options.window_scale}"
    if options.sack_permitted:
        yield "sackOK"
    if options.timestamps is not None:
        yield "ts"


def _icmp(error: IcmpError) -> str:
    mtu = f", mtu {error.mtu}" if error.mtu else ""
    return f"ICMP {error.kind}{mtu}, from {error.source.host}"

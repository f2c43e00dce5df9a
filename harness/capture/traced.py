"""The relay's log held against the capture: which frame an act met at one end, and which it became at the other.

A frame comes to the relay where it was sent: what the probe sent was seen at the near tap, what the subject sent at the
far one. What went on instead was seen at the other tap, or at none. The log has places and octets, the capture has
numbers; here one is found by the other, so that a reader can be told of frame #12.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.lab.acts import Act, Passage
    from harness.wire.frame import Frame

COMMENT: Final = "relay: "  # what a comment on a frame begins with that tells of an act


@dataclass(frozen=True)
class Traced:
    """An act with the numbers of the frames that it was about; 0 for one that no tap has seen."""

    act: Act
    frame: int  # as it came
    passed: tuple[int, ...] = ()  # as it went on, and what went back to its sender

    def __str__(self) -> str:
        """A line of a listing: `#7 → #9, #10   doubled: sent …, by '…'`."""
        onward = ", ".join(f"#{number}" for number in self.passed if number)
        came = f"#{self.frame}" if self.frame else "#?"
        return f"  {f'{came} → {onward}' if onward else came:<16} {self.act}"


def traced(frames: Sequence[Frame], acts: Iterable[Act]) -> tuple[Traced, ...]:
    """Each act with its frames; `frames` are those of both taps."""
    came = {sent: [frame for frame in frames if frame.sent == sent and frame.far != sent] for sent in (True, False)}
    went: dict[tuple[bool, bytes], list[Frame]] = {}
    for frame in frames:
        if frame.far == frame.sent:
            went.setdefault((frame.sent, frame.octets), []).append(frame)
    found = []
    for act in acts:
        passed = [_passed(went, passage) for passage in act.passed]
        alike = len({(passage.sent, passage.octets) for passage in act.passed}) < 2
        found.append(Traced(act, _met(came[act.sent], act), tuple(sorted(passed) if alike else passed)))
    return tuple(found)


def _met(came: Sequence[Frame], act: Act) -> int:
    """The frame at the act's place; where two processors have changed the order of two, the next one like it."""
    nearby = (act.place - 1 + shift for shift in (0, 1, -1, 2, -2, 3, -3, 4, -4))
    return next((came[at].number for at in nearby if 0 <= at < len(came) and came[at].octets == act.octets), 0)


def _passed(went: dict[tuple[bool, bytes], list[Frame]], passage: Passage) -> int:
    """The frame that was put on the wire then: of several with these octets the nearest in time, each once."""
    alike = went.get((passage.sent, passage.octets), [])
    if not alike:
        return 0
    nearest = min(alike, key=lambda frame: abs(frame.time_ns - passage.time_ns))
    alike.remove(nearest)
    return nearest.number


def comments(found: Iterable[Traced]) -> dict[int, str]:
    """What a capture file says of its frames: on the one that came what was done, on what went on whence it is."""
    told: dict[int, list[str]] = {}
    for one in found:
        origin = f"#{one.frame}" if one.frame else "a frame that no tap has seen"
        if one.frame:
            told.setdefault(one.frame, []).append(f"{COMMENT}{one.act.fate.done}, by {one.act.rule!r}")
        for number in one.passed:
            if number:
                told.setdefault(number, []).append(f"{COMMENT}{origin}, {one.act.fate.done}")
    return {number: "\n".join(lines) for number, lines in told.items()}


def joined(cited: Mapping[int, str], relayed: Mapping[int, str]) -> dict[int, str]:
    """The comments of a finding and those of the relay, one to a line."""
    return {
        number: "\n".join(filter(None, (cited.get(number), relayed.get(number))))
        for number in sorted(cited.keys() | relayed.keys())
    }


def without_relay(comment: str) -> str:
    """What a comment says apart from the relay: the words of a finding."""
    return "\n".join(line for line in comment.split("\n") if not line.startswith(COMMENT))

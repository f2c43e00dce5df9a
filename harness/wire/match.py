"""Does a step match a pattern, and if not, why not; and which pattern of several is missing in a flow.

Three rules hold for the whole file.

A step matches exactly when nothing speaks against it. There is one judgment, `mismatches`, and `matches` asks whether
it is empty. The loser was a quick predicate beside a slow explanation: two judges that a test must keep of one mind.

What a pattern does not say is not looked at. A want reads its own field and no other, so that a new want cannot change
what the old ones mean.

Nothing here raises or prints. A claim over a flow returns the steps that matched, or a value that describes what is
wrong; `explain` turns that into text, and `expect` raises it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias, assert_never

from harness.payload import count, quote
from harness.wire.pattern import (
    KIND_WORDS,
    Acked,
    BareAck,
    Data,
    Field,
    FieldName,
    Icmp,
    Pattern,
    Template,
    Want,
    Window,
    WithFlags,
    WithoutFlags,
    sender_word,
)
from harness.wire.segment import ACK, FIN, NO_OPTIONS, RST, SYN, Flags, IcmpError, Options, Segment

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.wire.step import Step

# --- one step


def matches(pattern: Pattern, step: Step) -> bool:
    """Whether nothing speaks against the step."""
    return not mismatches(pattern, step)


def mismatches(pattern: Pattern, step: Step) -> tuple[str, ...]:
    """What speaks against the step; empty when it matches.

    Of several alternatives one that matches is enough; if none does, the reasons of all are told, each once.
    """
    reasons: dict[str, None] = {}
    for template in pattern.alternatives:
        against = _against(template, step)
        if not against:
            return ()
        reasons.update(dict.fromkeys(against))
    return tuple(reasons)


def _against(template: Template, step: Step) -> tuple[str, ...]:
    """What speaks against one template. Of the wrong sender or kind nothing further is asked: it would mean nothing."""
    if step.sent != template.sent:
        return (f"it was {sender_word(step.sent)}, not {sender_word(template.sent)}",)
    if not isinstance(step.packet, template.kind):
        return (f"it is no {KIND_WORDS[template.kind]}",)
    return tuple(reason for want in template.wants if (reason := why_not(want, step)))


def why_not(want: Want, step: Step) -> str:
    """Why the step does not have this one property; empty when it has it."""
    match want:
        case WithFlags(flags):
            missing = Flags(flags & ~step.flags)
            return f"{missing} not set" if missing else ""
        case WithoutFlags(flags):
            present = Flags(flags & step.flags)
            return f"{present} set" if present else ""
        case Data(octets, size):
            return _why_not_data(octets, size, step.data)
        case Acked(octets):
            if not step.flags & ACK:
                return "ACK not set"
            # SYN takes number 0, so n octets are acknowledged by n + 1 (RFC 9293 3.4).
            acked = max(0, step.ack - 1)
            return "" if step.ack >= octets + 1 else f"it acknowledges {count(acked)}, not {octets}"
        case Window(exactly, above):
            if step.flags & RST:
                return "a RST offers no window"  # its field is not read (RFC 9293 3.10.7)
            if above is not None:
                return "" if step.window > above else f"window is {step.window}, not above {above}"
            return "" if step.window == exactly else f"window is {step.window}, not {exactly}"
        case BareAck():
            if not step.flags & ACK:
                return "ACK not set"
            more = Flags(step.flags & (SYN | FIN | RST))
            if more:
                return f"{more} set"
            return f"it carries {count(len(step.data))}" if step.data else ""
        case Field(name, value):
            return _why_not_field(name, value, step)
        case Icmp(kind):
            said = step.packet.kind if isinstance(step.packet, IcmpError) else "nothing"
            return "" if said == kind else f"it says {said}, not {kind}"
        case _:
            assert_never(want)


def _why_not_data(octets: bytes | None, size: int | None, data: bytes) -> str:
    if octets is not None:
        return "" if data == octets else f"it carries {quote(data) if data else 'nothing'}, not {quote(octets)}"
    if size is not None:
        return "" if len(data) == size else f"it carries {count(len(data))}, not {size}"
    return "" if data else "it carries nothing"


def _options(step: Step) -> Options:
    return step.packet.options if isinstance(step.packet, Segment) else NO_OPTIONS


FIELDS: Final[dict[FieldName, Callable[[Step], int | bool | None]]] = {
    "seq": lambda step: step.seq,
    "ack": lambda step: step.ack if step.flags & ACK else None,
    "size": lambda step: len(step.data),
    "mss": lambda step: _options(step).mss,
    "window scale": lambda step: _options(step).window_scale,
    "SACK permitted": lambda step: _options(step).sack_permitted,
    "timestamps": lambda step: _options(step).timestamps is not None,
}


def _why_not_field(name: FieldName, value: int | bool, step: Step) -> str:
    seen = FIELDS[name](step)
    if seen == value:
        return ""
    if seen is None or seen is False:
        return f"it has no {name}"
    return f"it has {name}" if seen is True else f"{name} is {seen}, not {value}"


# --- a flow


@dataclass(frozen=True)
class Missing:
    """In order with anything between: `patterns[len(matched)]` did not come after the last that matched."""

    patterns: tuple[Pattern, ...]
    matched: tuple[Step, ...]
    earlier: tuple[Step, ...]  # up to and with the last that matched, steps that the missing pattern would match
    closest: Step | None  # behind it, the right sender and kind with the least against it

    @property
    def wanted(self) -> Pattern:
        """The pattern that is missing."""
        return self.patterns[len(self.matched)]


@dataclass(frozen=True)
class Differs:
    """Exactly these: another step stands at the place of the next pattern, or the flow ends early or goes on."""

    patterns: tuple[Pattern, ...]
    matched: tuple[Step, ...]
    instead: Step | None  # None: the flow ended

    @property
    def wanted(self) -> Pattern | None:
        """The pattern whose turn it was; None behind the last."""
        return self.patterns[len(self.matched)] if len(self.matched) < len(self.patterns) else None


@dataclass(frozen=True)
class Present:
    """None of this: it is there."""

    pattern: Pattern
    steps: tuple[Step, ...]


Failure: TypeAlias = Missing | Differs | Present


def pick(pattern: Pattern, steps: Sequence[Step]) -> tuple[Step, ...]:
    """All steps that match."""
    return tuple(step for step in steps if matches(pattern, step))


def in_order(patterns: tuple[Pattern, ...], steps: Sequence[Step]) -> tuple[Step, ...] | Missing:
    """The first step for each pattern, each behind the one before, with anything between.

    To take the first that matches is enough: a later one would leave less room for the patterns that follow.
    """
    matched: list[Step] = []
    at = 0
    for pattern in patterns:
        found = next((place for place in range(at, len(steps)) if matches(pattern, steps[place])), None)
        if found is None:
            return Missing(patterns, tuple(matched), pick(pattern, steps[:at]), _closest(pattern, steps[at:]))
        matched.append(steps[found])
        at = found + 1
    return tuple(matched)


def exactly(patterns: tuple[Pattern, ...], steps: Sequence[Step]) -> tuple[Step, ...] | Differs:
    """One step for each pattern, and no other."""
    for place, step in enumerate(steps):
        if place == len(patterns) or not matches(patterns[place], step):
            return Differs(patterns, tuple(steps[:place]), step)
    if len(steps) < len(patterns):
        return Differs(patterns, tuple(steps), None)
    return tuple(steps)


def none_of(pattern: Pattern, steps: Sequence[Step]) -> Present | None:
    """The steps that match, if there are any."""
    found = pick(pattern, steps)
    return Present(pattern, found) if found else None


def _closest(pattern: Pattern, steps: Sequence[Step]) -> Step | None:
    """The step that misses the pattern least: fewest reasons, with data if data is wanted, and the latest of those.

    Where only flags are wanted there is no more or less: every segment would be as close as any other.
    """
    best, least = None, None
    for template in pattern.alternatives:
        if all(isinstance(want, WithFlags | WithoutFlags) for want in template.wants):
            continue
        wants_data = any(isinstance(want, Data) for want in template.wants)
        for step in steps:
            if step.sent != template.sent or not isinstance(step.packet, template.kind):
                continue
            rank = (len(_against(template, step)), wants_data and not step.data)
            if least is None or rank <= least:
                best, least = step, rank
    return best

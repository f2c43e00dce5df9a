"""The text of a failed claim: what is missing or too much, what was expected, and the segments concerned.

    no sent FIN after #9; it did appear earlier, as #6
    expected: got FIN, then sent FIN
    the wire: 10.9.0.1:47732 <-> 10.9.0.2:35171
        #6   +0.000083  sent  FIN ACK  6:6(0)           ack 1      win 64512
      > #9   +0.000129  got   FIN ACK  6:6(0)           ack 7      win 65536   = got FIN

Written for a reader who has neither the code nor a debugger: facts first, then the place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, assert_never

from harness.wire.listing import listing
from harness.wire.match import Differs, Failure, Missing, Present, mismatches
from harness.wire.segment import Segment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.wire.listing import Trace
    from harness.wire.pattern import Pattern
    from harness.wire.step import Step

NAMED = 3  # of many frames, so many are named by number


@dataclass(frozen=True)
class Explanation:
    """A failure in words."""

    expected: str
    actual: str
    details: tuple[str, ...]
    cited: dict[int, str] = field(default_factory=dict)  # frame number -> why it is cited

    def __str__(self) -> str:
        return "\n".join((self.actual, f"expected: {self.expected}", *self.details))


def explain(failure: Failure, trace: Trace) -> Explanation:
    """Why a claim over this flow does not hold."""
    match failure:
        case Missing():
            return _missing(failure, trace)
        case Differs():
            return _differs(failure, trace)
        case Present():
            return _present(failure, trace)
        case _:
            assert_never(failure)


def _missing(failure: Missing, trace: Trace) -> Explanation:
    cited = _matched(failure.patterns, failure.matched)
    earlier = [step.number for step in failure.earlier]
    actual = f"no {failure.wanted}"
    if not failure.matched:
        actual += f" in {_extent(trace.steps)}"
    else:
        last = failure.matched[-1].number
        actual += f" after #{last}"
        before = [number for number in earlier if number != last]
        if before:
            actual += f"; it did appear earlier, as {_numbers(before)}"
        elif earlier:
            actual += f"; #{last} is one itself, but a segment counts once"
        else:
            actual += ", and none before"
    concerned = {*cited, *earlier[:NAMED], *_number(failure.closest)}
    details = [*_nearest(failure), *listing(trace, cited, concerned)]
    return Explanation(_sequence(failure.patterns), actual, tuple(details), cited)


def _nearest(failure: Missing) -> list[str]:
    if failure.closest is None:
        return []
    return [f"closest:  #{failure.closest.number}: {_reasons(failure.wanted, failure.closest)}"]


def _differs(failure: Differs, trace: Trace) -> Explanation:
    cited = _matched(failure.patterns, failure.matched)
    wanted, instead = failure.wanted, failure.instead
    if instead is None:
        rest = ", then ".join(map(str, failure.patterns[len(failure.matched) :]))
        where = f"ends with #{failure.matched[-1].number}" if failure.matched else "is empty"
        actual = f"the flow {where}, without {rest}"
    elif wanted is None:
        actual = f"#{instead.number} is more than was expected"
        cited |= {instead.number: "more than was expected"}
    else:
        actual = f"#{instead.number} is not {wanted}: {_reasons(wanted, instead)}"
        cited |= {instead.number: f"not {wanted}"}
    expected = f"exactly {_sequence(failure.patterns) or 'nothing'}"
    concerned = {*_number(instead), *(step.number for step in failure.matched[-1:])}
    return Explanation(expected, actual, tuple(listing(trace, cited, concerned)), cited)


def _present(failure: Present, trace: Trace) -> Explanation:
    numbers = [step.number for step in failure.steps]
    cited = dict.fromkeys(numbers, str(failure.pattern))
    actual = f"{failure.pattern} did appear, as {_numbers(numbers)}"
    return Explanation(f"no {failure.pattern}", actual, tuple(listing(trace, cited, numbers[:NAMED])), cited)


def _matched(patterns: Sequence[Pattern], steps: Sequence[Step]) -> dict[int, str]:
    return {step.number: str(pattern) for pattern, step in zip(patterns, steps, strict=False)}


def _sequence(patterns: Sequence[Pattern]) -> str:
    return ", then ".join(map(str, patterns))


def _reasons(pattern: Pattern, step: Step) -> str:
    return "; ".join(mismatches(pattern, step))


def _number(step: Step | None) -> tuple[int, ...]:
    return () if step is None else (step.number,)


def _numbers(numbers: Sequence[int]) -> str:
    """`#6`, `#6 and #9`, `#6, #9, #12 and 40 more`."""
    named = [f"#{number}" for number in numbers[:NAMED]]
    if len(numbers) > NAMED:
        return f"{', '.join(named)} and {len(numbers) - NAMED} more"
    return " and ".join((", ".join(named[:-1]), named[-1])) if len(named) > 1 else named[0]


def _extent(steps: Sequence[Step]) -> str:
    if not steps:
        return "a flow without a step"
    unit = "segment" if all(isinstance(step.packet, Segment) for step in steps) else "packet"
    return f"{len(steps)} {unit}{'' if len(steps) == 1 else 's'}"

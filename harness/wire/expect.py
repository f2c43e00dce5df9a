"""The claims on a flow: they return what they matched, and raise what is wrong.

A claim that raises cannot be forgotten, as a comparison without an assert can. `Flow` has each as a method.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from harness.verdict import WireMismatch
from harness.wire.explain import explain
from harness.wire.match import Differs, Failure, Missing, exactly, in_order, none_of

if TYPE_CHECKING:
    from harness.wire.listing import Trace
    from harness.wire.pattern import Pattern
    from harness.wire.step import Step


@overload
def expect(flow: Trace, pattern: Pattern, /) -> Step: ...
@overload
def expect(flow: Trace, first: Pattern, second: Pattern, /, *more: Pattern) -> tuple[Step, ...]: ...
def expect(flow: Trace, /, *patterns: Pattern) -> Step | tuple[Step, ...]:
    """These appear in this order, with anything between; returns the steps, of one pattern the step itself."""
    if not patterns:
        raise ValueError("nothing is expected of the flow")
    found = in_order(patterns, flow.steps)
    if isinstance(found, Missing):
        raise wire_mismatch(found, flow)
    return found[0] if len(found) == 1 else found


def expect_only(flow: Trace, /, *patterns: Pattern) -> tuple[Step, ...]:
    """The flow is exactly these, one step for each; take a part of it with `after` or `before` if that is meant."""
    found = exactly(patterns, flow.steps)
    if isinstance(found, Differs):
        raise wire_mismatch(found, flow)
    return found


def expect_no(flow: Trace, pattern: Pattern, /) -> None:
    """No step matches. It says something only of a capture that is complete (the fence) and of a subject that acted."""
    found = none_of(pattern, flow.steps)
    if found is not None:
        raise wire_mismatch(found, flow)


def wire_mismatch(failure: Failure, flow: Trace) -> WireMismatch:
    """The failure as the exception that makes a test fail; `cited` tells which frames it speaks of, and why."""
    told = explain(failure, flow)
    return WireMismatch(told.expected, told.actual, details=told.details, cited=told.cited)

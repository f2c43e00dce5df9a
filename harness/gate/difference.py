"""What has changed between two runs, test by test: the answer to "did it get worse?"."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from harness.gate.judgement import complaints
from harness.gate.wildcard import pattern_of
from harness.record.environment import differences
from harness.report.model import Exit
from harness.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.record.result import Result
    from harness.report.causes import Cause
    from harness.report.model import Run

LOST = "lost"  # what stands in place of the verdict of a test that was planned and never reported


class Change(Enum):
    """What became of one test, the worst first."""

    FAILING = "newly failing"
    KIND = "changed in kind"
    GONE = "gone"
    ADDED = "added"
    PASSING = "newly passing"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Difference:
    """One test that does not answer as before."""

    test: str
    change: Change
    before: str  # the verdict, "lost", or "" where the run did not have the test
    after: str
    said: str = ""  # what the run after says, in one line
    cause: str = ""  # what it follows from in the run after, or followed from in the one before

    @property
    def arrow(self) -> str:
        """`pass → fail`."""
        return " → ".join(filter(None, (self.before, self.after)))

    def __str__(self) -> str:
        return f"{self.arrow}  {self.test}" + (f": {self.said}" if self.said else "")


@dataclass(frozen=True)
class Comparison:
    """All that differs between two runs."""

    tests: tuple[Difference, ...]  # by change, then in the order of the runs
    machines: Mapping[str, tuple[str, str]]  # name of a fact → its value in the one run and in the other

    @property
    def exit(self) -> Exit:
        """1 when something is newly failing, 6 when something is no longer known, else 0."""
        if any(one.change is Change.FAILING for one in self.tests):
            return Exit.MISSED
        unknown = {LOST, str(Verdict.INCONCLUSIVE), str(Verdict.ERROR)}
        return Exit.OPEN if any(one.after in unknown for one in self.tests) else Exit.HOLDS


def compare(before: Run, after: Run) -> Comparison:
    """What has changed from the one run to the other."""
    left, right = _answers(before), _answers(after)
    tests = dict.fromkeys((*left, *right))
    found = [one for test in tests if (one := _difference(test, left.get(test), right.get(test), after)) is not None]
    order = list(Change)
    return Comparison(
        tuple(sorted(found, key=lambda one: order.index(one.change))),
        differences(before.facts.environment, after.facts.environment),
    )


@dataclass(frozen=True)
class _Answer:
    """What one run says of one test: its verdict, and what its findings say but for numbers.

    Where all of them follow from a cause, it is the cause that is said, and the same one is no change: how a test
    notices that a server has crashed depends on the moment.
    """

    verdict: str
    kind: tuple[str, ...] = ()
    row: Result | None = None
    cause: str = ""


def _answers(run: Run) -> dict[str, _Answer]:
    known = {row.test: _answer(row, run.cause_of.get(row.test)) for row in run.rows}
    planned = dict.fromkeys((*run.facts.planned, *known))
    return {test: known.get(test, _Answer(LOST)) for test in planned}


def _answer(row: Result, cause: Cause | None) -> _Answer:
    if cause is not None:
        return _Answer(row.verdict.value, (cause.kind.value, pattern_of(cause.title)), row, str(cause))
    findings = [f"{one.requirement} {pattern_of(one.expected)} {pattern_of(one.actual)}" for one in row.findings]
    return _Answer(row.verdict.value, tuple(findings), row)


def _difference(test: str, before: _Answer | None, after: _Answer | None, run: Run) -> Difference | None:
    if after is None:
        return Difference(test, Change.GONE, before.verdict if before else "", "", cause=before.cause if before else "")
    said = _said(after.row)
    failing = {Verdict.FAIL.value, Verdict.DEVIATION.value} if run.facts.strict else {Verdict.FAIL.value}
    cause = after.cause or (before.cause if before else "")
    if before is None:
        change = Change.FAILING if after.verdict in failing else Change.ADDED
        return Difference(test, change, "", after.verdict, said, cause)
    if (before.verdict, before.kind) == (after.verdict, after.kind):
        return None
    if after.verdict in failing and before.verdict not in failing:
        change = Change.FAILING
    elif after.verdict == Verdict.PASS.value and before.verdict != Verdict.NOT_APPLICABLE.value:
        change = Change.PASSING
    else:
        change = Change.KIND
    return Difference(test, change, before.verdict, after.verdict, said, cause)


def _said(row: Result | None) -> str:
    if row is None:
        return ""
    return "; ".join(one.said for one in complaints(row)) or row.reason

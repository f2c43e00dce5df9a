"""What the kernel is known to miss: a baseline that a run itself applies, row by row, to the tests of the kernel.

The file is a baseline as `harness.gate.baseline` reads it, with `when` for the kernels that an entry speaks of. A miss
that an entry accepts keeps its verdict, and gets the reason why it does not fail the run. A test that an entry names
and that passes is a fail: what is known to be missed must stay missed, or the entry must go.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.gate.judgement import complaints
from harness.verdict import Finding, Verdict

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping

    from harness.gate.baseline import Baseline, Known
    from harness.record.result import Result


def weighed(row: Result, baseline: Baseline, facts: Mapping[str, str], today: datetime.date) -> Result:
    """The row with the reason why its miss is accepted, or with the finding that nothing is missed any more."""
    about = [one for one in baseline.known if one.names(row.test) and one.when.holds(facts) and not one.expired(today)]
    if not about:
        return row
    if row.verdict is Verdict.PASS:
        gone = _gone(row, baseline.name, about[0])
        return replace(row, verdict=gone.verdict, findings=(*row.findings, gone))
    accepting = [next((one for one in about if one.accepts(said.said)), None) for said in complaints(row)]
    reasons = dict.fromkeys(one.reason for one in accepting if one is not None)
    return replace(row, known="; ".join(reasons)) if accepting and None not in accepting else row


def _gone(row: Result, name: str, known: Known) -> Finding:
    """The finding of a test that passes, and that an entry says is missed."""
    requirement = row.covers[0] if row.covers else ""
    expected = f"a known deviation: {known.reason}"
    actual = f"it is none any more: delete lines {known.line} to {known.last} of {name}, or narrow its 'when'"
    return Finding(Verdict.FAIL, requirement, expected, actual, f"expected: {expected}\nactual:   {actual}")

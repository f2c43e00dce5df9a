"""What of a row a reader must be told: its findings, the worst kinds first, and the reason where it has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.verdict import Finding, Verdict

if TYPE_CHECKING:
    from harness.record.result import Result

# As a reader wants them: first what is wrong with the subject, then what we could not tell. `worst` orders the findings
# of one test, where an error makes the test's other answers doubtful; tests among each other do not.
WORST_FIRST = (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.DEVIATION)


def complaints(row: Result) -> tuple[Finding, ...]:
    """The findings of a row that a reader must be told; a row without any speaks by its reason."""
    if row.verdict not in WORST_FIRST:
        return ()
    found = tuple(finding for finding in row.findings if finding.verdict in WORST_FIRST)
    # A verdict worse than each finding came from elsewhere, such as an error while the lab was taken down.
    if row.verdict in {finding.verdict for finding in found}:
        return found
    requirement = row.covers[0] if row.covers else ""
    return (*found, Finding(row.verdict, requirement, "", row.reason or "no reason was recorded"))

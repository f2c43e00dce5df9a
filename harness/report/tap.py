"""TAP, version 13 (testanything.org): a line a test, and beneath what is not as it should be a YAML block.

TAP knows ok, not ok and skipped. A verdict that is neither pass nor not applicable is in the block beneath its line; a
deviation is ok there as long as the run is not strict.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harness.report.visible import one_line, visible
from harness.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.record.result import Result
    from harness.report.model import Run


def render(run: Run, *, strict: bool | None = None) -> str:
    """The run as a TAP document; `strict` unless given is as the run was made."""
    strict = run.facts.strict if strict is None else strict
    return "\n".join(_lines(run, strict)) + "\n"


def _lines(run: Run, strict: bool) -> Iterator[str]:
    yield "TAP version 13"
    planned = len(run.rows) + len(run.lost)
    yield f"1..{planned}" if planned else "1..0 # SKIP nothing was run"
    for number, row in enumerate(run.rows, start=1):
        yield from _row(number, row, strict, str(run.cause_of.get(row.test, "")))
    for number, test in enumerate(run.lost, start=len(run.rows) + 1):
        yield f"not ok {number} - {_description(test)}"
        yield from _block({"verdict": "lost", "message": "planned and never reported"})
    if not run.ended:
        yield "Bail out! The end of this run was not recorded"


def _row(number: int, row: Result, strict: bool, cause: str) -> Iterator[str]:
    calm = {Verdict.PASS, Verdict.NOT_APPLICABLE} | (set() if strict else {Verdict.DEVIATION})
    line = f"{'ok' if row.verdict in calm else 'not ok'} {number} - {_description(row.test)}"
    if row.verdict is Verdict.NOT_APPLICABLE:
        yield f"{line} # SKIP {_description(row.reason)}".rstrip()
        return
    # TAP calls what is known to fail a TODO: it is told, and fails nobody.
    yield f"{line} # TODO {_description(row.known)}" if row.known else line
    if row.verdict is not Verdict.PASS:
        yield from _block(_diagnosis(row, cause))


def _diagnosis(row: Result, cause: str) -> dict[str, str]:
    """What the block says, in the order in which it is read; what is empty is left out."""
    found = next((one for one in row.findings if one.verdict is row.verdict), None)
    told = {
        "verdict": row.verdict.value,
        "cause": cause,
        "requirement": found.requirement if found else "",
        "level": row.level.value if row.level else "",
        "subject": row.subject,
        "expected": found.expected if found else "",
        "actual": found.actual if found else "",
        "message": "" if found else row.reason,
        "evidence": row.evidence,
        "again": row.again,
    }
    return {name: value for name, value in told.items() if value}


def _block(told: dict[str, str]) -> Iterator[str]:
    """A YAML block; a JSON text is a YAML text, whatever a subject has put into it."""
    yield "  ---"
    yield from (f"  {name}: {json.dumps(visible(value), ensure_ascii=False)}" for name, value in told.items())
    yield "  ..."


def _description(text: str) -> str:
    """The text on one line, without the mark that begins a directive."""
    return one_line(text).replace("#", "\\#")

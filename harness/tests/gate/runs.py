"""Runs to judge: made of few tests, each with its verdict and what its finding says, by hand or by hypothesis."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from harness.record.facts import RunFacts
from harness.record.result import Result
from harness.record.store import RunRecord
from harness.report.model import Run
from harness.verdict import Finding, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

TODAY = datetime.date(2026, 11, 20)
ENVIRONMENT = {
    "system": "Linux 6.18.0",
    "machine": "x86_64",
    "python": "CPython 3.11.7",
    "subjects": {"echo": "echo 1.4.2"},
}
FAIL, PASS, DEVIATION = Verdict.FAIL, Verdict.PASS, Verdict.DEVIATION
ERROR, INCONCLUSIVE, NOT_APPLICABLE = Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.NOT_APPLICABLE


def row(test: str, verdict: Verdict = PASS, *said: str, subject: str = "echo", expected: str = "5 octets") -> Result:
    """A row with a finding for each thing said, which is what came instead."""
    findings = tuple(Finding(verdict, "rfc862:tcp/returns-every-octet", expected, actual) for actual in said)
    return Result(
        test=test,
        nodeid=f"suites/test_{test}",
        group=test.partition("::")[0],
        verdict=verdict,
        subject=subject,
        profile="echo",
        findings=findings,
        reason="" if findings or verdict is PASS else f"it is {verdict}",
    )


def record(rows: Iterable[Result], *, lost: Iterable[str] = (), folder: str = "run", **facts: object) -> RunRecord:
    """The record of an ended run with these rows, and with planned tests that never reported."""
    results = tuple(rows)
    planned = (*(one.test for one in results), *lost)
    given = {"subjects": ("echo",), "environment": ENVIRONMENT, "planned": planned, "exit_code": 0, **facts}
    return RunRecord(Path(folder), RunFacts(**given), results)  # type: ignore[arg-type] # fields by name


def run(*rows: Result, lost: Iterable[str] = (), **facts: object) -> Run:
    """The run that these rows make."""
    return Run.of(record(rows, lost=lost, **facts))  # type: ignore[arg-type] # fields by name


TESTS = st.sampled_from(
    [f"{group}::{name}[{family}]" for group in ("a/b", "c") for name in "xyz" for family in ("v4", "v6")]
)
SAID = st.lists(
    st.sampled_from(
        ["reset after 3 octets", "end of stream", "it's 'x' (5 of 6), idle", "*? [v4] \\", ": :", "\x1b\n#"]
    ),
    max_size=2,
)
ROWS = st.lists(
    st.builds(lambda test, verdict, said: row(test, verdict, *said), TESTS, st.sampled_from(list(Verdict)), SAID),
    max_size=8,
    unique_by=lambda one: one.test,
)
RUNS = st.builds(
    lambda rows, lost, strict: run(*rows, lost=sorted(lost - {one.test for one in rows}), strict=strict),
    ROWS,
    st.sets(TESTS, max_size=2),
    st.booleans(),
)

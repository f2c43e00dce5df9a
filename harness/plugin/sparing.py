"""What a mutant need not be asked: a test that has rejected it in one variant, again in the others.

Nothing more would be learned, and to be left without an answer takes seconds each time. Reference servers, and the
subjects of users, are spared nothing. Workers tell each other by an empty file for each rejection in the run folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.plugin import naming
from harness.plugin.selection import is_judged, is_mutant, program_of
from harness.plugin.verdicts import folder_key
from harness.record.result import Result
from harness.verdict import NotApplicable, Verdict

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_FOLDER = "rejected"  # in the run folder


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave a test out that has rejected this mutant."""
    mark = _mark(item)
    if mark is not None and mark.exists():
        raise NotApplicable("this test has rejected this mutant already, in another variant")


@pytest.hookimpl(wrapper=True, tryfirst=True)  # outside of the one that judges
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Take down that a test has rejected a mutant, for the requirement that governs the test."""
    report = yield
    mark = _mark(item) if call.when == "call" else None
    if mark is not None and _rejects(Result.from_record(report.__dict__["sockspec"])):
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    return report


def _rejects(row: Result) -> bool:
    missed = {finding.requirement for finding in row.findings if finding.verdict in (Verdict.FAIL, Verdict.DEVIATION)}
    return bool(missed & set(row.covers[:1]))


def _mark(item: pytest.Item) -> Path | None:
    """The file that says that this test has rejected this mutant; None where no mutant is judged."""
    program = program_of(item) if is_judged(item.nodeid) else None
    folder = item.config.stash.get(folder_key, None)
    if program is None or folder is None or not is_mutant(program):
        return None
    test = naming.stable_id(item.nodeid).partition("[")[0].replace("/", ".").replace("::", ".")
    return folder / _FOLDER / program.name / test

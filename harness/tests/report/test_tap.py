"""TAP 13: read back by a small reader, its lines are the tests and its counts those of the run."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from harness.report import tap
from harness.report.visible import visible
from harness.tests.report import samples
from harness.tests.report.test_junit import RUNS
from harness.verdict import Verdict

if TYPE_CHECKING:
    from harness.report.model import Run

_LINE = re.compile(r"(not )?ok (\d+) - (.*?)(?:(?<!\\) # (SKIP|TODO) ?(.*))?")


def read(document: str) -> list[tuple[bool, str, str | None, dict[str, str]]]:
    """Each test as a TAP reader sees it: whether it is ok, its name, its directive and its block."""
    version, plan, *lines = document.splitlines()
    assert version == "TAP version 13"
    tests: list[tuple[bool, str, str | None, dict[str, str]]] = []
    block: dict[str, str] | None = None
    for line in lines:
        if line == "  ---":
            assert block is None
            block = tests[-1][3]
        elif line == "  ...":
            block = None
        elif block is not None:
            name, _, value = line.strip().partition(": ")
            block[name] = json.loads(value)
        elif not line.startswith("Bail out! "):
            found = _LINE.fullmatch(line)
            assert found, line
            assert int(found[2]) == len(tests) + 1
            tests.append((not found[1], found[3], found[4], {}))
    assert block is None
    assert plan.partition(" #")[0] == f"1..{len(tests)}"
    return tests


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_a_document_tells_every_test_once(run: Run, strict: bool) -> None:
    """Its counts are those of the run, and each name is that of its test."""
    tests = read(tap.render(run, strict=strict))

    assert [name for _, name, _, _ in tests] == [*(visible(row.test) for row in run.rows), *run.lost]
    told = Counter(block.get("verdict", "pass") for _, _, directive, block in tests if not directive)
    expected = Counter({verdict.value: times for verdict, times in run.counts.items()}) + Counter(lost=len(run.lost))
    skipped = expected.pop(Verdict.NOT_APPLICABLE.value, 0)
    assert (told, sum(directive == "SKIP" for _, _, directive, _ in tests)) == (+expected, skipped)


@pytest.mark.parametrize(
    ("verdict", "strict", "ok", "directive"),
    [
        (Verdict.PASS, True, True, None),
        (Verdict.FAIL, False, False, None),
        (Verdict.DEVIATION, False, True, None),
        (Verdict.DEVIATION, True, False, None),
        (Verdict.INCONCLUSIVE, False, False, None),
        (Verdict.ERROR, False, False, None),
        (Verdict.NOT_APPLICABLE, False, True, "SKIP"),
    ],
)
def test_verdicts_are_told_apart(verdict: Verdict, strict: bool, ok: bool, directive: str | None) -> None:
    """By ok, not ok and SKIP, and by the word in the block."""
    run = samples.run([samples.row("g", "b", verdict, reason="because # of it")])

    (found,) = read(tap.render(run, strict=strict))

    assert (found[0], found[2]) == (ok, directive)
    assert found[3].get("verdict") == (None if directive or verdict is Verdict.PASS else verdict.value)


def test_a_run_of_nothing_says_so() -> None:
    """A reader that expects tests is told why there are none."""
    assert tap.render(samples.run([])) == "TAP version 13\n1..0 # SKIP nothing was run\n"

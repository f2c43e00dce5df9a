"""The Markdown summary: its counts are those of the run, and nothing that a subject says is more than text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.report import markdown
from harness.tests.report import samples
from harness.tests.report.test_junit import RUNS
from harness.verdict import Finding, Verdict

if TYPE_CHECKING:
    from harness.report.model import Run


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_the_table_adds_up(run: Run) -> None:
    """Each column is the count of its verdict."""
    table = [line.split(" | ") for line in markdown.render(run).splitlines() if line.startswith("| ")]
    if not table:
        assert not run.rows
        return
    head, *rows = table
    for place, verdict in enumerate(head[2:], start=2):
        name = Verdict(verdict.strip(" |"))
        assert sum(int(row[place].strip(" |") or 0) for row in rows) == run.counts[name]


def test_every_finding_is_told_up_to_the_limit() -> None:
    """And how many more there are."""
    run = samples.failing(40)

    text = markdown.render(run, limit=3)

    assert text.count("\n### ") == 3
    assert f"… and {len(run.told) - 3} more findings in the report." in text


@given(st.text(alphabet="`|a\n<#*\\ ", max_size=12))
def test_code_cannot_be_left(text: str) -> None:
    """Within the marks there is no row of backticks as long as they are, in a line and in a block."""
    row = samples.row("g", "b", Verdict.ERROR, reason=text, again=text, subject=text)

    rendered = markdown.render(samples.run([row]))

    for line in rendered.splitlines():
        if found := re.fullmatch(r"- (?:again|reason): (`+)(.*?)\1", line):
            assert found[1] not in re.findall("`+", found[2])
    cells = [line for line in rendered.splitlines() if line.startswith("| ") and "g" in line]
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 4 for line in cells[1:])


def test_a_long_message_is_cut_and_says_so() -> None:
    """A job summary holds a mebibyte; a subject can say more."""
    long = Finding(Verdict.FAIL, "", "a", "b", "x" * 10**6)
    run = samples.run([samples.row("g", "b", Verdict.FAIL, findings=(long,))])

    text = markdown.render(run)

    assert len(text) < 20_000
    assert "… 992000 characters left out …" in text

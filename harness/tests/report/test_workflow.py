"""Annotations: commands for a CI, at file and line of the test, that a subject cannot add to."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness.report import workflow
from harness.tests.report import samples
from harness.verdict import Level, Verdict

if TYPE_CHECKING:
    from harness.report.model import Run


def _failing(**more: object) -> Run:
    found = samples.finding(Verdict.FAIL, "rfc9293:SHLD-3", "got RST", "100% FIN\nand more: a, b")
    return samples.run([replace(samples.row("tcp/closing", "b", Verdict.FAIL, findings=(found,), line=40), **more)])  # type: ignore[arg-type] # fields by name


def test_an_annotation_stands_at_the_line_of_the_test() -> None:
    """With what a reader must know, escaped as GitHub's runner reads it."""
    assert workflow.render(_failing(again="sockspec check")) == (
        "::error file=suites/tcp/test_closing.py,line=40,title=FAIL rfc9293%3ASHLD-3::tcp/closing::b%0A"
        "expected got RST%0Aactual 100%25 FIN%0Aand more: a, b%0Aagain: sockspec check\n"
    )


def test_a_line_that_is_not_known_is_left_out() -> None:
    """A record of an earlier version has none."""
    assert workflow.render(_failing(line=0)).startswith("::error file=suites/tcp/test_closing.py,title=")


@pytest.mark.parametrize(
    ("verdict", "strict", "kind"),
    [
        (Verdict.FAIL, False, "error"),
        (Verdict.ERROR, False, "error"),
        (Verdict.INCONCLUSIVE, False, "error"),
        (Verdict.DEVIATION, False, "warning"),
        (Verdict.DEVIATION, True, "error"),
        (Verdict.PASS, True, None),
        (Verdict.NOT_APPLICABLE, True, None),
    ],
)
def test_each_verdict_has_its_kind(verdict: Verdict, strict: bool, kind: str | None) -> None:
    """What fails the run is an error, what is only told a warning."""
    run = samples.run([samples.row("g", "b", verdict, reason="why", level=Level.SHOULD)])

    found = re.findall(r"^::(\w+) ", workflow.render(replace(run, facts=replace(run.facts, strict=strict))))

    assert found == ([kind] if kind else [])


def test_what_was_lost_is_told_though_there_is_much_else() -> None:
    """GitHub shows ten of a kind: the last of them is for the lost tests."""
    run = samples.failing(30)
    run = replace(run, lost=("a::b", "a::c"))

    lines = workflow.render(run).splitlines()

    assert [line.partition(" ")[0] for line in lines] == ["::error"] * 10 + ["::warning"] * len(lines[10:])
    assert len(lines) <= 20
    assert lines[9] == "::error title=LOST::2 planned and never reported: a::b, a::c"


def test_a_subject_gives_no_commands() -> None:
    """Whatever it says stays within its line."""
    rendered = workflow.render(_failing(reason="x", again="\n::stop-commands::abc\r\n::error::mine"))

    assert rendered.count("\n") == 1
    assert "%0A::stop-commands" in rendered.replace("\\r", "")

"""The matrix of implementations: disagreements first, and two of them compared."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from harness.gate.implementations import compared, matrix, text
from harness.tests.gate.runs import FAIL, NOT_APPLICABLE, PASS, RUNS, row, run

if TYPE_CHECKING:
    from harness.report.model import Run
    from harness.verdict import Verdict


def side_by_side() -> Run:
    """Three subjects, of which one has no IPv6 and one misses something on it."""
    answers: dict[str, dict[str, Verdict]] = {
        "a::same": {"one": PASS, "two": PASS, "three": NOT_APPLICABLE},
        "a::apart": {"one": PASS, "two": FAIL, "three": PASS},
        "a::never": {"one": FAIL, "two": FAIL, "three": FAIL},
    }
    rows = [
        replace(row(f"{name}[{family}-{subject}]", verdict if family == "v6" else PASS, subject=subject), family=family)
        for name, verdicts in answers.items()
        for subject, verdict in verdicts.items()
        for family in ("v4", "v6")
    ]
    return run(*rows, subjects=("one", "two", "three", "four"))


def test_disagreements_come_first() -> None:
    """Both families in one cell, and a column for who answered nothing."""
    assert text(matrix(side_by_side())) == (
        "1 behaviour on which implementations disagree\n"
        "\n"
        "            one  two  three  four\n"
        "  a::apart   ✓    ✗     ✓\n"
        "\n"
        "2 behaviours on which they do not\n"
        "\n"
        "            one  two  three  four\n"
        "  a::same    ✓    ✓     ✓\n"
        "  a::never   ✗    ✗     ✗\n"
        "\n"
        "✗ fail · ! error · ? inconclusive · d deviation · ✓ pass · - not applicable · blank: not asked, or lost\n"
    )


def test_two_are_compared() -> None:
    """Only where they differ, in their order."""
    assert compared(matrix(side_by_side()), "two", "one") == (
        "1 behaviour in which two and one differ\n\n            two  one\n  a::apart   ✗    ✓\n"
    )


def test_a_name_that_is_not_there_is_told() -> None:
    """With those that are."""
    with pytest.raises(ValueError, match="'five' is not in this run; it has one, two, three, four"):
        compared(matrix(side_by_side()), "one", "five")


@given(RUNS)
def test_one_alone_never_disagrees(given: Run) -> None:
    """Nor differs from itself; each behaviour has its line."""
    whole = matrix(given)

    assert not any(line.disagree for line in whole.lines)
    assert {line.behaviour for line in whole.lines} == {row.behaviour for row in given.rows}
    assert compared(whole, "echo", "echo") == "0 behaviours in which echo and echo differ\n"

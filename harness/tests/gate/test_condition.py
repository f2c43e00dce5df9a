"""Conditions compare what was recorded, and what was not recorded holds for nobody."""

from __future__ import annotations

import pytest

from harness.gate import condition
from harness.gate.condition import Condition, facts_of, numbers, parse
from harness.tests.gate.runs import ENVIRONMENT, row


@pytest.mark.parametrize(
    ("text", "found", "holds"),
    [
        ("6.1", "6.1", True),
        ("== 6.*", "6.18.0", True),
        ("!= Linux", "Linux", False),
        (">= 6.1", "6.18.0", True),
        (">=6.9", "6.18.0", True),
        ("< 6.9", "6.18.0", False),
        ("<= 6.18", "6.18.0", True),
        ("> 6.18", "6.18.0-rc1-generic", False),
        ("> 1", "echo server, version 1.4.2 (2026)", True),
        (">= 1", "no version at all", False),
    ],
)
def test_a_comparison_reads_versions_as_numbers(text: str, found: str, holds: bool) -> None:
    """6.9 is before 6.18, a zero at the end says nothing, and words around a version are passed over."""
    assert parse("kernel", text).holds(found) is holds


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", '\'\' compares with nothing; write for example kernel = ">= 6.1" or kernel = "Linux"'),
        (">=", "compares with nothing"),
        ("< Linux", "only versions have an order, and 'Linux' has no number; use == or !="),
    ],
)
def test_what_compares_with_nothing_is_told(text: str, told: str) -> None:
    """The message says what to write."""
    with pytest.raises(ValueError) as refused:
        parse("kernel", text)

    assert told in str(refused.value)


def test_all_comparisons_must_hold() -> None:
    """One that does not is enough."""
    facts = facts_of(row("a::b"), ENVIRONMENT)
    both = Condition((parse("platform", "Linux"), parse("version", "< 2")))

    assert both.holds(facts)
    assert not both.holds(facts | {"version": "echo 2.0"})
    assert not both.holds({})
    assert both.unrecorded({"platform": "Linux"}) == ("version",)


def test_every_fact_that_can_be_asked_is_found() -> None:
    """A run that recorded all has an answer for each name that a baseline may use."""
    facts = facts_of(row("a::b"), {**ENVIRONMENT, "harness": "0.1.0"})

    assert tuple(facts) == condition.ASKED
    assert (facts["platform"], facts["kernel"], facts["version"]) == ("Linux", "6.18.0", "echo 1.4.2")


def test_numbers_are_the_first_of_a_version() -> None:
    """A version is what stands first, without zeros at its end."""
    assert [numbers(text) for text in ("1.0.0", "v2.10", "0", "-")] == [(1,), (2, 10), (0,), ()]

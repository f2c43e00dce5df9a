"""What the kernel is known to miss: accepted where it is missed as it is said, and a fail where it is not any more."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness import bundle
from harness.gate.baseline import parse
from harness.gate.deviations import weighed
from harness.gate.judgement import judge
from harness.gate.wildcard import matches
from harness.report.model import Exit
from harness.spec import citations
from harness.tests.gate.runs import DEVIATION, FAIL, INCONCLUSIVE, NOT_APPLICABLE, PASS, TODAY, row, run

if TYPE_CHECKING:
    from harness.record.result import Result
    from harness.verdict import Verdict

FACTS = {"platform": "Linux", "kernel": "6.18.0"}
MISSES = row("a::x[v4]", FAIL, "reset after 3 octets")
FILE = "fixtures/deviations.toml"


def known(given: Result, entry: str = 'test = "a::x*"') -> Result:
    """The row, weighed by one entry."""
    text = f'[[known]]\nreason = "nobody needs it"\n{entry}\n'
    return weighed(given, parse(text, "known.toml"), FACTS, TODAY)


@pytest.mark.parametrize("verdict", [FAIL, DEVIATION])
def test_a_known_miss_keeps_its_verdict_and_gets_its_reason(verdict: Verdict) -> None:
    """Nothing of the row changes but that."""
    missed = row("a::x[v4]", verdict, "reset after 3 octets")

    assert known(missed) == replace(missed, known="nobody needs it")


def test_what_is_kept_again_is_a_fail() -> None:
    """And says which lines have to go."""
    kept = known(row("a::x[v4]", PASS))

    assert (kept.verdict, kept.known) == (FAIL, "")
    assert str(kept.findings[0]).endswith(
        "expected a known deviation: nobody needs it; actual it is none any more:"
        " delete lines 1 to 3 of known.toml, or narrow its 'when'"
    )


@pytest.mark.parametrize(
    "entry",
    [
        'test = "a::y*"',
        'test = "a::x*"\nmessage = "expected 5 octets; actual end of stream"',
        'test = "a::x*"\nwhen = { kernel = "< 6.18" }',
        'test = "a::x*"\nuntil = 2026-11-19',
    ],
)
def test_what_no_entry_accepts_stays_as_it_is(entry: str) -> None:
    """Another test, another message, another kernel, a day that is over."""
    assert known(MISSES, entry) == MISSES


@pytest.mark.parametrize("verdict", [INCONCLUSIVE, NOT_APPLICABLE])
def test_what_could_not_be_told_stays_as_it_is(verdict: Verdict) -> None:
    """It speaks neither for the entry nor against it."""
    untold = row("a::x[v4]", verdict)

    assert known(untold) == untold


@pytest.mark.parametrize("strict", [False, True])
def test_a_known_deviation_fails_neither_run_nor_gate(strict: bool) -> None:
    """Under strict neither, and a run of nothing else was a run."""
    ran = run(known(MISSES), strict=strict)

    assert ran.exit_code(strict, False, False) is Exit.HOLDS
    assert (ran.known, ran.told[0].known, ran.counts[FAIL]) == (1, "nobody needs it", 1)
    assert judge(ran, parse("", "known.toml"), TODAY).exit is Exit.HOLDS


def test_other_misses_are_told_before_known_ones() -> None:
    """A known fail stands behind a deviation that nobody knows of."""
    ran = run(known(MISSES), row("a::y[v4]", DEVIATION, "reset after 3 octets"))

    assert [one.behaviour for one in ran.told] == ["a::y[v4]", "a::x[v4]"]


def test_every_entry_of_ours_names_a_test() -> None:
    """A test that is renamed takes its entry along."""
    names = {
        f"{one.nodeid.partition('::')[0].removeprefix('suites/').removesuffix('.py').replace('test_', '')}"
        f"::{one.nodeid.partition('::')[2].removeprefix('test_')}"
        for one in citations.read(bundle.root())
    }
    entries = parse((bundle.root() / FILE).read_text("utf-8"), FILE).known

    assert [one for one in entries if not any(matches(one.test, name) for name in names)] == []

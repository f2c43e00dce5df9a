"""The gate: what is new, known, gone or otherwise, and what each of them makes of the exit code."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from harness.gate import page
from harness.gate.baseline import Baseline, parse
from harness.gate.judgement import Judgement, Wrong, judge
from harness.report.model import Exit, Run
from harness.tests.gate.runs import (
    DEVIATION,
    ERROR,
    FAIL,
    INCONCLUSIVE,
    NOT_APPLICABLE,
    PASS,
    RUNS,
    TODAY,
    row,
    run,
)

FAILS = row("a::x[v4]", FAIL, "reset after 3 octets")


def judged(given: Run, *entries: str) -> Judgement:
    """The run by a baseline whose entries are given by what stands beneath their headers."""
    text = "\n".join(f'[[known]]\nreason = "r"\n{entry}\n' for entry in entries)
    return judge(given, parse(text, "known.toml"), TODAY)


def test_a_new_failure_fails_the_gate() -> None:
    """Without an entry, and with one for another test."""
    other = row("a::x[v6]", FAIL, "end of stream")

    found = judged(run(FAILS, other), 'test = "a::x[v6]"')

    assert [one.row for one in found.new] == [FAILS]
    assert (found.untrue, found.exit) == ((), Exit.MISSED)


@pytest.mark.parametrize(
    "entry",
    [
        'test = "a::x[v4]"',
        'test = "a::x*"',
        'test = "a::x[v4]"\nmessage = "expected 5 octets; actual reset*"',
        'test = "a::x[v4]"\nuntil = 2026-11-20',
        'test = "a::x[v4]"\nwhen = { platform = "Linux", kernel = ">= 6.1", version = "< 2", subject = "echo" }',
    ],
)
def test_a_known_deviation_passes_the_gate(entry: str) -> None:
    """By its id, a pattern, what it says, on its last day, and where its condition holds."""
    found = judged(run(FAILS), entry)

    assert [(complaint.row, known.line) for complaint, known in found.accepted] == [(FAILS, 1)]
    assert (found.new, found.untrue, found.exit) == ((), (), Exit.HOLDS)


@pytest.mark.parametrize(
    ("rows", "entry", "wrong", "lines"),
    [
        ((row("a::x[v4]"),), 'test = "a::x[v4]"', Wrong.GONE, (1, 3)),
        ((row("a::x[v4]"), row("a::x[v6]", NOT_APPLICABLE)), 'test = "a::x*"', Wrong.GONE, (1, 3)),
        ((FAILS, row("a::x[v6]")), 'test = "a::x*"', Wrong.PARTLY, (3, 3)),
        ((row("a::x[v4]"), row("a::x[v6]", INCONCLUSIVE)), 'test = "a::x*"', Wrong.PARTLY, (3, 3)),
        ((FAILS,), 'test = "a::x[v4]"\nmessage = "end of stream"', Wrong.OTHERWISE, (4, 4)),
        ((FAILS,), 'test = "a::y"', Wrong.NOBODY, (1, 3)),
        ((FAILS,), 'test = "a::x[v4]"\nuntil = 2026-11-19', Wrong.EXPIRED, (4, 4)),
    ],
)
def test_an_entry_that_is_not_true_fails_the_gate(
    rows: tuple[object, ...], entry: str, wrong: Wrong, lines: tuple[int, int]
) -> None:
    """With the lines of the baseline that are to be deleted or changed."""
    found = judged(run(*rows), entry)  # type: ignore[arg-type] # rows

    assert [(one.wrong, one.lines) for one in found.untrue] == [(wrong, lines)]
    assert found.exit is Exit.MISSED
    place = f"known.toml:{lines[0]}" + (f"-{lines[1]}" if lines[1] > lines[0] else "")
    word = "delete" if wrong in {Wrong.GONE, Wrong.NOBODY} else "change"
    assert f"  {place}  {word}  " in page.judgement(found, "known.toml", "out")


def test_what_an_entry_does_not_accept_is_not_new_twice() -> None:
    """It happens otherwise: told of the entry, once, and the other entries of the test are gone."""
    entries = ('test = "a::x[v4]"\nmessage = "one"', 'test = "a::x[v4]"\nmessage = "two"')

    found = judged(run(FAILS), *entries)

    assert [one.wrong for one in found.untrue] == [Wrong.OTHERWISE, Wrong.GONE]
    assert found.new == ()


def test_a_crash_beside_a_known_deviation_is_new() -> None:
    """An entry with a message accepts that finding, and no other of the same test."""
    found = judged(run(row("a::x", FAIL, "reset", "signal SIGSEGV")), 'test = "a::x"\nmessage = "*reset"')

    assert [one.actual for one in found.new] == ["signal SIGSEGV"]
    assert found.exit is Exit.MISSED


@pytest.mark.parametrize("when", ['kernel = "< 6"', 'subject = "other"', 'platform = "FreeBSD"'])
def test_an_entry_for_elsewhere_is_not_asked(when: str) -> None:
    """It accepts nothing here, and that nothing of it happens is no news."""
    entry = f'test = "a::x[v4]"\nwhen = {{ {when} }}'

    assert judged(run(row("a::x[v4]")), entry).exit is Exit.HOLDS
    assert [one.row for one in judged(run(FAILS), entry).new] == [FAILS]


def test_a_condition_on_what_was_not_recorded_is_told() -> None:
    """The failure is new, and the page says why the entry did not accept it."""
    found = judged(run(FAILS, environment={}), 'test = "a::x[v4]"\nwhen = { version = "< 2" }')

    assert found.exit is Exit.MISSED
    assert found.unrecorded == ("line 1: a::x[v4]: this run has no record of version, which it asks for",)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (run(row("a::x", INCONCLUSIVE)), Exit.OPEN),
        (run(row("a::y"), lost=("a::x",)), Exit.OPEN),
        (run(row("a::x", ERROR)), Exit.BROKEN),
        (run(row("a::x", NOT_APPLICABLE)), Exit.NOTHING),
        (run(FAILS, row("a::x", INCONCLUSIVE)), Exit.MISSED),
        (run(row("a::y", DEVIATION, "said")), Exit.HOLDS),
        (run(row("a::y", DEVIATION, "said"), strict=True), Exit.MISSED),
    ],
)
def test_nobody_accepts_what_is_not_known(given: Run, code: Exit) -> None:
    """Inconclusive and lost is 6, broken is 3, with an entry for the test or without."""
    assert judged(given).exit is code
    if "a::x" in given.facts.planned:
        assert judged(given, 'test = "a::x"').exit is code


@pytest.mark.parametrize("narrowed", [{"shard": "1/2"}, {"selection": {"-k": "x"}}])
def test_a_part_of_the_tests_says_nothing_of_the_others(narrowed: dict[str, Any]) -> None:
    """An entry that names no test of a run that was asked for a part is left alone."""
    assert judged(run(row("a::x"), **narrowed), 'test = "b::y"').exit is Exit.HOLDS


@given(RUNS)
def test_an_empty_baseline_judges_as_the_run_itself(given: Run) -> None:
    """Without known deviations the gate and the run answer alike."""
    assert judge(given, Baseline("f"), TODAY).exit is given.exit_code(given.facts.strict, False, False)


def test_a_known_deviation_may_be_a_missed_should() -> None:
    """Where the run is not strict it is accepted too, and its entry is true."""
    found = judged(run(row("a::x", DEVIATION, "said"), row("a::y", PASS)), 'test = "a::x"')

    assert (found.tolerated, found.untrue, len(found.accepted)) == ((), (), 1)

"""What a run adds up to: counts, what is lost or double, findings told once, and every combination's exit code."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import chain, combinations, product
from pathlib import Path

import pytest

from harness.record.facts import RequirementText, RunFacts
from harness.record.result import Result
from harness.record.store import RunRecord
from harness.report.complaints import WORST_FIRST
from harness.report.model import Exit, Run
from harness.tests.report import samples
from harness.tests.report.samples import FOLDER, finding, row
from harness.verdict import Level, Verdict

SUBSETS = list(chain.from_iterable(combinations(Verdict, size) for size in range(len(Verdict) + 1)))


def judged(*verdicts: Verdict, lost: bool = False, double: bool = False) -> Run:
    """A run with one row of each verdict."""
    rows = [row("g", f"b{number}", verdict) for number, verdict in enumerate(verdicts)]
    planned = [one.test for one in rows] + (["g::never"] if lost else [])
    return Run.of(RunRecord(FOLDER, RunFacts(planned=tuple(planned)), tuple(rows + rows[:1] if double else rows)))


@pytest.mark.parametrize("verdicts", SUBSETS, ids=lambda verdicts: "+".join(map(str, verdicts)) or "none")
def test_the_exit_code_of_every_combination(verdicts: tuple[Verdict, ...]) -> None:
    """2 over 1 over 3 over 6 over 5 over 0, whatever else was seen."""
    for strict, interrupted, internal_error, lost, double in product((False, True), repeat=5):
        run = judged(*verdicts, lost=lost, double=double and bool(verdicts))
        code = run.exit_code(strict, interrupted, internal_error)

        applies = {
            Exit.INTERRUPTED: interrupted,
            Exit.MISSED: Verdict.FAIL in verdicts or (strict and Verdict.DEVIATION in verdicts),
            Exit.BROKEN: internal_error or Verdict.ERROR in verdicts or bool(run.duplicates),
            Exit.OPEN: Verdict.INCONCLUSIVE in verdicts or lost,
            Exit.NOTHING: not set(verdicts) - {Verdict.NOT_APPLICABLE},
            Exit.HOLDS: True,
        }
        assert code is next(exit_code for exit_code, does in applies.items() if does)


def test_each_exit_code_is_told() -> None:
    """The numbers are those of the design, and each has its line."""
    assert [code.value for code in Exit] == [0, 1, 2, 3, 4, 5, 6]
    assert all(code.meaning for code in Exit)


def test_a_run_without_its_end_counts_as_interrupted() -> None:
    """A killed run never shows as a good one."""
    assert samples.killed().exit is Exit.INTERRUPTED
    assert not samples.killed().ended


@pytest.mark.parametrize(("recorded", "shown"), [(0, Exit.HOLDS), (1, Exit.MISSED), (99, Exit.BROKEN)])
def test_the_recorded_exit_code_is_shown(recorded: int, shown: Exit) -> None:
    """What the process answered is what the report says; a number that is none of ours tells that we broke."""
    run = judged(Verdict.PASS)

    assert replace(run, facts=replace(run.facts, exit_code=recorded)).exit is shown


def test_what_was_planned_and_not_reported_is_lost() -> None:
    """In the order planned, each once."""
    facts = RunFacts(planned=("g::x", "g::b0[v4-echo]", "g::y", "g::x"))
    run = Run.of(RunRecord(FOLDER, facts, (row("g", "b0"),)))

    assert run.lost == ("g::x", "g::y")


def test_rows_stand_as_in_their_files() -> None:
    """Whichever of them was begun first, or planned first; the variants of one test in the order planned."""
    places = {
        "b::last[v4]": ("b.py", 1),
        "a::slow[v4]": ("a.py", 9),
        "a::quick[v6]": ("a.py", 3),
        "a::quick[v4]": ("a.py", 3),
    }
    rows = [
        Result(test=test, nodeid=f"suites/{file}::{test}", group="g", verdict=Verdict.PASS, line=line)
        for test, (file, line) in places.items()
    ]

    run = Run.of(RunRecord(FOLDER, RunFacts(planned=tuple(places)), tuple(rows)))

    assert [row.test for row in run.rows] == ["a::quick[v6]", "a::quick[v4]", "a::slow[v4]", "b::last[v4]"]


def test_of_a_double_report_the_worst_counts() -> None:
    """A test that answered twice is told, counted once, and its worse answer is kept, in whichever order."""
    good, bad = row("g", "b"), row("g", "b", Verdict.FAIL)
    for results in ((good, bad), (bad, good)):
        run = Run.of(RunRecord(FOLDER, RunFacts(), results))

        assert (run.rows, run.duplicates) == ((bad,), ("g::b[v4-echo]",))


def test_counts_add_up() -> None:
    """By verdict, by subject, by group: the same rows each time."""
    for run in (samples.calm(), samples.mixed(), samples.failing(20), samples.passing(400)):
        by_subject = sum((counts for groups in run.by_subject.values() for counts in groups.values()), Counter())
        assert run.counts == by_subject == sum(run.by_group.values(), Counter())
        assert run.counts.total() == len(run.rows)


def test_each_bad_row_is_told_and_no_other() -> None:
    """The findings name exactly the rows that are not as they should be."""
    for run in (samples.calm(), samples.mixed(), samples.hostile(), samples.failing(20)):
        told = {seen.test for one in run.told for seen, _ in one.seen}
        assert told == {one.test for one in run.rows if one.verdict in WORST_FIRST}


def test_the_same_finding_is_told_once() -> None:
    """Six rows of one behaviour are one finding, with the places where it was seen."""
    run = samples.failing(1)

    (told,) = run.told
    assert told.subjects == dict.fromkeys(("echo_asyncio", "echo_selectors", "echo_threading"), ("v4", "v6"))
    assert (told.behaviour, len(told.seen)) == ("tcp/group0::behaviour_0_holds", 6)


def test_what_differs_in_what_was_seen_is_still_one_finding() -> None:
    """Counts and ports differ from row to row; each text is kept once."""
    half = next(told for told in samples.mixed().told if told.verdict is Verdict.FAIL)

    assert half.actuals == ("reset after 0 octets", "reset after 2 octets")


def test_the_worst_comes_first() -> None:
    """Fail, error, inconclusive, deviation; among equals MUST first, then what was seen most often."""
    must, should = "rfc862:tcp/returns-every-octet", "rfc9293:SHLD-3"
    rows = [
        row("g", "a", Verdict.DEVIATION),
        row("g", "b", Verdict.INCONCLUSIVE),
        row("g", "c", Verdict.ERROR),
        row("g", "d", Verdict.FAIL, findings=(finding(Verdict.FAIL, should, "x", "y"),)),
        row("g", "e", Verdict.FAIL, findings=(finding(Verdict.FAIL, must, "x", "y"),)),
        row("g", "f", Verdict.FAIL, findings=(finding(Verdict.FAIL, must, "x", "y"),)),
        row("g", "f", Verdict.FAIL, family="v6", findings=(finding(Verdict.FAIL, must, "x", "y"),)),
    ]

    assert [told.behaviour[-1] for told in samples.run(rows).told] == ["f", "e", "d", "c", "b", "a"]


def test_the_plain_behaviour_comes_before_what_rests_on_it() -> None:
    """The suites of the services before those of faults, crowds and ends; in one file as it stands there."""
    must = (finding(Verdict.FAIL, "rfc862:tcp/returns-every-octet", "x", "y"),)
    rows = [
        row("stress/crowd", "a", Verdict.FAIL, findings=must),
        row("faults/echo", "b", Verdict.FAIL, findings=must),
        row("tcp/short_send", "c", Verdict.FAIL, findings=must),
        *(row("services/echo", "d", Verdict.FAIL, family=one, line=90, findings=must) for one in ("v4", "v6")),
        row("services/echo", "e", Verdict.FAIL, line=20, findings=must),
        row("services/echo", "f", Verdict.DEVIATION, line=10, findings=()),
    ]

    assert [told.behaviour.partition("::")[2] for told in samples.run(rows).told] == ["e", "d", "c", "b", "a", "f"]


def test_a_row_without_a_finding_speaks_by_its_reason() -> None:
    """What went wrong outside the claims is told too, also beside findings that are less bad."""
    deviation = finding(Verdict.DEVIATION, "rfc9293:SHLD-3", "got RST", "got FIN")
    run = samples.run(
        [row("g", "b", Verdict.ERROR, findings=(deviation,), reason="the lab broke"), row("g", "c", Verdict.FAIL)]
    )

    assert [(told.verdict, told.actuals) for told in run.told] == [
        (Verdict.FAIL, ("no reason was recorded",)),
        (Verdict.ERROR, ("the lab broke",)),
        (Verdict.DEVIATION, ("got FIN",)),
    ]


def test_a_requirement_is_counted_by_its_own_findings() -> None:
    """A test that missed one of three requirements passed none of the others, and failed none of them."""
    one, two, three = "d:one", "d:two", "d:three"
    rows = [
        row("g", "a", covers=(one, two)),
        row("g", "b", Verdict.FAIL, covers=(one, two, three), findings=(finding(Verdict.FAIL, two, "x", "y"),)),
        row("g", "c", Verdict.INCONCLUSIVE, covers=(three,)),
    ]

    assert samples.run(rows).by_requirement == {
        one: {Verdict.PASS: 1, Verdict.INCONCLUSIVE: 1},
        two: {Verdict.PASS: 1, Verdict.FAIL: 1},
        three: {Verdict.INCONCLUSIVE: 2},
    }


def test_texts_given_go_before_those_recorded() -> None:
    """A catalogue at hand replaces the record's texts; without one the record suffices."""
    record = RunRecord(FOLDER, RunFacts(requirements={"d:a": RequirementText(title="old")}), ())

    assert Run.of(record).text("d:a").title == "old"
    assert Run.of(record, {"d:a": RequirementText(title="new")}).text("d:a").title == "new"
    assert Run.of(record).text("d:unknown") == RequirementText()


def test_the_level_is_found_in_the_row_where_no_text_tells() -> None:
    """The requirement that governs has its level with the row."""
    rows = [
        row(
            "g",
            "b",
            Verdict.FAIL,
            covers=("d:x",),
            level=Level.MUST,
            findings=(finding(Verdict.FAIL, "d:x", "x", "y"),),
        )
    ]

    assert [told.level for told in samples.run(rows).told] == ["MUST"]


@pytest.mark.parametrize(
    ("verdicts", "exit_code"),
    [
        ((Verdict.PASS, Verdict.PASS), Exit.HOLDS),
        ((Verdict.PASS, Verdict.DEVIATION), Exit.OPEN),
        ((Verdict.PASS, Verdict.NOT_APPLICABLE), Exit.OPEN),
        ((Verdict.PASS, Verdict.FAIL), Exit.MISSED),
        ((Verdict.PASS, Verdict.ERROR), Exit.BROKEN),
    ],
    ids=["pass", "deviation", "not applicable", "fail", "error"],
)
def test_a_verdict_that_differs_between_repetitions(verdicts: tuple[Verdict, ...], exit_code: Exit) -> None:
    """It makes the test unstable, and never an exit code of 0."""
    rows = tuple(
        Result(f"echo::x[v4-r{number}]", "", "echo", verdict, repetition=number)
        for number, verdict in enumerate(verdicts, start=1)
    )
    run = Run.of(RunRecord(Path("run"), RunFacts(planned=tuple(row.test for row in rows)), rows))

    assert [str(one) for one in run.unstable] == (
        [] if len(set(verdicts)) == 1 else [f"echo::x[v4]: {', '.join(f'1 {one}' for one in sorted_by_rank(verdicts))}"]
    )
    assert run.exit_code(strict=False, interrupted=False, internal_error=False) is exit_code


def sorted_by_rank(verdicts: tuple[Verdict, ...]) -> list[Verdict]:
    return sorted(verdicts, key=lambda verdict: verdict.rank)

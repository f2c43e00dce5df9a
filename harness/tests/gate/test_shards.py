"""Shards: every test is in one, none moves when others come, and all of them joined are the whole."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.gate.shards import NotTogether, Shard, join, parse, place
from harness.record.store import RunRecord
from harness.report.model import Exit, Run
from harness.tests.gate.runs import FAIL, RUNS, record, row

FOLDER = Path("whole")


def divided(whole: RunRecord, of: int) -> list[RunRecord]:
    """The records that so many machines would have written in place of this one."""
    shards = [Shard(number, of) for number in range(1, of + 1)]
    return [
        RunRecord(
            Path(f"shard{shard.number}"),
            replace(
                whole.facts, shard=str(shard), planned=tuple(one for one in whole.facts.planned if shard.holds(one))
            ),
            tuple(one for one in whole.results if shard.holds(one.test)),
        )
        for shard in shards
    ]


@given(st.text(min_size=1), st.integers(1, 50))
def test_a_test_is_in_one_shard(test: str, of: int) -> None:
    """Of any number of shards, by its id alone."""
    assert [number for number in range(1, of + 1) if Shard(number, of).holds(test)] == [place(test, of)]


def test_shards_are_of_a_size() -> None:
    """Of 1000 tests each of five gets about 200."""
    counts = Counter(place(f"services/echo::behaviour_{number}[v4]", 5) for number in range(1000))

    assert len(counts) == 5
    assert all(150 < count < 250 for count in counts.values())


def test_the_place_of_a_test_never_changes() -> None:
    """Two versions of sockspec, on two machines, divide alike."""
    tests = ("a::x", "services/echo::empty_session[v4]", "tcp/closing::x[v6-🦆]")

    assert [place(test, 5) for test in tests] == [4, 2, 2]


@given(RUNS, st.integers(1, 6), st.randoms(use_true_random=False))
def test_shards_joined_are_the_whole(whole: Run, of: int, order: object) -> None:
    """In whatever order they come: rows, counts, what is lost, what is told, and the exit code."""
    one = RunRecord(FOLDER, whole.facts, whole.rows)
    parts = divided(one, of)
    order.shuffle(parts)  # type: ignore[attr-defined] # a Random of hypothesis

    joined = join(parts, FOLDER)

    merged = Run.of(joined.record)
    assert sorted(merged.rows, key=str) == sorted(whole.rows, key=str)
    assert sorted(merged.facts.planned) == sorted(whole.facts.planned)
    assert (merged.counts, set(merged.lost), merged.by_subject) == (whole.counts, set(whole.lost), whole.by_subject)
    assert complaints(merged) == complaints(whole)
    assert merged.exit is whole.exit_code(whole.facts.strict, False, False)
    assert (joined.missing, joined.notes, merged.facts.shard) == ((), (), "")


def complaints(run: Run) -> set[tuple[str, str]]:
    """What the run tells, whatever the order of its rows."""
    return {(row.test, str(finding)) for told in run.told for row, finding in told.seen}


WHOLE = record([row(f"{group}::{name}") for group in "ab" for name in "vwxyz"], suite="s1", started=1.0, ended=9.0)


def test_a_missing_shard_is_told_and_lost() -> None:
    """Nobody takes what is left for the whole."""
    one, _, three = divided(WHOLE, 3)

    joined = join([three, one], FOLDER)

    assert joined.missing == (Shard(2, 3),)
    assert Run.of(joined.record).lost == ("shard 2/3::all its tests",)
    assert joined.record.facts.exit_code == Exit.OPEN


def test_a_shard_that_was_killed_loses_what_it_did_not_report() -> None:
    """Its rows are kept."""
    one, two = divided(WHOLE, 2)
    killed = replace(two, facts=replace(two.facts, exit_code=None, ended=None), results=two.results[:1])

    joined = join([one, killed], FOLDER)

    assert set(Run.of(joined.record).lost) == {lost.test for lost in two.results[1:]}
    assert joined.record.facts.exit_code == Exit.OPEN


def test_the_span_of_the_whole_is_that_of_its_shards() -> None:
    """From the first start to the last end, in seconds since the epoch."""
    one, two = divided(WHOLE, 2)
    later = replace(two, facts=replace(two.facts, started=3.0, ended=12.0))

    facts = join([later, one], FOLDER).record.facts

    assert (facts.started, facts.ended) == (1.0, 12.0)


def test_another_machine_is_told() -> None:
    """Shards are judged on several machines: that refuses nothing, but it is said."""
    one, two = divided(WHOLE, 2)
    elsewhere = replace(two, facts=replace(two.facts, environment={**two.facts.environment, "machine": "aarch64"}))

    assert join([one, elsewhere], FOLDER).notes == (
        "shard1 and shard2 ran on different machines: machine x86_64 against aarch64",
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"subjects": ("other",)}, "one and two have different subjects: echo and other; merge shards of one run only"),
        ({"suite": "s2"}, "one and two have different suites: s1 and s2; merge shards of one run only"),
        ({"suite": ""}, "one and two have different suites: s1 and none recorded;"),
        ({"strict": True}, "one and two have different strictness: not strict and strict;"),
        ({"harness_version": "9"}, "one and two have different versions of sockspec:"),
        ({"selection": {"-k": "x"}}, "one and two have different selections of tests: none and -k x;"),
        (
            {"environment": {"subjects": {"echo": "2"}}},
            "one and two have different versions of subjects: echo echo 1.4.2 and echo 2;",
        ),
        ({"shard": ""}, "two is no shard; give the folders of runs made with --shard"),
        ({"shard": "1/2"}, "two holds "),
        ({"shard": "1/2", "planned": ()}, "shard 1/2 is given more than once: one, two; give one of them"),
        ({"shard": "2/3", "planned": ()}, "two is shard 2/3, one is 1/2; give the shards of one division"),
    ],
)
def test_what_does_not_belong_together_is_refused(change: dict[str, object], told: str) -> None:
    """In one line, with what differs."""
    one, two = divided(WHOLE, 2)
    one = replace(one, folder=Path("one"))
    two = replace(two, folder=Path("two"), facts=replace(two.facts, **change))  # type: ignore[arg-type] # fields by name

    with pytest.raises(NotTogether) as refused:
        join([one, two], FOLDER)

    assert str(refused.value).startswith(told)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["2/5", "1/1", "1000/1000"])
def test_a_shard_is_read_as_it_is_written(text: str) -> None:
    """And written so."""
    assert str(parse(text)) == text


@pytest.mark.parametrize("text", ["0/5", "6/5", "2", "2/", "/5", "a/b", "-1/5", "2/5/6", "1/1001", "02/5", "2 / 5"])
def test_what_is_no_shard_is_told(text: str) -> None:
    """With an example."""
    with pytest.raises(ValueError, match="is no shard; write 2/5 for the second of five"):
        parse(text)


def test_a_failure_in_one_shard_fails_the_whole() -> None:
    """And is told there."""
    failing = record([row("a::x", FAIL, "said"), row("b::y")])

    assert join(divided(failing, 2), FOLDER).record.facts.exit_code == Exit.MISSED

"""The matrix: every requirement has one standing, and what it rests on."""

from __future__ import annotations

import itertools

import pytest

from harness.spec.catalogue import Catalogue, UnknownRequirement, build
from harness.spec.matrix import Row, Standing, matrix
from harness.tests.spec.tables import files, table
from harness.verdict import Verdict

A, B = "rfc862:tcp/echo", "rfc862:udp/echo"
INSIDE = "rfc862:tcp/inside"


def catalogue() -> Catalogue:
    """Two requirements that can be seen, and one that cannot."""
    inside = table(id=INSIDE, observable="not-observable", observable_reason="it is inside")
    return build(files(table(id=A), table(id=B), inside))


def standings(*results: tuple[list[str], str, Verdict]) -> list[tuple[Standing, str]]:
    return [(row.standing, row.why) for row in matrix(catalogue(), results)]


def test_without_results_all_is_untested() -> None:
    """And what cannot be seen says why."""
    assert standings() == [
        (Standing.UNTESTED, "no test of this run covers it"),
        (Standing.UNTESTED, "no test of this run covers it"),
        (Standing.NOT_OBSERVABLE, "it is inside"),
    ]


def test_a_stated_reason_tells_why_nothing_covers_it() -> None:
    """And gives way to what a test found out."""
    stated = build(files(table(untested="Nobody can wait two hours.")))

    assert [row.why for row in matrix(stated, [])] == ["Nobody can wait two hours."]
    assert [row.standing for row in matrix(stated, [([A], "echo::one", Verdict.PASS)])] == [Standing.PASSED]


def test_a_pass_counts_for_all_that_the_test_covers() -> None:
    """Governing or not."""
    rows = matrix(catalogue(), [([A, B], "echo::one", Verdict.PASS)])

    assert rows[0] == Row(catalogue()[A], Standing.PASSED, "", (("echo::one", Verdict.PASS),))
    assert rows[1].standing is Standing.PASSED
    assert str(rows[0]) == "rfc862:tcp/echo: passed"


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.DEVIATION])
def test_a_miss_counts_for_the_one_that_governs(verdict: Verdict) -> None:
    """What else the test would have shown stays open."""
    assert standings(([A, B], "echo::one", verdict))[:2] == [
        (Standing.MISSED, "echo::one"),
        (Standing.OPEN, "not decided by echo::one"),
    ]


@pytest.mark.parametrize("verdict", [Verdict.INCONCLUSIVE, Verdict.ERROR])
def test_what_was_not_decided_is_open(verdict: Verdict) -> None:
    """A pass beside it does not hide it."""
    assert standings(([A], "echo::one", verdict), ([A], "echo::two", Verdict.PASS))[0] == (
        Standing.OPEN,
        "not decided by echo::one",
    )


@pytest.mark.parametrize("order", list(itertools.permutations((Verdict.PASS, Verdict.ERROR, Verdict.FAIL))))
def test_a_miss_is_never_hidden(order: tuple[Verdict, ...]) -> None:
    """In whatever order the results come."""
    results = [([A], f"echo::{verdict.name}", verdict) for verdict in order]

    assert standings(*results)[0] == (Standing.MISSED, "echo::FAIL")


def test_a_known_deviation_is_told_with_its_reason() -> None:
    """And hides no other miss."""
    results = [([A], "echo::one", Verdict.FAIL), ([A], "echo::two", Verdict.FAIL)]
    both = {"echo::one": "it is old", "echo::two": "it is old"}

    rows = matrix(catalogue(), results, both)
    assert (rows[0].standing, rows[0].why) == (Standing.KNOWN, "it is old")
    rows = matrix(catalogue(), results, {"echo::one": "it is old"})
    assert (rows[0].standing, rows[0].why) == (Standing.MISSED, "echo::two")


def test_not_applicable_is_untested() -> None:
    """And says in which tests."""
    results = [([A], f"echo::{name}", Verdict.NOT_APPLICABLE) for name in ("one", "two", "three")]

    assert standings(*results)[0] == (Standing.UNTESTED, "not applicable here: echo::one and 2 more")


def test_what_cannot_be_seen_does_not_pass() -> None:
    """A proxy may miss, but proves nothing."""
    assert standings(([INSIDE], "proxy", Verdict.PASS))[2] == (Standing.NOT_OBSERVABLE, "it is inside")
    assert standings(([INSIDE], "proxy", Verdict.FAIL))[2] == (Standing.MISSED, "proxy")


def test_an_unknown_id_is_not_passed_over() -> None:
    """A result that would be lost is an error of ours."""
    with pytest.raises(UnknownRequirement, match=r"closest: rfc862:tcp/echo"):
        standings((["rfc862:tcp/ech"], "echo::one", Verdict.PASS))


def test_a_result_that_covers_nothing_moves_nothing() -> None:
    """A test of the harness itself."""
    assert standings(([], "doctor::one", Verdict.FAIL)) == standings()

"""The kill matrix: who rejects whom for what, and what is left: holes, dead weight, false alarms."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.proof.kills import KERNEL, Answer, answer, kill_matrix
from harness.record.result import Result
from harness.subject.languages import NOT_INSTALLED
from harness.tests.proof.rows import (
    CLOSES,
    GONE,
    MUTANTS,
    NEVER,
    OCTETS,
    SURVIVES,
    UPPER,
    rejected,
    row,
    unready,
    whole,
)
from harness.verdict import Finding, Level, Verdict

TEST = "echo::comes_back"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (rejected(TEST, UPPER.name, OCTETS), Answer.PROVED),
        (rejected(TEST, UPPER.name, CLOSES), Answer.KILLED),
        (rejected(TEST, UPPER.name, OCTETS, Verdict.DEVIATION), Answer.PROVED),
        (rejected(TEST, UPPER.name, CLOSES, Verdict.DEVIATION), Answer.SILENT),
        (rejected(TEST, UPPER.name, OCTETS, Verdict.PASS), Answer.PROVED),
        (row(TEST, UPPER.name, Verdict.FAIL, covers=(CLOSES,), missed=(CLOSES, OCTETS)), Answer.PROVED),
        (row(TEST, UPPER.name, Verdict.FAIL, covers=(CLOSES, OCTETS), missed=(CLOSES,)), Answer.KILLED),
        (row(TEST, UPPER.name, Verdict.FAIL, missed=(SURVIVES,)), Answer.KILLED),
        (row(TEST, UPPER.name), Answer.SILENT),
        (row(TEST, UPPER.name, Verdict.INCONCLUSIVE, missed=(OCTETS,)), Answer.OPEN),
        (row(TEST, UPPER.name, Verdict.NOT_APPLICABLE), Answer.UNASKED),
        (row(TEST, UPPER.name, Verdict.ERROR, missed=("",)), Answer.BROKEN),
        (unready(TEST, UPPER.name), Answer.UNREADY),
    ],
    ids=[
        "its own requirement",
        "another one",
        "its own SHOULD",
        "a SHOULD that correct servers miss too",
        "its own MAY, which is told and no miss",
        "its own among others",
        "covered, but not found missing",
        "a crash",
        "passed",
        "inconclusive",
        "not applicable",
        "the harness broke",
        "never ready",
    ],
)
def test_what_a_row_says_of_a_mutant(said: Result, expected: Answer) -> None:
    assert answer(said, UPPER) is expected


def test_the_whole_matrix() -> None:
    kills = kill_matrix(whole(), MUTANTS)

    assert {place: said.name for place, said in kills.cells.items()} == {
        ("echo::comes_back", UPPER.name): "PROVED",
        ("echo::comes_back", NEVER.name): "SILENT",
        ("echo::comes_back", GONE.name): "UNREADY",
        ("echo::closes", UPPER.name): "OPEN",
        ("echo::closes", NEVER.name): "SILENT",
        ("echo::closes", GONE.name): "UNREADY",
    }
    assert kills.holes == ((NEVER, "echo::closes did not notice; rejected by no test"),)
    assert [test.name for test in kills.dead_weight] == ["echo::closes"]
    assert [test.name for test in kills.kernel] == ["tcp::resets"]
    assert kills.judged == ("echo_asyncio",)
    assert (kills.alarms, kills.lost, kills.holds) == ((), (), False)
    assert kills.proof_of(OCTETS) == (UPPER.name,)
    assert kills.killed_by("echo::comes_back") == (UPPER.name,)


def test_when_every_mutant_is_rejected_it_holds() -> None:
    kills = kill_matrix([*whole(), rejected("echo::ends", NEVER.name, CLOSES)], MUTANTS)

    assert (kills.holes, kills.holds) == ((), True)


def test_one_variant_that_rejects_is_enough() -> None:
    """And which comes first does not matter."""
    rows = [rejected(TEST, UPPER.name, OCTETS, variant="-nul"), row(TEST, UPPER.name, variant="-text")]

    assert kill_matrix(rows, [UPPER]).cells == kill_matrix(rows[::-1], [UPPER]).cells
    assert kill_matrix(rows, [UPPER]).proved_by(UPPER.name) == (TEST,)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([], "no test was put to it"),
        ([row(TEST, NEVER.name)], "no test is governed by its requirement; rejected by no test"),
        (
            [rejected(TEST, NEVER.name, OCTETS)],
            f"no test is governed by its requirement; rejected for other requirements, by {TEST}",
        ),
        (
            [
                row("a::b", NEVER.name, Verdict.INCONCLUSIVE, covers=(CLOSES,)),
                row("a::c", NEVER.name, covers=(CLOSES,)),
            ],
            "a::c did not notice; a::b could not decide; rejected by no test",
        ),
        (
            [row(f"a::{name}", NEVER.name, covers=(CLOSES,)) for name in "bcdef"],
            "a::b, a::c, a::d and 2 more did not notice; rejected by no test",
        ),
        (
            [unready("a::b", NEVER.name), row("a::c", NEVER.name)],
            "no test is governed by its requirement; rejected by no test",
        ),
    ],
    ids=["never asked", "no test", "for another requirement", "undecided", "many", "ready once"],
)
def test_why_a_mutant_is_a_hole(rows: list[Result], why: str) -> None:
    assert kill_matrix(rows, [NEVER]).holes == ((NEVER, why),)


def test_of_a_part_only_what_met_its_own_tests_must_be_rejected() -> None:
    """Who asks for one test is not told of all mutants that it is not there to reject."""
    rows = [row(TEST, NEVER.name, covers=(OCTETS,)), row(TEST, UPPER.name, covers=(OCTETS,))]

    whole, part = (kill_matrix(rows, [NEVER, UPPER], partial=partial) for partial in (False, True))

    assert [mutant.name for mutant, _ in whole.holes] == [NEVER.name, UPPER.name]
    assert [mutant.name for mutant, _ in part.holes] == [mutant.name for mutant in part.tried] == [UPPER.name]


def test_a_mutant_that_never_becomes_ready_is_no_hole_and_kills_no_doubt() -> None:
    """It is rejected, but no test has shown that it can fail."""
    kills = kill_matrix([unready(TEST, GONE.name), replace(row(TEST, "echo_asyncio"))], [GONE])

    assert kills.holes == ()
    assert [test.name for test in kills.dead_weight] == [TEST]


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE])
def test_a_rejected_correct_server_is_a_false_alarm(verdict: Verdict) -> None:
    alarm = row(TEST, "echo_asyncio", verdict)

    kills = kill_matrix([rejected(TEST, UPPER.name, OCTETS), alarm], [UPPER])

    assert (kills.alarms, kills.holds) == ((alarm,), False)


def test_correct_servers_may_miss_a_should() -> None:
    rows = [rejected(TEST, UPPER.name, OCTETS), rejected("a::b", "echo_blocking", CLOSES, Verdict.DEVIATION)]

    assert kill_matrix(rows, [UPPER]).holds


def test_tests_of_a_should_are_no_dead_weight() -> None:
    kills = kill_matrix(
        [row(TEST, UPPER.name, level=Level.SHOULD), row("a::b", UPPER.name, level=Level.DOCUMENTED)], [UPPER]
    )

    assert [test.name for test in kills.dead_weight] == ["a::b"]
    assert [test.name for test in kills.soft_weight] == [TEST]


def test_a_should_that_a_correct_server_misses_is_seen_to_be_told() -> None:
    """What passes, or is another requirement's, shows nothing."""
    told = rejected("a::told", "echo_blocking", CLOSES, Verdict.DEVIATION)
    other = row("a::other", "echo_blocking", Verdict.DEVIATION, covers=(OCTETS,), missed=(CLOSES,))
    passed = row("a::passed", "echo_blocking")

    soft = [replace(one, level=Level.SHOULD) for one in (told, other, passed)]
    kills = kill_matrix([*soft, rejected(TEST, UPPER.name, OCTETS)], [UPPER])

    assert [test.name for test in kills.soft_weight] == ["a::other", "a::passed"]


def test_what_was_lost_is_told() -> None:
    """Planned and never reported, or reported by nobody who knew the subject."""
    died = Result(
        test="a::b[v4]", nodeid="", group="a", verdict=Verdict.ERROR, findings=(Finding(Verdict.ERROR, "", "", "x"),)
    )

    kills = kill_matrix([rejected(TEST, UPPER.name, OCTETS), died], [UPPER], lost=["a::c[v4]"])

    assert (kills.lost, kills.holds) == (("a::c[v4]", "a::b[v4]"), False)


def test_what_a_server_by_others_is_known_to_miss_is_no_alarm() -> None:
    """For that requirement; for another one, or when a test broke, it is."""
    seen = rejected("echo::closes", "socat", CLOSES)
    other = rejected("echo::comes_back", "socat", OCTETS)
    both = row("echo::both", "socat", Verdict.FAIL, missed=(CLOSES, SURVIVES))
    broke = row("echo::broke", "socat", Verdict.ERROR, missed=(CLOSES,))

    kills = kill_matrix([seen, other, both, broke], MUTANTS, findings={"socat": {CLOSES: "never closes"}})

    assert (kills.known, kills.alarms) == ((seen,), (other, both, broke))


def test_what_a_server_by_others_misses_now_and_then_is_its_own_race() -> None:
    """Another test whose verdict differed races by our fault, for all that is known."""
    missed = replace(rejected("echo::closes", "socat", CLOSES), test="echo::closes[v4-socat-r1]", repetition=1)
    unstable = {"echo::closes[v4-socat]": "1 pass, 1 fail", "echo::back[v4-socat]": "1 pass, 1 inconclusive"}

    kills = kill_matrix([missed], MUTANTS, findings={"socat": {CLOSES: "never closes"}}, unstable=unstable)

    assert (kills.known, kills.unstable) == ((missed,), ("1 pass, 1 inconclusive",))


def test_a_server_that_is_not_at_hand_was_not_judged() -> None:
    """One of which a single test was not applicable, was."""
    away = replace(row(TEST, "socat", Verdict.NOT_APPLICABLE), reason="needs socat")
    part = replace(row("echo::closes", "ncat", Verdict.NOT_APPLICABLE), reason="takes no host")

    kills = kill_matrix([away, part, row(TEST, "ncat")], MUTANTS)

    assert (kills.judged, kills.absent) == (("ncat",), {"socat": "needs socat"})


def test_a_mutant_whose_language_is_not_installed_is_no_hole_and_its_test_no_dead_weight() -> None:
    """One that no test applied to for another reason is a hole."""
    reason = f"is written in C and needs cc, {NOT_INSTALLED}"
    away = replace(row(TEST, UPPER.name, Verdict.NOT_APPLICABLE), reason=reason)
    unfit = replace(row(TEST, NEVER.name, Verdict.NOT_APPLICABLE), reason="takes no host")

    kills = kill_matrix([row(TEST, "ncat"), away, unfit], [UPPER, NEVER])

    assert (kills.away, [mutant.name for mutant, _ in kills.holes]) == ({UPPER.name: reason}, [NEVER.name])
    assert kills.dead_weight == ()


def test_what_the_kernel_is_known_to_miss_is_no_alarm_and_shows_that_its_test_can_fail() -> None:
    """The right kernel is rejected, as it must be: nobody else need stand in for a wrong one."""
    missed = replace(row("tcp::waits", KERNEL, Verdict.FAIL, missed=(CLOSES,)), known="Linux waits for a minute.")

    kills = kill_matrix([missed, row("tcp::resets", KERNEL)], [UPPER])

    assert (kills.alarms, kills.known, kills.deviations) == ((), (), (missed,))
    assert [test.name for test in kills.kernel] == ["tcp::resets"]

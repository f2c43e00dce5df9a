"""What differs between two runs, and what that makes of the exit code."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from harness.gate import page
from harness.gate.difference import Change, compare
from harness.record.process import ProcessRecord
from harness.report.model import Exit, Run
from harness.subject.stacktrace import StackTrace
from harness.tests.gate.runs import DEVIATION, ERROR, FAIL, INCONCLUSIVE, NOT_APPLICABLE, PASS, RUNS, row, run

if TYPE_CHECKING:
    from harness.record.result import Result
    from harness.verdict import Verdict


@given(RUNS)
def test_a_run_does_not_differ_from_itself(given: Run) -> None:
    """Diff A A is empty."""
    compared = compare(given, given)

    assert (compared.tests, dict(compared.machines), compared.exit) == ((), {}, Exit.HOLDS)
    assert page.comparison(compared) == "no test answers otherwise\n\nexit    0  nothing got worse\n"


@given(RUNS, RUNS)
def test_every_change_is_told_once(before: Run, after: Run) -> None:
    """What is newly failing one way is no longer so the other way, and what is gone is added."""
    there, back = compare(before, after), compare(after, before)

    gone = {one.test for one in there.tests if one.change is Change.GONE}
    assert gone == {one.test for one in back.tests if one.before == ""}
    assert {one.test for one in there.tests} == {one.test for one in back.tests}
    assert len({one.test for one in there.tests}) == len(there.tests)


def change(before: Verdict | None, after: Verdict | None, strict: bool = False) -> tuple[Change, Exit] | None:
    """What becomes of a test that answered the one and answers the other; None is a test that is not there."""
    left, right = (run(*([row("a::x", one, "said")] if one else []), strict=strict) for one in (before, after))
    compared = compare(left, right)
    return (compared.tests[0].change, compared.exit) if compared.tests else None


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (PASS, FAIL, (Change.FAILING, Exit.MISSED)),
        (INCONCLUSIVE, FAIL, (Change.FAILING, Exit.MISSED)),
        (None, FAIL, (Change.FAILING, Exit.MISSED)),
        (FAIL, PASS, (Change.PASSING, Exit.HOLDS)),
        (INCONCLUSIVE, PASS, (Change.PASSING, Exit.HOLDS)),
        (NOT_APPLICABLE, PASS, (Change.KIND, Exit.HOLDS)),
        (FAIL, ERROR, (Change.KIND, Exit.OPEN)),
        (PASS, INCONCLUSIVE, (Change.KIND, Exit.OPEN)),
        (PASS, DEVIATION, (Change.KIND, Exit.HOLDS)),
        (None, PASS, (Change.ADDED, Exit.HOLDS)),
        (FAIL, None, (Change.GONE, Exit.HOLDS)),
        (FAIL, FAIL, None),
    ],
)
def test_each_change_has_its_word(before: Verdict | None, after: Verdict | None, told: object) -> None:
    """And its exit code."""
    assert change(before, after) == told


def test_under_strict_a_deviation_is_a_failure() -> None:
    """As in the run itself."""
    assert change(PASS, DEVIATION, strict=True) == (Change.FAILING, Exit.MISSED)


@pytest.mark.parametrize(
    ("before", "after", "differs"),
    [
        (row("a::x", FAIL, "reset after 3 octets"), row("a::x", FAIL, "reset after 17 octets"), False),
        (row("a::x", FAIL, "reset after 3 octets"), row("a::x", FAIL, "end of stream"), True),
        (row("a::x", FAIL, "reset", expected="5 octets"), row("a::x", FAIL, "reset", expected="a line"), True),
    ],
)
def test_a_failure_that_says_something_else_has_changed_in_kind(before: Result, after: Result, differs: bool) -> None:
    """Numbers apart, which differ from run to run."""
    compared = compare(run(before), run(after))

    assert [one.change for one in compared.tests] == ([Change.KIND] if differs else [])


def test_a_lost_test_and_another_machine_are_told() -> None:
    """Lost is an answer of its own."""
    compared = compare(
        run(row("a::x"), environment={"cpus": 2, "load": [1.0]}),
        run(lost=["a::x"], environment={"cpus": 8, "load": [2.0]}),
    )

    assert page.comparison(compared) == (
        "changed in kind:\n  pass → lost  a::x\n\nthe machine differs:\n  cpus: 2 → 8\n\n"
        "1 changed in kind\n\nexit    6  something is not known any more\n"
    )


def crashed(line: int = 8, *, seen: str = "refused (RST)") -> Run:
    """A run in which two tests see the server crash in one line."""
    trace = StackTrace("Python", "ConnectionResetError", "[Errno 104] Connection reset", "/srv/echo.py", line)
    process = ProcessRecord("exit 1", ended=True, trace=trace, clients=1)
    return run(*(replace(row(test, FAIL, seen), process=process) for test in ("a::x", "a::y")))


def test_a_change_of_cause_is_told_once() -> None:
    """Both tests fail for it: one line names it, and one counts them."""
    passed = run(row("a::x", PASS), row("a::y", PASS))

    there, back = page.comparison(compare(passed, crashed())), page.comparison(compare(crashed(), passed))

    cause = "ConnectionResetError: [Errno 104] Connection reset (at /srv/echo.py:8)"
    assert there == (
        f"newly failing:\n  {cause}\n    2 tests (2 pass → fail), the first of them a::x\n\n"
        "2 newly failing\n\nexit    1  something is newly failing\n"
    )
    assert back == (
        f"newly passing:\n  no longer: {cause}\n    2 tests (2 fail → pass), the first of them a::x\n\n"
        "2 newly passing\n\nexit    0  nothing got worse\n"
    )


def test_the_same_cause_is_no_change() -> None:
    """In another line, after a change above it, and seen by the clients in another way."""
    assert compare(crashed(), crashed(9, seen="no octet came, then reset (RST)")).tests == ()


def test_another_cause_of_the_same_verdict_is_a_change() -> None:
    """The server fails the test as before, but for another reason."""
    wrong = run(*(row(test, FAIL, "differs at offset 3: expected 'lo', got 'LO'") for test in ("a::x", "a::y")))

    assert [one.change for one in compare(crashed(), wrong).tests] == [Change.KIND] * 2

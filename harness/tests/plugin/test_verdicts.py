"""What a test of a suite answers, and what the run then exits with.

One suite holds a test for each verdict. It is run whole once, and each verdict by itself for its exit code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.tests.plugin.sandbox import Ran, Sandbox

if TYPE_CHECKING:
    from pathlib import Path

TAKES_LONG_TO_TELL = """
    import select

    from harness.record import evidence

    def write(*told, **more):
        select.select([], [], [], 1.0)
        return written(*told, **more)

    written, evidence.write = evidence.write, write

    @pytest.mark.timeout(0.7)
    @covers("rfc9293:MUST-12")
    def test_misses_a_must():
        raise Mismatch("end of stream (FIN)", "reset (RST)")

    @covers("rfc9293:MUST-12")
    def test_holds():
        "What comes behind it is judged."
"""

EVERY_VERDICT = """
    @covers("rfc9293:MUST-12")
    def test_holds():
        "What is required is met."

    @covers("rfc9293:MUST-12", "rfc9293:SHLD-3")
    def test_misses_a_must():
        raise Mismatch("end of stream (FIN)", "reset (RST)")

    @covers("rfc9293:SHLD-3")
    def test_misses_a_should():
        raise Mismatch("reset (RST)", "end of stream (FIN)")

    @covers("rfc9293:MAY-1")
    def test_misses_a_may():
        assert False, "not offered"

    def test_covers_nothing():
        assert 1 == 2

    def test_leaves_it_open():
        with raises(ValueError):
            raise Inconclusive("the subject could not be provoked")

    def test_cannot_be_tried():
        raise NotApplicable("needs a second machine")

    def test_is_skipped():
        pytest.skip("needs a third machine")

    def test_breaks():
        raise KeyError("a bug of ours")

    @pytest.fixture
    def broken():
        raise KeyError("a bug in a fixture")

    def test_breaks_in_a_fixture(broken):
        pass

    @pytest.fixture
    def breaks_late():
        yield
        raise KeyError("a bug when it is torn down")

    def test_breaks_afterwards(breaks_late):
        pass

    @pytest.fixture
    def claims():
        assert False, "a claim in a fixture is a bug of ours"

    def test_claims_in_a_fixture(claims):
        pass

    @covers("rfc9293:MUST-99999")
    def test_covers_what_is_not_known():
        assert False, "said all the same"
"""

VERDICTS = {
    "holds": "pass",
    "misses_a_must": "fail",
    "misses_a_should": "deviation",
    "misses_a_may": "pass",
    "covers_nothing": "fail",
    "leaves_it_open": "inconclusive",
    "cannot_be_tried": "not applicable",
    "is_skipped": "not applicable",
    "breaks": "error",
    "breaks_in_a_fixture": "error",
    "breaks_afterwards": "error",
    "claims_in_a_fixture": "error",
    "covers_what_is_not_known": "error",
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """The suite run whole, without workers."""
    sandbox = Sandbox(tmp_path_factory.mktemp("whole"))
    sandbox.suite(EVERY_VERDICT)
    return sandbox.pytest()


def test_every_kind_of_end_has_its_verdict(whole: Ran) -> None:
    assert whole.verdicts == VERDICTS
    assert whole.code == 1


def test_workers_judge_the_same(sandbox: Sandbox) -> None:
    sandbox.suite(EVERY_VERDICT)
    ran = sandbox.pytest("-n", "2")
    assert ran.verdicts == VERDICTS
    assert ran.code == 1
    assert {row.worker for row in ran.record.results} <= {"gw0", "gw1"}


def test_the_first_requirement_governs(whole: Ran) -> None:
    rows = {row.test: row for row in whole.record.results}
    missed = rows["sample::misses_a_must"]
    assert (missed.covers, str(missed.level)) == (("rfc9293:MUST-12", "rfc9293:SHLD-3"), "MUST")
    assert [(f.requirement, f.expected, f.actual) for f in missed.findings] == [
        ("rfc9293:MUST-12", "end of stream (FIN)", "reset (RST)")
    ]


def test_a_verdict_without_a_finding_has_a_reason(whole: Ran) -> None:
    reasons = {row.test.partition("::")[2]: row.reason for row in whole.record.results if row.reason}
    assert reasons == {
        "leaves_it_open": "the subject could not be provoked",
        "cannot_be_tried": "needs a second machine",
        "is_skipped": "needs a third machine",
        "breaks": "KeyError: 'a bug of ours'",
        "breaks_in_a_fixture": "KeyError: 'a bug in a fixture'",
        "breaks_afterwards": "tear-down: KeyError: 'a bug when it is torn down'",
        "claims_in_a_fixture": "AssertionError: a claim in a fixture is a bug of ours",
        "covers_what_is_not_known": reasons["covers_what_is_not_known"],
    }
    assert reasons["covers_what_is_not_known"].startswith("UnknownRequirement: no requirement 'rfc9293:MUST-99999'")


def test_what_breaks_while_a_test_is_judged_hides_nothing(whole: Ran) -> None:
    """Its own message stays, and the tests after it are judged."""
    (row,) = (row for row in whole.record.results if row.test == "sample::covers_what_is_not_known")
    assert "said all the same" in row.findings[0].text
    assert "UnknownRequirement" in row.findings[0].text
    assert row.subject == "told"


def test_what_takes_long_to_tell_does_not_break_the_run(sandbox: Sandbox) -> None:
    """The net below a test ends with its body: half an evidence folder, and no row, would be the end of the run."""
    sandbox.suite(TAKES_LONG_TO_TELL)
    ran = sandbox.pytest("-n", "1")
    assert ran.verdicts == {"misses_a_must": "fail", "holds": "pass"}
    assert ran.code == 1, ran.out + ran.err


def test_junit_counts_what_was_judged(whole: Ran) -> None:
    assert whole.counts == {"tests": 13, "failures": 2, "errors": 6, "skipped": 2}


def test_the_summary_names_every_finding(whole: Ran) -> None:
    assert "FAIL  rfc9293:MUST-12 (MUST)" in whole.out
    assert "DEVIATION  rfc9293:SHLD-3 (SHOULD)" in whole.out
    assert "exit    1  required behaviour is missed" in whole.out


@pytest.mark.parametrize(
    ("selected", "options", "code"),
    [
        ("holds or misses_a_may or misses_a_should or cannot_be_tried", [], 0),
        ("misses_a_should", ["--strict-should"], 1),
        ("leaves_it_open or holds", [], 6),
        ("breaks or leaves_it_open", [], 3),
        ("cannot_be_tried or is_skipped", [], 5),
        ("breaks_in_a_fixture or misses_a_must", [], 1),
    ],
)
def test_exit_code(sandbox: Sandbox, selected: str, options: list[str], code: int) -> None:
    sandbox.suite(EVERY_VERDICT)
    ran = sandbox.pytest("-k", selected, *options)
    assert ran.code == code, ran.out + ran.err
    assert ran.record.facts.exit_code == code


def test_tests_outside_of_suites_are_not_judged(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "test_elsewhere.py").write_text("def test_fails(): assert 0\n")
    ran = sandbox.pytest("test_elsewhere.py", "-k", "fails")
    assert ran.code == 1
    assert not ran.folder.exists()


def test_what_the_kernel_is_known_to_miss_fails_nothing(sandbox: Sandbox) -> None:
    """It is told with its verdict and its reason, and a test that misses no more fails the run."""
    (sandbox.root / "suites" / "tcp").mkdir()
    name = "attempt_goes_on_for_three_minutes"
    suite = f"""
        @covers("rfc9293:MUST-23")
        def test_{name}():
            raise Mismatch("the attempt lasts 180 s", "127 s")
    """
    sandbox.suite(suite, "retransmission")
    place = sandbox.root / "suites"
    (place / "test_retransmission.py").rename(place / "tcp" / "test_retransmission.py")

    missed = sandbox.pytest("-n", "0")

    assert missed.code == 0, missed.out
    assert missed.verdicts == {name: "fail"}
    assert "1 known deviation" in missed.out
    assert missed.counts["failures"] == 0
    assert missed.record.results[0].known.startswith("Linux gives up")

    (place / "tcp" / "test_retransmission.py").write_text(
        f'from harness.suite import *\n@covers("rfc9293:MUST-23")\ndef test_{name}():\n    pass\n'
    )
    sandbox.report = sandbox.root / "again"
    kept = sandbox.pytest("-n", "0")

    assert (kept.code, kept.verdicts) == (1, {name: "fail"})
    assert "it is none any more: delete lines" in kept.out


def test_what_a_test_had_is_forgotten_when_it_is_over(sandbox: Sandbox) -> None:
    """Else a worker holds every capture until the end of the run: half a megabyte for each test."""
    sandbox.suite("""
        import gc, weakref

        PROFILES = ("echo",)
        had = []

        def check_one(subject, probe, wire):
            probe.connect(subject).expect_back(b"hello")
            had.extend(map(weakref.ref, (subject, probe, wire)))

        def check_then_another():
            gc.collect()
            assert [one() for one in had] == [None, None, None]
    """)

    ran = sandbox.pytest("-n", "0", "-k", "then_another or (v4 and echo_blocking)")

    assert ran.verdicts == {"one[v4-echo_blocking]": "pass", "then_another": "pass"}, ran.out

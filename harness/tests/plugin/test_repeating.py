"""`--repeat N`: every test again and again, and what is told when the verdict differs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.report.model import Exit

if TYPE_CHECKING:
    from harness.tests.plugin.sandbox import Sandbox

SUITE = """
    PROFILES = ("echo",)

    @covers("rfc862:tcp/octets-unchanged")
    @pytest.mark.parametrize("text", [b"a", b"b"], ids=["one", "two"])
    def check_comes_back(subject, probe, text):
        probe.connect(subject).expect_back(text)

    @covers("rfc862:tcp/adds-nothing")
    def check_differs(subject, repetition):
        if repetition == 2:
            raise Inconclusive("this time we could not see")
"""


@pytest.mark.usefixtures("lab_process")
def test_a_verdict_that_differs_is_told_apart(sandbox: Sandbox) -> None:
    """Each repetition has a row; the summary lists what differed, and the exit code is not 0."""
    sandbox.suite(SUITE)
    ran = sandbox.check("--profile=echo", "--repeat=3", "-k", "echo_blocking and v4")

    assert ran.verdicts == {
        **{f"comes_back[v4-echo_blocking-{text}-r{n}]": "pass" for text in ("one", "two") for n in (1, 2, 3)},
        "differs[v4-echo_blocking-r1]": "pass",
        "differs[v4-echo_blocking-r2]": "inconclusive",
        "differs[v4-echo_blocking-r3]": "pass",
    }
    assert ran.code == Exit.OPEN
    assert [row.repetition for row in ran.record.results[-3:]] == [1, 2, 3]
    assert "1 test unstable: the verdict differed between repetitions" in ran.out
    assert "  sample::differs[v4-echo_blocking]: 2 pass, 1 inconclusive\n" in ran.out
    assert " · 1 unstable · " in ran.out
    assert "again     sockspec check --profile echo -k 'check_differs and v4 and echo_blocking'" in ran.out
    assert "sample::differs[v4-echo_blocking]: 2 pass, 1 inconclusive" in (ran.folder / "index.html").read_text()


@pytest.mark.usefixtures("lab_process")
def test_a_verdict_that_stays_is_not_told(sandbox: Sandbox) -> None:
    """Nothing is unstable, with several workers either."""
    sandbox.suite(SUITE)
    ran = sandbox.check("--profile=echo", "--repeat=4", "-n", "2", "-k", "comes_back and echo_blocking and v4 and one")

    assert ran.code == Exit.HOLDS, ran.out + ran.err
    assert sorted(row.repetition for row in ran.record.results) == [1, 2, 3, 4]
    assert "unstable" not in ran.out + (ran.folder / "index.html").read_text()


@pytest.mark.parametrize("number", ["0", "-1", "often"])
def test_a_number_that_is_none(sandbox: Sandbox, number: str) -> None:
    ran = sandbox.check(f"--repeat={number}")

    assert (ran.code, ran.out) == (Exit.USAGE, "")
    assert f"argument --repeat: {number!r} is no number of times; give 1 or more" in ran.err

"""`sockspec proof` with a suite of the test's own, and what the other commands tell of its run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.cli import main
from harness.report.model import Exit

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.tests.plugin.sandbox import Ran, Sandbox

SUITE = """
    PROFILES = ("echo",)

    @covers("rfc862:tcp/octets-unchanged")
    @pytest.mark.parametrize("text", [b"lower case", b"still lower"], ids=["one", "two"])
    def check_comes_back(subject, probe, text):
        probe.connect(subject).expect_back(text)

    @pytest.mark.slow
    @covers("rfc862:tcp/adds-nothing")
    def check_nothing_more(subject, probe):
        probe.connect(subject).expect_back(b"X")

    @covers("rfc862:tcp/closes-after-client-fin", "rfc9293:MUST-12")
    def check_connects(subject, probe):
        probe.connect(subject)
"""

ELSEWHERE = """
    PROFILES = ("echo",)

    @covers("rfc862:tcp/empty-session")
    def check_ends(subject, probe):
        probe.connect(subject).half_close()
"""


def _proof(sandbox: Sandbox, *words: str) -> Ran:
    return sandbox.run("harness", "proof", f"--report={sandbox.report}", "-n", "0", *words)


@pytest.mark.usefixtures("lab_process")
def test_mutants_are_judged_beside_correct_servers(sandbox: Sandbox) -> None:
    """One is rejected, one is a hole; a test that has rejected a mutant is not put to it again."""
    sandbox.suite(SUITE)
    ran = _proof(sandbox, "-k", "echo_upper_cases or echo_never_closes or echo_blocking")

    assert ran.code == Exit.MISSED, ran.out + ran.err
    assert ran.verdicts == {
        "comes_back[v4-echo_blocking-one]": "pass",
        "comes_back[v4-echo_upper_cases-one]": "fail",
        "comes_back[v4-echo_never_closes-one]": "pass",
        "comes_back[v4-echo_blocking-two]": "pass",
        "comes_back[v4-echo_upper_cases-two]": "not applicable",
        "comes_back[v4-echo_never_closes-two]": "pass",
        "nothing_more[v4-echo_blocking]": "pass",
        "nothing_more[v4-echo_upper_cases]": "pass",
        "nothing_more[v4-echo_never_closes]": "pass",
        "connects[v4-echo_blocking]": "pass",
        "connects[v4-echo_upper_cases]": "pass",
        "connects[v4-echo_never_closes]": "pass",
    }
    first, *_ = ran.out.strip().splitlines()
    assert first.startswith("1 of 2 mutants rejected as they must be · 1 hole · 0 false alarms on 1 correct server · ")
    assert "  echo_never_closes  breaks rfc862:tcp/closes-after-client-fin\n" in ran.out
    assert "findings" not in ran.out
    written = {path.name for path in ran.folder.iterdir()}
    assert written >= {"kills.txt", "kills.md", "matrix.txt", "results.jsonl"}
    (again,) = [row.again for row in ran.record.results if row.verdict.value == "fail"]
    assert again == "sockspec proof -k 'check_comes_back and v4 and echo_upper_cases-one'"

    told = sandbox.run("harness", "list", "--matrix", str(sandbox.report))
    assert told.out == (ran.folder / "matrix.txt").read_text()
    assert "proved by       echo_upper_cases" in told.out

    retold = sandbox.run("harness", "proof", "--from", str(sandbox.report), "--profile", "echo")
    assert (retold.code, retold.out.splitlines()[:1]) == (Exit.MISSED, [first])


@pytest.fixture
def planned(sandbox: Sandbox) -> Callable[..., list[str]]:
    """The tests of both suites that a proof with these words plans."""
    sandbox.suite(SUITE)
    sandbox.suite(ELSEWHERE, "elsewhere")

    def plan(*words: str) -> list[str]:
        ran = sandbox.pytest("--mutants", "--family=v4", "--collect-only", "--profile=echo", *words)
        return [line.partition("::check_")[2] for line in ran.out.splitlines()]

    return plan


def test_a_mutant_is_put_to_what_covers_what_it_breaks(planned: Callable[..., list[str]]) -> None:
    names = planned()

    assert {name for name in names if "echo_upper_cases" in name} == {
        "comes_back[v4-echo_upper_cases-one]",
        "comes_back[v4-echo_upper_cases-two]",
    }
    asked = [name for name in names if "v4-echo_asyncio" in name]
    assert len(asked) == 4, "the first of its profile is asked all, each in one variant"
    assert not [name for name in names if "v4-echo_blocking" in name]


def test_a_wide_proof_leaves_out_what_teaches_nothing(planned: Callable[..., list[str]]) -> None:
    """Where a test does not cover what a mutant breaks: further variants, and slow tests."""
    names = planned("--wide")

    assert {name for name in names if "echo_upper_cases" in name} == {
        "comes_back[v4-echo_upper_cases-one]",
        "comes_back[v4-echo_upper_cases-two]",
        "connects[v4-echo_upper_cases]",
        "ends[v4-echo_upper_cases]",
    }
    assert {name for name in names if "echo_adds_crlf" in name} == {
        "comes_back[v4-echo_adds_crlf-one]",
        "nothing_more[v4-echo_adds_crlf]",
        "connects[v4-echo_adds_crlf]",
        "ends[v4-echo_adds_crlf]",
    }
    assert not [name for name in names if "v4-echo_blocking" in name]


@pytest.mark.usefixtures("lab_process")
def test_when_all_are_rejected_it_holds(sandbox: Sandbox) -> None:
    sandbox.suite(SUITE)
    ran = _proof(sandbox, "-k", "comes_back and (echo_upper_cases or echo_blocking) and one")

    assert ran.code == Exit.HOLDS, ran.out + ran.err
    assert "0 holes" in ran.out


@pytest.mark.usefixtures("lab_process")
def test_a_server_by_others_that_is_not_at_hand(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not applicable and says what it needs; nothing is fetched unless that is asked for."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    sandbox.suite(SUITE)
    ran = _proof(sandbox, "-k", "connects and (socat_echo or echo_blocking)")

    assert ran.code == Exit.HOLDS, ran.out + ran.err
    assert ran.verdicts == {"connects[v4-echo_blocking]": "pass", "connects[v4-socat_echo]": "not applicable"}
    assert "socat_echo: needs socat (Debian), which is not installed; `sockspec proof --install` fetches it" in ran.out
    assert not list(tmp_path.glob("sockspec"))


def test_a_selector_that_matches_nothing(sandbox: Sandbox) -> None:
    sandbox.suite(SUITE)
    ran = _proof(sandbox, "-k", "nowhere")

    assert (ran.code, ran.out.strip()) == (Exit.USAGE, "")


@pytest.mark.parametrize("words", [["proof", "--from"], ["list", "--matrix"]])
def test_a_folder_that_holds_no_run(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, str(tmp_path)]) == Exit.USAGE
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "holds no run" in err

"""The basic exchange: one finding where it fails, and what rests on it is not applicable."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from harness.plugin.basic import ACCEPTING, NOTHING, why_not
from harness.record.store import load
from harness.report.model import Exit
from harness.subject.manner import Manner
from harness.tests.fixtures.running import MUTANTS, SERVERS, running

if TYPE_CHECKING:
    from harness.tests.plugin.sandbox import Sandbox

SUITE = """
    PROFILES = ("redis",)

    @covers("house:any/basic-exchange")
    def check_basic_exchange(first_exchange):
        first_exchange.expect_success()

    @covers("house:protocol/answers")
    def check_answers(subject, session):
        session.serve()

    @needs("accepting")
    @covers("house:any/accepts")
    def check_accepts(subject, probe):
        probe.connect(subject)

    @needs("nothing")
    @covers("house:any/bound-address")
    def check_listens(subject):
        assert subject.listeners()
"""
KINDS = 'PROFILES = ("redis",)', 'PROFILES = ("protocol",)'
WRONG = MUTANTS / "redis_wants_a_password.py"
EXPECTED = r"the answer to PING as an array: '+PONG\r\n'"
ACTUAL = (
    r"'-NOAUTH Authentication required.\r\n' (34 octets);"
    r" the match stops at offset 0: expected '+PONG\r\n', got '-NOAUTH Authentication r'"
)
REASON = f"the basic exchange fails: expected {EXPECTED}; {ACTUAL}"


def served(program: object) -> tuple[str, ...]:
    """The words that have a program judged as a Redis server."""
    return "--serve", f"{sys.executable} {program} {{host}} {{port}}", "--profile", "redis"


@pytest.mark.usefixtures("lab_process")
@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_server_that_says_something_else_gets_one_finding(sandbox: Sandbox, workers: str) -> None:
    """With what was expected, what came and where that stops; what can be judged all the same is judged."""
    sandbox.suite(SUITE.replace(*KINDS))

    ran = sandbox.check(*served(WRONG), "-n", workers)

    assert ran.code == Exit.MISSED
    assert ran.verdicts == {
        f"{name}[{family}]": verdict
        for family in ("v4", "v6")
        for name, verdict in {
            "basic_exchange": "fail",
            "answers": "not applicable",
            "accepts": "pass",
            "listens": "pass",
        }.items()
    }
    rows = {row.test: row for row in ran.record.results}
    assert rows["sample::answers[v4]"].reason == REASON
    (finding,) = rows["sample::basic_exchange[v4]"].findings
    assert (finding.expected, finding.actual) == (EXPECTED, ACTUAL)


@pytest.mark.usefixtures("lab_process")
def test_a_test_that_is_asked_for_by_its_name_is_run(sandbox: Sandbox) -> None:
    """Else a report without a finding would say that all holds."""
    sandbox.suite(SUITE.replace(*KINDS))

    ran = sandbox.check(*served(WRONG), "-k", "check_answers and v4")

    assert ran.verdicts == {"answers[v4]": "fail"}


@pytest.mark.usefixtures("lab_process")
def test_a_shard_without_the_finding_leaves_out_the_same(sandbox: Sandbox) -> None:
    """It is in another shard, and merged with it."""
    sandbox.suite(SUITE.replace(*KINDS))

    folders = {shard: sandbox.root / shard.replace("/", "of") for shard in ("1/2", "2/2")}
    for shard, folder in folders.items():
        sandbox.check(*served(WRONG), "--shard", shard, f"--report={folder}")

    rows = [row for folder in folders.values() for row in load(folder).results]
    assert len(rows) == 8
    assert {row.verdict.value for row in rows if row.test.startswith("sample::answers")} == {"not applicable"}


@pytest.mark.usefixtures("lab_process")
def test_a_right_server_is_asked_everything(sandbox: Sandbox) -> None:
    """Once for each family, before the tests."""
    sandbox.suite(SUITE.replace(*KINDS))

    ran = sandbox.check(*served(SERVERS / "redis_selectors.py"))

    assert set(ran.verdicts.values()) == {"pass"}


def test_a_running_server_is_asked_too(sandbox: Sandbox) -> None:
    """With the sockets of this host."""
    sandbox.suite(SUITE.replace(*KINDS))
    with running(WRONG, "127.0.0.1", "0") as server:
        ran = sandbox.check(f"tcp://127.0.0.1:{server.port}", "--profile", "redis", "-k", "v4")

    assert ran.verdicts["basic_exchange[v4]"] == "fail"
    assert ran.verdicts["answers[v4]"] == "not applicable"


@pytest.mark.parametrize(
    ("manner", "needs", "reason"),
    [
        (Manner(), "", ""),
        (Manner(fails="X"), "", "the basic exchange fails: X"),
        (Manner(fails="X"), ACCEPTING, ""),
        (Manner(fails="X", accepts=False), ACCEPTING, "the basic exchange fails: X"),
        (Manner(fails="X", accepts=False), NOTHING, ""),
        (Manner(seconds=1.9), "", ""),
        (Manner(seconds=3.1), "", "needs a server that serves a client within 2 s: the basic exchange took 3.1 s"),
        (Manner(seconds=3.1), NOTHING, ""),
    ],
)
def test_what_a_test_needs_decides_whether_it_can_be_tried(manner: Manner, needs: str, reason: str) -> None:
    assert why_not(manner, needs) == reason

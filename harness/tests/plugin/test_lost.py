"""Whatever ends a run early, what was judged is kept, and what was planned and not judged is told.

Runs are steered by a named pipe: a test that opens it waits until we open the other end. So we act while it runs, and
need no sleep.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from harness.budget import Deadline
from harness.record.store import load
from harness.report.model import Run
from harness.report.publish import publish
from harness.tests.plugin.sandbox import CHECKOUT, Ran, Sandbox

if TYPE_CHECKING:
    from pathlib import Path

_KILLED = """
    @pytest.mark.parametrize("number", range(4))
    def test_holds(number):
        pass

    def test_kills_its_worker():
        os.kill(os.getpid(), 9)

    def test_fails():
        assert False, "told although a worker died"
"""

_WAITING = """
    def test_before():
        pass

    def test_waits():
        with open("reached", "w") as reached, open("go_on") as go_on:
            go_on.read()

    def test_after():
        pass
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A run in which a test kills the worker that runs it."""
    sandbox = Sandbox(tmp_path_factory.mktemp("killed"))
    sandbox.suite(_KILLED)
    return sandbox.pytest("-n", "2")


def test_a_killed_worker_costs_its_own_test_only(killed: Ran) -> None:
    assert killed.verdicts == {
        **{f"holds[{number}]": "pass" for number in range(4)},
        "kills_its_worker": "error",
        "fails": "fail",
    }
    assert killed.code == 1  # a fail is true, whatever broke beside it


def test_a_killed_worker_is_named(killed: Ran) -> None:
    (row,) = (row for row in killed.record.results if row.test == "sample::kills_its_worker")
    assert "crashed while running" in row.reason


def test_counts_add_up_though_a_worker_died(killed: Ran) -> None:
    assert killed.counts == {"tests": 6, "failures": 1, "errors": 1, "skipped": 0}
    assert sorted(killed.record.facts.planned) == sorted(row.test for row in killed.record.results)


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_an_interrupted_run_keeps_what_it_has(sandbox: Sandbox, workers: tuple[str, ...]) -> None:
    sandbox.suite(_WAITING)
    reached = _pipe(sandbox.root / "reached")
    _pipe(sandbox.root / "go_on")
    process = sandbox.start("pytest", "suites", "-q", f"--report={sandbox.report}", *workers)
    with open(reached) as test_runs:
        before = _rows(sandbox.report, 1 if not workers else 0)
        process.send_signal(signal.SIGINT)
        if workers:
            _let_go(sandbox.root / "go_on")  # pytest-xdist waits for the test that a worker is in
        test_runs.read()
    out, err = process.communicate(timeout=60)

    assert process.returncode == 2, out + err
    assert before <= set(_rows(sandbox.report))
    run = Run.of(load(sandbox.report))
    assert {row.test for row in run.rows} | set(run.lost) == {"sample::before", "sample::waits", "sample::after"}
    assert run.lost, "a run that was interrupted has lost something"
    assert run.facts.exit_code == 2
    assert publish(sandbox.report, CHECKOUT / "reports" / "templates").index.stat().st_size > 0
    assert not _processes_in(sandbox.root)


def test_a_killed_run_leaves_rows_that_can_be_rendered(sandbox: Sandbox) -> None:
    sandbox.suite(_WAITING)
    reached = _pipe(sandbox.root / "reached")
    _pipe(sandbox.root / "go_on")
    process = sandbox.start("pytest", "suites", "-q", f"--report={sandbox.report}")
    with open(reached):
        process.kill()
    process.communicate(timeout=60)

    assert _rows(sandbox.report) == {"sample::before"}
    run = publish(sandbox.report, CHECKOUT / "reports" / "templates").run
    assert run.lost == ("sample::waits", "sample::after")
    assert not run.ended
    assert not _processes_in(sandbox.root)


def _pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def _let_go(path: Path) -> None:
    """Give the test that waits at a pipe its end of file."""
    with path.open("w"):
        pass


def _rows(folder: Path, wanted: int = 0) -> set[str]:
    """The tests on record; waits until there are `wanted`."""
    deadline = Deadline(10.0)
    while len(rows := {row.test for row in load(folder).results}) < wanted and not deadline.over:
        os.sched_yield()
    return rows


def _processes_in(folder: Path) -> list[str]:
    """The processes that work in a folder, by their command lines."""
    deadline = Deadline(10.0)
    while (found := _working_in(folder)) and not deadline.over:
        os.sched_yield()  # a killed process is gone a little later than its parent hears of it
    return found


def _working_in(folder: Path) -> list[str]:
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                if os.readlink(f"{entry.path}/cwd") == str(folder):
                    with open(f"{entry.path}/cmdline", "rb") as words:
                        found.append(words.read().replace(b"\0", b" ").decode(errors="replace"))
            except OSError:
                continue  # gone meanwhile
    return found

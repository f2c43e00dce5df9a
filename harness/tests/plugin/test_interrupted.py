"""Runs that something ends or hinders: SIGTERM, a disk that takes no more, a suite that cannot be read.

What was judged is on disk and rendered, nothing is left running, and the exit code tells.
"""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from harness.cli import main
from harness.record.store import load
from harness.report.model import Exit, Run
from harness.tests.plugin.sandbox import environment
from harness.tests.plugin.test_lost import _WAITING, _let_go, _pipe, _processes_in

if TYPE_CHECKING:
    from harness.tests.plugin.sandbox import Ran, Sandbox

WORKERS = pytest.mark.parametrize("workers", ["0", "2"], ids=["alone", "workers"])


@WORKERS
def test_sigterm_ends_a_run_as_an_interrupt_does(sandbox: Sandbox, workers: str) -> None:
    """The report is there, and says what was lost."""
    sandbox.suite(_WAITING)
    reached = _pipe(sandbox.root / "reached")
    _pipe(sandbox.root / "go_on")
    process = sandbox.start("harness", "check", f"--report={sandbox.report}", "-n", workers)
    with open(reached) as test_runs:
        process.send_signal(signal.SIGTERM)
        if workers != "0":
            _let_go(sandbox.root / "go_on")  # pytest-xdist waits for the test that a worker is in
        test_runs.read()
    out, err = process.communicate(timeout=60)

    assert process.returncode == Exit.INTERRUPTED, out + err
    assert "exit    2  the run was interrupted" in out
    assert (sandbox.report / "index.html").exists()
    run = Run.of(load(sandbox.report))
    assert run.facts.exit_code == Exit.INTERRUPTED
    assert run.lost
    assert {row.test for row in run.rows} | set(run.lost) == {"sample::before", "sample::waits", "sample::after"}
    assert not _processes_in(sandbox.root)


def test_a_worker_that_is_killed_leaves_nothing_behind(sandbox: Sandbox) -> None:
    """Nor does the controller, when it is killed while a worker is in a test."""
    sandbox.suite(_WAITING)
    reached = _pipe(sandbox.root / "reached")
    _pipe(sandbox.root / "go_on")
    process = sandbox.start("harness", "check", f"--report={sandbox.report}", "-n", "2")
    with open(reached):
        process.kill()
    _let_go(sandbox.root / "go_on")
    process.communicate(timeout=60)

    assert not _processes_in(sandbox.root)
    assert main(["report", str(sandbox.report)]) == Exit.INTERRUPTED


_LONG = """
    @pytest.mark.parametrize("number", range(30))
    def test_holds(number):
        pass

    test_holds.__doc__ = "x" * 30_000
"""


def _limited(sandbox: Sandbox, octets: int, *words: str) -> tuple[int, str, str]:
    """`sockspec check` where no file may grow beyond so many octets."""
    ran = subprocess.run(
        [sys.executable, "-m", "harness", "check", f"--report={sandbox.report}", *words],
        cwd=sandbox.root,
        env=environment(),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (octets, resource.RLIM_INFINITY)),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return ran.returncode, ran.stdout, ran.stderr


@WORKERS
def test_a_disk_that_takes_no_more_ends_the_run(sandbox: Sandbox, workers: str) -> None:
    """The rows before it are kept and rendered, the rest is lost, and the reason is told in a line with its remedy."""
    sandbox.suite(_LONG)

    code, out, err = _limited(sandbox, 500_000, "-n", workers)

    assert code == Exit.BROKEN, out + err
    assert err == (
        f"sockspec: cannot write {sandbox.report}/results.jsonl (File too large);"
        " a file may not grow further: raise the file size limit (ulimit -f)\n"
        f"sockspec: what was judged before is in {sandbox.report}; `sockspec report` renders it\n"
    )
    run = Run.of(load(sandbox.report))
    assert 0 < len(run.rows) < 30
    assert len(run.rows) + len(run.lost) == 30
    assert run.notes == ()
    assert main(["report", str(sandbox.report)]) == Exit.BROKEN
    assert not _processes_in(sandbox.root)


_UNREADABLE = """
    from nowhere import something

    def test_holds():
        pass
"""


@WORKERS
def test_a_suite_that_cannot_be_read_is_told(sandbox: Sandbox, workers: str) -> None:
    """Nothing is judged by halves: the harness is broken, and the file is named with what is wrong in it."""
    sandbox.suite(_UNREADABLE, "broken")
    sandbox.suite("def test_holds(): pass")

    ran: Ran = sandbox.check("-n", workers)

    assert ran.code == Exit.BROKEN, ran.out + ran.err
    reason = "ModuleNotFoundError: No module named 'nowhere'; mend it, or take it out"
    assert ran.err == f"sockspec: suites/test_broken.py cannot be read: {reason}\n"

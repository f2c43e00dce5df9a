"""How long `sockspec check` takes for one echo server with all its tests, and how many tests at a time are best.

A test mostly waits: for a grace period of the kernel, for a subject, and if that is wrong, until it has been idle for
two seconds. So more workers than cores may pay, until their start costs more than they save. A server that forgets to
close shows the waits, a correct one the rest.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from bench.machine import Figure, table, timed

ROUNDS = 2
WORKERS = (0, 2, 4, 6, 8)
_FIXTURES = Path(__file__).parents[1] / "fixtures"
_SERVERS = {"correct": _FIXTURES / "servers/echo_asyncio.py", "wrong": _FIXTURES / "mutants/echo_never_closes.py"}
_JUDGED = {0, 1, 6}  # exit codes of a run that came to its end


def main() -> None:
    """Print a table for each server, all numbers of workers in turns."""
    for name, server in _SERVERS.items():
        took: dict[int, list[float]] = {number: [] for number in WORKERS}
        tests = 0
        for _ in range(ROUNDS):
            for number in WORKERS:
                with tempfile.TemporaryDirectory() as folder:
                    report = Path(folder, "run")
                    took[number].append(timed(partial(_check, server, report, number)))
                    tests = (report / "results.jsonl").read_text().count("\n")
        figures = [Figure(f"-n {number}", tuple(times), "s", "≤ 20") for number, times in took.items()]
        table(f"sockspec check of one echo server, {name}, {tests} tests", figures)


def _check(server: Path, report: Path, workers: int) -> None:
    words = ["--serve", f"{sys.executable} {server} {{host}} {{port}}", "--profile", "echo", "-n", str(workers)]
    done = subprocess.run(
        [sys.executable, "-m", "harness", "check", *words, f"--report={report}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in _JUDGED:
        raise RuntimeError(done.stdout + done.stderr)


if __name__ == "__main__":
    main()

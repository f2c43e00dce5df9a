"""How long `sockspec check` takes for one echo server with all its tests, and how many tests at a time are best.

A test mostly waits: for a grace period of the kernel, for a subject, for an idle second. So more workers than cores may
pay, until their start costs more than they save.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from bench.machine import Figure, table, timed

ROUNDS = 3
WORKERS = (0, 2, 4, 6, 8)
_SERVER = Path(__file__).parents[1] / "fixtures" / "servers" / "echo_asyncio.py"
_JUDGED = {0, 1, 6}  # exit codes of a run that came to its end


def main() -> None:
    """Print the table, all numbers of workers in turns."""
    took: dict[int, list[float]] = {number: [] for number in WORKERS}
    tests = 0
    for _ in range(ROUNDS):
        for number in WORKERS:
            with tempfile.TemporaryDirectory() as folder:
                report = Path(folder, "run")
                took[number].append(timed(partial(_check, report, number)))
                tests = (report / "results.jsonl").read_text().count("\n")
    figures = [Figure(f"-n {number}", tuple(times), "s", "≤ 20") for number, times in took.items()]
    table(f"sockspec check of one echo server, {tests} tests", figures)


def _check(report: Path, workers: int) -> None:
    words = ["--serve", f"{sys.executable} {_SERVER} {{host}} {{port}}", "--profile", "echo", "-n", str(workers)]
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

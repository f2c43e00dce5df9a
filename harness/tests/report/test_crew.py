"""Work in parts: the same whoever does it, and in their order."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from harness.report.crew import spread

# In an interpreter of its own: this one has the threads of pytest-xdist. Prints what was done, and by how many.
ALONE = """
import os
from harness.report.crew import spread
done = [text.split() for text in spread(lambda part: f"{part} {os.getpid()}", 40)]
print([int(part) for part, _ in done] == list(range(40)), len({pid for _, pid in done} - {str(os.getpid())}))
"""

BROKEN = """
from harness.report.crew import spread
def work(part):
    if part == 7:
        raise ValueError("part 7 cannot be done")
    return str(part)
list(spread(work, 40))
"""


def alone(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one processor does all of it alone")
def test_forks_do_it_and_the_order_stays() -> None:
    """Each part once, none of them by the process that asks."""
    ran = alone(ALONE)

    whole, forks = ran.stdout.split()
    assert (whole, ran.stderr) == ("True", "")
    assert int(forks) >= 1


def test_what_fails_in_a_fork_fails_here() -> None:
    """With its own words, and not with a report that lacks pages."""
    ran = alone(BROKEN)

    assert ran.returncode != 0
    assert "ValueError: part 7 cannot be done" in ran.stderr


def test_with_threads_it_is_done_alone() -> None:
    """A fork would inherit the locks that they hold."""
    enough = threading.Event()
    other = threading.Thread(target=enough.wait)
    other.start()
    try:
        done = list(spread(lambda part: f"{part} {os.getpid()}", 9))
    finally:
        enough.set()
        other.join()

    assert done == [f"{part} {os.getpid()}" for part in range(9)]


def test_nothing_to_do() -> None:
    """No part, no process, no answer."""
    assert list(spread(str, 0)) == []

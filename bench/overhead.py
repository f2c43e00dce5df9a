"""What one test costs before it does anything: lab, subject, capture, verdict, evidence.

Whole: pytest runs an empty test of a suite with the reference servers of one profile, without workers, once 20 times
and once 120 times; the difference of the times, divided by 100, is what one more test costs. What starts once is
thereby left out. The same with a plain empty test tells how much of it is pytest's own.

Parts: the pieces of the fixtures by hand, in the order in which a test goes through them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench.machine import Figure, milliseconds, table, timed
from harness.budget import Stopwatch
from harness.capture import pcapng
from harness.capture.recording import Wire
from harness.lab.handle import Lab
from harness.lab.near import LabNear
from harness.record import evidence
from harness.subject.inventory import reference_servers
from harness.subject.process import start

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROUNDS = 3
_PARTS = 100
_FIXTURES = "subject, probe, wire, "
_EMPTY = """\
import pytest
PROFILES = ("echo",)
pytestmark = pytest.mark.parametrize("number", range({times}))
def check_nothing({fixtures}number):
    pass
"""
_SUBJECTS = 10  # tests for each number: five echo servers, two families


def main() -> None:
    """Print both tables."""
    with tempfile.TemporaryDirectory() as folder:
        plain = _slopes(Path(folder, "plain"), "", subjects=1, numbers=(100, 5100))
        whole = _slopes(Path(folder, "suites"), _FIXTURES)
        bare = _slopes(Path(folder, "suites"), _FIXTURES, "--pcap=never")
    table(
        "one empty test",
        [
            Figure("lab, subject, capture, evidence, by pytest", milliseconds(whole), "ms", "≤ 40"),
            Figure("… --pcap never", milliseconds(bare), "ms"),
            Figure("pytest alone: a plain empty test", milliseconds(plain), "ms"),
        ],
    )
    parts = _parts()
    figures = [Figure(name, milliseconds(times), "ms") for name, times in parts.items()]
    sums = tuple(map(sum, zip(*parts.values(), strict=True)))
    table("its parts", [*figures, Figure("all parts", milliseconds(sums), "ms")])


def _slopes(
    folder: Path, fixtures: str, *options: str, subjects: int = _SUBJECTS, numbers: tuple[int, int] = (20, 120)
) -> tuple[float, ...]:
    """Seconds for one more test, several times."""
    slopes = []
    for _ in range(_ROUNDS):
        few, many = (timed(partial(_run, folder, fixtures, number // subjects, options)) for number in numbers)
        slopes.append((many - few) / (numbers[1] - numbers[0]))
    return tuple(slopes)


def _run(folder: Path, fixtures: str, times: int, options: tuple[str, ...]) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "test_empty.py").write_text(_EMPTY.format(fixtures=fixtures, times=times))
    words = ["-p", "harness.plugin", "-p", "no:cacheprovider", "-o", "python_functions=check_*", "--profile=echo", "-q"]
    with tempfile.TemporaryDirectory() as report:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *words, f"--report={report}/run", *options, folder.name],
            cwd=folder.parent,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)


def _parts() -> dict[str, tuple[float, ...]]:
    """Seconds for each piece, each time a test goes through it."""
    took: dict[str, list[float]] = defaultdict(list)
    server = reference_servers()["echo_blocking"]

    @contextmanager
    def part(name: str) -> Iterator[None]:
        watch = Stopwatch()
        yield
        took[name].append(watch.seconds)

    with Lab() as lab, tempfile.TemporaryDirectory() as folder:
        for number in range(_PARTS):
            with part("link built"):
                lab.ask("build")
            with part("tap opened, opening marker"):
                wire = Wire(LabNear(lab))
            with part("subject ready"):
                subject = start(lab, server, "v4", dict(os.environ))
            with part("subject looked at"):
                subject.told()
            with part("fence, evidence written"):
                _evidence(Path(folder), number, wire)
            with part("wire closed"):
                wire.tap.close()
            with part("programs ended, link taken down"):
                subject.close()
                lab.ask("clear")
    return {name: tuple(times) for name, times in took.items()}


def _evidence(folder: Path, number: int, wire: Wire) -> None:
    """Close the capture and write what a passing test leaves."""
    capture = wire.capture()
    octets = pcapng.write(pcapng.Capture(capture.frames, interface=capture.interface, comment="bench: pass"))
    account = evidence.SubjectOutput("echo_blocking", "still running")
    evidence.write(folder, f"bench::nothing[{number}]", wire=octets, subject=account)


if __name__ == "__main__":
    main()

"""Nothing stays behind, also not when who held the lab is killed: no process, namespace, interface, mount or file."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness import bundle
from harness.budget import READY, RESPONSE, Deadline
from harness.tests.lab.processes import (
    GLANCE,
    descendants,
    held,
    held_beside,
    networks_of,
    parent_of,
    still_there,
    words_of,
)
from harness.tests.lab.programs import DAEMON

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.lab.handle import Lab

# Holds a lab with a link and a daemon in it, says so, and waits for its end.
HOLDER = """
import os, select, signal, sys
from harness.lab.handle import Lab
lab = Lab()
lab.ask("build", relayed=True)
lab.ask("scratch")
sockets = [lab.socket(side, 2, 1) for side in ("near", "far")]
started = lab.ask("start", argv=[sys.executable, "-c", sys.argv[1]], environment={}, talk=True)
assert os.read(started.descriptors[2], 100) == b"daemon 1\\n"
copy = os.fork() if sys.argv[2] == "forks" else 0
if copy or sys.argv[2] != "forks":
    print("ready", copy, flush=True)
signal.pause()
"""

# A subject that goes to the background, listens, and says nothing: whoever judges it waits.
SILENT = """
import os, signal, socket, sys
if os.fork():
    os._exit(0)
os.setsid()
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
listener = socket.create_server((sys.argv[1], int(sys.argv[2])), family=family)
signal.pause()
"""

START = 9 * READY  # seconds for the controller, its first look at the subject, and the workers


@dataclass(frozen=True)
class Machine:
    """What a lab could leave behind on this machine outside of processes."""

    interfaces: frozenset[str]
    mounts: frozenset[str]
    files: frozenset[str]  # in the folder for temporary files

    @classmethod
    def now(cls, temporary: Path) -> Machine:
        """As it is."""
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        return cls(
            frozenset(name for _, name in socket.if_nameindex()),
            frozenset(line.split()[4] for line in mounts),
            frozenset(path.name for path in temporary.iterdir()),
        )


@contextlib.contextmanager
def started(argv: list[str], temporary: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that keeps its temporary files in a folder of its own; killed at the end if it still runs."""
    process = subprocess.Popen(
        argv,
        cwd=bundle.root(),
        env={**os.environ, "TMPDIR": str(temporary)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("forks", ["alone", "forks"])
def test_nothing_stays_when_the_holder_is_killed(lab_process: Lab, tmp_path: Path, forks: str) -> None:
    """`kill -9` of the process that holds a lab ends the lab, and a daemon that ran in it.

    Also when a fork of the holder lives on, which has a copy of the socket to the lab.
    """
    before = Machine.now(tmp_path)
    with started([sys.executable, "-c", HOLDER, DAEMON, forks], tmp_path) as holder, contextlib.ExitStack() as stack:
        assert holder.stdout is not None
        assert select.select([holder.stdout], [], [], READY)[0], "the holder did not become ready"
        copy = int(holder.stdout.readline().removeprefix("ready "))
        if copy:
            stack.callback(os.kill, copy, signal.SIGKILL)
        tree = [pid for pid in (holder.pid, *descendants(holder.pid)) if pid != copy]
        networks = networks_of(tree) - networks_of([os.getpid()])
        with held(tree) as processes:
            assert len(processes) == 4, [one.words[-60:] for one in processes]  # the holder, the lab's two, the daemon
            assert len(networks) >= 4  # the lab's own, near, far and middle, and what is built for the next test
            assert held_beside(tree) & networks == set()

            os.kill(holder.pid, signal.SIGKILL)

            assert still_there(processes, RESPONSE) == []
    assert Machine.now(tmp_path) == before


def test_nothing_stays_when_a_run_is_killed(lab_process: Lab, tmp_path: Path) -> None:
    """`kill -9` of a worker of pytest-xdist in the middle of its test, then of the controller."""
    temporary, subject = tmp_path / "tmp", tmp_path / "silent.py"
    temporary.mkdir()
    subject.write_text(SILENT)
    before = Machine.now(temporary)
    run = ["-m", "harness", "check", "-n", "2", "-k", "test_echo", f"--report={tmp_path / 'run'}", "--profile=echo"]
    serve = f"--serve={sys.executable} {subject} {{host}} {{port}} {{scratch}}"
    with started([sys.executable, *run, serve], temporary) as controller:
        (killed, *_), first = until_judging(controller, str(subject), workers=2)
        with held([killed, *descendants(killed)]) as processes:
            assert len(processes) >= 4, processes  # the worker, the lab's two, and the subject
            os.kill(killed, signal.SIGKILL)
            assert still_there(processes, RESPONSE) == []

        _, then = until_judging(controller, str(subject), workers=1)
        with held({*first, *then}) as processes:
            os.kill(controller.pid, signal.SIGKILL)
            assert still_there(processes, RESPONSE) == []
    assert Machine.now(temporary) == before


def until_judging(controller: subprocess.Popen[str], mark: str, *, workers: int) -> tuple[list[int], list[int]]:
    """The workers with a subject in their labs, as soon as there are so many, and the whole tree of the run."""
    deadline = Deadline(START)
    subjects: set[int] = set()
    with held([controller.pid]) as itself:
        while True:
            tree = descendants(controller.pid)
            # Its first process is gone, or going, when it is in the background: that is who was there a glance ago.
            seen, subjects = subjects, {pid for pid in tree if mark in words_of(pid)}
            # Its parent is its lab's pid 1, whose parent the worker has started.
            labs = [parent_of(pid) for pid in subjects & seen]
            judging = sorted({parent_of(parent_of(lab)) for lab in labs} & set(tree))
            if len(judging) >= workers:
                return judging, [controller.pid, *tree]
            assert still_there(itself, deadline.slice(GLANCE)), "the run ended before anything was judged"
            assert not deadline.over, f"fewer than {workers} workers with a subject after {deadline}"

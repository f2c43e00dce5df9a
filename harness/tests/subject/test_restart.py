"""A subject that is started again, ended alone, limited, and counted with all its processes."""

from __future__ import annotations

import signal
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from harness.budget import RESPONSE, Deadline
from harness.lab.ends import FAR
from harness.subject.inventory import from_command, mutants, reference_servers
from harness.subject.patience import Patience
from harness.subject.process import Subject, start
from harness.verdict import Mismatch, NotApplicable
from harness.wire.segment import Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.lab.handle import Lab

BINDS = "import signal, socket, sys\nlistener = socket.create_server((sys.argv[1], int(sys.argv[2])))\n"
SERVES_FOR_EVER = BINDS + "signal.pause()\n"
STARTS_ONCE = "import pathlib, sys\npathlib.Path(sys.argv[3]).touch(exist_ok=False)\n" + SERVES_FOR_EVER
LEAVES_A_CHILD = BINDS + "import os\nif os.fork():\n    listener.accept()\nsignal.pause()\n"
WORKER_IN_ITS_PLACE = "import os\nwhile os.fork():\n    os.wait()\n" + SERVES_FOR_EVER
MAPS_PAGES = "import mmap\nkept = [mmap.mmap(-1, mmap.PAGESIZE) for _ in range(20)]\n"
LEAVES_ZOMBIES = BINDS + "import os\nfor _ in range(3):\n    os.fork() or os._exit(0)\nsignal.pause()\n"


@pytest.fixture
def serving(lab: Lab, tmp_path: Path) -> Iterator[Callable[..., Subject]]:
    """Starts a Python program with words behind it, in a fresh interpreter, as a user's subject."""
    started = []

    def serving(text: str, *words: str) -> Subject:
        file = tmp_path / "server.py"
        file.write_text(text)
        program = from_command(" ".join([sys.executable, str(file), *words]), "echo")
        subject = start(lab, program, "v4", {"PYTHONDONTWRITEBYTECODE": "1"})
        started.append(subject)
        return subject

    yield serving
    for subject in started:
        subject.close()


def counted(subject: Subject, what: str, wanted: int) -> int:
    """How many of it there are, when it has become as many as wanted or the budget is used up."""
    deadline = Deadline(RESPONSE)
    while (found := subject.footprint()[what]) != wanted and not deadline.over:
        pass
    return found


# --- started again


def test_a_server_of_ours_is_asked_for_the_same_port(lab: Lab, family: str) -> None:
    """The first time it chooses, the second time it is told; then its end is a crash again."""
    subject = start(lab, reference_servers()["echo_blocking"], family, {})
    place, first = subject.address, subject.pid
    subject.signal(signal.SIGKILL)
    subject.wait_end()

    subject.restart()

    assert (subject.address, subject.ended, subject.may_end) == (place, False, False)
    assert subject.pid != first
    assert [found.place for found in subject.listeners()] == [place]
    subject.close()


def test_a_command_is_given_the_same_words(serving: Callable[..., Subject]) -> None:
    """Host and port are filled in as before."""
    subject = serving(SERVES_FOR_EVER, "{host}", "{port}")
    command = subject.command
    subject.signal(signal.SIGKILL)
    subject.wait_end()

    subject.restart()

    assert (subject.command, subject.address) == (command, Endpoint(FAR.v4[0], 7007))


def test_all_its_processes_are_killed(serving: Callable[..., Subject]) -> None:
    """One that has made itself a process group of its own, too; the program can be started again."""
    subject = serving(BINDS + "import os\nif not os.fork():\n    os.setsid()\nsignal.pause()\n", "{host}", "8")

    subject.kill()

    assert counted(subject, "processes", 0) == 0
    assert subject.told()["signal"] == "SIGKILL"


def test_a_port_that_is_not_told_may_be_another_one(serving: Callable[..., Subject]) -> None:
    """Then nothing can be said of the first one."""
    subject = serving(SERVES_FOR_EVER, "{host}", "0")
    first = subject.address
    subject.signal(signal.SIGKILL)
    subject.wait_end()
    with subject._lab.socket("far", socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.bind(first)

        with pytest.raises(NotApplicable, match=r"^needs a subject whose port is told: write \{port\} in its command$"):
            subject.restart()


def test_one_that_does_not_start_again_is_quoted(serving: Callable[..., Subject], tmp_path: Path) -> None:
    """A claim, with what it said; that it has ended is then no second finding."""
    subject = serving(STARTS_ONCE, "{host}", "{port}", str(tmp_path / "mark"))
    subject.signal(signal.SIGKILL)
    subject.wait_end()

    with pytest.raises(Mismatch) as missed:
        subject.restart()

    assert missed.value.expected == "it starts again on 10.9.0.2:7007"
    assert "ended before it was ready: exit 1; FileExistsError" in missed.value.actual
    assert subject.told()["exit"] == 1
    assert (subject.ended, subject.may_end) == (True, True)


def test_a_process_that_was_left_behind_is_told_from_a_new_one(lab: Lab) -> None:
    """Its listener would look as if the new one were ready."""
    subject = start(lab, mutants()["cheat_leaves_children"], "v4", {})
    subject.terminate()
    ended = subject.wait_end()

    assert ended is not None
    assert ended["signal"] == "SIGTERM"
    with pytest.raises(Mismatch, match="a process that it left behind still listens there"):
        subject.restart()
    subject.close()


# --- ended alone


def test_a_child_does_not_stand_for_one_that_was_terminated(serving: Callable[..., Subject]) -> None:
    """Else a process that it leaves behind would be taken for the server, gone to the background."""
    subject = serving("import signal, sys\nsignal.signal(15, lambda *_: sys.exit(0))\n" + LEAVES_A_CHILD, "{host}", "8")
    assert Patience(subject).at_rest(0.1)  # a signal just before it accepts is heard when a client comes

    subject.terminate()

    ended = subject.wait_end()
    assert ended is not None
    assert (ended["exit"], subject.may_end) == (0, True)
    assert len(subject.listeners()) == 1


def test_the_process_that_listens_is_terminated(lab: Lab, tmp_path: Path) -> None:
    """Not the shell that has started it, nor its children."""
    file = tmp_path / "server.py"
    file.write_text(SERVES_FOR_EVER)
    program = from_command(f"sh -c '{sys.executable} {file} {{host}} {{port}}; exit 7'", "echo")
    subject = start(lab, program, "v4", {})

    subject.terminate()

    ended = subject.wait_end()
    assert ended is not None
    assert ended["exit"] == 7
    subject.close()


def test_a_server_does_not_hide_behind_its_shell(lab: Lab, tmp_path: Path) -> None:
    """The shell ends of a signal to both; the server, which ignores it, goes on and is watched in its place."""
    file = tmp_path / "server.py"
    file.write_text("import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SERVES_FOR_EVER)
    program = from_command(f"sh -c '{sys.executable} {file} {{host}} {{port}}; exit 7'", "echo")
    subject = start(lab, program, "v4", {})
    shell = subject.pid

    subject.signal(signal.SIGTERM)

    assert counted(subject, "processes", 1) == 1
    assert subject.wait_end(0.0) is None
    assert subject.pid != shell
    subject.signal(signal.SIGKILL)
    ended = subject.wait_end()
    assert ended is not None
    assert ended["signal"] == "SIGKILL"
    subject.close()


def test_the_supervisor_of_workers_is_terminated(serving: Callable[..., Subject]) -> None:
    """It has no listener, and would put another worker in the place of one that ends."""
    subject = serving(WORKER_IN_ITS_PLACE, "{host}", "{port}")

    subject.terminate()

    ended = subject.wait_end()
    assert ended is not None
    assert ended["signal"] == "SIGTERM"


# --- limited and counted


def test_all_its_processes_are_counted(serving: Callable[..., Subject]) -> None:
    """Those that have ended and were not waited for, apart."""
    subject = serving(LEAVES_ZOMBIES, "{host}", "{port}")

    assert counted(subject, "zombies", 3) == 3
    found = subject.footprint()
    assert (found["processes"], found["threads"], found["descriptors"]) == (1, 1, 4)
    assert found["memory"] > 1 << 20


COUNTS = "import resource\nprint(*resource.getrlimit(resource.RLIMIT_NOFILE), flush=True)\n"
NEEDS_MANY = "import os\nheld = [os.pipe() for _ in range(20)]\nfor pair in held:\n    list(map(os.close, pair))\n"


def test_mappings_of_memory_are_counted_each_however_small(serving: Callable[..., Subject]) -> None:
    """Of two programs that differ in twenty pages, each mapped for itself, the second has so many more."""
    subject = serving(SERVES_FOR_EVER, "{host}", "{port}")
    first = subject.footprint()["mappings"]
    subject.kill()
    subject.wait_end()

    subject = serving(MAPS_PAGES + SERVES_FOR_EVER, "{host}", "{port}")

    assert 20 <= subject.footprint()["mappings"] - first < 40


def test_a_limit_of_descriptors_is_there_at_the_start(serving: Callable[..., Subject]) -> None:
    """The program, by a shell's `ulimit`, and one of ours are told the same; in a new process, on the same port."""
    subject = serving(COUNTS + SERVES_FOR_EVER, "{host}", "{port}")
    place, first = subject.address, subject.pid

    assert subject.start_short_of_descriptors(16) == 20

    assert subject.told()["stdout"] == "24 24\n"
    assert (subject.address, subject.may_end) == (place, True)
    assert subject.pid != first


def test_one_of_ours_is_limited_likewise(lab: Lab) -> None:
    """It is forked, and hears of its limit all the same."""
    subject = start(lab, reference_servers()["echo_blocking"], "v4", {})

    assert subject.start_short_of_descriptors(16) > 16
    subject.close()


def test_what_needs_more_descriptors_to_start_gets_more(serving: Callable[..., Subject]) -> None:
    """Four times as many are enough for it."""
    subject = serving(NEEDS_MANY + SERVES_FOR_EVER, "{host}", "{port}")

    assert subject.start_short_of_descriptors(16) == 68


def test_what_does_not_start_with_a_limit_is_not_judged(serving: Callable[..., Subject]) -> None:
    """With the reason."""
    greedy = "import resource, sys\nif resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 300:\n    sys.exit('too few')\n"
    subject = serving(greedy + SERVES_FOR_EVER, "{host}", "{port}")

    with pytest.raises(NotApplicable, match=r"^it does not start where it may have 264 files open: .* ended before"):
        subject.start_short_of_descriptors(16)

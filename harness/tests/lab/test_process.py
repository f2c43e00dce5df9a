"""The lab process: what it runs is heard and ended to the last descendant, and no request brings it down."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.budget import RESPONSE, Deadline
from harness.lab.ends import FAR
from harness.lab.handle import Lab, LabLost
from harness.lab.heard import Heard
from harness.tests.lab.processes import descendants, held, held_beside, networks_of, still_there
from harness.tests.lab.programs import DAEMON, ENVIRONMENT, gone, speaking

# A hundred children in sessions of their own, which hold out against every signal that can be held out against.
FAMILY_OF_HUNDRED = """
import os, signal
for number in range(1, 32):
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_IGN)
reading, writing = os.pipe()
for _ in range(100):
    if not os.fork():
        os.setsid()
        os.write(writing, b".")
        while True:
            signal.pause()
os.close(writing)
came = 0
while came < 100:
    came += len(os.read(reading, 100))
print("all there", flush=True)
signal.pause()
"""

# Never the same process for long: each one forks the next and ends.
RUNAWAY = """
import os
first = True
while True:
    if os.fork():
        os._exit(0)
    os.setsid()
    if first:
        print("running", flush=True)
        first = False
"""

FLOOD = """
import os
os.write(1, b"the first words\\n")
while True:
    os.write({descriptor}, b"x" * 65536)
"""


def processes_of(lab: Lab) -> int:
    """How many processes the lab has besides itself."""
    count: int = lab.ask("activity")["processes"]
    return count


# --- what a program leaves behind


@pytest.mark.parametrize("text", [DAEMON, FAMILY_OF_HUNDRED, RUNAWAY], ids=["daemon", "hundred", "runaway"])
def test_clear_ends_every_descendant(lab: Lab, text: str) -> None:
    """Daemons, children in sessions of their own, and a process that is never the same for long."""
    with speaking(lab, text) as program:
        program.line()

        lab.ask("clear")

        assert processes_of(lab) == 0


def test_a_build_ends_what_ran_before(lab: Lab) -> None:
    """A test whose end was cut off leaves nothing to the next one."""
    with speaking(lab, DAEMON) as program:
        program.line()

        lab.ask("build")

        assert processes_of(lab) == 0


def test_an_orphan_comes_to_the_lab(lab: Lab) -> None:
    """The lab is the pid 1 of what it starts, so it reaps whatever is left alone: no zombie stays."""
    with speaking(lab, DAEMON) as program:
        assert program.line() == "daemon 1"


def test_what_a_program_came_to_is_told(lab: Lab) -> None:
    """Exit code or signal, and what it printed on either descriptor."""
    argv = ["/bin/sh", "-c", "echo out; echo err >&2; exit 3"]
    assert ended(lab, argv) == {"ended": True, "exit": 3, "signal": None, "stdout": "out\n", "stderr": "err\n"}

    argv = ["/bin/sh", "-c", "kill -SEGV $$"]
    assert ended(lab, argv) == {"ended": True, "exit": None, "signal": "SIGSEGV", "stdout": "", "stderr": ""}


@pytest.mark.skipif(os.getuid() != 0, reason="not applicable: only root may write there at all")
def test_what_root_writes_beside_its_own_files_is_seen_by_nobody(lab: Lab) -> None:
    """A pid file in /run is gone with the lab, and /dev/null stays a device, whatever a server takes it for."""
    name = f"sockspec-{os.getpid()}"
    script = f"echo 1 >/run/{name} && cat /run/{name}; echo 2 >/dev/{name}; echo 3 >/dev/null && exit 7"

    told = ended(lab, ["/bin/sh", "-c", script])

    assert told["exit"] == 7, told
    assert told["stdout"] == "1\n"
    assert "Read-only file system" in told["stderr"]
    assert not any(Path(folder, name).exists() for folder in ("/run", "/dev"))


@pytest.mark.skipif(os.getuid() != 0, reason="not applicable: only root may write there at all")
def test_what_was_written_into_run_is_there_for_the_next_program_and_gone_with_the_namespaces(lab: Lab) -> None:
    """A server that is started again finds its pid file, as on any machine; that of the next test finds none."""
    assert ended(lab, ["/bin/sh", "-c", "mkdir /run/served && echo 1 >/run/served/pid"])["exit"] == 0
    assert ended(lab, ["/bin/cat", "/run/served/pid"])["stdout"] == "1\n"

    lab.ask("build")

    assert ended(lab, ["/bin/ls", "-d", "/run/served"])["exit"] != 0


def ended(lab: Lab, argv: list[str], **how: Any) -> dict[str, Any]:
    started = lab.ask("start", argv=argv, environment=ENVIRONMENT, **how)
    assert gone(started.descriptors[0])
    for descriptor in started.descriptors:
        os.close(descriptor)
    return lab.ask("child", pid=started["pid"]).values


def test_a_warm_program_is_like_a_fresh_one(lab: Lab, tmp_path: Path) -> None:
    """Its arguments, its exit code, its words, its environment, and no descriptor or capability of the lab's."""
    program = tmp_path / "program.py"
    program.write_text(
        "import os, sys\n"
        "assert __name__ == '__main__'\n"
        "with open('/proc/self/status') as status:\n"
        "    effective = next(line.split()[1] for line in status if line.startswith('CapEff'))\n"
        "print(sys.argv[1:], dict(os.environ)['MARK'], sorted(map(int, os.listdir('/proc/self/fd')))[:4],\n"
        "      int(effective, 16) if os.getuid() else 0)\n"
        "sys.exit('an end in words')\n"
    )
    argv = [str(program), "one", "two"]

    started = lab.ask("start", argv=argv, environment={**ENVIRONMENT, "MARK": "seen"}, warm=True)

    assert gone(started.descriptors[0])
    os.close(started.descriptors[0])
    assert lab.ask("child", pid=started["pid"]).values == {
        "ended": True,
        "exit": 1,
        "signal": None,
        "stdout": "['one', 'two'] seen [0, 1, 2, 3] 0\n",  # 3 is the folder that is listed
        "stderr": "an end in words\n",
    }


def test_a_warm_program_finds_what_it_imports(lab: Lab, tmp_path: Path) -> None:
    """The lab has imported it, once for all starts; what it cannot import the program itself complains of."""
    program = tmp_path / "program.py"
    program.write_text("import sys\nprint('colorsys' in sys.modules)\nimport colorsys, nothing_of_that_name\n")

    told = ended(lab, [str(program)], warm=True)

    assert (told["stdout"], told["exit"]) == ("True\n", 1)
    assert told["stderr"].endswith("ModuleNotFoundError: No module named 'nothing_of_that_name'\n")


@pytest.mark.parametrize("ready", [False, True])
def test_a_program_inherits_nothing_else(lab: Lab, ready: bool) -> None:
    """Descriptors 0 to 2, and 3 where it reports that it is ready; not the lab's own, through which it could speak."""
    lists = "import os\nprint([fd for fd in range(1000) if os.path.exists(f'/proc/self/fd/{fd}')])"

    told = ended(lab, [sys.executable, "-c", lists], ready=ready)

    assert told["stdout"] == ("[0, 1, 2, 3]\n" if ready else "[0, 1, 2]\n")


# --- what a program prints


@pytest.mark.parametrize(("name", "descriptor"), [("stdout", 1), ("stderr", 2)])
def test_a_flood_is_kept_at_its_ends(lab: Lab, name: str, descriptor: int) -> None:
    """A program that prints without end: the lab answers meanwhile, and keeps the head and the tail."""
    argv = ["python3", "-c", FLOOD.format(descriptor=descriptor)]
    started = lab.ask("start", argv=argv, environment=ENVIRONMENT)
    deadline = Deadline(RESPONSE)
    told = lab.ask("child", pid=started["pid"]).values
    while "octets left out" not in told[name] and not deadline.over:
        told = lab.ask("child", pid=started["pid"]).values
    os.close(started.descriptors[0])

    assert told["stdout"].startswith("the first words\nx" if name == "stdout" else "the first words\n")
    assert told[name].endswith("xxx")
    assert len(told[name]) < 2 * 32 * 1024 + 100
    assert not told["ended"]


def test_head_and_tail_are_kept_with_the_size_of_the_gap() -> None:
    """Nothing is left out of 64 KiB; of more, the middle."""
    whole, flood = Heard(), Heard()
    for _ in range(64):
        whole.add(b"a" * 1024)
    for octet in (b"a", b"b", b"c"):
        for _ in range(32):
            flood.add(octet * 1024)

    assert whole.text() == "a" * 65536
    assert flood.text() == f"{'a' * 32768}\n… 32768 octets left out …\n{'c' * 32768}"


def test_octets_that_are_no_text_are_shown() -> None:
    """What a program prints may be anything."""
    heard = Heard()
    heard.add(b"caf\xe9\n")

    assert heard.text() == "caf\\xe9\n"


# --- what a request may do


@pytest.mark.parametrize(
    ("operation", "arguments", "refused"),
    [
        ("dance", {}, r"'Lab' object has no attribute 'dance'"),
        ("build", {"size": 3}, "unexpected keyword argument 'size'"),
        ("socket", {"side": "middle", "family": 2, "kind": 1, "protocol": 0}, "KeyError: 'middle'"),
        ("socket", {"side": "near", "family": 77, "kind": 1, "protocol": 0}, "not supported"),
        ("child", {"pid": 99999}, "KeyError: 99999"),
        ("signal", {"pid": 99999, "number": 9}, "KeyError: 99999"),
        ("start", {"argv": ["/no/such/program"], "environment": {}}, "No such file or directory"),
        ("start", {"argv": [], "environment": {}}, "IndexError"),
        ("start", {"argv": ["/tmp"], "environment": {}}, "Permission denied"),
        ("sysctl", {"side": "far", "name": "net/ipv4/no_such", "value": "1"}, "No such file or directory"),
        ("resources", {"pid": 99999}, "No such file or directory"),
    ],
)
def test_a_bad_request_leaves_the_lab_alive(lab: Lab, operation: str, arguments: dict[str, Any], refused: str) -> None:
    """It is refused with the reason, and the next one is answered."""
    with pytest.raises((OSError, RuntimeError), match=refused):
        lab.ask(operation, **arguments)

    lab.socket("near", socket.AF_INET, socket.SOCK_DGRAM).close()


def test_without_a_link_there_is_no_socket(lab: Lab) -> None:
    """The reason is told in words."""
    lab.ask("clear")

    with pytest.raises(RuntimeError, match="there is no link yet"):
        lab.socket("near", socket.AF_INET, socket.SOCK_DGRAM)
    with pytest.raises(RuntimeError, match="there is no link yet"):
        lab.ask("fence", nonce=1)


def test_requests_leave_no_descriptor_behind(lab: Lab) -> None:
    """Neither builds, nor programs that run or cannot be started, nor sockets handed over: in the lab and here."""

    def round_of_everything() -> None:
        lab.ask("build", relayed=False)
        lab.socket("near", socket.AF_INET, socket.SOCK_STREAM).close()
        ended(lab, ["/bin/true"], ready=True, talk=True)
        with pytest.raises(FileNotFoundError):
            lab.ask("start", argv=["/no/such/program"], environment={}, ready=True, talk=True)
        lab.ask("clear")

    def open_descriptors() -> tuple[int, ...]:
        return tuple([len(os.listdir(f"/proc/{pid}/fd")) for pid in (os.getpid(), *descendants(lab.pid))])

    round_of_everything()
    before = open_descriptors()
    for _ in range(5):
        round_of_everything()

    assert open_descriptors() == before


# --- its own end


def test_close_ends_everything() -> None:
    """When `close` returns, the lab process, its pid 1 and every program are gone, and nobody holds a namespace."""
    lab = Lab()
    lab.ask("build", relayed=True)
    with speaking(lab, DAEMON) as program:
        program.line()
        tree = [lab.pid, *descendants(lab.pid)]
        networks = networks_of(tree) - networks_of([os.getpid()])
        with held(tree) as processes:
            assert held_beside(tree) & networks == set()
            lab.close()

            assert len(tree) >= 3  # the outer process, pid 1, the daemon
            assert len(networks) >= 4  # the lab's own, near, far and middle, and what is built for the next test
            assert still_there(processes, 0) == []


def test_a_lab_that_is_gone_is_told_as_such() -> None:
    """A request to it raises LabLost, which names the request."""
    with Lab() as lab:
        os.kill(lab.pid, signal.SIGKILL)

        with pytest.raises(LabLost, match=r"^the lab process did not answer 'build': "):
            lab.ask("build")


def test_a_socket_that_is_handed_over_is_nobody_elses() -> None:
    """Once it is closed here nobody listens any more, however slow the lab process is to close its own copy.

    The lab is slow here: it has the same processor as this process, and its turn comes last.
    """
    with Lab() as lab:
        lab.ask("build")
        ours = os.sched_getaffinity(0)
        for pid in (0, lab.pid, *descendants(lab.pid)):
            os.sched_setaffinity(pid, {min(ours)})
        for pid in (lab.pid, *descendants(lab.pid)):
            os.setpriority(os.PRIO_PROCESS, pid, 19)
        try:
            for _ in range(50):
                with lab.socket("far", socket.AF_INET, socket.SOCK_STREAM) as client:
                    with lab.socket("far", socket.AF_INET, socket.SOCK_STREAM) as listener:
                        listener.bind((FAR.v4[0], 0))
                        listener.listen()
                        place = listener.getsockname()
                    with pytest.raises(ConnectionRefusedError):
                        client.connect(place)
        finally:
            os.sched_setaffinity(0, ours)


def test_a_late_answer_is_not_taken_for_that_of_the_next_question(monkeypatch: pytest.MonkeyPatch) -> None:
    """A question whose budget ran out costs itself only, and its descriptors are not kept."""
    with Lab() as lab:
        lab.ask("build")
        before = len(os.listdir("/proc/self/fd"))
        tree = descendants(lab.pid)
        for pid in tree:
            os.kill(pid, signal.SIGSTOP)
        with monkeypatch.context() as patch:
            patch.setattr("harness.lab.handle._ANSWER", 0.01)
            with pytest.raises(LabLost, match=r"no answer within 0\.01 s"):
                lab.socket("near", socket.AF_INET, socket.SOCK_STREAM)
        for pid in tree:
            os.kill(pid, signal.SIGCONT)

        assert processes_of(lab) == 0
        assert len(os.listdir("/proc/self/fd")) == before

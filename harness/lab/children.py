"""The programs that a lab runs: started, heard out, and ended to the last descendant.

The lab process is pid 1 of its own pid namespace. So whatever a program forks stays below it, orphans come to it, and
`kill(-1)` ends exactly what the lab started. A program is exec'd, as the user would, or, for servers of our own that
are written in Python, *warm*: forked from this interpreter, which saves the 15 ms that a fresh one takes to start.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import gc
import importlib
import os
import resource
import signal
import sys
import traceback
import types
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.lab import kernel, memory, proc, timed, witness
from harness.lab.heard import Heard

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator


@dataclass
class Child:
    """One program: its process, and what has become of it."""

    pid: int
    outputs: dict[str, int]  # "stdout" and "stderr": descriptors still open, read by the lab
    heard: dict[str, Heard]
    group: int  # the process group that is signalled
    calls: mmap.mmap | None = None  # where `witness` notes; None for a program that was exec'd
    owing: int = -1  # the file in which a TCP of its own keeps how many octets wait to be acknowledged; -1: none
    status: int | None = None  # as waitpid gave it, None while it runs

    def called(self) -> str:
        """Its socket calls as `witness` noted them."""
        return witness.read(self.calls) if self.calls is not None else ""

    def unsent(self) -> int:
        """Octets that wait to be acknowledged, in a TCP of its own; 0 where the kernel has it."""
        return int.from_bytes(os.pread(self.owing, 8, 0), sys.byteorder) if self.owing >= 0 else 0

    @property
    def has_said(self) -> bool:
        """Whether it has printed the text that is looked for."""
        return any(heard.has_it for heard in self.heard.values())

    def report(self) -> dict[str, Any]:
        """Exit code or signal (None while it runs) and what was printed so far."""
        ended = self.status is not None
        code = os.waitstatus_to_exitcode(self.status) if self.status is not None else None
        return {
            "ended": ended,
            "exit": code if code is not None and code >= 0 else None,
            "signal": signal.Signals(-code).name if code is not None and code < 0 else None,
            **{name: heard.text() for name, heard in self.heard.items()},
        }


@dataclass(frozen=True)
class Pipes:
    """The descriptors that a program is born with: 0, 1, 2, and 3 where it reports that it is ready.

    One that brings its own TCP has two more: 4 is its wire, 5 a file in which it keeps how many octets wait to be
    acknowledged, 8 octets in the order of the machine.
    """

    stdin: int
    stdout: int
    stderr: int
    ready: int | None
    wire: int | None = None
    unsent: int | None = None

    def arranged(self) -> dict[int, int]:
        """Which descriptor goes where."""
        places = (self.stdin, self.stdout, self.stderr, self.ready, self.wire, self.unsent)
        return {place: source for place, source in enumerate(places) if source is not None}


def execute(argv: list[str], environment: dict[str, str], pipes: Pipes) -> int:
    """Start a program in the caller's namespaces and return its pid; OSError when it cannot be started."""
    actions = [(os.POSIX_SPAWN_DUP2, source, target) for target, source in pipes.arranged().items()]
    ignored = [signal.SIGPIPE, signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGXFSZ]
    return os.posix_spawnp(argv[0], argv, environment, file_actions=actions, setsid=True, setsigdef=ignored)


def fork_warm(
    path: str, arguments: list[str], environment: dict[str, str], pipes: Pipes, calls: mmap.mmap, descriptors: int = 0
) -> int:
    """Run the Python program at `path` in a fork of this interpreter and return its pid.

    What it calls of its sockets is noted in the memory `calls`, see `witness`. It may have so many `descriptors` open,
    as many as we where that is 0.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    with contextlib.suppress(OSError, SyntaxError, ValueError):  # what is wrong with it, its own stderr shall tell
        _compiled(path, Path(path).stat().st_mtime_ns)
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        code = _become(path, arguments, environment, pipes, calls, descriptors)
    finally:
        os._exit(code)


@functools.lru_cache
def _compiled(path: str, changed_ns: int) -> types.CodeType:
    """The program at `path` as it was changed last; compiled before the fork, once for all starts (1 ms each).

    What it imports of the standard library is there from then on, too: asyncio alone takes 20 ms.
    """
    program = ast.parse(Path(path).read_bytes(), path)
    for name in filter(_is_standard, _imported(program)):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    return compile(program, path, "exec", dont_inherit=True)


def _imported(program: ast.Module) -> Iterator[str]:
    """The names of the modules that a program imports at its top level."""
    for statement in program.body:
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
            yield statement.module


def _is_standard(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names


def _become(
    path: str, arguments: list[str], environment: dict[str, str], pipes: Pipes, calls: mmap.mmap, descriptors: int
) -> int:
    gc.freeze()
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    places = pipes.arranged()
    # Move the sources out of the way first: one may sit where another has to go.
    lifted = {target: os.dup(source) for target, source in places.items() if source <= max(places)}
    for target, source in places.items():
        os.dup2(lifted.get(target, source), target, inheritable=True)
    os.closerange(len(places), 1 << 16)
    if descriptors:
        resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
    witness.install(calls)
    if os.getuid():
        kernel.drop_capabilities()
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    os.environ.update(environment.items() - os.environ.items())
    sys.argv = [path, *arguments]
    sys.path[0] = str(Path(path).parent)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - the lab's own standard streams are not the program's
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
    code = 0
    try:
        main = types.ModuleType("__main__")
        main.__file__ = path
        sys.modules["__main__"] = main
        exec(_compiled(path, Path(path).stat().st_mtime_ns), main.__dict__)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:  # as the interpreter does at its top level: any exception is printed and ends the program
        traceback.print_exc()
        code = 1
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    return code & 0xFF


class Children:
    """All programs of one lab, by pid."""

    def __init__(self) -> None:
        """Begin with none. Only pid 1 of a pid namespace of our own may: `end_all` kills everybody else in it."""
        _alone()
        self._by_pid: dict[int, Child] = {}

    def __getitem__(self, pid: int) -> Child:
        return self._by_pid[pid]

    def adopt(
        self,
        pid: int,
        outputs: dict[str, int],
        calls: mmap.mmap | None = None,
        owing: int = -1,
        awaited: bytes = b"",
    ) -> Child:
        """Keep the program just started, whose outputs the lab reads, with the memory of its calls and what it owes.

        A text that is `awaited` is looked for in its outputs.
        """
        for descriptor in outputs.values():
            os.set_blocking(descriptor, False)
        child = Child(pid, outputs, {name: Heard(awaited) for name in outputs}, group=pid, calls=calls, owing=owing)
        self._by_pid[pid] = child
        return child

    def succeed(self, pid: int, heir: int) -> None:
        """Let another process stand for a program whose first one has ended."""
        child = self._by_pid.pop(pid)
        child.pid, child.group, child.status = heir, os.getpgid(heir), None
        self._by_pid[heir] = child

    def descriptors(self) -> list[int]:
        """The outputs that are still open."""
        return [descriptor for child in self._by_pid.values() for descriptor in child.outputs.values()]

    def unsent(self) -> int:
        """Octets that wait to be acknowledged in what programs have of a TCP of their own."""
        return sum(child.unsent() for child in self._by_pid.values() if child.status is None)

    def listen(self, limit: int = 1 << 16) -> None:
        """Take in up to `limit` octets of what each program has printed."""
        for child in self._by_pid.values():
            for name, descriptor in list(child.outputs.items()):
                try:
                    octets = os.read(descriptor, limit)
                except BlockingIOError:
                    continue
                if octets:
                    child.heard[name].add(octets)
                else:
                    os.close(child.outputs.pop(name))

    def reap(self) -> None:
        """Note which programs have ended, and let orphans go."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self._by_pid:
                self._by_pid[pid].status = status

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to every process of this pid namespace but the lab itself; ProcessLookupError without any."""
        _alone()
        os.kill(-1, number)

    def end_all(self) -> None:
        """Kill every process of this pid namespace but the lab itself, and forget them; return when all are gone."""
        _alone()
        self.reap()
        while True:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                break
        for child in self._by_pid.values():
            for descriptor in child.outputs.values():
                os.close(descriptor)
            if child.owing >= 0:
                os.close(child.owing)
        self._by_pid.clear()


def _alone() -> None:
    if os.getpid() != 1:
        raise RuntimeError("this process is not pid 1 of a lab: to end all processes would end those of the machine")


def activity() -> dict[str, int]:
    """How busy the lab's programs are: threads that run or wait for a disk, processor ticks used so far, processes."""
    running = ticks = processes = 0
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit() or entry.name == "1":
            continue
        processes += 1
        with contextlib.suppress(OSError):  # gone meanwhile
            for task in os.scandir(f"/proc/{entry.name}/task"):
                fields = proc.status(task.path)
                running += fields[0] in {b"R", b"D"}
                ticks += int(fields[11]) + int(fields[12])
    return {"running": running, "ticks": ticks, "processes": processes}


def resources(pid: int) -> dict[str, int]:
    """What the process holds: open descriptors, of them sockets, threads, and resident memory in octets."""
    links = []
    for entry in os.scandir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            links.append(os.readlink(entry.path))
    fields = proc.status(f"/proc/{pid}")
    return {
        "descriptors": len(links),
        "sockets": sum(link.startswith("socket:") for link in links),
        "threads": int(fields[17]),
        "memory": int(fields[21]) * os.sysconf("SC_PAGESIZE"),
    }


def footprint() -> dict[str, int]:
    """What its programs hold together: descriptors, processes, threads, zombies, octets of memory and of addresses.

    `kept` is what of the memory no collector of garbage will give back (see `harness.lab.memory`), `mappings` how many
    pieces the addresses are in: the stack of a thread and the guard page before it are two, however small (proc(5)).
    """
    kinds = ("descriptors", "processes", "threads", "zombies", "memory", "kept", "mapped", "mappings")
    found = dict.fromkeys(kinds, 0)
    for pid in _pids():
        with contextlib.suppress(OSError):  # gone meanwhile
            fields = proc.status(f"/proc/{pid}")
            if fields[0] in {b"Z", b"X"}:
                found["zombies"] += 1
                continue
            found["processes"] += 1
            found["threads"] += int(fields[17])
            found["mapped"] += int(fields[20])
            found["memory"] += int(fields[21]) * os.sysconf("SC_PAGESIZE")
            found["descriptors"] += len(os.listdir(f"/proc/{pid}/fd"))
            found["kept"] += memory.kept(pid)
            found["mappings"] += proc.read(f"/proc/{pid}/maps").count(b"\n")
    return found


def waits_for_time() -> bool:
    """Whether one of the lab's programs waits with a limit of time."""
    for pid in _pids():
        with contextlib.suppress(OSError):  # gone meanwhile
            if timed.waits_for_time(pid):
                return True
    return False


def descriptors_needed() -> int:
    """The lowest limit (RLIMIT_NOFILE) under which each process of the lab's programs could have what it has open."""
    highest = -1
    for pid in _pids():
        with contextlib.suppress(OSError):  # gone meanwhile
            highest = max(highest, *(int(name) for name in os.listdir(f"/proc/{pid}/fd")), -1)
    return highest + 1


def spare_descriptors(pid: int) -> int:
    """How many descriptors more a process may open under its limit (RLIMIT_NOFILE)."""
    # prlimit(2) would want the same user, proc_pid_limits(5) may be read by all.
    limits = proc.read(f"/proc/{pid}/limits").decode("ascii")
    soft = next(line.split()[3] for line in limits.splitlines() if line.startswith("Max open files"))
    return (1 << 20 if soft == "unlimited" else int(soft)) - len(os.listdir(f"/proc/{pid}/fd"))


def holders(sockets: set[int]) -> list[int]:
    """The processes that hold one of the sockets with these inodes, by their pids: a father before its children."""
    names = {f"socket:[{inode}]" for inode in sockets}
    found = []
    for pid in _pids():
        with contextlib.suppress(OSError):  # gone meanwhile
            if any(os.readlink(descriptor.path) in names for descriptor in os.scandir(f"/proc/{pid}/fd")):
                found.append(pid)
    return found


def supervisor(pid: int) -> int:
    """Who answers for a process: the topmost of those that run the same program with the same words, or it alone.

    Workers are forks of whom to tell that they should end; a shell that has started a server is not.
    """
    while (parent := _father(pid)) > 1 and _words(parent) == _words(pid):
        pid = parent
    return pid


def resume_others(parent: int) -> int:
    """Let every process go on but this one and those who have ended; how many these are."""
    resumed = 0
    for pid in _pids():
        with contextlib.suppress(OSError):  # gone meanwhile
            if pid != parent and proc.status(f"/proc/{pid}")[0] == b"T":
                os.kill(pid, signal.SIGCONT)
                resumed += 1
    return resumed


def _father(pid: int) -> int:
    return int(proc.status(f"/proc/{pid}")[1])


def _words(pid: int) -> bytes:
    return proc.read(f"/proc/{pid}/cmdline")


def _pids() -> list[int]:
    return sorted(int(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit() and entry.name != "1")


def all_stopped() -> bool:
    """Whether every process of the lab's programs is stopped by a signal (or has ended)."""
    for pid in _pids():
        with contextlib.suppress(OSError):  # gone meanwhile
            state = proc.status(f"/proc/{pid}")[0]
            if state not in {b"T", b"Z", b"X"}:
                return False
    return True

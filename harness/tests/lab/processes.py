"""Processes as this machine sees them: who descends from whom, who holds which network, and when they are gone."""

from __future__ import annotations

import contextlib
import os
import select
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.budget import Deadline

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PROC = Path("/proc")
GLANCE = 0.05  # seconds between two looks at what tells no event


@dataclass(frozen=True)
class Held:
    """A process that must go, by a descriptor that no later process can take over, and its words."""

    pid: int
    pidfd: int
    words: str


def pids() -> Iterator[int]:
    """Every process that this one can see."""
    return (int(entry.name) for entry in os.scandir(PROC) if entry.name.isdigit())


def parent_of(pid: int) -> int:
    """The parent's pid; 0 if there is none or the process has ended, waited for or not."""
    try:
        state, parent = (PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()[:2]
    except OSError:
        return 0
    return 0 if state in {b"Z", b"X"} else int(parent)


def words_of(pid: int) -> str:
    """The command line; empty if the process is gone."""
    with contextlib.suppress(OSError):
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return ""


def descendants(pid: int) -> list[int]:
    """All that descend from a process, itself left out."""
    parents = {other: parent_of(other) for other in pids()}
    found = [pid]
    for ancestor in found:
        found += [child for child, parent in parents.items() if parent == ancestor]
    return found[1:]


def networks_of(processes: Iterable[int]) -> set[str]:
    """The network namespaces in which these processes are or which they hold open: `net:[4026531840]`."""
    found = set()
    for pid in processes:
        links = [PROC / str(pid) / "ns" / "net"]
        with contextlib.suppress(OSError):
            links += (PROC / str(pid) / "fd").iterdir()
        for link in links:
            with contextlib.suppress(OSError):
                found.add(os.readlink(link))
    return {name for name in found if name.startswith("net:[")}


def held_beside(processes: Iterable[int]) -> set[str]:
    """The network namespaces that any other process holds.

    Asked while these still hold theirs: a namespace that nobody else has is gone with them. Afterwards the question
    would have no answer, since the kernel gives the number of a namespace that is gone to the next one.
    """
    return networks_of(set(pids()) - set(processes))


@contextlib.contextmanager
def held(processes: Iterable[int]) -> Iterator[list[Held]]:
    """Descriptors of these processes, to see them end."""
    found = []
    try:
        for pid in processes:
            with contextlib.suppress(ProcessLookupError):
                found.append(Held(pid, os.pidfd_open(pid), words_of(pid)))
        yield found
    finally:
        for one in found:
            os.close(one.pidfd)


def still_there(processes: Iterable[Held], seconds: float) -> list[str]:
    """Those of the processes that have not ended within `seconds`, in words."""
    waiting = {one.pidfd: one for one in processes}
    deadline = Deadline(seconds)
    poll = select.poll()
    for pidfd in waiting:
        poll.register(pidfd, select.POLLIN)
    while waiting:
        ended = poll.poll(deadline.left * 1000)
        for pidfd, _ in ended:
            poll.unregister(pidfd)
            del waiting[pidfd]
        if not ended:
            break
    return [f"{one.pid}: {one.words}" for one in waiting.values()]

"""Does one of the programs wait for a time to come? One that does not gives nothing back by itself, ever.

What a thread waits for, proc_pid_syscall(5) tells: a call, and its arguments. A time limit is one of them, or there is
a descriptor that becomes readable at a time (timerfd_create(2)). What cannot be seen is taken for such a wait. Not seen
is an alarm(2): it is the one thing that a sleeper in recv() may yet have.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from harness.lab import proc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ENDLESS = 0xFFFFFFFF  # -1 as a C int: without a limit
_INT = 0xFFFFFFFF
_FUTEX_COMMAND = 0x7F  # without FUTEX_PRIVATE_FLAG and FUTEX_CLOCK_REALTIME
_FUTEX_WAKES = 1


def _number(place: int) -> Callable[[Sequence[int]], bool]:
    """A limit in milliseconds, negative for none."""
    return lambda arguments: arguments[place] & _INT != _ENDLESS


def _pointer(place: int) -> Callable[[Sequence[int]], bool]:
    """A pointer to a limit, NULL for none."""
    return lambda arguments: arguments[place] != 0


def _futex(arguments: Sequence[int]) -> bool:
    return arguments[1] & _FUTEX_COMMAND != _FUTEX_WAKES and arguments[3] != 0


def _always(_: Sequence[int]) -> bool:
    return True


_CALLS: dict[str, Callable[[Sequence[int]], bool]] = {
    "poll": _number(2),
    "ppoll": _pointer(2),
    "select": _pointer(4),
    "pselect6": _pointer(4),
    "epoll_wait": _number(3),
    "epoll_pwait": _number(3),
    "epoll_pwait2": _pointer(3),
    "futex": _futex,
    "rt_sigtimedwait": _pointer(2),
    "nanosleep": _always,
    "clock_nanosleep": _always,
    "restart_syscall": _always,  # one of these that was interrupted, and goes on
    "io_uring_enter": _always,
}
_X86_64 = {
    7: "poll",
    271: "ppoll",
    23: "select",
    270: "pselect6",
    232: "epoll_wait",
    281: "epoll_pwait",
    441: "epoll_pwait2",
    202: "futex",
    128: "rt_sigtimedwait",
    35: "nanosleep",
    230: "clock_nanosleep",
    219: "restart_syscall",
    426: "io_uring_enter",
}
_GENERIC = {  # asm-generic/unistd.h: of what came later
    73: "ppoll",
    72: "pselect6",
    22: "epoll_pwait",
    441: "epoll_pwait2",
    98: "futex",
    137: "rt_sigtimedwait",
    101: "nanosleep",
    115: "clock_nanosleep",
    128: "restart_syscall",
    426: "io_uring_enter",
}
_NUMBERS = {"x86_64": _X86_64, "aarch64": _GENERIC, "riscv64": _GENERIC, "loongarch64": _GENERIC}


def is_timed(line: str, machine: str) -> bool:
    """Whether a thread waits with a limit of time, by what proc_pid_syscall(5) says of it on such a machine."""
    if machine not in _NUMBERS:
        return True
    number, *words = line.split()
    if not words or number == "-1":  # it runs, or waits for something of the kernel's own
        return number != "-1"
    call = _NUMBERS[machine].get(int(number))
    return call is not None and _CALLS[call]([int(word, 16) for word in words])


def waits_for_time(pid: int) -> bool:
    """Whether a thread of a process waits with a limit of time; OSError if the process is gone."""
    machine = os.uname().machine
    place = f"/proc/{pid}"
    if any("timerfd" in _target(f"{place}/fd/{name}") for name in os.listdir(f"{place}/fd")):
        return True
    return any(is_timed(_call(f"{place}/task/{task}"), machine) for task in os.listdir(f"{place}/task"))


def _call(place: str) -> str:
    try:
        return proc.read(f"{place}/syscall").decode("ascii")
    except (FileNotFoundError, ProcessLookupError):
        return "-1"
    except OSError:
        return "running"  # it must not be seen


def _target(place: str) -> str:
    try:
        return os.readlink(place)
    except OSError:
        return ""

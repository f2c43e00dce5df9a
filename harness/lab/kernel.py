"""The system calls that make namespaces, which Python 3.11 does not offer.

Thin and total: each function is one thing asked of the kernel, and raises OSError with the kernel's reason.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 0x1, 0x2, 0x4, 0x8, 0x20
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
MNT_DETACH = 2
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 1, 38, 47, 4
_CAPABILITY_VERSION_3 = 0x20080522

_libc = ctypes.CDLL(None, use_errno=True)


def _done(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Give the calling process namespaces of its own (unshare(2)); EINVAL for a user namespace if it has threads."""
    _done(_libc.unshare(flags), "unshare")


def setns(namespace: int, kind: int = CLONE_NEWNET) -> None:
    """Move the calling thread into the namespace behind the descriptor (setns(2))."""
    _done(_libc.setns(namespace, kind), "setns")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Attach a file system (mount(2))."""
    arguments = [text.encode() or None for text in (source, target, kind)]
    _done(_libc.mount(*arguments, ctypes.c_ulong(flags), options.encode() or None), f"mount {target}")


def detach(target: str) -> None:
    """Take a file system away from the tree, lazily (umount2(2))."""
    _done(_libc.umount2(target.encode(), MNT_DETACH), f"umount {target}")


def set_host_name(name: str) -> None:
    """Set the host name of the calling process's UTS namespace."""
    _done(_libc.sethostname(name.encode(), len(name.encode())), "sethostname")


def die_with_parent(parent: int, signal: int) -> None:
    """Have the kernel send `signal` when the parent ends; exit now if the parent, by its pid, is gone already."""
    _done(_libc.prctl(_PR_SET_PDEATHSIG, signal, 0, 0, 0), "prctl")
    if os.getppid() not in {parent, 0}:  # 0: the parent lives outside this pid namespace
        os._exit(1)


def gain_no_privileges() -> None:
    """Make set-user-id programs gain nothing from here on, for this process and all that it starts."""
    _done(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")


def drop_capabilities() -> None:
    """Give up every capability, as an exec by an ordinary user does."""
    _done(_libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "prctl")
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    _done(_libc.capset(header, bytes(24)), "capset")


def own_user_namespace() -> None:
    """Enter a user namespace in which the user keeps uid and gid, and holds every capability."""
    uid, gid = os.getuid(), os.getgid()
    unshare(CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def new_network() -> int:
    """Enter a fresh network namespace and return a descriptor that keeps it alive."""
    unshare(CLONE_NEWNET)
    return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


@contextlib.contextmanager
def inside(network: int, home: int) -> Iterator[None]:
    """Run the block in the network namespace `network`, and come back to `home`."""
    setns(network)
    try:
        yield
    finally:
        setns(home)

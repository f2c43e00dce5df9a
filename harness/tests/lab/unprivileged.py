"""Runs a command as a user without privileges, also where the interpreter lives in a folder that is closed to others.

    python -m harness.tests.lab.unprivileged FOLDER… -- COMMAND…

In a mount namespace of its own, each folder that others may not enter, on the way to one that is needed, is covered by
an empty one that they may, and what is needed is put back below it. Outside nothing changes, and with the command all
of it is gone. Then it becomes the user, without any group, and executes the command.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness import bundle
from harness.lab import kernel

if TYPE_CHECKING:
    from collections.abc import Iterable

ORDINARY = 61234  # not 65534, which the kernel shows for every user that a namespace does not know


def user() -> int:
    """Who a command run here is: an ordinary user for root, else this user."""
    return os.getuid() or ORDINARY


def run(argv: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command as the user, in a folder that it may write to, and wait for its end."""
    before: list[str] = []
    if os.getuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, ORDINARY, ORDINARY)
        before = [sys.executable, "-m", "harness.tests.lab.unprivileged", *map(str, (*needed(), folder)), "--"]
    return subprocess.run(
        [*before, *argv],
        cwd=bundle.root(),
        env={**os.environ, "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def needed() -> set[Path]:
    """The folders without which neither the interpreter nor the harness starts, by each name that they have."""
    named = {
        Path(sys.base_prefix),
        Path(sys.prefix),
        bundle.root(),
        *(Path(path or ".").absolute() for path in sys.path),
    }
    return {name for folder in named if folder.is_dir() for name in (folder, folder.resolve())}


def reveal(folders: Iterable[Path]) -> None:
    """Let anybody enter these folders, in this mount namespace only."""
    opened = {folder: os.open(folder, os.O_PATH) for folder in sorted(folders)}
    for folder, descriptor in opened.items():
        for ancestor in reversed(folder.parents):
            if not ancestor.stat().st_mode & stat.S_IXOTH:
                kernel.mount("tmpfs", str(ancestor), "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=755")
            if not (inner := ancestor / folder.parts[len(ancestor.parts)]).exists():
                inner.mkdir()
        if not os.path.samestat(folder.stat(), os.fstat(descriptor)):
            kernel.mount(f"/proc/self/fd/{descriptor}", str(folder), flags=kernel.MS_BIND | kernel.MS_REC)
        os.close(descriptor)


def main() -> None:
    """Become the user and execute the command."""
    border = sys.argv.index("--")
    kernel.unshare(kernel.CLONE_NEWNS)
    kernel.mount("", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    os.umask(0o022)
    reveal(map(Path, sys.argv[1:border]))
    os.chdir(Path.cwd())  # by name: the folder that we are in may be covered now
    os.setgroups([])
    os.setgid(ORDINARY)
    os.setuid(ORDINARY)
    os.execvp(sys.argv[border + 1], sys.argv[border + 1 :])


if __name__ == "__main__":
    main()

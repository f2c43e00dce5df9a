"""What the programs of a lab find around them: a /proc, a /dev, a /run, an /etc/hosts and a host name of their own.

All of it lies in the mount namespace of the lab process, and goes away with it.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from harness.lab import kernel
from harness.lab.ends import FAR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOST_NAME = "subject"

_HOSTS = f"""\
127.0.0.1 localhost
::1 ip6-localhost ip6-loopback
{FAR.v4[0]} {HOST_NAME}
{FAR.v6[0]} {HOST_NAME}
"""


class PrivateRun:
    """A /run over this machine's, of which nobody else sees what is written; a pid file must not outlive its lab."""

    def __init__(self) -> None:
        self._written: int | None = None  # a descriptor of the folder that has it

    def lay(self) -> None:
        """Lay an empty one."""
        with _memory_for_a_while() as folder:
            upper, work = folder / "upper", folder / "work"
            upper.mkdir()
            work.mkdir()
            options = f"lowerdir=/run,upperdir={upper},workdir={work}"
            kernel.mount("overlay", "/run", "overlay", kernel.MS_NOSUID | kernel.MS_NODEV, options)
            self._written = os.open(upper, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def renew(self) -> None:
        """Lay another one if something was written: a server may not start where it finds its pid file."""
        if self._written is None or not os.listdir(self._written):
            return
        os.close(self._written)
        self._written = None
        kernel.detach("/run")
        self.lay()


def furnish(run: PrivateRun) -> list[str]:
    """Make /proc, /etc/hosts and the host name private; return what this machine would not let us do.

    Of root's programs /dev and /run are protected, too: a server that removes its pid file, where it was told that this
    is /dev/null, or that writes one into /run, does so where nobody else sees it.
    """
    kernel.unshare(kernel.CLONE_NEWNS | kernel.CLONE_NEWUTS)
    kernel.mount("", "/", flags=kernel.MS_REC | kernel.MS_PRIVATE)
    kernel.set_host_name(HOST_NAME)
    steps: list[tuple[str, Callable[[], None]]] = [
        ("a /proc of its own", _private_proc),
        ("an /etc/hosts of its own", _private_hosts),
    ]
    if not os.getuid():  # nobody else may write there
        steps += [("a /dev that nobody changes", _protected_dev), ("a /run of its own", run.lay)]
    missing = []
    for what, step in steps:
        try:
            step()
        except OSError as error:
            missing.append(f"{what} ({error})")
    return missing


def _private_proc() -> None:
    kernel.mount("proc", "/proc", "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)


def _protected_dev() -> None:
    # Read-only is the folder, not the devices: those are written to as ever.
    kernel.mount("/dev", "/dev", flags=kernel.MS_BIND | kernel.MS_REC)
    kernel.mount("", "/dev", flags=kernel.MS_BIND | kernel.MS_REMOUNT | kernel.MS_RDONLY | kernel.MS_NOSUID)


def _private_hosts() -> None:
    with _memory_for_a_while() as folder:
        hosts = folder / "hosts"
        hosts.write_text(_HOSTS)
        kernel.mount(str(hosts), "/etc/hosts", flags=kernel.MS_BIND)


@contextlib.contextmanager
def _memory_for_a_while() -> Iterator[Path]:
    """A file system that only this mount namespace ever sees, laid over the folder for temporary files meanwhile.

    What was mounted from it stays when it is uncovered again.
    """
    over = tempfile.gettempdir()
    here = Path.cwd()
    kernel.mount("tmpfs", over, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV)
    try:
        yield Path(over)
    finally:
        kernel.detach(over)
        os.chdir(here)

"""The folders that servers may fill: an empty one for each start, in memory, seen within the lab alone.

A memory file system of the lab's own lies over one empty folder among the temporary files of this machine. So whatever
a server writes goes away with the lab, be it killed; what remains for us to remove is that empty folder. It is made
when the first server asks for it.

The losers: a folder on the disk, which a killed run leaves behind with all its content; and a mount over a folder that
is there anyhow, of which there is none on every machine that no server needs.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
from pathlib import Path

from harness.lab import kernel


class Scratch:
    """Where the folders of one lab lie."""

    def __init__(self) -> None:
        """Choose a name: the process that watches over the lab must know it, too, to remove what is left."""
        # Short: the path of a Unix socket has 108 octets at most (unix(7)).
        self._place = Path(tempfile.gettempdir()) / f"sockspec-{os.urandom(4).hex()}"
        self._numbers = itertools.count(1)
        self._is_laid = False

    def folder(self) -> str:
        """Make a folder for one start. Of root's programs many go on as another user, so any may write there."""
        if not self._is_laid:
            self._place.mkdir(mode=0o700, exist_ok=True)
            kernel.mount("tmpfs", str(self._place), "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "mode=0755")
            self._is_laid = True
        made = self._place / str(next(self._numbers))
        made.mkdir()
        made.chmod(0o700 if os.getuid() else 0o777)
        return str(made)

    def clear(self) -> None:
        """Let all that was written go; nobody is there any more who could need it."""
        if self._is_laid:
            kernel.detach(str(self._place))
            self._is_laid = False

    def remove(self) -> None:
        """Remove the folder that the machine sees: to be done where no mount lies over it."""
        with contextlib.suppress(OSError):  # none was made
            self._place.rmdir()

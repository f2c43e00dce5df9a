"""Writing to the run folder, and what to tell when the disk refuses.

Everything that the record writes goes through here, so that a full disk or a read-only folder is told in one line with
its remedy, and never costs what was written before.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_REMEDY = {
    errno.ENOSPC: "the disk is full: free some space or give another folder",
    errno.EDQUOT: "the quota is used up: free some space or give another folder",
    errno.EFBIG: "a file may not grow further: raise the file size limit (ulimit -f)",
    errno.EROFS: "the file system is read-only: give another folder",
    errno.EACCES: "no permission to write there: give another folder or change its mode",
    errno.EPERM: "no permission to write there: give another folder or change its mode",
    errno.ENOTDIR: "a part of the path is a file: give another folder",
    errno.EEXIST: "something of that name is there: give another folder",
    errno.ENOENT: "the folder is gone: something removed it during the run",
    errno.EIO: "the disk reports an error: give a folder on another disk",
}


class RecordError(Exception):
    """The record could not be written or read; the message is one line with the remedy."""


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns what the operating system refuses within the block into a `RecordError` about `path`."""
    try:
        yield
    except OSError as refused:
        reason = os.strerror(refused.errno) if refused.errno else str(refused)
        remedy = _REMEDY.get(refused.errno or 0, "give another folder")
        raise RecordError(f"cannot write {path} ({reason}); {remedy}") from refused


def write_whole(path: Path, content: bytes) -> None:
    """Puts `content` at `path` so that a reader sees the old file or the new one, never a part of it."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    with writing(path):
        try:
            with beside.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)


class Lines:
    """A file that grows by whole lines: a line that could not be written whole is taken back."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._size = 0
        with writing(path):
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)

    def append(self, line: str) -> None:
        """Adds one line; it is with the operating system when this returns, so that a killed run keeps it."""
        # A lone surrogate, which stands for an octet that was not UTF-8, becomes the JSON escape of itself.
        octets = line.encode("utf-8", "backslashreplace") + b"\n"
        with writing(self.path):
            try:
                done = 0
                while done < len(octets):
                    done += os.pwrite(self._file, octets[done:], self._size + done)
            except OSError:
                os.ftruncate(self._file, self._size)
                raise
        self._size += len(octets)

    def close(self) -> None:
        """Lets go of the file; closing twice is allowed."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

"""Files of proc(5), read and written by three calls of the kernel: pathlib takes as long again, thousands of times."""

from __future__ import annotations

import os

_MUCH = 1 << 16  # octets: of a longer file the rest is read as well


def read(path: str) -> bytes:
    """All that a file says. OSError, as where the process is gone."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        pieces = []
        while piece := os.read(descriptor, _MUCH):
            pieces.append(piece)
    finally:
        os.close(descriptor)
    return b"".join(pieces)


def write(path: str, text: str, *, below: int | None = None) -> None:
    """Have the kernel take in a value; with `below` the path begins in that folder. OSError where it refuses."""
    descriptor = os.open(path, os.O_WRONLY, dir_fd=below)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def status(place: str) -> list[bytes]:
    """What proc_pid_stat(5) says of the process or thread at a place, from its state on: its name may be anything."""
    return read(f"{place}/stat").rpartition(b")")[2].split()

"""What a program keeps in memory, told from the garbage that a collector has not collected yet.

A program in C gives memory back when it is done with it, CPython does by its counts of references: what they hold grows
only as they keep more. A collector of garbage waits until there is much of it, the more the larger the machine, so that
nothing can be said of its heap in seconds. So what counts is in the heaps of malloc(3), all that is private to a
CPython, and nothing of a runtime whose collector decides when free(3) is called.
"""

from __future__ import annotations

import mmap
import os
import re
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from harness.lab import proc

_COLLECTS = re.compile(
    rb"/(?:lib(?:coreclr|gc\.so|guile|jvm|julia|mono|node|pypy|ruby)[^/]*"
    rb"|(?:beam\.smp|bun|deno|mono(?:-sgen)?|node|nodejs|ruby)[\d.-]*)$"
)
# Bound into an executable a collector is known by the variables that tune it: of Boehm's, GHC, Go, OCaml, GraalVM.
_TUNED_BY = (b"GC_INITIAL_HEAP_SIZE", b"GHCRTS", b"GODEBUG", b"OCAMLRUNPARAM", b"com.oracle.svm")
_COUNTS = re.compile(rb"/(?:lib)?python[\d.]*[a-z]?(?:\.so[\d.]*)?$")
_ARENA = 64 << 20  # octets that the malloc(3) of glibc reserves for the arena of a thread (HEAP_MAX_SIZE)
_PROC = "/proc"
# Of the twenty and more lines of each mapping its first, and what of it is private.
_LINES = re.compile(
    rb"^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)$|^(?:Private_Dirty|Swap): +(\d+) kB$", re.MULTILINE
)


class _Mapping(NamedTuple):
    begin: int
    end: int
    rights: bytes
    path: bytes
    private: int  # octets


def kept(pid: int) -> int:
    """What a process keeps, in octets; 0 where its runtime collects garbage. OSError if it is gone."""
    place = f"{_PROC}/{pid}"
    mappings = _mappings(proc.read(f"{place}/smaps"))
    if any(_COLLECTS.search(one.path) for one in mappings):
        return 0
    executable = os.stat(f"{place}/exe")
    if _is_tuned(f"{place}/exe", (executable.st_dev, executable.st_ino, executable.st_mtime_ns)):
        return 0
    if any(_COUNTS.search(one.path) for one in mappings):
        return sum(one.private for one in mappings)
    heap = sum(one.private for one in mappings if one.path == b"[heap]")
    return heap + sum(one.private for one, behind in pairwise(mappings) if _is_arena(one, behind))


@lru_cache
def _is_tuned(executable: str, _same: tuple[int, int, int]) -> bool:
    """Whether a collector is bound into an executable; `_same` tells it from others that had that name."""
    with open(executable, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as octets:
        return any(octets.find(name) >= 0 for name in _TUNED_BY)


def _mappings(smaps: bytes) -> list[_Mapping]:
    found: list[_Mapping] = []
    for begin, end, rights, path, private in _LINES.findall(smaps):
        if rights:
            found.append(_Mapping(int(begin, 16), int(end, 16), rights, path, 0))
        elif private != b"0":
            found[-1] = found[-1]._replace(private=found[-1].private + int(private) * 1024)
    return found


def _is_arena(one: _Mapping, behind: _Mapping) -> bool:
    """Whether a mapping is one: what is used of it can be written, what is reserved behind that cannot."""
    reserved = (behind.rights, behind.begin, behind.end) == (b"---p", one.end, one.begin + _ARENA)
    return reserved and one.rights == b"rw-p" and not one.path

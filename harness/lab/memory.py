"""What a program keeps in memory, told from the garbage that a collector has not collected yet.

A program in C gives memory back when it is done with it, CPython does by its counts of references: what they hold grows
only as they keep more. A collector of garbage waits until there is much of it, the more the larger the machine, so that
nothing can be said of its heap in seconds. So what counts is in the heaps of malloc(3), all that is private to a
CPython, and nothing of a runtime whose collector decides when free(3) is called.
"""

from __future__ import annotations

import re
from pathlib import Path

_COLLECTS = re.compile(
    rb"/(?:lib(?:coreclr|jvm|julia|mono|node|pypy|ruby)[^/]*"
    rb"|(?:beam\.smp|bun|deno|mono(?:-sgen)?|node|nodejs|ruby)[\d.-]*)$"
)
_COUNTS = re.compile(rb"/(?:lib)?python[\d.]*[a-z]?(?:\.so[\d.]*)?$")
_ARENA = 64 << 20  # octets: at multiples of it the malloc(3) of glibc has the arenas of threads (HEAP_MAX_SIZE)
_GO = range(0xC0 << 32, 0xE0 << 32)  # where Go has its heap, in arenas of the same size
_SMAPS = "/proc/{pid}/smaps"  # proc_pid_smaps(5)
_PRIVATE = {b"Private_Dirty:", b"Swap:"}


def kept(pid: int) -> int:
    """What a process keeps, in octets; 0 where its runtime collects garbage. OSError if it is gone."""
    heaps = private = 0
    counts = in_heap = False
    for line in Path(_SMAPS.format(pid=pid)).read_bytes().splitlines():
        name, *fields = line.split(maxsplit=5)
        if name in _PRIVATE:
            octets = int(fields[0]) * 1024
            private += octets
            heaps += octets if in_heap else 0
        elif not name.endswith(b":"):
            rights, path = fields[0], fields[4] if len(fields) > 4 else b""
            if _COLLECTS.search(path):
                return 0
            counts = counts or bool(_COUNTS.search(path))
            in_heap = path == b"[heap]" or (rights == b"rw-p" and not path and _is_arena(name))
    return private if counts else heaps


def _is_arena(place: bytes) -> bool:
    begin, end = (int(bound, 16) for bound in place.split(b"-"))
    return begin % _ARENA == 0 and end - begin <= _ARENA and begin not in _GO

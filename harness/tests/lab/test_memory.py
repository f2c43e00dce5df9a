"""What counts of a process's memory: what it frees itself, and no garbage that waits for its collector."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from harness.lab import memory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PROGRAM = "55d0a0000000-55d0a0004000 rw-p 00003000 08:01 7 {}\nPrivate_Dirty: 8 kB\n"
HEAP = "55d0a1000000-55d0a1021000 rw-p 00000000 00:00 0 [heap]\nPrivate_Dirty: 100 kB\nSwap: 20 kB\n"
ARENA = (
    "7f60a4000000-7f60a4021000 rw-p 00000000 00:00 0 \nShared_Dirty: 1 kB\nPrivate_Dirty: 40 kB\n"
    "7f60a4021000-7f60a8000000 ---p 00000000 00:00 0 \nPrivate_Dirty: 0 kB\n"
)
MAPPED = "7f60b0000000-7f60b1000000 rw-p 00000000 00:00 0 \nPrivate_Dirty: 4000 kB\n"
RESERVED = (
    "4200000000-4200400000 rw-p 00000000 00:00 0 \nPrivate_Dirty: 3000 kB\n"
    "4200400000-14200000000 ---p 00000000 00:00 0 \nPrivate_Dirty: 0 kB\n"
)
LIBRARY = "7f60b1000000-7f60b1001000 r--p 00000000 08:01 7 {}\nPrivate_Dirty: 0 kB\n"


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """What a process keeps, in KiB, that has these mappings and this executable."""
    monkeypatch.setattr(memory, "_PROC", str(tmp_path))
    (tmp_path / "7").mkdir()

    def of(smaps: str, executable: bytes = b"\x7fELF") -> int:
        (tmp_path / "7" / "smaps").write_text(smaps)
        (tmp_path / "7" / "exe").write_bytes(executable)
        return memory.kept(7) // 1024

    return of


def test_of_a_program_in_c_the_heaps_count(kept: Callable[..., int]) -> None:
    """That of the program and those of its threads; not what it maps itself, nor its variables."""
    assert kept(PROGRAM.format("/srv/echo") + HEAP + ARENA + MAPPED) == 160


def test_a_heap_that_looks_like_an_arena_does_not_count(kept: Callable[..., int]) -> None:
    """It begins at such an address, with more reserved behind it: that of a runtime."""
    assert kept(PROGRAM.format("/srv/echo") + RESERVED + HEAP) == 120


@pytest.mark.parametrize("variable", ["OCAMLRUNPARAM", "GHCRTS", "GODEBUG", "GC_INITIAL_HEAP_SIZE", "com.oracle.svm"])
def test_of_a_program_with_a_collector_bound_in_nothing_counts(kept: Callable[..., int], variable: str) -> None:
    """Whether malloc(3) or mmap(2) has what it collects: buffers of OCaml's channels are freed when it does."""
    executable = b"\x7fELF" + b"\0" * 5000 + variable.encode() + b"\0"

    assert kept(PROGRAM.format("/srv/echo") + HEAP + ARENA, executable) == 0


@pytest.mark.parametrize(
    "path", ["/usr/bin/python3.11", "/opt/python/bin/python3", "/usr/lib/libpython3.12.so.1.0", "/usr/bin/python3.13t"]
)
def test_of_cpython_all_counts(kept: Callable[..., int], path: str) -> None:
    """It frees what nobody refers to, and has arenas of its own."""
    assert kept(PROGRAM.format(path) + HEAP + MAPPED) == 4128


@pytest.mark.parametrize(
    "path",
    [
        "/usr/lib/jvm/java-17/lib/server/libjvm.so",
        "/usr/bin/node",
        "/usr/bin/nodejs",
        "/usr/bin/deno",
        "/usr/bin/ruby3.1",
        "/usr/lib/x86_64-linux-gnu/libruby-3.1.so.3.1.2",
        "/usr/bin/mono-sgen",
        "/usr/share/dotnet/shared/Microsoft.NETCore.App/8.0.0/libcoreclr.so",
        "/usr/lib/erlang/erts-13.1.5/bin/beam.smp",
        "/usr/lib/libpypy3.9-c.so",
        "/usr/lib/x86_64-linux-gnu/libgc.so.1.5.1",
    ],
)
def test_of_who_collects_garbage_nothing_counts(kept: Callable[..., int], path: str) -> None:
    """Buffers that such a runtime takes from malloc(3) are freed when it collects: nobody knows when."""
    assert kept(PROGRAM.format("/srv/run") + HEAP + LIBRARY.format(path)) == 0


@pytest.mark.parametrize(
    "path",
    [
        "/srv/node_echo",
        "/usr/lib/python3/dist-packages/ruby.so",
        "/srv/my-node",
        "/srv/mono.d/echo",
        "/usr/lib/libgcc_s.so.1",
    ],
)
def test_a_name_alone_makes_no_collector(kept: Callable[..., int], path: str) -> None:
    """Only a whole name is one of a runtime."""
    assert kept(PROGRAM.format(path) + HEAP) == 120


def test_what_is_kept_is_seen() -> None:
    """Of this process, as pages go; and what is given back is not counted any more. What else it does is less."""
    before = memory.kept(os.getpid())
    octets = bytearray(b"?") * (64 << 20)

    assert 56 << 20 < memory.kept(os.getpid()) - before < 72 << 20
    del octets
    assert memory.kept(os.getpid()) - before < 8 << 20


def test_one_that_is_gone_is_told() -> None:
    """As OSError, as from all of proc(5)."""
    with pytest.raises(OSError, match="No such file"):
        memory.kept(1 << 30)

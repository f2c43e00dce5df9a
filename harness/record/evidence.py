"""The evidence folder of one test: its name, its files, and their limits.

The folder's name comes from the test's id and the files' names are fixed, so that nothing a subject prints or is called
can choose where something is written. What is too long keeps its head and its tail, and says how much lies between;
a capture stays a readable one, since it is cut between blocks only.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.payload import KiB, MiB
from harness.record.disk import writing
from harness.record.talks import read as read_talks
from harness.record.talks import write as write_talks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.record.talks import Talk

FOLDER = "evidence"  # beneath the run folder
FINDING = "finding.txt"
WIRE = "wire.pcapng"
SEGMENTS = "segments.txt"
SUBJECT = "subject.txt"
CALLS = "calls.json"
REPRO = "repro.py"
FAULTS = "faults.jsonl"

TEXT_LIMIT = 1 * MiB  # octets of finding.txt and of segments.txt
OUTPUT_LIMIT = 64 * KiB  # octets of a subject's stdout, and of its stderr
WIRE_LIMIT = 64 * MiB  # octets of wire.pcapng
SHOWN_LIMIT = 64 * KiB  # octets of a text that a report shows
DRAWN_LIMIT = 16 * MiB  # octets of a capture that a report draws; of a longer one it shows the listing

_NAME_LIMIT = 96  # characters: file systems allow 255, some tools 260 for the whole path
_PACKET_BLOCKS = (2, 3, 6)  # packet (obsolete), simple packet, enhanced packet (draft-ietf-opsawg-pcapng 4)
_SHORTEST_BLOCK = 12  # octets: type, length, and the length again


@dataclass(frozen=True)
class SubjectOutput:
    """What a subject said while it was judged."""

    command: str
    exit: str  # "still running", "exit 1", "signal SIGSEGV"
    stdout: bytes = b""
    stderr: bytes = b""


@dataclass(frozen=True)
class Shown:
    """What a report shows of an evidence folder: texts cut to `SHOWN_LIMIT`, a capture up to `DRAWN_LIMIT`."""

    segments: str = ""
    subject: str = ""
    message: str = ""
    wire: bytes = b""
    talks: tuple[Talk, ...] = ()
    faults: bytes = b""


def folder_name(test: str) -> str:
    """The name of the test's folder: readable, unique among tests, and fit for every file system.

    The digest at its end makes it unique: other characters than letters, digits and `_` are lost in the readable part,
    and so is upper case where the file system does not tell it from lower case.
    """
    words = ".".join(filter(None, re.split(r"[^A-Za-z0-9_]+", test)))
    digest = hashlib.sha256(test.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    readable = words if len(words) <= _NAME_LIMIT - 9 else f"{words[: _NAME_LIMIT - 41]}~{words[-31:]}"
    return f"{readable or 'test'}-{digest}"


def write(
    run: Path,
    test: str,
    *,
    finding: str = "",
    wire: bytes = b"",
    segments: str = "",
    subject: SubjectOutput | None = None,
    talks: Sequence[Talk] = (),
    repro: str = "",
    faults: bytes = b"",
) -> str:
    """Writes what is given into the test's folder beneath `run`; the folder's path relative to `run`.

    `repro` is a script that shows the finding again.
    """
    relative = f"{FOLDER}/{folder_name(test)}"
    folder = run / relative
    files: dict[str, bytes] = {}
    if wire:
        kept = cut_capture(wire, WIRE_LIMIT)
        if len(kept) < len(wire):
            finding += f"\n{WIRE} holds the first and the last of {len(wire)} octets, {len(kept)} in all\n"
        files[WIRE] = kept
    if finding:
        files[FINDING] = _ended(cut_text(_octets(finding), TEXT_LIMIT))
    if segments:
        files[SEGMENTS] = _ended(cut_text(_octets(segments), TEXT_LIMIT))
    if subject:
        files[SUBJECT] = _account(subject)
    if talks:
        files[CALLS] = write_talks(talks)
    if repro:
        files[REPRO] = _octets(repro)
    if faults:
        files[FAULTS] = faults
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    return relative


def read(run: Path, relative: str) -> Shown:
    """What reports show of the evidence folder given by its path relative to `run`.

    A path that leads out of `run`, be it by a symbolic link, shows nothing: a record may come from somebody else.
    """
    run = run.resolve()
    folder = (run / relative).resolve()
    if not relative or not folder.is_relative_to(run):
        return Shown()
    return Shown(
        segments=_text(run, folder / SEGMENTS),
        subject=_text(run, folder / SUBJECT),
        message=_text(run, folder / FINDING),
        wire=_octets_of(run, folder / WIRE, DRAWN_LIMIT),
        talks=read_talks(_octets_of(run, folder / CALLS, DRAWN_LIMIT)),
        faults=_octets_of(run, folder / FAULTS, DRAWN_LIMIT),
    )


def cut_text(text: bytes, limit: int) -> bytes:
    """The text, or its head and its tail with a line between that tells how many octets are left out."""
    if len(text) <= limit:
        return text
    half = limit // 2
    head, tail = text[:half], text[len(text) - half :]
    head = head[: head.rfind(b"\n") + 1] or head
    tail = tail[tail.find(b"\n") + 1 :] or tail
    left_out = len(text) - len(head) - len(tail)
    between = b"" if head.endswith(b"\n") else b"\n"
    return head + between + f"… {left_out} octets left out …\n".encode() + tail


def cut_capture(octets: bytes, limit: int) -> bytes:
    """The pcapng file, or one of about `limit` octets that lacks packets from its middle.

    Blocks that hold no packet are all kept: they say what interfaces there are. A last block that is not whole is left
    out.
    """
    if len(octets) <= limit:
        return octets
    blocks = _blocks(octets)
    left = limit - sum(end - start for kind, start, end in blocks if kind not in _PACKET_BLOCKS)
    packets = [(start, end) for kind, start, end in blocks if kind in _PACKET_BLOCKS]
    kept = set(_within(packets, left // 2)) | set(_within(packets[::-1], left // 2))
    return b"".join(
        octets[start:end] for kind, start, end in blocks if kind not in _PACKET_BLOCKS or (start, end) in kept
    )


def _within(packets: list[tuple[int, int]], limit: int) -> list[tuple[int, int]]:
    """The leading packets that together take at most `limit` octets."""
    kept: list[tuple[int, int]] = []
    for start, end in packets:
        limit -= end - start
        if limit < 0:
            break
        kept.append((start, end))
    return kept


def _blocks(octets: bytes) -> list[tuple[int, int, int]]:
    """The whole blocks of a pcapng file: type, first octet, octet after the last."""
    order: Literal["little", "big"] = "little" if octets[8:12] == b"\x4d\x3c\x2b\x1a" else "big"
    blocks: list[tuple[int, int, int]] = []
    start = 0
    while start + _SHORTEST_BLOCK <= len(octets):
        kind = int.from_bytes(octets[start : start + 4], order)
        length = int.from_bytes(octets[start + 4 : start + 8], order)
        end = start + length
        if length < _SHORTEST_BLOCK or end > len(octets):
            break
        blocks.append((kind, start, end))
        start = end
    return blocks


def _account(subject: SubjectOutput) -> bytes:
    """The content of subject.txt."""
    parts = [_octets(f"command: {subject.command}\nended: {subject.exit}\n")]
    for name, output in (("stdout", subject.stdout), ("stderr", subject.stderr)):
        said = cut_text(output, OUTPUT_LIMIT)
        parts.append(
            f"\n{name}, {len(output)} octets:\n".encode() + _ended(said) if said else f"\n{name}: -\n".encode()
        )
    return b"".join(parts)


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")  # a lone surrogate stands for an octet that was not UTF-8


def _ended(text: bytes) -> bytes:
    return text if text.endswith(b"\n") else text + b"\n"


def _text(run: Path, path: Path) -> str:
    return cut_text(_octets_of(run, path), SHOWN_LIMIT).decode("utf-8", "replace")


def _octets_of(run: Path, path: Path, limit: int | None = None) -> bytes:
    """The content of a file of the run; nothing where there is none, or where it is longer than `limit` octets."""
    if not path.is_file() or not path.resolve().is_relative_to(run):
        return b""
    return path.read_bytes() if limit is None or path.stat().st_size <= limit else b""

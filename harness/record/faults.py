"""What the relay did in one test: the file `faults.jsonl` of the evidence, from which its decisions can be done again.

The first line says under which rules the test ran, each further one is an act: of which frame of `wire.pcapng`, at
which place, what became of it, by which rule, and as which frames it went on. Octets are in the capture; they are
written here only of frames that no tap has seen.

    from harness.capture import pcapng
    from harness.lab.replayed import replayed
    from harness.record import faults

    capture = pcapng.read(Path("wire.pcapng").read_bytes())
    acts = faults.read(Path("faults.jsonl").read_bytes(), capture.frames)
    passages = replayed((frame for frame in capture.frames if frame.far != frame.sent), acts)
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from harness.lab.acts import Act

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.capture.traced import Traced
    from harness.wire.frame import Frame

FORMAT: Final = 1


@dataclass(frozen=True)
class Rules:
    """Under which rules a test ran, and how often each of them acted."""

    hits: Mapping[str, int]  # rule, in words → frames
    link: str = ""  # the link profile, "" without one
    seed: int | None = None  # of the run, where a profile has chances
    left_out: int = 0  # acts beyond those that are kept


def write(rules: Rules, found: Iterable[Traced]) -> bytes:
    """The content of `faults.jsonl`."""
    head = {
        "format": FORMAT,
        "link": rules.link,
        "seed": rules.seed,
        "hits": dict(rules.hits),
        "left_out": rules.left_out,
    }
    lines = [head, *(_line(one) for one in found)]
    return b"".join(json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n" for line in lines)


def read(content: bytes, frames: Sequence[Frame]) -> tuple[Act, ...]:
    """The acts of the file; `frames` are those of the capture beside it. ValueError if it is not one of ours."""
    by_number = {frame.number: frame for frame in frames}
    lines = content.splitlines()
    try:
        if lines and json.loads(lines[0])["format"] != FORMAT:
            raise ValueError(f"it has another format than {FORMAT}")
        return tuple(_act(json.loads(line), by_number) for line in lines[1:])
    except (KeyError, TypeError, ValueError) as wrong:
        raise ValueError(f"no log of a relay that belongs to this capture: {wrong!r}") from wrong


def _line(one: Traced) -> dict[str, Any]:
    record = {"frame": one.frame, **one.act.as_record()}
    if one.frame:
        del record["octets"]
    for passage, number in zip(record["passed"], one.passed, strict=True):
        passage["frame"] = number
        if number:
            del passage["octets"]
    return record


def _act(record: dict[str, Any], by_number: Mapping[int, Frame]) -> Act:
    def octets(entry: dict[str, Any]) -> str:
        number = entry.pop("frame")
        return by_number[number].octets.hex() if number else entry["octets"]

    record["octets"] = octets(record)
    record["passed"] = [{**passage, "octets": octets(passage)} for passage in record["passed"]]
    return Act.from_record(record)

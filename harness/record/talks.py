"""Who talked in a test, and which socket calls were made at both ends: the file `calls.json` of the evidence.

A capture alone does not say which of its ends was the probe's, nor what a program did meanwhile; a report needs both.
"""

from __future__ import annotations

import contextlib
import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.probe.calls import Call, Calls
from harness.wire.segment import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Talk:
    """One client of the test and its calls."""

    protocol: str  # tcp or udp
    near: Endpoint
    far: Endpoint
    calls: tuple[Call, ...] = ()  # the probe's
    answers: tuple[Call, ...] = ()  # the subject's, where it is a program of ours
    left_out: int = 0  # calls of the probe that were counted and not kept

    @property
    def ends(self) -> tuple[str, Endpoint, Endpoint]:
        """What tells its flow from others."""
        return self.protocol, self.near, self.far


def subject_calls(text: str) -> dict[int, Calls]:
    """What the lines of `harness.lab.witness` say, for each port of the other end; other lines are passed over."""
    by_port: dict[int, Calls] = defaultdict(Calls)
    for line in text.splitlines():
        with contextlib.suppress(ValueError):
            time_ns, port, name, outcome = line.split(" ", 3)
            octets = int(outcome) if outcome.isdigit() and (outcome != "0" or not name.startswith("recv(")) else None
            told = "" if octets is not None else "0, end of stream" if outcome == "0" else outcome
            by_port[int(port)].add(Call(int(time_ns), name, told, octets))
    return by_port


def write(talks: Iterable[Talk]) -> bytes:
    """The content of `calls.json`."""
    entries = [
        {
            "protocol": talk.protocol,
            "near": talk.near,
            "far": talk.far,
            "calls": talk.calls,
            "answers": talk.answers,
            "left_out": talk.left_out,
        }
        for talk in talks
    ]
    return json.dumps(entries, separators=(",", ":")).encode("utf-8", "backslashreplace")


def read(content: bytes) -> tuple[Talk, ...]:
    """What `write` wrote; nothing where the file is missing or damaged: a report goes on without it."""
    try:
        return tuple(_talk(entry) for entry in json.loads(content or b"[]"))
    except (ValueError, KeyError, TypeError):
        return ()


def _talk(entry: dict[str, Any]) -> Talk:
    near, far = (Endpoint(str(host), int(port)) for host, port in (entry["near"], entry["far"]))
    return Talk(
        str(entry["protocol"]), near, far, _calls(entry["calls"]), _calls(entry["answers"]), int(entry["left_out"])
    )


def _calls(entries: Iterable[Any]) -> tuple[Call, ...]:
    return tuple(
        Call(int(time_ns), str(name), str(outcome), None if octets is None else int(octets), int(times))
        for time_ns, name, outcome, octets, times in entries
    )

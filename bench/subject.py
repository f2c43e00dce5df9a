"""How long until a subject can be talked to: a reference server started warm, and the same program exec'd.

Warm is a fork of the lab process; exec'd is a fresh interpreter, as it is for every command of the user's. Both report
on descriptor 3. Under `--serve` nothing is reported: there the harness asks sock_diag until the socket is in LISTEN.
"""

from __future__ import annotations

import json
import os
import select
import sys
from functools import partial
from typing import TYPE_CHECKING

from bench.machine import Figure, milliseconds, repeated, table
from harness.lab.handle import Lab
from harness.subject.inventory import Program, reference_servers
from harness.subject.process import start

if TYPE_CHECKING:
    from collections.abc import Callable

_HOST = "10.9.0.2"


def main() -> None:
    """Print the table."""
    with Lab() as lab:
        figures = []
        for name in ("echo_blocking", "echo_asyncio"):
            server = reference_servers()[name]
            path = server.words[0]
            served = Program(name, "echo", (sys.executable, path, "{host}", "{port}"))
            goal = "≤ 5" if name == "echo_blocking" else ""
            figures += [
                Figure(f"{name}, warm", _times(lab, partial(_start, lab, server), 100), "ms", goal),
                Figure(f"{name}, exec'd", _times(lab, partial(_exec, lab, path), 40), "ms"),
                Figure(f"{name}, under --serve", _times(lab, partial(_start, lab, served), 40), "ms"),
            ]
        table("subject ready", figures)


def _times(lab: Lab, action: Callable[[], object], times: int) -> tuple[float, ...]:
    """Milliseconds, each in a lab of its own, as a test has it."""
    took: list[float] = []
    for _ in range(times):
        lab.ask("build")
        took += repeated(action, 1, before=0)
    lab.ask("clear")
    return milliseconds(took)


def _start(lab: Lab, program: Program) -> None:
    start(lab, program, "v4", dict(os.environ)).close()


def _exec(lab: Lab, path: str) -> None:
    """Start the program by exec and wait for its word on descriptor 3."""
    argv = [sys.executable, path, _HOST, "0"]
    started = lab.ask("start", argv=argv, environment=dict(os.environ), ready=True)
    poll = select.poll()
    poll.register(started.descriptors[1], select.POLLIN)
    poll.poll(10_000)
    json.loads(os.read(started.descriptors[1], 4096))
    for descriptor in started.descriptors:
        os.close(descriptor)


if __name__ == "__main__":
    main()

"""How long a capture takes to open, to prove whole, and to close.

The peer is scapy's own capture socket, which has neither a ring nor a proof. A packet socket that is closed waits for a
grace period of the kernel; the tap leaves that to a thread, scapy's caller has to wait.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, TypeVar

from scapy.arch.linux import L2ListenSocket

from bench.machine import Figure, milliseconds, table, timed
from harness.budget import Stopwatch
from harness.capture.recording import Wire
from harness.capture.ring import Tap
from harness.lab.ends import NEAR
from harness.lab.handle import Lab
from harness.lab.near import LabNear

if TYPE_CHECKING:
    from collections.abc import Callable

_RUNS = 100
_BUILDING = 0.06  # seconds in which the lab builds the ground of the next test

Opened = TypeVar("Opened")


def main() -> None:
    """Print the table."""
    with Lab() as lab:
        lab.ask("build")
        near = LabNear(lab)
        opened, closed = _both(lambda: Tap(near.tap(), NEAR.name), Tap.close, lambda: _fresh(lab))
        figures = [
            Figure("tap opened", milliseconds(opened), "ms", "≤ 2"),
            Figure("tap closed", milliseconds(closed), "ms"),
        ]
        opened, closed = _both(lambda: Wire(near), lambda wire: wire.tap.close(), lambda: _fresh(lab))
        figures += [
            Figure("wire opened: tap and opening marker", milliseconds(opened), "ms"),
            Figure("wire closed", milliseconds(closed), "ms"),
        ]
        _fresh(lab)
        with Wire(near) as wire:
            fences = tuple(timed(wire.capture) for _ in range(_RUNS))
        figures.append(Figure("fence, and certificate of an empty wire", milliseconds(fences), "ms"))
    opened, closed = _both(lambda: L2ListenSocket(iface="lo"), lambda listening: listening.close(), times=20)
    figures += [
        Figure("peer: scapy's L2ListenSocket opened", milliseconds(opened), "ms"),
        Figure("peer: scapy's L2ListenSocket closed", milliseconds(closed), "ms"),
    ]
    table("capture", figures)


def _fresh(lab: Lab) -> None:
    """New ground, as each test has it; the next one is built before we go on, as while a test runs."""
    lab.ask("build")
    select.select([], [], [], _BUILDING)


def _both(
    opening: Callable[[], Opened],
    closing: Callable[[Opened], object],
    before: Callable[[], None] = lambda: None,
    *,
    times: int = _RUNS,
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Seconds for opening and for closing, in turns."""
    opened: list[float] = []
    closed: list[float] = []
    for _ in range(times):
        before()
        watch = Stopwatch()
        made = opening()
        opened.append(watch.seconds)
        watch = Stopwatch()
        closing(made)
        closed.append(watch.seconds)
    return tuple(opened), tuple(closed)


if __name__ == "__main__":
    main()

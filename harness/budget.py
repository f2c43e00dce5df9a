"""Our own time: the only module that reads a clock.

A budget is an interval that we allow, a deadline the moment at which it is used up. Both are in seconds. *Timeout* is a
word for the protocol's timers only.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field

RESPONSE = 10.0  # seconds a subject may take over one step, on a loaded machine, while it is still busy
TIMERS = 5.0  # seconds a kernel may take over one step: it needs no turn, and its first timers run out within 3 s
READY = 10.0  # seconds a subject may take from its start to LISTEN (a cold virtual machine on a loaded host)


def now() -> float:
    """Monotonic seconds, comparable within this process only."""
    return time.monotonic()


def wall_clock() -> float:
    """Seconds since the epoch, for records that a person reads."""
    return time.time()


def wall_ns() -> int:
    """Nanoseconds since the epoch, by the clock that the kernel stamps frames with."""
    return time.time_ns()


@dataclass(frozen=True)
class Deadline:
    """The moment at which a budget is used up."""

    budget: float
    started: float = field(default_factory=now)

    @property
    def left(self) -> float:
        """Seconds that remain, never negative."""
        return max(0.0, self.started + self.budget - now())

    @property
    def over(self) -> bool:
        """Whether the budget is used up."""
        return self.left == 0.0

    def slice(self, seconds: float) -> float:
        """`seconds`, or what is left if that is less: for waits that look around in between."""
        return min(seconds, self.left)

    def __str__(self) -> str:
        return f"{self.budget:g} s"


@dataclass(frozen=True)
class Stopwatch:
    """Seconds since it was made."""

    started: float = field(default_factory=now)

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        return now() - self.started

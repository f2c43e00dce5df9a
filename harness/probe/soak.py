"""A soak: how long a test goes on with client after client, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.budget import Deadline, Stopwatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_EVERY = 1.0  # seconds between two words on how far it is


@dataclass(frozen=True)
class Soak:
    """How long to go on."""

    seconds: float
    tell: Callable[[float], None]  # how many seconds are over

    def shares(self) -> Iterator[float]:
        """Again and again the share of the time that is over, until it is; at least once."""
        deadline, since = Deadline(self.seconds), Stopwatch()
        yield 0.0
        while not deadline.over:
            if since.seconds >= _EVERY:
                since = Stopwatch()
                self.tell(self.seconds - deadline.left)
            yield 1.0 - deadline.left / self.seconds

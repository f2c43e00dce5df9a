"""Frames of one direction that wait for their time, in the order in which they are due; of equal times, as they came.

The marker of a fence waits for all that waits when it comes, so that a fence stays a proof: when it is back, whatever
was sent before has passed. It does not wait for a frame that a rule holds until it lets go: nobody knows when.

A value with time as an argument: the relay has the clock.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.lab.acts import Deed


@dataclass(order=True)
class Waiting:
    """A frame until it goes on; a marker if no rule has made it wait."""

    due: float  # monotonic seconds
    order: int
    octets: bytes = field(compare=False)
    deed: Deed | None = field(compare=False)


class Late:
    """What waits in one direction."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._heap: list[Waiting] = []
        self._order = itertools.count()
        self._behind: Waiting | None = None  # the frame that goes behind the next one

    @property
    def waits(self) -> bool:
        """Whether anything does."""
        return bool(self._heap)

    @property
    def next_due(self) -> float | None:
        """When the next frame is due."""
        return self._heap[0].due if self._heap else None

    @property
    def wants_another(self) -> bool:
        """Whether a frame waits for the next one to overtake it."""
        return self._behind is not None

    def add(self, deed: Deed, due: float) -> Waiting:
        """A frame that goes on then."""
        waiting = Waiting(due, next(self._order), deed.met.octets, deed)
        heapq.heappush(self._heap, waiting)
        return waiting

    def add_behind(self, deed: Deed, due: float) -> None:
        """A frame that goes on behind the next one, or then."""
        self._behind = self.add(deed, due)

    def mark(self, octets: bytes) -> bool:
        """A marker comes: whether it has to wait."""
        if not self._heap:
            return False
        last = max(waiting.due for waiting in self._heap)
        heapq.heappush(self._heap, Waiting(last, next(self._order), octets, None))
        return True

    def due(self, now: float) -> list[Waiting]:
        """What goes on now, in its order."""
        found: list[Waiting] = []
        while self._heap and self._heap[0].due <= now:
            found.append(self._taken(heapq.heappop(self._heap)))
        return found

    def overtaken(self) -> list[Waiting]:
        """A frame has passed: what goes behind it, with the markers that waited for nothing else."""
        if self._behind is None:
            return []
        self._heap.remove(self._behind)
        found = [self._taken(self._behind)]
        if all(waiting.deed is None for waiting in self._heap):
            found += sorted(self._heap)
            self._heap.clear()
        else:
            heapq.heapify(self._heap)
        return found

    def _taken(self, waiting: Waiting) -> Waiting:
        if waiting is self._behind:
            self._behind = None
        return waiting

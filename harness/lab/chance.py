"""Chance, seeded: the same seed decides the same way over the same frames.

Each direction has dice of its own, so that the n-th frame from one side meets its fate whatever the other side sends
meanwhile: how the two interleave differs from run to run.
"""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Chance:
    """How likely a rule acts on a frame that it speaks of."""

    likely: float  # from 0 to 1
    seed: int

    def __post_init__(self) -> None:
        if not 0 < self.likely <= 1:
            raise ValueError(f"a chance of {self.likely} is none: it lies above 0, and is 1 at most")

    def __str__(self) -> str:
        return f"with a chance of {self.likely:g} (seed {self.seed})"


class Dice:
    """The rolls of one rule; a roll is for one frame."""

    def __init__(self, chance: Chance) -> None:
        """Begin at the beginning."""
        self._likely = chance.likely
        self._rolls = {sent: random.Random(f"{chance.seed} {sent}").random for sent in (True, False)}

    def strike(self, sent: bool) -> bool:
        """Whether it is this frame's turn, the next one of its direction."""
        return self._rolls[sent]() < self._likely

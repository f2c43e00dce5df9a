"""Faults: rules on the link, said in the same words as claims.

    with link.drop(got.FIN, times=1) as fault:
        ...
    assert fault.hits == 1

A rule is a pattern and what becomes of a frame that matches it: `drop`, `duplicate`, or `hold` until the block ends.
Rules are asked in the order in which they were set, the first that matches decides; what no rule matches passes. A rule
that never acted has proved nothing: its block ends Inconclusive.

Only what to do with a frame is decided here. The relay does it (see `harness.lab.relay`).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from harness import budget
from harness.verdict import Inconclusive
from harness.wire.match import mismatches

if TYPE_CHECKING:
    from harness.wire.pattern import Pattern
    from harness.wire.step import Step


class Fate(Enum):
    """What becomes of a frame on the link."""

    DROP = "is dropped"
    DUPLICATE = "passes twice"
    HOLD = "is held"


@dataclass
class Fault:
    """One rule, and how often it acted."""

    pattern: Pattern
    fate: Fate
    times: int | None = None  # how often it may act at most, None: as often as it matches
    hits: int = 0
    _acted: threading.Condition = field(default_factory=threading.Condition)

    def __str__(self) -> str:
        often = "" if self.times is None else f", {self.times} times at most"
        return f"{self.pattern} {self.fate.value}{often}"

    def acts_on(self, step: Step) -> bool:
        """Whether the rule decides over the frame of this step; counts a hit if it does."""
        if self.hits == self.times or mismatches(self.pattern, step):
            return False
        with self._acted:
            self.hits += 1
            self._acted.notify_all()
        return True

    def wait(self, at_least: int | None = None, seconds: float = budget.RESPONSE) -> None:
        """Wait until the rule has acted `at_least` so often, or as often as it may; Inconclusive if it does not."""
        wanted = at_least or self.times or 1
        with self._acted:
            if not self._acted.wait_for(lambda: self.hits >= wanted, seconds):
                acted = f"acted {self.hits} of {wanted} times" if self.hits else "never acted"
                raise Inconclusive(f"the fault {acted} within {seconds:g} s: {self}")


def deciding(faults: list[Fault], step: Step) -> Fault | None:
    """The rule that decides over the frame of this step: the first that speaks of it; None lets it pass."""
    return next((fault for fault in faults if fault.acts_on(step)), None)

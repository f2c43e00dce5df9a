"""Faults: rules on the link, said in the same words as claims.

    with link.drop(got.FIN, times=1) as fault:
        ...
    assert fault.hits == 1

A rule speaks of a pattern, of all that one side sends (`got`, `sent`), or of anything (None), and says which fate a
frame meets (see `harness.lab.fates`). Rules are asked in the order in which they were set, the first that acts decides;
a frame on which none acts passes. A rule does not act where it has acted as often as it may, where its chance does not
strike, and where its fate cannot be (a bit that is not there, a frame that is not too large).

A rule that never acted has proved nothing: its block ends Inconclusive, be it one of chance too, unless it `may_miss`.

Only who decides is decided here. The relay does it (see `harness.lab.relay`).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from harness import budget
from harness.lab.chance import Dice
from harness.verdict import Inconclusive
from harness.wire.match import matches
from harness.wire.pattern import Pattern, Sender

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from harness.lab.chance import Chance
    from harness.lab.fates import Fate
    from harness.wire.step import Step

About: TypeAlias = Pattern | Sender | None


class Met(NamedTuple):
    """A frame that came to the relay, as far as rules look at it."""

    sent: bool  # by the probe
    octets: bytes  # from the Ethernet header on
    step: Step | None = None  # in its flow; None if it belongs to none (an echo request, a fragment, ARP)


@dataclass
class Fault:
    """One rule, and how often it acted."""

    about: About
    fate: Fate
    times: int | None = None  # how often it may act at most, None: as often as it matches
    chance: Chance | None = None  # None: always
    may_miss: bool = False  # whether a block in which it never acted is as good as any
    hits: int = 0
    _acted: threading.Condition = field(default_factory=threading.Condition, repr=False)
    let_go: Callable[[Fault], None] | None = field(default=None, repr=False)  # set by the relay
    _dice: Dice | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.times is not None and self.times < 1:
            raise ValueError(f"a rule that may act {self.times} times is none")
        self._dice = None if self.chance is None else Dice(self.chance)

    def __str__(self) -> str:
        often = {None: "", 1: ", 1 time at most"}.get(self.times, f", {self.times} times at most")
        chance = "" if self.chance is None else f" {self.chance}"
        return f"{'anything' if self.about is None else self.about} {self.fate}{chance}{often}"

    @property
    def reads(self) -> bool:
        """Whether it wants to know more of a frame than from which side it came."""
        return isinstance(self.about, Pattern)

    def acts_on(self, met: Met) -> bool:
        """Whether the rule decides over this frame; counts a hit if it does."""
        if self.hits == self.times or not self._speaks_of(met):
            return False
        if self._dice is not None and not self._dice.strike(met.sent):
            return False
        with self._acted:
            self.hits += 1
            self._acted.notify_all()
        return True

    def _speaks_of(self, met: Met) -> bool:
        if self.about is None:
            return True
        if isinstance(self.about, Sender):
            return self.about.sent == met.sent
        return met.step is not None and matches(self.about, met.step)

    def wait(self, at_least: int | None = None, seconds: float = budget.RESPONSE) -> None:
        """Wait until the rule has acted `at_least` so often, or as often as it may; Inconclusive if it does not."""
        wanted = at_least or self.times or 1
        with self._acted:
            if not self._acted.wait_for(lambda: self.hits >= wanted, seconds):
                acted = f"acted {self.hits} of {wanted} times" if self.hits else "never acted"
                raise Inconclusive(f"the fault {acted} within {seconds:g} s: {self}")

    def release(self) -> None:
        """Let go of what is held, in its order, and hold no more, before the block ends."""
        if self.let_go is None:
            raise ValueError(f"nothing is held by a rule that is not on a link: {self}")
        self.let_go(self)


def deciding(faults: Iterable[Fault], met: Met) -> Fault | None:
    """The rule that decides over this frame: the first that acts on it; None lets it pass."""
    return next((fault for fault in faults if fault.acts_on(met)), None)

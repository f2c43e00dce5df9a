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
from typing import TYPE_CHECKING, NamedTuple, Self, TypeAlias

from harness import budget
from harness.lab.chance import Dice
from harness.lab.corrupted import has_bit
from harness.lab.fates import Corrupt, Narrow
from harness.lab.narrowed import too_large
from harness.verdict import Inconclusive
from harness.wire.match import matches
from harness.wire.pattern import Pattern, Sender, sender_word

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from harness.lab.acts import Act
    from harness.lab.chance import Chance
    from harness.lab.fates import Fate
    from harness.wire.step import Step


class Place(NamedTuple):
    """The n-th frame that came from one side, from 1."""

    sent: bool  # by the probe
    place: int

    def __str__(self) -> str:
        return f"{sender_word(self.sent)} frame {self.place}"


About: TypeAlias = Pattern | Sender | Place | None


class Met(NamedTuple):
    """A frame that came to the relay, as far as rules look at it."""

    sent: bool  # by the probe
    place: int  # among the frames that came from its side, from 1
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

    def decides(self, met: Met) -> Self | None:
        """The rule itself if it decides over this frame, and counts a hit; else None."""
        if self.hits == self.times or not self._speaks_of(met) or not _can_meet(met.octets, self.fate):
            return None
        if self._dice is not None and not self._dice.strike(met.sent):
            return None
        with self._acted:
            self.hits += 1
            self._acted.notify_all()
        return self

    def _speaks_of(self, met: Met) -> bool:
        if self.about is None:
            return True
        if isinstance(self.about, Sender):
            return self.about.sent == met.sent
        if isinstance(self.about, Place):
            return self.about == (met.sent, met.place)
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


def _can_meet(octets: bytes, fate: Fate) -> bool:
    """Whether this fate is one for this frame."""
    match fate:
        case Narrow(mtu):
            return too_large(octets, mtu)
        case Corrupt(bit):
            return has_bit(octets, bit)
        case _:
            return True


class Replay:
    """The fates that a log has, for the frames at the same places."""

    reads = False

    def __init__(self, acts: Iterable[Act]) -> None:
        """Be ready to do these again, once each."""
        places = ((Place(act.sent, act.place), act.fate) for act in acts)
        self._faults = {place: Fault(place, fate, times=1) for place, fate in places}

    def __str__(self) -> str:
        return f"the fates of {len(self._faults)} frames are met again"

    @property
    def faults(self) -> tuple[Fault, ...]:
        """One for each act."""
        return tuple(self._faults.values())

    @property
    def hits(self) -> int:
        """How many acts were done again."""
        return sum(fault.hits for fault in self.faults)

    def decides(self, met: Met) -> Fault | None:
        """The fault that acts on this frame; None lets it pass."""
        fault = self._faults.get(Place(met.sent, met.place))
        return fault.decides(met) if fault is not None else None

    def wait(self, seconds: float = budget.RESPONSE) -> None:
        """Wait until every act was done again; Inconclusive if a frame does not come."""
        deadline = budget.Deadline(seconds)
        for place, fault in self._faults.items():
            try:
                fault.wait(seconds=deadline.left)
            except Inconclusive as missing:
                raise Inconclusive(
                    f"{self.hits} of {len(self._faults)} acts were done again within {deadline}:"
                    f" {place}, which {fault.fate}, did not come"
                ) from missing


def deciding(rules: Iterable[Fault | Replay], met: Met) -> Fault | None:
    """The rule that decides over this frame: the first that acts on it; None lets it pass."""
    return next((fault for rule in rules if (fault := rule.decides(met)) is not None), None)

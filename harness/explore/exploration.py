"""An exploration: plan after plan for as long as one wants; what is found is confirmed, shortened, and shown again.

The plans are played to one subject, one behind the other, which makes hundreds of them in half a minute. When one
fails, a fresh subject gets it, and all that counts from there on is what a fresh subject does: so nobody is blamed for
what an earlier plan has damaged. If it takes the plans before to fail, they are a part of the sequence.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.budget import Deadline, Stopwatch
from harness.explore.contracts import contract as contract_of
from harness.explore.plans import ended, in_order, possible, renumbered
from harness.explore.player import Missed, Player
from harness.explore.script import blind, listed, script
from harness.explore.shorter import fewest_kinds
from harness.subject.patience import IDLE
from harness.verdict import Broken, Inconclusive, Mismatch, NotApplicable

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.explore.actions import Action
    from harness.explore.bench import Bench, Maker
    from harness.explore.contracts import Contract

FAMILIAR = 0.5  # seconds of idleness that will do while a failure is made shorter, and that is looked at again
_SCRIPT = 60.0  # seconds at most for the script
_EVERY = 1.0  # seconds between two words on how far it is


@dataclass
class Exploration:
    """How long to explore, and what came of it."""

    seconds: float
    seed: int
    maker: Maker
    tell: Callable[[str], None]  # how far it is
    keep: contextlib.ExitStack  # what is entered there stays until the evidence is written
    shorten: float = 60.0  # seconds at most to confirm and shorten a failure; nor more than the search may take
    repro: str = ""  # the script that shows the failure again
    plans: int = field(default=0, init=False)  # played so far

    def run(self) -> None:
        """Explore; a claim that no sequence breaks what the profile promises."""
        contract = contract_of(self.maker.program.profile)
        if contract.unexplored:
            raise NotApplicable(contract.unexplored)
        search = _Search(self, contract)
        search.run()
        if search.failure is None:
            if search.once is not None:
                raise _seen_once(search.once, self.seed)
            return
        missed = search.shortest()
        self.repro = self._script(missed, contract)
        verdict = self._reproduces(missed, link=search.link)
        again = self._recorded(missed, contract, link=search.link) or missed
        count = f"{len(again.played)} action{'s' if len(again.played) > 1 else ''}"
        first = search.failure
        lines = [
            f"the sequence, {count}, shortened from {len(first.played)} (seed {self.seed}, plan {self.plans}):",
            *listed(again.played),
            verdict,
        ]
        found = Mismatch(again.amiss.expected, again.amiss.actual, details=lines)
        found.__dict__["requirement"] = again.amiss.requirement
        raise found

    def _script(self, missed: Missed, contract: Contract) -> str:
        title = f"{self.maker.program.profile} server: {missed.amiss.requirement} does not hold."
        return script(missed, udp=contract.transport == "udp", title=title)

    def _reproduces(self, missed: Missed, *, link: bool) -> str:
        """Run the script once, against a fresh subject; what came of it, in words."""
        with self.maker.bench(link=link) as bench:
            status, said = _run(bench, self.repro)
        if status == 1:
            return f"reproduced by repro.py: {said}"
        why = blind(missed) or said
        return f"not reproduced by repro.py: {why}; played again by the harness, it shows"

    def _recorded(self, missed: Missed, contract: Contract, *, link: bool) -> Missed | None:
        """Play it once more and record it, for the evidence."""
        bench = self.keep.enter_context(self.maker.bench(link=link, recorded=True))
        return Player(bench, contract, careful=True).play(missed.played, stay=True)


def _seen_once(missed: Missed, seed: int) -> Inconclusive:
    lines = "\n".join(listed(missed.played))
    return Inconclusive(
        f"seen once and not again, though played to a fresh server, with what went before and without (seed {seed}):"
        f" expected {missed.amiss.expected}; {missed.amiss.actual}\n{lines}"
    )


def _run(bench: Bench, text: str) -> tuple[int | None, str]:
    """Run a script at the subject's end, where no link is between; its exit code, and the last line that it printed."""
    place = bench.subject.address
    started = bench.lab.ask("start", argv=[sys.executable, "-c", text, place.host, str(place.port)], environment={})
    pidfd = started.descriptors[0]
    with contextlib.ExitStack() as stack:
        for descriptor in started.descriptors:
            stack.callback(os.close, descriptor)
        if not select.select([pidfd], [], [], _SCRIPT)[0]:
            return None, f"it did not end within {_SCRIPT:g} s"
    told = bench.lab.ask("child", pid=started["pid"]).values
    lines = (told["stdout"].strip() or told["stderr"].strip()).splitlines()
    status: int | None = told["exit"]
    return status, (lines[-1] if lines else "it said nothing").removeprefix("the bug shows: ")


class _Search:
    """One exploration, from the first plan to the shortest sequence."""

    def __init__(self, exploration: Exploration, contract: Contract) -> None:
        self._exploration = exploration
        self._maker = exploration.maker
        self._contract = contract
        self.link = contract.transport == "tcp" and contract.lossy
        self.failure: Missed | None = None  # as a fresh subject showed it first
        self.once: Missed | None = None  # a failure that no fresh subject showed again
        self._best: Missed | None = None
        self._history: list[tuple[Action, ...]] = []  # what the subject has seen so far
        self._prefix: tuple[Action, ...] = ()  # what of it a failure needs
        self._tried: dict[tuple[Action, ...], bool] = {}
        self._deadline = Deadline(exploration.seconds)  # of the search; later, of what comes behind it
        self._behind = min(exploration.shorten, exploration.seconds)  # seconds for what comes behind the search
        self._shared = contextlib.ExitStack()
        self._player: Player | None = None
        self._spent, self._told = Stopwatch(), Stopwatch()

    def run(self) -> None:
        """Explore until something is found or the time is over; then shorten what was found."""
        from harness.explore.machine import Over, drive  # hypothesis takes its time to load

        self._over = Over
        self._broken: Exception | None = None
        seed = self._exploration.seed
        try:
            while self.failure is None and not self._deadline.over and self._broken is None:
                drive(self._contract, link=self.link, seed=seed, fails=self._fails)
                seed += 1_000_003  # every plan that there is for one seed has been played
        finally:
            self._shared.close()
        if self._broken is not None:
            raise self._broken

    def _fails(self, plan: tuple[Action, ...]) -> bool:
        if self._deadline.over:
            raise self._over
        try:
            return self._shows(plan) if self.failure is None else self._still_shows(plan)
        except Exception as broken:  # what breaks is no failure of the subject's, and nothing to be shortened
            self._broken = broken
            raise self._over from None

    def _shows(self, plan: tuple[Action, ...]) -> bool:
        """Play a plan to the subject that is there; whether it fails, and a fresh one then fails too."""
        self._exploration.plans += 1
        self._word(
            f"explore {self._spent.seconds:.0f} of {self._exploration.seconds:g} s, {self._exploration.plans} plans"
        )
        player = self._player
        if player is None or self._contract.one_client:
            player = self._begin()
        whole = ended(plan, self._contract)
        missed = player.play(whole)
        if missed is None:
            self._history.append(whole)
            return False
        history, self._history, self._player = self._history, [], None
        self._shared.close()
        search, self._deadline = self._deadline, Deadline(self._behind)
        confirmed = self._confirmed(plan, history)
        if confirmed is None:
            self.once, self._deadline = self.once or missed, search
            return False
        self.failure = self._best = confirmed
        self._deadline = Deadline(self._behind / 2)  # hypothesis gets one half, `shortest` the other
        self._prefix = self._needed(plan)
        self._tried[self._with_prefix(plan)] = True
        return True

    def _begin(self) -> Player:
        self._shared.close()
        bench = self._shared.enter_context(self._maker.bench(link=self.link))
        self._player = player = Player(bench, self._contract)
        self._history = []
        return player

    def _confirmed(self, plan: tuple[Action, ...], history: list[tuple[Action, ...]]) -> Missed | None:
        """What a fresh subject shows of a plan: of it alone, else behind as many of the plans before as it takes."""
        number = 0
        while True:
            self._prefix = _joined(history[len(history) - number :])
            if (missed := self._afresh(self._with_prefix(plan), IDLE)) is not None:
                return missed
            if number >= len(history) or self._deadline.over:
                self._prefix = ()
                return None
            number = min(len(history), 2 * number or 1)

    def _needed(self, plan: tuple[Action, ...]) -> tuple[Action, ...]:
        """What of the plans before the failure needs."""
        requirement = self._found().amiss.requirement

        def fails(part: tuple[Action, ...]) -> bool:
            if self._deadline.over:
                return False
            self._prefix = part
            return self._same(self._afresh(self._with_prefix(plan), FAMILIAR), requirement)

        return fewest_kinds(self._prefix, fails) if self._prefix else ()

    def _still_shows(self, plan: tuple[Action, ...]) -> bool:
        """Whether a fresh subject fails a plan of those that hypothesis tries on the way to the shortest."""
        requirement = self._found().amiss.requirement
        actions = self._with_prefix(plan)
        if actions not in self._tried:
            self._word("explore, a failure is made shorter")
            missed = self._afresh(actions, FAMILIAR)
            self._tried[actions] = self._same(missed, requirement)
        return self._tried[actions]

    def shortest(self) -> Missed:
        """The shortest sequence that was found, as a fresh subject that has all its time shows it."""
        failure = self._found()
        requirement = failure.amiss.requirement
        self._deadline = Deadline(self._behind / 2)

        def fails(part: tuple[Action, ...]) -> bool:
            actions = possible(part, self._contract, link=self.link)
            if self._deadline.over or not actions:
                return False
            if actions not in self._tried:
                self._tried[actions] = self._same(self._afresh(actions, FAMILIAR), requirement)
            return self._tried[actions]

        fewest_kinds((self._best or failure).played, fails)
        for missed in (self._best or failure, failure):
            again = self._afresh(in_order(missed.played), IDLE)
            if again is not None and again.amiss.requirement == requirement:
                return again
        return failure

    def _found(self) -> Missed:
        """The failure that is made shorter."""
        if self.failure is None:
            raise Broken("nothing has failed that could be made shorter")
        return self.failure

    def _same(self, missed: Missed | None, requirement: str) -> bool:
        """Whether it is the failure that is made shorter; the shortest is kept."""
        if missed is None or missed.amiss.requirement != requirement:
            return False
        if self._best is None or missed.size < self._best.size:
            self._best = missed
        return True

    def _afresh(self, actions: tuple[Action, ...], idle: float) -> Missed | None:
        with self._maker.bench(link=self.link, idle=idle) as bench:
            return Player(bench, self._contract, careful=True).play(actions)

    def _with_prefix(self, plan: tuple[Action, ...]) -> tuple[Action, ...]:
        return _joined([self._prefix, ended(plan, self._contract)])

    def _word(self, what: str) -> None:
        if self._told.seconds >= _EVERY:
            self._told = Stopwatch()
            self._exploration.tell(what)


def _joined(parts: list[tuple[Action, ...]]) -> tuple[Action, ...]:
    """The parts one behind the other, each with clients of its own."""
    result: tuple[Action, ...] = ()
    met = 0
    for part in parts:
        result += renumbered(part, met)
        met = max([met, *(getattr(action, "client", 0) for action in result)])
    return result

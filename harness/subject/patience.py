"""How long to wait for a subject: as long as it works, and not much longer than it has nothing left to do.

A fixed number of seconds is wrong twice: too short on a loaded machine, too long when the subject sits there and has
forgotten us. So we look. A subject is *idle* when no thread of it runs or wants to, it used no processor time since the
last look, and no TCP has delivered anything meanwhile, be it a kernel's or its own. A starved subject is not idle: its
threads want to run. When it has been idle for `IDLE` seconds nothing will come any more (for `STUCK` seconds while
octets wait for a window to open); while it is not, the budget is `RESPONSE`.

A link that loses frames or holds them up takes time too, and how much is known: `Pace` has these numbers for it. What
is lost is sent again when a timer of the protocol has run out, and a SYN or a FIN may be what was lost. The kernel goes
on doing so for a subject that has ended.

One that never rests is never idle, so how much it works decides instead: each of its threads has had its turn, several
times, when it has used `WORK` seconds of processor time, and more where many threads run. What a test has seen of that
once it remembers (`harness.subject.manner.Course`), and so is known when the whole test has to be over.
"""

from __future__ import annotations

import math
import select
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from harness import budget
from harness.budget import Deadline, Stopwatch
from harness.subject.manner import WORK, Course, Manner
from harness.verdict import NotApplicable

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.lab.link_profile import LinkProfile
    from harness.subject.look import Look

IDLE = 2.0  # seconds: longer than the pauses that programs make on purpose (tutorials like sleep(1))
STUCK = 4.0  # seconds: octets that wait to be delivered may wait for a retransmission, whose timer grows from 0.2 s
_TURN = 0.005  # seconds between two turns at what is done meanwhile: the ring must not run full
_SLOWER = 1.05  # times as long as the turn before is each one while nothing comes
_SLOWEST = 0.04  # seconds between two turns in the end: a ring has room for what comes in that time
_GLANCE = 0.05  # seconds before the first look: most of what is waited for comes within them
_STARE = 0.2  # seconds between two looks from then on: to look costs the processor that the subject may need
_TURNS = 0.1  # seconds of processor time for each thread that runs: twenty turns of Python's global lock
_SETTLED = 0.2  # seconds of processor time in which one that never rests has looked at what was sent
_LITTLE_HOPE = 0.25  # of the idleness, or work, after which what is waited for will not come
_ENDED = 0.2  # seconds for what an ended subject has sent to arrive


@dataclass(frozen=True)
class Pace:
    """How long patience lasts, in seconds."""

    idle: float = IDLE
    stuck: float = STUCK
    response: float = budget.RESPONSE
    on_its_way: float = 0.0  # what was sent may not have arrived for so long: who rests now may have to work then

    @classmethod
    def after(cls, idle: float) -> Pace:
        """For a subject that has nothing left to do when it was idle for so long; the rest in proportion."""
        return cls(idle, idle * STUCK / IDLE)

    @classmethod
    def over(cls, profile: LinkProfile) -> Pace:
        """On a link with this profile, where every frame is late by its delay.

        Where frames get lost, a SYN is sent again after 1, 3 and 7 s (RFC 6298 2.1, 5.5). An end whose handshake took
        so long takes that for its first round trip: with R = 7 s its RTO is 21 s (2.2), and octets that are lost then
        wait for it. Neither must be taken for a subject that is stuck.
        """
        there_and_back = 2 * profile.delay
        if profile.faithful:
            return cls(IDLE + there_and_back, STUCK + there_and_back, budget.RESPONSE * 2, there_and_back)
        return cls(IDLE + there_and_back, 24.0 + there_and_back, 60.0, 0.5 + there_and_back)

    def longer(self, seconds: float) -> Pace:
        """The same for a subject that may sleep so much longer before it gets to what is waited for."""
        return replace(self, idle=self.idle + seconds, stuck=self.stuck + seconds, response=self.response + seconds)


CALM = Pace()


class Watched(Protocol):
    """What patience needs of a subject."""

    name: str

    def look(self) -> Look | None:
        """How busy it is, None if that cannot be seen."""


@dataclass(frozen=True)
class Waited:
    """How a wait ended: with what was waited for, or with the reason why nothing more was to be expected."""

    came: bool
    reason: str = ""


class Patience:
    """Waits for one subject; `meanwhile` is done between looks (take frames out of the ring).

    `idle` is shorter than `IDLE` only where what it says is looked at again, with all the time that there is.
    """

    def __init__(
        self,
        subject: Watched,
        meanwhile: Callable[[], object] = lambda: None,
        seconds: float | None = None,
        pace: Pace = CALM,
        course: Course | None = None,
    ) -> None:
        self._subject = subject
        self._course = course or Course(Manner(), endless=True)
        self.meanwhile = meanwhile
        self._seconds = pace.response if seconds is None else seconds
        self._pace = pace

    def until_end(self, came: Callable[[float], bool]) -> Waited:
        """Wait for the end of a stream: for a moment only if the subject has shown that it ends none."""
        return self._until(came, _LITTLE_HOPE) if self._course.endless_streams else self.until(came)

    def until(self, came: Callable[[float], bool]) -> Waited:
        """Wait until `came(seconds)` is true; it may itself wait up to that many seconds."""
        return self._until(came, 1.0)

    def _until(self, came: Callable[[float], bool], hope: float) -> Waited:
        """With less than all `hope`, a part of the idleness, or work, is enough that else is needed to give up."""
        if came(0.0):
            return Waited(True)
        self._claim_time()
        deadline = Deadline(self._seconds)
        first: Look | None = None
        still_for: Stopwatch | None = None
        glance = Deadline(_GLANCE)
        before = None
        turn = _TURN
        while not came(deadline.slice(glance.slice(turn))):
            turn = _TURN if self.meanwhile() else min(turn * _SLOWER, _SLOWEST)
            if deadline.over:
                busy = "the subject was still busy" if before else "nothing came"
                if before is not None:
                    self._course.note_rest(False, deadline.budget)
                return self._last_look(came, f"{busy} after {deadline}")
            if not glance.over:
                continue
            glance = Deadline(_STARE)
            look = self._subject.look()
            if look is None:
                continue
            first = first or look
            work = look.worked_since(first)
            if self._course.restless and work >= hope * max(WORK, look.running * _TURNS):
                return self._last_look(came, f"the subject never rests, and used the processor for {work:.1f} s")
            if look.ended and not look.running and not (look.unsent and self._pace.on_its_way):
                return self._last_look(came, "the subject had ended", _ENDED + self._pace.on_its_way)
            still = before is not None and look.still_since(before)
            still_for = (still_for or Stopwatch()) if still else None
            before = look
            needed = hope * (self._pace.stuck if look.unsent else self._pace.idle)
            if still_for is not None and still_for.seconds >= needed:
                return self._last_look(came, f"the subject was idle for {still_for.seconds:.1f} s")
        return Waited(True)

    def at_rest(
        self, idle: float, seconds: float | None = None, *, work: float = math.inf, claimed: bool = False
    ) -> bool:
        """Wait until the subject has been idle for `idle` seconds, `seconds` at most; whether it came to that.

        What neither kernel can deliver does not count here: it may have to wait for the subject. One that has used
        `work` seconds of processor time meanwhile is not waited for any longer, nor is one that is known never to rest,
        unless it is `claimed` that it does.
        """
        self._claim_time()
        seconds = self._seconds if seconds is None else seconds
        knows = self._course.restless and not claimed
        watch, rested = Stopwatch(), self._comes_to_rest(idle, seconds, work, least=_SETTLED if knows else math.inf)
        self._course.note_rest(rested, watch.seconds)
        return rested

    def _comes_to_rest(self, idle: float, seconds: float, work: float, *, least: float) -> bool:
        first = None
        deadline = Deadline(seconds)
        still_for: Stopwatch | None = None
        before = None
        while not deadline.over:
            self.meanwhile()
            look = self._subject.look()
            if look is None or (look.ended and not look.running):
                return True
            first = first or look
            worked = look.worked_since(first)
            if worked >= work or worked >= max(least, look.running * _TURNS):
                return False
            still = before is not None and look.still_since(before)
            still_for = (still_for or Stopwatch()) if still else None
            before = look
            if still_for is not None and still_for.seconds >= idle + self._pace.on_its_way:
                return True
            select.select([], [], [], deadline.slice(_GLANCE))
        return False

    def _claim_time(self) -> None:
        if over := self._course.over:
            raise NotApplicable(over)

    def _last_look(self, came: Callable[[float], bool], reason: str, seconds: float = 0.0) -> Waited:
        return Waited(True) if came(seconds) else Waited(False, reason)

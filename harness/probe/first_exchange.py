"""One ordinary exchange with a subject that has just started, before anything else is asked of it.

What it shows is the subject's manner. A subject that does not answer as its profile says would miss nearly everything;
one that takes long for each client, or that never rests, makes others wait: to know it from the beginning spares every
test finding it out.
"""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING

from harness.budget import Stopwatch
from harness.probe.probe import Probe
from harness.probe.session import Session, ordinary
from harness.subject.manner import LATE, Course, Manner
from harness.subject.patience import IDLE, Pace, Patience
from harness.subject.process import Subject
from harness.verdict import Inconclusive, Mismatch, NotApplicable

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.lab.near import Near
    from harness.subject.external import External
    from harness.subject.patience import Watched

FIRST = 3 * IDLE  # seconds of idleness after which nothing more comes: one that sleeps before it answers is a slow one
AGAIN = 2  # sessions more of one that seems slow: the machine may have been busy
WORK = 3.0  # seconds of processor time after which one does not rest: a runtime that compiles comes to rest before
_ENOUGH = 1 << 16  # octets of one that goes on speaking, as chargen does
_REST = 0.1  # seconds of idleness after which it waits for us


def patient(meanwhile: Callable[[], object] = lambda: None) -> Callable[[Watched], Patience]:
    """The patience of a first exchange."""
    return lambda watched: Patience(watched, meanwhile, pace=Pace.after(FIRST))


def manner_of(subject: Subject | External, near: Near) -> Manner:
    """How the subject shows itself in its first exchange, and after it."""
    with Probe(near, patient(), lambda _: None) as probe:
        session = Session(subject, probe, ordinary(subject.profile))
        watch = Stopwatch()
        try:
            session.serve()
        except Mismatch as missed:
            return Manner(f"expected {missed.expected}; {missed.actual}", accepts=_accepts(subject, probe))
        except (NotApplicable, Inconclusive, OSError):  # each test says what it makes of it
            return Manner()
        seconds = watch.seconds
        if subject.profile == "one-shot" or subject.ended:
            return Manner(seconds=seconds)
        if seconds >= LATE:
            seconds = min(seconds, _later_sessions(session))
    rests = not isinstance(subject, Subject) or _rests(subject)
    return Manner(seconds=seconds, rests=rests, ends=_ends(subject, near, Manner(rests=rests)))


def _later_sessions(session: Session) -> float:
    """How long the shortest of some sessions takes that follow the first; forever if they are not served."""
    shortest = math.inf
    with contextlib.suppress(Mismatch):
        for _ in range(AGAIN):
            watch = Stopwatch()
            session.serve()
            shortest = min(shortest, watch.seconds)
    return shortest


def _rests(subject: Subject) -> bool:
    """Whether it waits without using the processor when its client has left."""
    return Patience(subject).at_rest(_REST, work=WORK)


def _ends(subject: Subject | External, near: Near, manner: Manner) -> bool:
    """Whether the stream ends when a client has closed its direction; said of one that closes unasked, too."""
    protocol = ordinary(subject.profile)
    if protocol.transport == "udp" or protocol.server_closes:
        return True
    course = Course(manner, endless=True)
    with Probe(near, lambda watched: Patience(watched, course=course), lambda _: None) as probe:
        try:
            client = Session(subject, probe, protocol).begin()
            client.half_close()
            while client.ended is None and client.received < _ENOUGH:
                if client.wait_for_more():
                    return False
                client.take_in()
        except (Mismatch, NotApplicable, Inconclusive, OSError):  # each test says what it makes of it
            return True
    return True


def _accepts(subject: Subject | External, probe: Probe) -> bool:
    """Whether it takes clients from its queue, or datagrams from its port, for all that it does not answer them."""
    if subject.transport == "udp":
        return not isinstance(subject, Subject) or not subject.unread()
    if isinstance(probe.try_connect(subject), str):
        return False
    if not isinstance(subject, Subject) or subject.own_tcp:
        return True
    with contextlib.suppress(Mismatch):
        probe.expect_soon(subject, "every client is accepted", lambda: "some are not" if subject.queue()[0] else "")
        return True
    return False


class FirstExchange:
    """One ordinary exchange with a subject that has just started, as a test asks it."""

    def __init__(self, subject: Subject | External, probe: Probe, before: Manner) -> None:
        """Ask this subject, which showed this manner in its first start."""
        self._subject = subject
        self._session = Session(subject, probe, ordinary(subject.profile))
        self._before = before

    def expect_success(self) -> None:
        """Claim that the exchange succeeds now, and that it did so at the first start, by which tests were left out."""
        if self._subject.profile == "one-shot" and not self._subject.managed:
            raise NotApplicable("its one client is left for other tests: start the server with --serve")
        self._session.serve()
        if self._before.fails:
            raise Mismatch("the basic exchange succeeds whenever the server is started", f"once: {self._before.fails}")

"""Nobody needs the next client: what one is owed comes before another one connects, and whether or not one does.

Several processes that wait for one listener are all woken by one client. One of them gets it; another that has seen it
waiting too, and calls accept() on a listener that blocks, stays there until the next client comes, and so do all the
clients that it serves: what select() has told to be ready may block all the same (select(2), BUGS). A single try shows
that only by luck.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from harness.suite import Mismatch, NotApplicable, control, covers, exact, requires

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.suite import Client, Probe, Session, Subject

PROFILES = ("echo", "protocol")

ROUNDS = 40  # of each kind; in each a process that may be caught is caught or not, as the machine has it
TRIES, MORE = 4, 16  # how often, and with how many clients, a process that is caught is let go
TOGETHER = 4  # clients for which all processes look at the listener again and again, together


@exact
@covers("house:any/no-wait-for-next-client", "house:any/crowd-costs-nobody")
def check_a_client_does_not_wait_for_the_next_one(subject: Subject, probe: Probe, session: Session) -> None:
    """A client asks when others have connected, and is answered before a further one comes: forty times in four ways.

    One comes, or some together, while the server waits, or while it is held still, so that all its processes look at
    the listener in one moment.
    """
    if not subject.managed:
        raise NotApplicable("others may connect to it meanwhile: start it with --serve")
    with control():
        first = session.begin()
        session.talk(first, of=4 * ROUNDS)

    for number in range(1, ROUNDS + 1):
        for held, size in ((False, 1), (True, 1), (False, TOGETHER), (True, TOGETHER)):
            with held_still(subject) if held else contextlib.nullcontext():
                others = probe.connect_together(subject, size)
            if not others:
                return  # one that serves a client at a time, and whose queue is full
            try:
                session.talk(first, of=4 * ROUNDS)
            except Mismatch as missed:
                tell_what_it_waits_for(missed, number, subject, probe, first)
            for other in others:
                other.close()


@contextlib.contextmanager
def held_still(subject: Subject) -> Iterator[None]:
    """Hold it still, where it can be: one that cannot goes on meanwhile."""
    with contextlib.ExitStack() as still:
        with contextlib.suppress(NotApplicable):
            still.enter_context(subject.paused())
        yield


def tell_what_it_waits_for(missed: Mismatch, number: int, subject: Subject, probe: Probe, first: Client) -> None:
    """Tell whether it was for more clients that the first one had to wait, or whether it is not served any more."""
    expected = f"a client is answered when others have connected, time {number} of {ROUNDS}: {missed.expected}"
    for _ in range(TRIES):  # each of the new ones may go to another process than the one that is caught
        with held_still(subject):
            more = [] if first.ended else probe.connect_together(subject, MORE)
        if more and first.read(1):
            actual = f"{missed.actual}; the answer came when more clients had connected"
            raise Mismatch(expected, actual, details=missed.details) from missed
    with requires("house:any/crowd-costs-nobody"):
        raise Mismatch(expected, missed.actual, details=missed.details) from missed

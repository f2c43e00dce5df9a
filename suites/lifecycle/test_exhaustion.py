"""More clients than a server has descriptors for: it waits until some leave, and then goes on (accept(2): EMFILE).

How many descriptors it may have is decided before it starts, as an administrator does: many a server makes its tables
by that, and would know nothing of a limit that is lowered later.

accept() without a free descriptor fails and leaves the client in the queue, so the listener stays ready: a loop that
asks again at once spins, and one that takes the error for the end of everything serves nobody any more. A server with
one client at a time never comes to that, and one that turns clients away is right, too.
"""

from __future__ import annotations

import itertools
import select
from typing import TYPE_CHECKING

from harness.suite import SERVICES, Mismatch, control, covers, exact, requires

if TYPE_CHECKING:
    from harness.suite import Attempt, Probe, Session, Subject

PROFILES = SERVICES

SPARE = 16  # descriptors more than twice those it has used: for clients, and for what a runtime opens meanwhile
BEYOND = 8  # clients more than there are descriptors
TURNS = 10  # of some milliseconds, in which most clients are accepted, before a server is watched coming to rest


def more_than_descriptors(subject: Subject, probe: Probe, session: Session) -> list[Attempt]:
    """So many clients that no descriptor is left, or as many as it takes; the control: before them it serves.

    One by one while there are descriptors: a crowd would find a short queue full. Then the kernel answers with SYN
    cookies (tcp(7)), and connections come of them that the clients have alone.
    """
    with control(), subject.without_time_wait():  # or it might find its port taken when it starts again
        session.serve()
        probe.at_rest(subject)
    free = subject.start_short_of_descriptors(SPARE)
    with control():
        session.serve()
    attempts: list[Attempt] = []
    serves_fewer, turns = False, itertools.count(1)

    def is_seen_to(seconds: float) -> bool:
        """Whether the last one was accepted, or will not be: for want of descriptors, or of somebody at leisure."""
        nonlocal serves_fewer
        if subject.spare_descriptors() <= 0 or (attempts[-1].decided and not subject.queue()[0]):
            return True
        if next(turns) % TURNS == 0:
            serves_fewer = probe.at_rest(subject, seconds=0.5) and subject.queue()[0] > 0
        return serves_fewer or bool(select.select([], [], [], seconds)[0])

    while len(attempts) < free + BEYOND and subject.spare_descriptors() > 0 and not serves_fewer:
        attempts.append(probe.begin_connect(subject))
        probe.until(subject, is_seen_to)
    if not serves_fewer:
        attempts += [probe.begin_connect(subject) for _ in range(BEYOND)]
        probe.until(
            subject,
            lambda seconds: (
                attempts[-1].decided or subject.queue()[0] > 0 or bool(select.select([], [], [], seconds)[0])
            ),
        )
    return attempts


@covers("house:any/descriptor-exhaustion")
def check_rests_while_no_descriptor_is_free(subject: Subject, probe: Probe, session: Session) -> None:
    """While its clients do nothing and no further one can be accepted, the server does nothing either."""
    more_than_descriptors(subject, probe, session)

    probe.expect_rest(subject, "the server waits until a descriptor is free")


def expect_not_forgotten(subject: Subject, probe: Probe, session: Session) -> None:
    """Let all clients leave; claim that one that is accepted then is served, as nobody keeps the server from it."""
    probe.forget()
    probe.at_rest(subject, seconds=2.0)
    try:
        session.serve()
    except Mismatch as missed:
        waits = probe.at_rest(subject, seconds=2.0) and not subject.ended
        if waits and subject.accepted():
            expected = f"a client that is accepted when all others have left is served: {missed.expected}"
            with requires("house:any/accepted-is-served"):
                raise Mismatch(expected, missed.actual, details=missed.details) from missed


@exact
@covers("house:any/descriptor-exhaustion", "house:any/accepted-is-served")
def check_serves_again_when_clients_have_left(subject: Subject, probe: Probe, session: Session) -> None:
    """When those clients have left, all but one, the next one is served as if nothing had been."""
    clients = more_than_descriptors(subject, probe, session)
    served_together = subject.spare_descriptors() <= 0  # else the one that stays may be the one that keeps it busy
    probe.at_rest(subject, seconds=2.0)  # one that spins is told by the check above

    for client in clients[1:] if served_together else clients:
        client.close()
    # Until it has seen them leave, it may have to turn the next one away; many a server accepts none for a second then.
    probe.let_settle(subject)

    try:
        session.serve()
    except Mismatch:
        expect_not_forgotten(subject, probe, session)
        raise

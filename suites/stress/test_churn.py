"""Client after client, as fast as they can come: the last of many is owed what the first one got.

What a server keeps of a client that has left (an entry in a table, a descriptor, a slot) shows only when many have.
Each is alone with the server, so one that serves a client at a time has no harder task than one that serves all
at once. A server may take its time for each: how many it serves in ours is no promise of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.suite import SERVICES, UDP_SERVICES, Mismatch, NotApplicable, control, covers, exact, profiles, wall_clock

if TYPE_CHECKING:
    from harness.suite import Probe, Session, Subject

PROFILES = ("echo", "request-reply", "protocol", *UDP_SERVICES)

CLIENTS = 520  # more than the tables of 64, 128, 256 or 512 entries that programs are written with
BUDGET = 90.0  # seconds for all of them: less than a test may take, and 170 ms for each
RESETTING = 150  # clients: more than the pools of 32, 64 or 100 workers that programs start or let in
WAVE = 50  # of them come before the server is let rest
PATIENCE = 20.0  # seconds, behind which those that have reset by then are enough


@exact
@pytest.mark.slow
@covers("house:any/churn")
def check_serves_the_last_of_many_clients_like_the_first(subject: Subject, probe: Probe, session: Session) -> None:
    """520 clients come, are served and leave, one behind the other, and each gets what it is owed."""
    with control():
        session.serve()

    if probe.affordable(CLIENTS) < CLIENTS:
        raise NotApplicable(f"needs a server that serves {CLIENTS} clients in {BUDGET:g} s: this one is too slow")
    over = wall_clock() + BUDGET
    for number in range(2, CLIENTS + 1):
        if wall_clock() >= over:
            raise NotApplicable(f"needs a server that serves {CLIENTS} clients in {BUDGET:g} s: it served {number - 1}")
        try:
            session.serve()
        except Mismatch as missed:
            expected = f"client {number} of {CLIENTS} is served like those before it: {missed.expected}"
            raise Mismatch(expected, missed.actual, details=missed.details) from missed


@exact
@profiles(*SERVICES)
@covers("house:any/survives")
def check_serves_behind_many_clients_that_reset(subject: Subject, probe: Probe, session: Session) -> None:
    """150 clients in turn are let in, say what they have to say and reset: no worker is gone with them."""
    with control():
        session.serve()

    over = wall_clock() + PATIENCE
    gone = 0
    try:
        while gone < probe.affordable(RESETTING) and wall_clock() < over:
            client = session.begin()
            client.send_some(session.words())
            client.reset()
            gone += 1
            if gone % WAVE == 0 and subject.managed:  # each has a place in the queue, however slowly it is emptied
                probe.let_settle(subject)
                probe.forget()
        session.serve()
    except Mismatch as missed:
        expected = f"a client is served when {gone} others have reset: {missed.expected}"
        raise Mismatch(expected, missed.actual, details=missed.details) from missed

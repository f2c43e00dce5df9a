"""Many clients leave, each in the same way, one by one or at one moment: the next client is served as the first was.

What a server counts up for each client (a child, a place in a table, a permit) it has to count down for each, by
whatever way that leaves. Signals of one kind that come together are told once (signal(7)), and a way of leaving that is
rare has a branch of its own in the program: what is lost there is missed only when a limit is reached, and limits of
64, 100 and 128 are common. Clients that reset behind their words are in stress/test_churn.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.suite import SERVICES, KiB, Leaving, Mismatch, control, covers, exact, families, octets, wall_clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.suite import Probe, Session, Subject

PROFILES = SERVICES

MANY = 150  # clients: more than the limits of 64, 100 or 128 that programs are written with
ROUND = 30  # of them are there at once, where the server lets so many in
ROUNDS_IN_TURN = 5  # for a server that has one client at a time to count, and others in its queue
WAVE = 50  # of those that come one by one, before the server is let rest
AT_ONCE = 3  # clients that are served together afterwards, where they were before
PATIENCE = 15.0  # seconds, after which those that have left by then are enough


def half_closes_first(subject: Subject, probe: Probe, session: Session) -> None:
    """A client that ends its direction without a word, and then resets."""
    client = probe.connect(subject)
    client.leave(Leaving.RESETS_BEHIND_ITS_FIN)


def leaves_unread(subject: Subject, probe: Probe, session: Session) -> None:
    """A client that leaves behind words whose answer it did not wait for."""
    client = session.begin()
    client.send_some(session.words() or octets(KiB))
    client.close()


WAYS: dict[str, Callable[[Subject, Probe, Session], object]] = {
    "without_a_word": lambda subject, probe, session: probe.connect(subject).close(),
    "by_a_reset_without_a_word": lambda subject, probe, session: probe.connect(subject).reset(),
    "by_a_reset_after_its_fin": half_closes_first,
    "in_the_middle": lambda subject, probe, session: session.begin().close(),
    "with_its_answer_unread": leaves_unread,
}


def serve_together(subject: Subject, probe: Probe, session: Session, number: int) -> None:
    """So many clients at once; a claim that each is served, and where it is owed no answer that it is let stay."""
    clients = []
    for _ in range(number):
        clients.append(session.begin())
        if number > 1:
            probe.expect_soon(subject, f"{len(clients)} clients are accepted together", lambda: queued(subject))
    if subject.profile == "discard":
        probe.let_settle(subject)
        for client in clients:
            client.take_in()
            if client.ended is not None:
                raise Mismatch("the connection lasts until the client closes", f"{client.ended} before it has closed")
    for client in clients:
        session.finish(client)


def queued(subject: Subject) -> str:
    """Who waits to be accepted, in words; empty when no client does."""
    return f"{waiting} in the listener's queue" if (waiting := subject.queue()[0]) else ""


def served_together(subject: Subject, probe: Probe, session: Session) -> int:
    """How many clients the server serves at once, of a few: one where it serves them in turn. The control: it serves.

    A count that is too high lets fewer in at once, and not none: those that it lets in count it down themselves.
    """
    with control():
        session.serve()
    if not subject.managed or subject.own_tcp:
        return 1
    with control():
        first = session.begin()
        second = probe.connect(subject)
    probe.at_rest(subject, seconds=2.0)
    in_turn = queued(subject)
    first.close()
    second.close()
    if in_turn:
        return 1
    probe.let_settle(subject)
    try:
        serve_together(subject, probe, session, AT_ONCE)
    except Mismatch:
        return 1
    return AT_ONCE


def some(number: int) -> str:
    """So many clients, in words that `served` may follow."""
    return "a client is" if number == 1 else f"{number} clients at once are"


@exact
@families("v4")  # what counts clients knows of no family
@covers("house:any/clients-leave-at-once")
@pytest.mark.parametrize("way", WAYS)
def check_serves_after_many_clients_that_left_one_by_one(
    subject: Subject, probe: Probe, session: Session, way: str
) -> None:
    """150 clients in turn leave in this way; then as many are served at once as before."""
    number = served_together(subject, probe, session)

    over = wall_clock() + PATIENCE
    left = 0
    try:
        while left < MANY and wall_clock() < over:
            WAYS[way](subject, probe, session)
            left += 1
            if left % WAVE == 0 and subject.managed:  # each has a place in the queue, however slowly it is emptied
                probe.let_settle(subject)
                probe.forget()
        serve_together(subject, probe, session, number)
    except Mismatch as missed:
        expected = f"{some(number)} served when {left} others have left {way.replace('_', ' ')}: {missed.expected}"
        raise Mismatch(expected, missed.actual, details=missed.details) from missed


@exact
@families("v4")
@covers("house:any/clients-leave-at-once")
@pytest.mark.parametrize("how", Leaving, ids=str)
def check_serves_after_many_clients_that_left_at_one_moment(
    subject: Subject, probe: Probe, session: Session, how: Leaving
) -> None:
    """150 clients leave in rounds, all of a round while the server is held still; then as many are served as before."""
    number = served_together(subject, probe, session)

    over = wall_clock() + PATIENCE
    rounds = left = 0
    try:
        while left < MANY and rounds < (MANY if number > 1 else ROUNDS_IN_TURN) and wall_clock() < over:
            clients = probe.connect_together(subject, ROUND)
            probe.let_settle(subject)  # that it rests would not do: who waits to be accepted leaves alone, later
            with subject.paused(children_first=True):
                for client in clients:
                    client.leave(how)
            left += len(clients)
            rounds += 1
            probe.let_settle(subject)
            probe.forget()
        serve_together(subject, probe, session, number)
    except Mismatch as missed:
        expected = f"{some(number)} served when {left} others have left, up to {ROUND} at one moment: {missed.expected}"
        raise Mismatch(expected, missed.actual, details=missed.details) from missed

"""Clients that end while others stay: each gets the end of its stream, whoever came with it.

A socket is closed when the last descriptor of it is (close(2)), and a child has copies of all that its parent had open
(fork(2)). So a server that accepts several clients and then makes a child for each, or runs a program for each, leaves
the sockets of some clients open in the children of others: everything works, but the FIN comes when those have left.

Only a server that serves several clients at once can be judged, and one that ends a session when its client does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.suite import Mismatch, NotApplicable, State, control, covers, exact

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.suite import Client, Probe, Session, Subject

PROFILES = ("echo", "discard", "tcp", "request-reply", "protocol")

CLIENTS = 4  # fewer where fewer can wait to be accepted: two behind listen(1)
WORDS = b"hello\r\n"  # where nothing is answered, what the server has read shows whom it serves
ORDERS = {"first_come_first_gone": 1, "last_come_first_gone": -1}


def needs_many_at_once(why: str) -> NotApplicable:
    """Why a server cannot be judged."""
    return NotApplicable(f"needs a server that serves several clients at once: {why}")


def together(subject: Subject, probe: Probe, session: Session) -> list[Client]:
    """Clients that all wait when the server looks."""
    with subject.paused():
        clients = [probe.connect(subject) for _ in range(probe.room_for(subject, CLIENTS))]
    expect_accepted(subject, probe)
    for client in clients:
        go_on(subject, probe, session, client)
    return clients


def in_turn(subject: Subject, probe: Probe, session: Session) -> list[Client]:
    """Clients each of whom comes when the one before is served."""
    clients = []
    for _ in range(CLIENTS):
        client = probe.connect(subject)
        expect_accepted(subject, probe)
        go_on(subject, probe, session, client)
        clients.append(client)
    return clients


ARRIVALS: dict[str, Callable[[Subject, Probe, Session], list[Client]]] = {"together": together, "in_turn": in_turn}


def expect_accepted(subject: Subject, probe: Probe) -> None:
    """All who are connected are accepted, though those before them stay; else the server is not to be judged."""
    probe.at_rest(subject, seconds=2.0)
    if waiting := subject.queue()[0]:
        raise needs_many_at_once(f"{waiting} waited in the listener's queue while another stayed")


def go_on(subject: Subject, probe: Probe, session: Session, client: Client) -> None:
    """Bring a client to the middle of its session; else the server is not to be judged."""
    try:
        session.go_on(client)
        if subject.profile in {"discard", "tcp"}:
            client.send_all(WORDS)
    except Mismatch as missed:
        raise needs_many_at_once(missed.actual) from None
    if subject.profile in {"discard", "tcp"}:
        probe.at_rest(subject, seconds=2.0)
        if any(one["unread"] for one in subject.sockets(State.ESTABLISHED)):
            raise needs_many_at_once("what a client said was not read while another stayed")


def end(session: Session, client: Client) -> None:
    """Let a client end its session; a claim that the server ends it, too, in whatever way."""
    if session.ask_last(client):
        if not client.read(1):
            raise needs_many_at_once("one was not answered while another stayed")
    else:
        client.half_close()
    client.ending()


@exact
@covers("house:any/ends-while-others-stay")
@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS.keys())
@pytest.mark.parametrize("arrive", ARRIVALS)
def check_a_session_ends_while_others_stay(
    subject: Subject, probe: Probe, session: Session, arrive: str, order: int
) -> None:
    """Of up to four clients that came together or in turn each gets the end of its stream while the next ones stay."""
    with control():
        alone = probe.connect(subject)
        session.go_on(alone)
    try:
        end(session, alone)
    except Mismatch as missed:
        raise NotApplicable(f"needs a server that ends a session when its client does: {missed.actual}") from None
    alone.close()

    clients = ARRIVALS[arrive](subject, probe, session)

    for place, client in enumerate(clients[::order], 1):
        try:
            end(session, client)
        except Mismatch as missed:
            staying = len(clients) - place
            others = f"while {staying} of {len(clients)} clients stay" if staying else "when the others have left"
            expected = f"{missed.expected} for a client that has ended its session, {others}"
            raise Mismatch(expected, missed.actual, details=missed.details) from missed
        client.close()

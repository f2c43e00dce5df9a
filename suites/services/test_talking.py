"""A session lasts as long as its client goes on talking, however long that is.

A limit on how long to wait for a client begins anew whenever the client has said something. One that is set once, when
the client is accepted (a deadline of the connection, alarm(), a timer that nobody restarts), ends a session that is in
use. Silent clients do not show that: of them a limit may be meant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.suite import Mismatch, control, covers, families, wall_clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.suite import Session, Soak

PROFILES = ("echo", "discard", "chargen", "protocol")

WHILE = 11.0  # seconds: more than the ten that are a favourite limit; --soak goes on for longer
PACE = 1.0  # seconds between two exchanges: few limits on silence are that short


def talk_on(session: Session, lasting: Iterator[float]) -> None:
    """One client that says something each second, as long as `lasting` goes on; a claim that it is served."""
    with control():
        client = session.begin()
        session.talk(client)
    began = wall_clock()
    times = 1

    for _ in lasting:
        session.pause(client, PACE)
        expected = "a session whose client says something each second goes on"
        seen = f"{times} exchanges, for {wall_clock() - began:.1f} s"
        if client.ended is not None:
            raise Mismatch(expected, f"{client.ended} after {seen}")
        try:
            session.talk(client)
        except Mismatch as missed:
            raise Mismatch(f"{expected}: {missed.expected}", f"{missed.actual}, after {seen}") from missed
        times += 1


@families("v4")  # a clock, not an address, would end it
@pytest.mark.slow(seconds=WHILE)
@covers("house:any/busy-session-lasts")
def check_a_client_that_goes_on_talking_keeps_its_connection(session: Session) -> None:
    """A client that says something each second for eleven seconds is answered each time, on one connection."""
    over = wall_clock() + WHILE

    talk_on(session, iter(lambda: wall_clock() < over, False))


@families("v4")
@pytest.mark.slow
@covers("house:any/busy-session-lasts")
def check_a_client_that_talks_for_the_whole_soak_keeps_its_connection(session: Session, soak: Soak) -> None:
    """A client that says something each second for the time of --soak is answered each time, on one connection."""
    talk_on(session, soak.shares())

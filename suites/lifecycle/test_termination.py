"""A server ends when it is told to: SIGTERM as service managers send it, SIGINT as a terminal does.

How it ends is its own affair: at once, or when it has seen its clients out, with any status. But within bounded time,
and no client is left with a connection that nobody holds.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from harness.suite import Mismatch, control, covers, profiles

if TYPE_CHECKING:
    from harness.suite import Session, Subject

PROFILES = ("echo", "greeting", "request-reply", "one-shot", "protocol")

GRACE = 10.0  # seconds, after which `docker stop`, the most impatient of the common managers, kills


def expect_end(subject: Subject, number: signal.Signals) -> None:
    """Send the signal, and claim that the subject ends of it."""
    subject.signal(number)
    if subject.wait_end(GRACE) is None:
        raise Mismatch(f"the server ends within {GRACE:g} s of {number.name}", "it still runs")


@covers("house:any/termination-signal")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["sigterm", "sigint"])
def check_ends_in_the_middle_of_a_session(subject: Subject, session: Session, number: signal.Signals) -> None:
    """With a client connected it ends nevertheless, and the client hears of it: the end of the stream or a reset."""
    with control():
        client = session.begin()

    expect_end(subject, number)

    client.ending()


@profiles(*PROFILES, "udp-echo", "udp-protocol")
@covers("house:any/termination-signal")
def check_ends_while_it_waits_for_clients(subject: Subject) -> None:
    """With nobody connected it ends as well, and does not wait for one more client to see that it should."""
    expect_end(subject, signal.SIGTERM)

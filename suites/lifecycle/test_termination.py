"""A server ends when it is told to: SIGTERM as service managers send it, SIGINT as a terminal does.

How it ends is its own affair: at once, or when it has seen its clients out, with any status. But within bounded time,
and no client is left with a connection that nobody holds.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from harness.suite import SERVICES, UDP_SERVICES, Mismatch, control, covers, exact, needs, profiles

if TYPE_CHECKING:
    from harness.suite import Probe, Session, Subject

PROFILES = (*SERVICES, "one-shot")

GRACE = 10.0  # seconds, after which `docker stop`, the most impatient of the common managers, kills


def expect_end(subject: Subject, probe: Probe, number: signal.Signals) -> None:
    """Send the signal, when the subject has nothing more to do at its start, and claim that it ends of it."""
    probe.at_rest(subject)
    subject.signal(number)
    if subject.wait_end(GRACE) is None:
        raise Mismatch(f"the server ends within {GRACE:g} s of {number.name}", "it still runs")


@exact
@covers("house:any/termination-signal")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["sigterm", "sigint"])
def check_ends_in_the_middle_of_a_session(
    subject: Subject, probe: Probe, session: Session, number: signal.Signals
) -> None:
    """With a client connected it ends nevertheless, and no client keeps a connection that nobody holds."""
    with control():
        client = session.hold()

    expect_end(subject, probe, number)

    probe.at_rest(subject)
    if not subject.footprint()["processes"]:  # a process of its own that serves this client may see it out
        client.read_to_end()


@profiles(*PROFILES, *UDP_SERVICES)
@needs("nothing")
@covers("house:any/termination-signal")
def check_ends_while_it_waits_for_clients(subject: Subject, probe: Probe) -> None:
    """With nobody connected it ends as well, and does not wait for one more client to see that it should."""
    expect_end(subject, probe, signal.SIGTERM)


@profiles(*SERVICES, *UDP_SERVICES)
@covers("house:any/stop-and-continue")
def check_goes_on_when_it_was_stopped(subject: Subject, session: Session) -> None:
    """Stopped and continued, as by Ctrl-Z and fg or by a debugger, it serves as before."""
    with control():
        session.serve()
    subject.may_end = True  # what it means that it ends is told here

    if how := subject.stop_and_continue():
        raise Mismatch("the server goes on when it was stopped and continued (SIGSTOP, SIGCONT)", f"it ended: {how}")

    session.serve()

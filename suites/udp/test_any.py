"""What any server owes that answers datagrams, whatever it speaks: the ordinary client of its profile asks enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.suite import UDP_SERVICES, Mismatch, NotApplicable, control, covers, families, requires

if TYPE_CHECKING:
    from harness.suite import Probe, Raw, Session, Subject

PROFILES = UDP_SERVICES

TOGETHER = 12  # clients: what they send and what they get fits any receive buffer
PAUSE = 6.0  # seconds: whoever forgets a client that says nothing does so after five, or fewer


@covers("house:any/datagrams-together")
def check_clients_that_ask_together_are_each_answered(session: Session) -> None:
    """Datagrams of a dozen clients that wait together when the server looks draw one answer each, to who sent it."""
    with control():
        session.serve()

    session.serve_together(TOGETHER)


@families("v4")  # a clock, not an address, would forget it
@pytest.mark.slow(seconds=PAUSE)
@covers("house:any/answers-after-a-pause", "house:any/nothing-unasked", "house:any/long-idle-uses-no-cpu")
def check_a_client_that_pauses_is_answered_as_before(subject: Subject, probe: Probe, session: Session) -> None:
    """A client that asks again from the same port, six seconds later, is answered as at first; nothing came before."""
    if not subject.managed:
        raise NotApplicable("others may ask it meanwhile: start it with --serve")
    client = probe.datagrams(subject)
    with control():
        session.ask(client)

    probe.expect_to_last(subject, PAUSE, f"it goes on waiting for clients, {PAUSE:g} s without one")
    unrest = probe.unrest(subject)
    with requires("house:any/nothing-unasked"):
        if came := session.unasked(client):
            what = f"the first {came[0]}" if len(came) > 1 else str(came[0])
            raise Mismatch("nothing comes to a client that asks nothing", f"{len(came)} came: {what}")

    try:
        session.ask(client)
    except Mismatch as missed:
        expected = f"a client that asks again, {PAUSE:g} s later, is answered: {missed.expected}"
        raise Mismatch(expected, missed.actual, details=missed.details) from missed
    if unrest:
        with requires("house:any/long-idle-uses-no-cpu"):
            raise Mismatch(f"after {PAUSE:g} s without a datagram it waits without using the processor", unrest)


@covers("house:any/no-port-to-answer")
def check_survives_a_datagram_that_names_no_port(subject: Subject, probe: Probe, raw: Raw, session: Session) -> None:
    """A datagram from port 0 names nobody to answer, and sendto() refuses to try; the next client is served."""
    with control():
        session.serve()
    request = session.request()

    if subject.managed:
        subject.may_end = True  # what it means that it ends is told here
    raw.datagrams(subject, port=0).send(request)
    if subject.managed:  # one that answers several at a time (sendmmsg(2)) may lose those behind it: UDP may lose any
        probe.let_settle(subject)

    for _ in range(3):
        session.serve()

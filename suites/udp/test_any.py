"""What any server owes that answers datagrams, whatever it speaks: the ordinary client of its profile asks enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.suite import UDP_SERVICES, control, covers

if TYPE_CHECKING:
    from harness.suite import Raw, Session, Subject

PROFILES = UDP_SERVICES

TOGETHER = 12  # clients: what they send and what they get fits any receive buffer


@covers("house:any/datagrams-together")
def check_clients_that_ask_together_are_each_answered(session: Session) -> None:
    """Datagrams of a dozen clients that wait together when the server looks draw one answer each, to who sent it."""
    with control():
        session.serve()

    session.serve_together(TOGETHER)


@covers("house:any/no-port-to-answer")
def check_survives_a_datagram_that_names_no_port(subject: Subject, raw: Raw, session: Session) -> None:
    """A datagram from port 0 names nobody to answer, and sendto() refuses to try; the next client is served."""
    with control():
        session.serve()
    request = session.request()

    if subject.managed:
        subject.may_end = True  # what it means that it ends is told here
    raw.datagrams(subject, port=0).send(request)

    for _ in range(3):
        session.serve()

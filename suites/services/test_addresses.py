"""A server that writes down who its clients are has room for their addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.suite import SERVICES, UDP_SERVICES, covers, families

if TYPE_CHECKING:
    from harness.suite import Probe, Session, Subject

PROFILES = (*SERVICES, *UDP_SERVICES)


@families("v6")
@covers("house:any/long-addresses")
def check_serves_a_client_with_a_long_address(subject: Subject, probe: Probe, session: Session) -> None:
    """A client whose IPv6 address takes 25 characters, ten more than an IPv4 address can, is served, twice."""
    if subject.managed:
        subject.may_end = True  # what it means that it ends is told here

    session.serve()
    probe.let_settle(subject)  # one that owes nobody an answer may die of the first when the second is there
    session.serve()

"""A thousand clients at once: each is served, none for another, and who was there first does not pay for it.

That all are served together is a SHOULD: a server with one client at a time makes the others wait. But it too owes
the one that it serves what it owed it before the others came, and nobody a stranger's octets. Who has heard nothing
yet is one of the crowd, however early: a server short of room may turn him away, as nginx does, or leave him in the
queue, or have him wait until others have left. What it may not do is to accept him and forget him.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.suite import Mismatch, control, covers, requires

if TYPE_CHECKING:
    from harness.suite import Probe, Session, Subject

PROFILES = ("echo", "request-reply", "protocol")

CLIENTS = 1000  # what a select() of 1024 descriptors still has room for


@pytest.mark.slow
@covers(
    "house:any/no-cross-talk", "house:any/crowd-costs-nobody", "house:any/accepted-is-served", "house:any/many-clients"
)
def check_serves_a_thousand_clients_at_once(subject: Subject, probe: Probe, session: Session) -> None:
    """1000 clients connect before the first of them speaks; then all speak, and each gets what it is owed."""
    with control():
        session.serve_one_of_many()
        first = session.begin()
    served = session.has_answered(first)
    crowd = session.crowd(first, CLIENTS)

    why = crowd.speak()

    number = len(crowd.members)
    strange = [member.strange for member in crowd.members if member.strange]
    if strange:
        raise Mismatch(f"each of {number} clients gets its own octets and no others", some(strange))
    if served and crowd.first.lack:
        with requires("house:any/crowd-costs-nobody"):
            expected = f"the client that was served first is served still when {number - 1} others have connected"
            raise Mismatch(expected, crowd.first.lack)
    lacking = [member.lack for member in crowd.members if member.lack]
    if forgotten := [member.lack for member in crowd.forgotten()]:
        with requires("house:any/accepted-is-served"):
            expected = f"each of {number} clients that are accepted is served, be it when the others have left"
            raise Mismatch(expected, f"the others have left and the server waits, but {some(forgotten)}")
    if lacking or number < crowd.asked:
        with requires("house:any/many-clients"):
            bounds = f" ({crowd.bounds})" if crowd.bounds else ""
            actual = "; ".join(filter(None, (crowd.refusal, some(lacking), why)))
            raise Mismatch(f"{crowd.asked} clients are served at once{bounds}", actual)


def some(lines: list[str]) -> str:
    """The first few of many."""
    return "; ".join(lines[:2]) + (f"; and {len(lines) - 2} more" if len(lines) > 2 else "")

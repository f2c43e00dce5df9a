"""A server goes on waiting when nobody comes: for a person's evening, as for the six seconds that a test has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.suite import SERVICES, UDP_SERVICES, Mismatch, NotApplicable, control, covers, families, requires

if TYPE_CHECKING:
    from harness.suite import Probe, Session, Subject

PROFILES = (*SERVICES, *UDP_SERVICES)

SILENCE = 6.0  # seconds: whoever limits a wait by a number takes five, or less


@families("v4")  # a clock, not an address, would end it
@pytest.mark.slow(seconds=SILENCE)
@covers("house:any/lasts-without-clients", "house:any/long-idle-uses-no-cpu")
def check_serves_though_nobody_came_for_a_while(subject: Subject, probe: Probe, session: Session) -> None:
    """Six seconds without a client end neither the server nor its service, and do not make it spin."""
    if not subject.managed:
        raise NotApplicable("others may ask it meanwhile: start it with --serve")
    with control():
        session.serve()

    subject.may_end = True  # what it means that it ends is told here
    probe.expect_to_last(subject, SILENCE, f"it goes on waiting for clients, {SILENCE:g} s without one")
    unrest = probe.unrest(subject)

    session.serve()
    if unrest:
        with requires("house:any/long-idle-uses-no-cpu"):
            raise Mismatch(f"after {SILENCE:g} s without a client it waits without using the processor", unrest)

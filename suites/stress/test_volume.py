"""More octets over one connection than an int counts: 2 GiB, and 4 GiB where there is time.

A server that counts what it has received or sent in 31 or 32 bits, for its log or for a limit, counts a negative number
or none behind that. Such a stream takes a second or more, so it is part of a soak.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.suite import Deadline, MiB, Mismatch, NotApplicable, Volume, control, covers, exact, families

if TYPE_CHECKING:
    from harness.suite import Probe, Session, Soak, Subject

PROFILES = ("echo", "discard", "chargen")

SIGNED = 2**31 + 16 * MiB  # octets: an int of 32 bits has turned over
UNSIGNED = 2**32 + 16 * MiB  # octets: so has an unsigned one
FIRST = 64 * MiB  # octets that tell how fast it goes
BUDGET = 90.0  # seconds


@exact
@families("v4")  # who counts octets counts them alike
@pytest.mark.slow(seconds=5.0)
@covers("house:any/volume")
def check_more_octets_than_an_int_counts_pass_a_connection(
    subject: Subject, probe: Probe, session: Session, soak: Soak
) -> None:
    """More than 2 GiB are sent, received or both on one connection; more than 4 GiB if the soak is long enough."""
    with control():
        session.serve()
    client = probe.connect(subject)
    sends, receives = subject.profile != "chargen", subject.profile != "discard"
    volume = Volume(client, sends=sends, receives=receives, same=sends and receives)

    def reaches(octets: int, deadline: Deadline) -> bool:
        through = volume.reach(octets, lambda came: probe.until(subject, came), deadline)
        if volume.wrong:
            raise Mismatch(f"{octets:,} octets pass one connection", f"{volume.wrong}, after {volume}")
        return through

    deadline = Deadline(BUDGET)
    is_fast = reaches(FIRST, deadline) and volume.rate * BUDGET > SIGNED
    if not (is_fast and reaches(SIGNED, deadline)):
        raise NotApplicable(f"needs a server that passes {SIGNED:,} octets on in {BUDGET:g} s: {volume}")
    reaches(UNSIGNED, Deadline(min(soak.seconds, deadline.left)))

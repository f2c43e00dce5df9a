"""Soak: clients of every kind for as long as one wants, `--soak SECONDS`; what the server holds must level off.

Which kind comes when is drawn from a seed that a finding names, so that the same clients can come again. Nothing is
captured: hours of it would fill the memory.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from harness.suite import SERVICES, MiB, Mismatch, control, covers, exact, requires

if TYPE_CHECKING:
    from harness.suite import Client, Probe, Session, Soak, Subject

PROFILES = SERVICES

SEED = 7
WARM = 60  # clients until pools and buffers have the size that they keep, or nearly


def visit(kind: str, subject: Subject, probe: Probe, session: Session) -> None:
    """One client, from its connect to its end."""
    match kind:
        case "served":
            session.serve()
        case "gone with FIN":
            session.begin().close()
        case "gone with RST":
            session.begin().reset()
        case "slow":
            client: Client = session.begin()
            probe.at_rest(subject)  # until the server has nothing to do but to wait for it
            session.finish(client)


@exact
@pytest.mark.slow
@covers("house:any/soak", "house:any/no-descriptor-leak", "house:any/no-process-leak", "house:any/memory-levels-off")
def check_serves_on_and_on(subject: Subject, probe: Probe, session: Session, soak: Soak) -> None:
    """Clients that are served, that are slow, and that are gone in the middle, come for the whole time of the soak."""
    drawn = random.Random(SEED)
    with control():
        session.serve()
    number = 0
    looks: list[dict[str, int]] = []

    for share in soak.shares():
        number += 1
        kind = drawn.choices(("served", "gone with FIN", "gone with RST", "slow"), (40, 20, 20, 1))[0]
        try:
            visit(kind, subject, probe, session)
        except Mismatch as missed:
            expected = f"client {number} of the soak ({kind}, seed {SEED}) is served: {missed.expected}"
            raise Mismatch(expected, missed.actual, details=missed.details) from missed
        probe.forget()
        if number == WARM or (share >= 0.5 and len(looks) == 1):
            looks.append(held(subject, probe))

    levelled_off([*looks, held(subject, probe)], number)


def held(subject: Subject, probe: Probe) -> dict[str, int]:
    """What the subject holds when it has seen its clients out."""
    probe.let_settle(subject)
    return subject.footprint()


def levelled_off(looks: list[dict[str, int]], clients: int) -> None:
    """Claim that it holds at the end hardly more than at the beginning, of memory than when half the time was over."""
    if len(looks) < 3:
        return  # fewer clients than make it warm, or hardly more
    first, half, last = looks
    what = f"of {clients} clients of the soak none leaves"
    if last["descriptors"] > first["descriptors"] + 5:
        with requires("house:any/no-descriptor-leak"):
            raise Mismatch(f"{what} a descriptor open", f"{first['descriptors']} at first, {last['descriptors']} now")
    threads, more = (look["threads"] + look["zombies"] for look in (first, last))
    if more > threads + 5 and last["threads"] + last["zombies"] > half["threads"] + half["zombies"] + 5:
        with requires("house:any/no-process-leak"):
            raise Mismatch(f"{what} a thread, process or zombie", f"{threads} at first, {more} now")
    # A runtime takes more until it collects garbage: what is lost grows as much in the second half as in the first.
    early, late = half["memory"] - first["memory"], last["memory"] - half["memory"]
    if late > 9 * MiB and late > early // 2:
        with requires("house:any/memory-levels-off"):
            seen = ", ".join(f"{look['memory'] // MiB} MiB" for look in looks)
            raise Mismatch(f"{what} memory behind", f"{seen}: at first, when half the time was over, and now")

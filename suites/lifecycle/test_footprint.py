"""What a server holds does not grow with the clients that it has served: descriptors, processes, sockets, memory.

A runtime takes more at first: pools fill up to their size, buffers are kept for the next client, a collector of garbage
waits until there is some. So what it holds is looked at after each of a few equal batches of clients: one of them must
add hardly anything. Each has clients of every kind: served, and gone in the middle, with FIN and with RST.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.suite import SERVICES, UDP_SERVICES, MiB, Mismatch, State, control, covers, profiles

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.suite import Probe, Session, Subject

PROFILES = SERVICES

BATCH = 60  # clients: if one in twelve leaves something behind, it is seen
BATCHES = 6  # a pool of 256 threads, one more for each client until it is full, is full by then


def visit(subject: Subject, probe: Probe, session: Session) -> None:
    """A batch of clients, one after the other; a claim that each that stays is served, as the one before all was."""
    for number in range(BATCH):
        try:
            match number % 6 if subject.transport == "tcp" else 0:
                case 0 | 1:
                    session.serve()
                case 2:
                    session.begin().close()
                case 3:
                    session.begin().reset()
                case 4:
                    probe.connect(subject).close()
                case 5:
                    probe.connect(subject).reset()
        except Mismatch as missed:
            expected = f"client {number + 1} of {BATCH} is served as those before: {missed.expected}"
            raise Mismatch(expected, missed.actual, details=missed.details) from missed
    probe.let_settle(subject)


def expect_to_level_off(
    subject: Subject, probe: Probe, session: Session, held: Callable[[], int], what: str, spare: int
) -> None:
    """Claim that one of a few batches of clients, if not the first, then a later one, adds no more than `spare`."""
    with control():
        session.serve()
    probe.let_settle(subject)
    seen = [held()]

    for _ in range(BATCHES):
        visit(subject, probe, session)
        seen.append(held())
        if seen[-1] <= seen[-2] + spare:
            return

    def growing() -> str:
        return "" if held() <= seen[-2] + spare else f"{', '.join(map(str, seen))} {what}"

    expected = f"{BATCH} clients more, and no more than {spare} {what} in addition"
    probe.expect_soon(subject, expected, growing)


@profiles(*SERVICES, *UDP_SERVICES)
@covers("house:any/no-descriptor-leak", "house:any/survives")
def check_leaves_no_descriptor_open(subject: Subject, probe: Probe, session: Session) -> None:
    """However its clients leave, each gives its descriptors back."""

    def held() -> int:
        return subject.footprint()["descriptors"]

    expect_to_level_off(subject, probe, session, held, "open descriptors", spare=5)


@profiles(*SERVICES, *UDP_SERVICES)
@covers("house:any/no-process-leak")
def check_leaves_no_process_behind(subject: Subject, probe: Probe, session: Session) -> None:
    """However its clients leave, each takes its thread or process along, and ended processes are waited for."""

    def held() -> int:
        footprint = subject.footprint()
        return footprint["threads"] + footprint["zombies"]

    expect_to_level_off(subject, probe, session, held, "threads, processes and zombies", spare=5)


@covers("house:any/no-close-wait")
def check_leaves_no_connection_in_close_wait(subject: Subject, probe: Probe, session: Session) -> None:
    """When all clients have closed, the server closes its end of each connection, too."""

    def waiting() -> str:
        count = len(subject.sockets(State.CLOSE_WAIT))
        return f"{count} of {BATCH} connections are in CLOSE-WAIT" if count else ""

    with control():
        session.serve()
    visit(subject, probe, session)

    probe.expect_soon(subject, "no connection stays in CLOSE-WAIT", waiting)


@profiles(*SERVICES, *UDP_SERVICES)
@covers("house:any/memory-levels-off")
def check_memory_levels_off(subject: Subject, probe: Probe, session: Session) -> None:
    """Client after client is served in the same memory; 160 KiB for each, batch after batch, are not."""

    def held() -> int:
        return subject.footprint()["memory"] // MiB

    expect_to_level_off(subject, probe, session, held, "MiB of memory", spare=9)

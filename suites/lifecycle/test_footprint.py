"""What a server holds does not grow with the clients that it has served: descriptors, processes, sockets, memory.

A runtime takes more at first: pools fill up to their size, buffers are kept for the next client, a collector of garbage
waits until there is some. So what it holds is looked at after each of a few equal batches of clients: one of them must
add hardly anything. Each has clients of every kind: served, and gone in the middle, with FIN and with RST. To an echo
server there is one kind more: gone while the server has octets for it that its socket did not take, on another path of
the program than an error of recv().
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from harness.suite import (
    SERVICES,
    UDP_SERVICES,
    KiB,
    MiB,
    Mismatch,
    State,
    control,
    covers,
    exact,
    octets,
    profiles,
    requires,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.suite import Probe, Session, Subject

PROFILES = SERVICES

BATCH = 60  # clients: if one in twelve leaves something behind, it is seen
DEAF = 12  # clients of a batch that leave without having read: each costs the time to fill the buffers on both ways
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


@dataclass(frozen=True)
class Held:
    """One kind of thing that a server holds, and how much more of it a batch of clients may leave."""

    requirement: str
    what: str
    spare: int
    of: Callable[[dict[str, int]], int]  # a footprint

    def levels_off(self, footprints: list[dict[str, int]]) -> bool:
        """Whether one of the batches added no more than `spare`."""
        seen = [self.of(one) for one in footprints]
        return any(later <= earlier + self.spare for earlier, later in pairwise(seen))


# Who leaves a thread behind leaves its descriptors and its memory, too: the first that grows is what is told.
HELD = (
    Held("house:any/no-process-leak", "threads, processes and zombies", 5, lambda one: one["threads"] + one["zombies"]),
    Held("house:any/no-descriptor-leak", "open descriptors", 5, lambda one: one["descriptors"]),
    Held("house:any/memory-levels-off", "MiB of memory", 9, lambda one: one["memory"] // MiB),
)


@exact
@profiles(*SERVICES, *UDP_SERVICES)
@covers(
    "house:any/no-process-leak", "house:any/no-descriptor-leak", "house:any/memory-levels-off", "house:any/survives"
)
def check_leaves_nothing_behind(subject: Subject, probe: Probe, session: Session) -> None:
    """However its clients leave, each gives back its descriptors, its thread or process, and its memory."""
    with control():
        session.serve()

    expect_nothing_left(subject, probe, BATCH, lambda: visit(subject, probe, session))


@exact
@profiles("echo")
@covers("house:any/no-descriptor-leak", "house:any/no-process-leak", "house:any/memory-levels-off")
def check_leaves_nothing_of_clients_that_do_not_read(subject: Subject, probe: Probe, session: Session) -> None:
    """A client that is gone while the server still has octets for it gives back what it held, as any other does."""
    with control():
        session.serve()

    def visit_deaf() -> None:
        for number in range(DEAF):
            client = probe.connect(subject, receive_buffer=4 * KiB)
            client.fill(octets(MiB))
            probe.let_settle(subject)  # it has sent what the client's window takes, and holds the rest
            client.reset() if number % 2 else client.close()
        probe.let_settle(subject)

    expect_nothing_left(subject, probe, DEAF, visit_deaf)


def expect_nothing_left(subject: Subject, probe: Probe, size: int, visitors: Callable[[], None]) -> None:
    """Claim that of a few batches of `size` visitors one adds hardly anything to what the server holds."""
    probe.let_settle(subject)
    seen = [subject.footprint()]

    for _ in range(BATCHES):
        with requires("house:any/survives"):
            visitors()
        seen.append(subject.footprint())
        if all(held.levels_off(seen) for held in HELD):
            return

    for held in HELD:
        if not held.levels_off(seen):
            with requires(held.requirement):
                expect_to_shrink(subject, probe, held, size, seen)


def expect_to_shrink(subject: Subject, probe: Probe, held: Held, size: int, seen: list[dict[str, int]]) -> None:
    """Claim that what was left behind by the last batch is soon given back."""
    counts = ", ".join(str(held.of(one)) for one in seen)

    def growing() -> str:
        return "" if held.levels_off([seen[-2], subject.footprint()]) else f"{counts} {held.what}"

    expected = f"{size} clients more, and no more than {held.spare} {held.what} in addition"
    probe.expect_soon(subject, expected, growing)


@exact
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

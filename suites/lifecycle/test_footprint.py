"""What a server holds does not grow with the clients that it has served: descriptors, processes, sockets, memory.

A runtime takes more at first: pools fill up to their size, buffers are kept for the next client, a collector of garbage
waits until there is some. So what it holds is looked at after each of a few equal batches of clients: one of them must
add hardly anything. What no collector gives back is looked at more closely: a page for each client is seen, a note of
each is not, and who remembers the last some hundreds of them may do so.

Some servers keep a client's state for a while after it has gone, the sessions of datagrams above all: that is no leak
where the next clients get what is left of it. So of a server that waits for a time to come it is asked after a rest,
too, whether a batch adds anything. One that waits for none gives nothing back by itself, and is not waited for.

Each batch has clients of every kind: served, and gone in the middle, with FIN and with RST. To an echo server comes one
kind more: gone while the server holds octets that the client's window did not take, which takes another path through
the program than the end that recv() tells. Over UDP a datagram without data, a long one, and one whose sender hears no
answer take other paths, too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from harness.suite import (
    SERVICES,
    UDP_SERVICES,
    KiB,
    Leaving,
    MiB,
    Mismatch,
    NotApplicable,
    State,
    control,
    covers,
    exact,
    octets,
    profiles,
    requires,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.suite import Client, Probe, Session, Subject

PROFILES = SERVICES

BATCH = 64  # clients: if one in eight leaves something behind, it is seen
KINDS = 8  # of clients
EACH_TWICE = 2 * KINDS  # clients
LONG = b"?" * 20 * KiB  # behind a request: more than a frame takes, and seen in memory if it is kept
TOGETHER = 20  # clients that leave in the same moment
FEW = 4  # clients that wait to be accepted at once
ORDER = (0, 3, 1, 6, 2, 4, 5, 7)  # in which clients leave: the first, one between, and the last at last
BATCHES = 6  # a pool of 256 threads, one more for each client until it is full, is full by then
LONG_LOOK = 300  # seconds for a test that has to wait for all the rests
REST = 15  # seconds
RESTS = 5  # together longer than a minute, for which many servers keep what they know of a client
LASTING = 12  # batches: who remembers its last clients, some hundreds, remembers no more of them then
REQUESTS = 100  # of one session, between two looks at what the server holds
MOST_REQUESTS = (LASTING + 2) * REQUESTS


def visit(subject: Subject, probe: Probe, session: Session, clients: int) -> None:
    """A batch of clients, one after the other; a claim that each that stays is served, as the one before all was."""
    kinds = KINDS if subject.profile == "echo" else KINDS - 1
    for number in range(clients):
        try:
            if subject.transport == "udp":
                ask(subject, probe, session, number)
                continue
            match number % kinds:
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
                case 6:
                    session.leave_behind_words()
                case 7:  # one at a time: many buffers at once, or none, would hide what is kept
                    deaf = probe.connect(subject, receive_buffer=4 * KiB)
                    deaf.fill(octets(96 * KiB))
                    probe.at_rest(subject, seconds=2.0)  # it has sent what the window takes, and holds the rest
                    deaf.reset()
        except Mismatch as missed:
            expected = f"client {number + 1} of {clients} is served as those before: {missed.expected}"
            raise Mismatch(expected, missed.actual, details=missed.details) from missed
    probe.let_settle(subject)


def ask(subject: Subject, probe: Probe, session: Session, number: int) -> None:
    """One of the clients that send datagrams: a claim that it is served, or one that may not be, or is gone by then.

    Where an answer begins a transfer, one that is not ended is kept for a while by right: so each ends its own.
    """
    match number % 2 * 2 if session.begins_transfers() else number % 4:
        case 0:
            session.serve()
        case 1:
            gone = probe.datagrams(subject)
            gone.send(session.request())
            gone.close()  # an answer draws ICMP port unreachable
        case 2:
            probe.datagrams(subject).send(b"")
        case 3:
            probe.datagrams(subject).send(session.request() + LONG)


def visit_together(subject: Subject, probe: Probe) -> None:
    """Clients that are all there and leave while the subject stands still, so that it finds all gone at once."""
    clients = probe.connect_together(subject, TOGETHER)
    probe.let_settle(subject)  # that it rests would not do: who waits to be accepted leaves alone, later
    with subject.paused():
        for client in clients:
            client.close()
    probe.let_settle(subject)


def visit_in_vain(subject: Subject, probe: Probe) -> None:
    """Clients that are gone when they are accepted, a few at a time: a queue may have room for no more."""

    def waiting() -> str:
        return f"{waits} in the listener's queue" if (waits := subject.queue()[0]) else ""

    for how in (*Leaving, *Leaving):
        probe.leave_in_the_queue(subject, how, clients=FEW)
        probe.expect_soon(subject, "who has connected is accepted, though it has left", waiting)
    probe.let_settle(subject)


@dataclass(frozen=True)
class Held:
    """One kind of thing that a server holds, and how much more of it a batch of clients may leave."""

    requirement: str
    what: str
    spare: int
    of: Callable[[dict[str, int]], int]  # a footprint
    batches: int = BATCHES  # in one of so many it has levelled off

    def levels_off(self, footprints: list[dict[str, int]]) -> bool:
        """Whether one of the batches added no more than `spare`."""
        seen = [self.of(one) for one in footprints]
        return any(later <= earlier + self.spare for earlier, later in pairwise(seen))


# Who leaves a thread behind leaves its descriptors and its memory, too: the first that grows is what is told. A thread
# that has ended and that nobody joined or detached (pthread_create(3)) leaves only its stack, 8 MiB of addresses; where
# the program asks for small stacks, their number tells: each is a mapping, and the guard page before it another.
PROCESSES = Held(
    "house:any/no-process-leak", "threads, processes and zombies", 5, lambda one: one["threads"] + one["zombies"]
)
DESCRIPTORS = Held("house:any/no-descriptor-leak", "open descriptors", 5, lambda one: one["descriptors"])
UNFREED = Held("house:any/no-memory-leak", "KiB that are not freed", 224, lambda one: one["kept"] // KiB, LASTING)
MEMORY = Held("house:any/memory-levels-off", "MiB of memory", 9, lambda one: one["memory"] // MiB)
ADDRESSES = Held("house:any/memory-levels-off", "MiB of address space", BATCH, lambda one: one["mapped"] // MiB)
MAPPINGS = Held("house:any/no-mapping-leak", "mappings of memory", 12, lambda one: one["mappings"], LASTING)


@pytest.mark.timeout(LONG_LOOK)
@exact
@profiles(*SERVICES, *UDP_SERVICES)
@covers(
    "house:any/no-process-leak",
    "house:any/no-descriptor-leak",
    "house:any/no-memory-leak",
    "house:any/memory-levels-off",
    "house:any/no-mapping-leak",
    "house:any/survives",
)
def check_leaves_nothing_behind(subject: Subject, probe: Probe, session: Session) -> None:
    """However its clients leave, each gives back its descriptors, its thread or process, and its memory."""
    with control():
        session.serve()
    with requires("house:any/survives"):
        visit(subject, probe, session, probe.affordable(EACH_TWICE, KINDS))

    held = (PROCESSES, DESCRIPTORS, UNFREED, MEMORY, ADDRESSES, MAPPINGS)
    batch = probe.affordable(BATCH, KINDS)
    expect_level(subject, probe, held, f"{batch} clients", lambda: visit(subject, probe, session, batch))


@pytest.mark.timeout(LONG_LOOK)
@exact
@covers(
    "house:any/no-process-leak", "house:any/no-descriptor-leak", "house:any/memory-levels-off", "house:any/survives"
)
def check_leaves_nothing_of_clients_that_leave_together(subject: Subject, probe: Probe, session: Session) -> None:
    """Up to twenty clients that leave in one moment are all given back: of signals that come together one is told."""
    with control():
        session.serve()

    # Not what is freed: as many are held at once as never before, and for a while each batch may want more.
    held = (PROCESSES, DESCRIPTORS, MEMORY, ADDRESSES)
    expect_level(subject, probe, held, f"{TOGETHER} clients", lambda: visit_together(subject, probe))
    with requires("house:any/survives"):
        session.serve()


@pytest.mark.timeout(LONG_LOOK)
@exact
@covers(
    "house:any/no-process-leak", "house:any/no-descriptor-leak", "house:any/memory-levels-off", "house:any/survives"
)
def check_leaves_nothing_of_clients_gone_before_it_accepts(subject: Subject, probe: Probe, session: Session) -> None:
    """A connection that is over when it is accepted is closed all the same, though getpeername() fails (ENOTCONN)."""
    with control():
        session.serve()

    held = (PROCESSES, DESCRIPTORS, MEMORY, ADDRESSES)
    clients = f"{2 * len(Leaving) * FEW} clients"
    expect_level(subject, probe, held, clients, lambda: visit_in_vain(subject, probe))
    with requires("house:any/survives"):
        session.serve()


# Less than two thirds of a KiB for each request: what a session keeps of its last requests is shorter.
WITHIN = (PROCESSES, DESCRIPTORS, replace(UNFREED, spare=64), MAPPINGS)


@exact
@profiles("echo", "discard", "protocol")
@covers("house:any/no-growth-within-a-session", "house:any/survives")
def check_leaves_nothing_of_a_request_within_its_session(subject: Subject, probe: Probe, session: Session) -> None:
    """A client that stays and asks hundreds of times costs no more than one that asks once."""
    with control():
        client = session.begin()
        session.talk(client, of=MOST_REQUESTS)

    held = [replace(kind, requirement="house:any/no-growth-within-a-session") for kind in WITHIN]
    what = f"{REQUESTS} requests of the same session"
    expect_level(subject, probe, held, what, lambda: ask_again(subject, probe, session, client))


def ask_again(subject: Subject, probe: Probe, session: Session, client: Client) -> None:
    """So many requests more in an open session; not applicable where the server lets no session last so long."""

    def unread() -> str:
        return "octets wait for it" if any(one["unread"] for one in subject.sockets(State.ESTABLISHED)) else ""

    for _ in range(REQUESTS):
        try:
            session.talk(client, of=MOST_REQUESTS)
            if subject.profile == "discard":  # it answers nothing: what it takes in one read is one request
                probe.expect_soon(subject, "the server reads", unread)
        except Mismatch as missed:
            if client.ended is None:
                with control():
                    raise
            raise NotApplicable(f"needs a server that answers hundreds of requests in a session: {missed}") from None
    probe.let_settle(subject)


def expect_level(
    subject: Subject, probe: Probe, kinds: Sequence[Held], more: str, come_and_go: Callable[[], None]
) -> None:
    """Claim that of a few batches, each of so many `more`, one adds hardly anything to what the subject holds."""
    probe.let_settle(subject)
    seen = [subject.footprint()]

    while growing := [held for held in kinds if not held.levels_off(seen)]:
        if any(len(seen) > held.batches for held in growing):
            if not levels_after_a_rest(subject, probe, growing, come_and_go):
                for held in growing:
                    with requires(held.requirement):
                        expect_to_shrink(subject, probe, held, seen, more)
            return
        with requires("house:any/survives"):
            come_and_go()
        seen.append(subject.footprint())


def levels_after_a_rest(
    subject: Subject, probe: Probe, growing: Sequence[Held], come_and_go: Callable[[], None]
) -> bool:
    """Whether two batches add hardly anything once what was kept for a while has been kept for that long."""
    for _ in range(RESTS):
        if not subject.waits_for_time():
            return False
        with requires("house:any/survives"):
            probe.expect_to_last(subject, REST, "the server goes on while no client comes")
            before = subject.footprint()
            come_and_go()
            come_and_go()
        if all(held.levels_off([before, subject.footprint()]) for held in growing):
            return True
    return False


def expect_to_shrink(subject: Subject, probe: Probe, held: Held, seen: list[dict[str, int]], more: str) -> None:
    """Claim that what was left behind by the last batch is soon given back."""
    counts = _listed([held.of(one) for one in seen])

    def growing() -> str:
        return "" if held.levels_off([seen[-2], subject.footprint()]) else f"{counts} {held.what}"

    expected = f"{more} more, and no more than {held.spare} {held.what} in addition"
    probe.expect_soon(subject, expected, growing)


def _listed(counts: list[int]) -> str:
    words = [str(count) for count in counts]
    return ", ".join(words) if len(words) <= BATCHES + 1 else f"{', '.join(words[:3])} … {', '.join(words[-3:])}"


def expect_none_in_close_wait(subject: Subject, probe: Probe, clients: int) -> None:
    """Claim that of so many connections whose clients have closed none soon is in CLOSE-WAIT."""

    def waiting() -> str:
        count = len(subject.sockets(State.CLOSE_WAIT))
        return f"{count} of {clients} connections are in CLOSE-WAIT" if count else ""

    probe.expect_soon(subject, "no connection stays in CLOSE-WAIT", waiting)


@exact
@covers("house:any/no-close-wait")
def check_leaves_no_connection_in_close_wait(subject: Subject, probe: Probe, session: Session) -> None:
    """Clients have closed, alone or together and in another order than they came: the server closes its ends, too."""
    with control():
        session.serve()
        few = probe.affordable(EACH_TWICE, KINDS)
        visit(subject, probe, session, few)
    expect_none_in_close_wait(subject, probe, few)

    clients = probe.connect_together(subject, len(ORDER), receive_buffer=4 * KiB)
    probe.let_settle(subject)
    for place in ORDER:
        if place < len(clients):
            clients[place].close()
            probe.at_rest(subject, seconds=2.0)
    expect_none_in_close_wait(subject, probe, len(clients))

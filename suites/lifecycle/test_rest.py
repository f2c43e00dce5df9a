"""Who waits lets others work: a server with nothing to do sleeps until the kernel wakes it (poll(2), epoll(7)).

Sockets that never block are asked again and again where nobody waits for them; a descriptor that stays ready, because
what makes it so is never taken, wakes its server without end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.suite import (
    SERVICES,
    UDP_SERVICES,
    KiB,
    MiB,
    Mismatch,
    NotApplicable,
    State,
    control,
    covers,
    families,
    got,
    needs,
    octets,
    profiles,
)

if TYPE_CHECKING:
    from harness.suite import Probe, Session, Subject, Wire

PROFILES = (*SERVICES, *UDP_SERVICES)

MUCH = 16 * MiB  # octets: more than both kernels hold for one connection
REST = 16 * KiB  # octets: fewer than servers let wait before they read no further
LITTLE = 0.1  # seconds of processor time: many times what the end of one client costs
TRIES = 5  # clients, lest a runtime that just then compiles or cleans up be taken for one that spins
SOME = MiB  # octets: more than a server's kernel takes to send, beside the window of 4 KiB


def needs_a_look(subject: Subject) -> None:
    """What a process of somebody else's does cannot be seen."""
    if not subject.managed:
        raise NotApplicable("needs a look at the subject's processes: start it with --serve")


@families("v4")  # who sleeps on one family does on the other
@needs("nothing")
@covers("house:any/rests")
def check_waits_for_its_first_client_without_using_cpu(subject: Subject, probe: Probe) -> None:
    """A server that no client has connected to yet sleeps until one does."""
    needs_a_look(subject)

    probe.expect_rest(subject, "a server without clients waits without using the processor")


@families("v4")
@covers("house:any/rests")
def check_rests_while_nothing_comes(subject: Subject, probe: Probe, session: Session) -> None:
    """A client says nothing, one has closed, one has reset: the server waits for what comes next."""
    needs_a_look(subject)
    if subject.transport == "tcp":
        client = session.hold()
        probe.expect_rest(subject, "a server whose client says nothing waits without using the processor")
        client.close()
        probe.expect_rest(subject, "a server whose client has left waits without using the processor")
        session.hold().reset()
        probe.expect_rest(subject, "a server whose client has reset waits without using the processor")

    session.serve()
    probe.expect_rest(subject, "a server that has served waits without using the processor")
    if subject.transport == "tcp":
        expect_little_work(subject, probe, session)


def expect_little_work(subject: Subject, probe: Probe, session: Session) -> None:
    """Claim that a client that has closed costs next to nothing: who reads its end until a time is over spins.

    How long it spins is the program's affair, how much of the processor it gets meanwhile that of the machine. So it is
    not waited for until it rests: behind one client of five it must have done so before it has used the little.
    """
    for _ in range(TRIES):
        session.serve()
        if probe.at_rest(subject, work=LITTLE):
            return
    raise Mismatch(
        "a server whose client has closed soon waits without using the processor",
        f"behind each of {TRIES} clients it was still at work after {LITTLE} s of processor time",
    )


@profiles(*[profile for profile in UDP_SERVICES if profile != "udp-discard"])  # it answers nobody
@families("v4")
@covers("house:any/rests")
def check_rests_behind_an_error_of_its_socket(subject: Subject, probe: Probe, session: Session, wire: Wire) -> None:
    """An answer draws ICMP port unreachable: a queue of errors that nobody reads (IP_RECVERR) stays ready (poll(2))."""
    needs_a_look(subject)
    session.known_port()
    gone = probe.datagrams(subject)

    with subject.paused():
        gone.send(session.request())
        gone.close()
    with control():
        wire.wait_for(gone, got.datagram())

    probe.expect_rest(subject, "a server whose answer nobody heard waits without using the processor")


@profiles("echo")
@families("v4")
@covers("house:any/rests")
def check_rests_while_its_answer_has_no_room(subject: Subject, probe: Probe) -> None:
    """A client reads nothing, then ends its own direction: until there is room again, nothing is to be done."""
    needs_a_look(subject)
    client, text = probe.connect(subject, receive_buffer=4 * KiB), octets(MUCH)

    while client.fill(text) and client.sent < MUCH:  # until what it takes has no room either
        probe.expect_rest(subject, "a server whose client reads nothing waits without using the processor")

    client.half_close()
    probe.expect_rest(
        subject, "a server whose client has half-closed and reads nothing waits without using the processor"
    )


@profiles("echo")
@families("v4")
@covers("house:any/rests")
def check_rests_while_a_rest_has_no_room_and_the_end_has_come(subject: Subject, probe: Probe) -> None:
    """A client that reads nothing ends its direction when the server owes it a little: the end is read once, not again.

    With more than a little a server reads no further, and does not meet the end.
    """
    needs_a_look(subject)
    client = probe.connect(subject, receive_buffer=4 * KiB)
    said = held = 0

    while said < MUCH and said - held < REST and (taken := client.fill(octets(REST))):
        said += taken
        probe.at_rest(subject, seconds=2.0)  # one that spins already is told by the check above
        held = sum(one["unsent"] for one in subject.sockets(State.ESTABLISHED)) + 4 * KiB
    client.half_close()

    probe.expect_rest(
        subject, "a server that owes a little to a client that has half-closed and reads nothing rests until it reads"
    )


@profiles("echo")
@families("v4")
@covers("house:any/rests")
@pytest.mark.parametrize("how", ["reads_on", "resets"])
def check_rests_when_its_answer_has_gone(subject: Subject, probe: Probe, how: str) -> None:
    """What had no room has gone, to the client that reads on or with the one that resets: nothing is left to be done.

    A socket is ready for writing nearly always: who goes on waiting for that, with nothing to write, is woken at once.
    """
    needs_a_look(subject)
    client = probe.connect(subject, receive_buffer=4 * KiB)
    text = octets(SOME)

    taken = client.fill(text)
    probe.at_rest(subject, seconds=2.0)  # one that spins is told by the check above
    if how == "resets":
        client.reset()
        probe.expect_rest(subject, "a server whose client has reset, its answer unread, waits without the processor")
    else:
        client.widen()
        client.read(taken)  # whether it is all there is asked elsewhere
        probe.expect_rest(subject, "a server whose client has read its answer at last waits without the processor")


@profiles("echo", "discard")
@families("v4")
@covers("house:any/rests")
def check_rests_behind_urgent_data(subject: Subject, probe: Probe, session: Session) -> None:
    """An urgent octet is looked at once, or not at all."""
    needs_a_look(subject)
    client = session.hold()

    client.send_urgent(b"!")

    probe.expect_rest(subject, "a server whose client has sent urgent data waits without using the processor")

"""A client that comes from the address and port of one that has reset: another client, to whom nothing is owed.

A reset ends a connection without TIME-WAIT (RFC 9293 3.10.7.4), so its port is free again at once. What a server keeps
by address and port, half a request or an answer that had no room, must go with the connection, or the next one inherits
it. The port comes again soon where few are to be had, as behind a NAT; a client that chooses its port has it each time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.suite import KiB, Mismatch, control, covers, exact, octets

if TYPE_CHECKING:
    from harness.suite import Client, Probe, Session, Subject

PROFILES = ("echo", "request-reply", "protocol")

UNREAD = 96 * KiB  # octets: more than the window of 4 KiB that the client offers has room for
TIMES = 2  # the second time what is left may be of the first one, or of the one between


def begin(subject: Subject, probe: Probe, session: Session, after: str) -> Client:
    """A client that has begun an exchange, of which the server knows."""
    client = probe.connect(subject, receive_buffer=4 * KiB)
    session.greet(client)
    words = session.words()
    if after == "half_a_request":
        client.send_all(words[: (len(words) + 1) // 2])
    elif subject.profile == "echo":
        client.fill(octets(UNREAD))
    else:
        client.send_all(words)
    if subject.managed:
        probe.let_settle(subject)
    return client


@exact
@covers("house:any/same-port-again")
@pytest.mark.parametrize("seen", ["is_noticed", "waits_to_be_noticed"])
@pytest.mark.parametrize("after", ["half_a_request", "an_answer_unread"])
def check_a_client_from_the_port_of_one_that_reset_starts_afresh(
    subject: Subject, probe: Probe, session: Session, after: str, seen: str
) -> None:
    """A client resets amid an exchange; the next one, from the same port, is served as if it was the first there."""
    with control():
        session.serve()

    for _ in range(TIMES):
        first = begin(subject, probe, session, after)
        if seen == "is_noticed":
            first.reset()
            if subject.managed:
                probe.let_settle(subject)
            second = probe.connect(subject, source=first.near)
        else:
            with subject.paused():
                first.reset()
                second = probe.connect(subject, source=first.near)

        try:
            session.go_on(second)
            session.finish(second)
        except Mismatch as missed:
            expected = f"a client from the port of one that reset ({first.near}) is served: {missed.expected}"
            raise Mismatch(expected, missed.actual, details=missed.details) from missed

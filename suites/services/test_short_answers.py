"""What qotd, daytime and time have in common: a client that connects is told something short, and that was all.

How the answer must look, and when the server must close, differs: each service has a suite of its own for that. Here a
client that has heard something ends its direction, so that a server which waits for the client's FIN is right as well.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from harness.suite import KiB, Leaving, control, covers, exact, got, octets, sent

if TYPE_CHECKING:
    from harness.suite import Client, Probe, Subject, Wire

PROFILES = ("qotd", "daytime", "time")


def hear(client: Client) -> None:
    """Claim that something is told and that the connection ends behind it, however."""
    client.expect_any(1)
    client.half_close()
    client.ending()
    client.close()


def tells(subject: Subject, probe: Probe) -> None:
    """An ordinary session."""
    hear(probe.connect(subject))


@covers("house:any/survives")
def check_tells_client_after_client(subject: Subject, probe: Probe) -> None:
    """Thirty clients in turn, and three that wait together, are each told something."""
    for _ in range(probe.affordable(30)):
        tells(subject, probe)
    with subject.paused() if subject.managed else contextlib.nullcontext():
        crowd = [probe.connect(subject) for _ in range(probe.room_for(subject, 3))]
    for client in crowd:
        hear(client)


@exact
@covers("house:greeting/early-talker")
@pytest.mark.parametrize("size", [1, 10 * KiB], ids=["one_octet", "ten_kib"])
def check_client_that_talks_early_is_not_reset(subject: Subject, probe: Probe, wire: Wire, size: int) -> None:
    """What a client says before it was accepted is thrown away by reading it, which spares it a RST."""
    with control():
        tells(subject, probe)
    with subject.paused():
        client = probe.connect(subject)
        client.send_all(octets(size))
        wire.wait_for(client, got.taken(size))

    hear(client)

    probe.let_settle(subject)
    wire.flow(client).lived().expect_no(got.RST)


@covers("house:greeting/half-closed-client")
def check_half_closed_client_is_told(subject: Subject, probe: Probe, wire: Wire) -> None:
    """A client that has closed its direction before it was accepted is told all the same."""
    with control():
        tells(subject, probe)
    with subject.paused():
        client = probe.connect(subject)
        client.half_close()
        wire.wait_for(client, sent.FIN)

    hear(client)


@covers("house:any/survives")
@pytest.mark.parametrize("how", Leaving, ids=str)
def check_survives_a_client_that_left_in_the_queue(subject: Subject, probe: Probe, how: Leaving) -> None:
    """Clients that are gone when they are accepted cost nobody else the answer."""
    with control():
        tells(subject, probe)

    probe.leave_in_the_queue(subject, how)
    for _ in range(3):
        tells(subject, probe)


@exact
@covers("house:any/survives")
@pytest.mark.parametrize("after", ["connect", "one_octet", "its_own_text"])
def check_survives_a_client_that_resets(subject: Subject, probe: Probe, after: str) -> None:
    """A client that aborts, in any phase, costs its own connection only."""
    with control():
        tells(subject, probe)

    for _ in range(5):
        client = probe.connect(subject)
        if after == "one_octet":
            client.read(1)
        elif after == "its_own_text":
            client.exchange(b"hello", back=1)
        client.reset()

    tells(subject, probe)

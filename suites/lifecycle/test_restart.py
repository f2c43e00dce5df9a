"""A server is started again at once on its port, whatever its end has left behind (SO_REUSEADDR, socket(7)).

What stands in the way is not the old process but its kernel: connections that the server's end closed first stay there
in FIN-WAIT or TIME-WAIT, for a minute on Linux, and bind() then wants SO_REUSEADDR on both runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.suite import (
    SERVICES,
    UDP_SERVICES,
    Ending,
    Mismatch,
    NotApplicable,
    State,
    control,
    covers,
    exact,
    profiles,
)

if TYPE_CHECKING:
    from harness.suite import Client, Probe, Session, Subject, Wire

PROFILES = SERVICES


def expect_lingering(subject: Subject, probe: Probe, state: State) -> None:
    """The control: the subject's kernel keeps a connection in this state, so that it can be in the way."""
    with control():
        expected = f"a connection of the subject's in {state}"
        probe.expect_soon(subject, expected, lambda: "" if subject.sockets(state) else "there is none")


def expect_port_free(subject: Subject, probe: Probe) -> None:
    """Claim that nobody has the port any more: neither the process that was ended nor one that it has started."""

    def held() -> str:
        places = [place for place in subject.listeners() if place.port == subject.address.port]
        return f"a process that it has started still has {places[0]}" if places else ""

    probe.expect_soon(subject, "when the server has ended its port is free", held)


def kill(subject: Subject, probe: Probe) -> None:
    """End the subject at once, with all its processes; the control: nobody is left that listens."""
    subject.kill()
    with control():
        expect_port_free(subject, probe)


def terminate(subject: Subject, probe: Probe) -> None:
    """Have the process that listens end, or its supervisor, when it has nothing more to do at its start.

    Not applicable where the server goes on: it starts that process again, or ignores SIGTERM, which is told elsewhere.
    """
    probe.at_rest(subject)
    subject.terminate()
    try:
        probe.expect_soon(subject, "SIGTERM ends it", lambda: "" if subject.ended else "it still runs")
    except Mismatch:
        raise NotApplicable("needs a server that ends when the process that listens is sent SIGTERM") from None


@exact
@covers("house:any/restart")
@pytest.mark.parametrize("state", [State.TIME_WAIT, State.FIN_WAIT_2], ids=["time_wait", "fin_wait_2"])
def check_starts_again_while_its_connections_linger(
    subject: Subject, probe: Probe, session: Session, wire: Wire, state: State
) -> None:
    """Killed in the middle of a session it starts again at once, though the kernel still keeps the connection."""
    with control():
        session.serve()
        client = session.hold()

    kill(subject, probe)
    with control():
        client.read_to_end()
    if state is State.TIME_WAIT:
        wire.pass_fence()  # else our ACK may pass our FIN on another processor, draw an ACK, and that a RST
        client.close()
    if client.ended is Ending.EOF:  # a reset leaves nothing behind
        expect_lingering(subject, probe, state)
    subject.restart()

    session.serve()


@exact
@covers("house:any/restart")
def check_starts_again_behind_clients_that_waited(subject: Subject, probe: Probe, session: Session) -> None:
    """Killed while clients wait to be accepted, it starts again at once: the old queue is gone with the process."""
    with control():
        session.serve()

    with subject.paused():
        waiting = [probe.connect(subject) for _ in range(probe.room_for(subject, 3))]
        kill(subject, probe)
    with control():
        for client in waiting:
            client.half_close()  # under TCP_DEFER_ACCEPT its handshake is not over there: what it sends draws a RST
            client.ending()
    subject.restart()

    session.serve()


@covers("house:any/restart")
def check_gives_its_port_back(subject: Subject, probe: Probe, session: Session) -> None:
    """SIGTERM to the process that listens leaves no other behind that still does: the port can be had again at once."""
    with control():
        session.serve()
        client: Client = session.hold()

    terminate(subject, probe)
    expect_port_free(subject, probe)
    client.close()  # a process of its own that serves this client may see it out, if it does not listen
    subject.restart()

    session.serve()


@profiles(*UDP_SERVICES)
@covers("house:any/restart")
def check_receiver_gives_its_port_back(subject: Subject, probe: Probe, session: Session) -> None:
    """SIGTERM to the process that has the port leaves it to no other: it starts again at once, and answers."""
    with control():
        session.serve()

    terminate(subject, probe)
    expect_port_free(subject, probe)
    subject.restart()

    session.serve()


@exact
@profiles("one-shot")
@covers("house:one-shot/restart")
def check_one_shot_starts_again(subject: Subject, probe: Probe, session: Session) -> None:
    """When its one client is served and it has ended, it starts again at once, though its connection lingers."""
    with control():
        session.serve()
        probe.expect_exit(subject)
    expect_lingering(subject, probe, State.TIME_WAIT)

    subject.restart()

    session.serve()

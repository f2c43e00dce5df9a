"""What holds for any TCP server, whatever it speaks: it accepts, it survives its clients, it lets go of what they used.

Nothing is known of the protocol, so nobody is asked for an answer: that a client was accepted is seen in the listener's
queue, and only when those before it have left, because a server that serves one client at a time is a correct one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.suite import KiB, State, control, covers, exact, got, octets, profiles

if TYPE_CHECKING:
    from harness.suite import Probe, Raw, Subject

PROFILES = ("tcp",)
NEEDS = "accepting"

SIMPLE_SERVICES = ("discard", "chargen", "qotd", "daytime", "time")

TEXTS = {
    "nothing": b"",
    "line": b"hello\r\n",
    "request": b"GET / HTTP/1.1\r\nHost: subject\r\n\r\n",
    "every_value": bytes(range(256)) * 8,
    "100_kib_without_a_line": b"x" * 100 * KiB,
}


def queued(subject: Subject) -> str:
    """Who waits in the listener's queue, in words; empty when nobody does."""
    listeners = [entry for entry in subject.sockets(listening=True) if entry["local"][1] == subject.address.port]
    number = sum(entry["unread"] for entry in listeners)
    return f"{number} in the listener's queue" if number else ""


def expect_accepted(subject: Subject, probe: Probe) -> None:
    """Claim that nobody waits any more, which of a subject that is not ours cannot be seen."""
    if subject.managed:
        probe.expect_soon(subject, "who has connected is accepted", lambda: queued(subject))


def serves(subject: Subject, probe: Probe) -> None:
    """A client that connects is accepted, and leaves."""
    client = probe.connect(subject)
    expect_accepted(subject, probe)
    client.close()


@covers("house:any/accepts")
def check_accepts_a_client(subject: Subject, probe: Probe) -> None:
    """A client that connects is taken from the listener's queue, which the kernel alone would not do."""
    if not subject.managed:
        probe.connect(subject)
        return
    with subject.paused():
        probe.connect(subject)
        with control():
            probe.expect_soon(subject, "one client in the queue", lambda: "" if queued(subject) else "none")

    expect_accepted(subject, probe)


@exact
@covers("house:any/accepts")
def check_accepts_client_after_client(subject: Subject, probe: Probe) -> None:
    """A hundred clients in turn connect, every other one says something, and all are accepted."""
    for number in range(probe.affordable(100)):
        client = probe.connect(subject)
        client.send_some(b"hello\r\n" if number % 2 else b"")
        client.close()

    serves(subject, probe)


@exact
@covers("house:any/survives")
@pytest.mark.parametrize("how", ["closes", "resets"])
def check_survives_clients_that_say_nothing(subject: Subject, probe: Probe, how: str) -> None:
    """Clients that connect and leave at once, before or after they were accepted, disturb nobody."""
    with control():
        serves(subject, probe)

    for _ in range(5):
        with subject.paused():
            client = probe.connect(subject)
            client.close() if how == "closes" else client.reset()
        client = probe.connect(subject)
        expect_accepted(subject, probe)
        client.close() if how == "closes" else client.reset()

    serves(subject, probe)


@covers("house:any/port-scan")
@profiles(*PROFILES, "echo", "greeting", "request-reply", *SIMPLE_SERVICES)
def check_survives_a_port_scan(subject: Subject, probe: Probe, raw: Raw) -> None:
    """SYN that is reset in the handshake or right behind it, and flags that no client sends, leave nothing behind."""
    with control():
        serves(subject, probe)

    for flags in ("", "FIN", "FIN PSH URG", "SYN FIN"):  # scans by name: null, FIN, Christmas tree
        raw.peer(subject).send(flags, seq=0)
    for behind in (False, True):
        scan = raw.peer(subject)
        scan.send_syn()
        scan.expect(got.SYN_ACK)
        if behind:
            scan.send("ACK")
        scan.send("RST")

    serves(subject, probe)


@covers("house:any/half-open-handshakes")
@profiles(*PROFILES, "echo", "greeting", "request-reply", *SIMPLE_SERVICES)
def check_handshakes_that_nobody_finishes_keep_nobody_out(subject: Subject, probe: Probe, raw: Raw) -> None:
    """Fifty SYNs of clients that never say more are as if they had not come: the next client is served."""
    with control():
        serves(subject, probe)

    for _ in range(50):
        raw.peer(subject).send_syn()

    serves(subject, probe)


@exact
@covers("house:any/survives")
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def check_survives_whatever_is_said(subject: Subject, probe: Probe, text: bytes) -> None:
    """Text of any kind, and a reset behind it, costs the connection at most."""
    with control():
        serves(subject, probe)

    for hurries in (False, True, True):
        client = probe.connect(subject)
        client.fill(text)
        if not hurries:
            probe.at_rest(subject)  # it has read the text: a reset right behind may take the text along
        client.reset()

    serves(subject, probe)


@exact
@covers("house:any/survives")
def check_survives_a_reset_behind_unread_text(subject: Subject, probe: Probe) -> None:
    """A reset that the server finds together with text, when it looks, ends that connection and no other."""
    client = probe.connect(subject)
    with control():
        expect_accepted(subject, probe)

    with subject.paused():
        client.fill(octets(KiB))
        client.reset()

    serves(subject, probe)


@exact
@covers("house:any/survives")
def check_survives_a_client_that_does_not_read(subject: Subject, probe: Probe) -> None:
    """A client that says much, reads nothing and leaves disturbs nobody."""
    with control():
        serves(subject, probe)

    client = probe.connect(subject, receive_buffer=512)
    client.fill(b"hello\r\n" * 20_000)
    probe.at_rest(subject)  # what it has answered lies there unread: the client leaves with RST
    client.close()

    serves(subject, probe)


@exact
@covers("house:any/survives")
def check_survives_many_clients_at_once(subject: Subject, probe: Probe) -> None:
    """Fifty clients that connect while the server cannot look, and give up when it has, leave it as it was."""
    with control():
        serves(subject, probe)

    with subject.paused():
        crowd = [probe.begin_connect(subject) for _ in range(50)]
    probe.at_rest(subject)  # it has accepted whom it takes: who had left before would burden no table
    for attempt in crowd:
        attempt.close()

    serves(subject, probe)


@covers("house:any/idle-client-does-not-block")
def check_an_idle_client_does_not_block_others(subject: Subject, probe: Probe) -> None:
    """A client that connects and says nothing keeps nobody in the queue."""
    with control():
        serves(subject, probe)
    probe.connect(subject)
    expect_accepted(subject, probe)

    probe.connect(subject)

    expect_accepted(subject, probe)


@exact
@covers("house:any/no-close-wait")
@profiles(*PROFILES, *SIMPLE_SERVICES)
def check_leaves_nothing_in_close_wait(subject: Subject, probe: Probe) -> None:
    """Of thirty clients that closed, every other one behind a text, no connection stays in CLOSE-WAIT."""
    for number in range(probe.affordable(30)):
        client = probe.connect(subject)
        client.send_some(b"hello\r\n" if number % 2 else b"")
        client.close()

    def left() -> str:
        waiting = [entry for entry in subject.sockets() if entry["state"] == State.CLOSE_WAIT]
        return f"{len(waiting)} in CLOSE-WAIT" if waiting else queued(subject)

    probe.expect_soon(subject, "no connection stays behind its client", left)

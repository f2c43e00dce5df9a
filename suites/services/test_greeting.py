"""The contract of a greeting server: it speaks first, one line of ASCII ended by CRLF, and closes; for each client.

What the line says is its own affair, and may differ from client to client. A server that has closed its own direction
and waits for the client to close is a correct one, and may let the next client wait meanwhile: so clients close here.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from harness.suite import Ending, KiB, Leaving, Mismatch, control, covers, exact, got, octets, quote, sent

if TYPE_CHECKING:
    from harness.suite import Client, Probe, Subject, Wire

PROFILES = ("greeting",)

LONGEST = 64 * KiB  # octets: what is longer is no line


def flaw(greeting: bytes) -> str:
    """What keeps these octets from being one line of printable ASCII ended by CRLF; empty when nothing does."""
    line = greeting.removesuffix(b"\r\n")
    if line == greeting:
        return f"{quote(greeting)}, which does not end in CRLF"
    if b"\r" in line or b"\n" in line:
        return f"{quote(greeting)}, which has a line end within"
    if odd := [octet for octet in line if not (0x20 <= octet < 0x7F or octet == ord("\t"))]:
        return f"{quote(greeting)}, with octet 0x{odd[0]:02x}, which is no printable ASCII"
    return "" if line.strip() else f"{quote(greeting)}, which says nothing"


def expect_greeting(client: Client) -> None:
    """Claim that one line comes, and nothing behind it; how the connection ends, or whether, is left to others."""
    if wrong := flaw(client.expect_any(LONGEST)):
        raise Mismatch("one line of printable ASCII, ended by CRLF", wrong)


def greets(subject: Subject, probe: Probe) -> None:
    """An ordinary session, from connect to the end of the stream."""
    client = probe.connect(subject)
    expect_greeting(client)
    client.expect_end(Ending.EOF)
    client.close()


def expect_no_reset(subject: Subject, probe: Probe, wire: Wire, client: Client) -> None:
    """Claim that the connection was not reset, and is not behind its FIN either."""
    if subject.managed:
        probe.let_settle(subject)
    wire.flow(client).lived().expect_no(got.RST)


@covers("house:greeting/speaks-first")
def check_speaks_first(subject: Subject, probe: Probe) -> None:
    """The server greets a client that has said nothing."""
    client = probe.connect(subject)

    client.expect_any(1)


@covers("house:greeting/one-crlf-line")
def check_greeting_is_one_line(subject: Subject, probe: Probe) -> None:
    """The greeting is one line of printable ASCII, ended by CRLF, and nothing follows it."""
    client = probe.connect(subject)

    expect_greeting(client)


@exact
@covers("house:greeting/closes-after")
def check_ends_with_fin_behind_the_greeting(subject: Subject, probe: Probe, wire: Wire) -> None:
    """Behind the line comes the server's FIN, though the client neither spoke nor closed; nothing is reset."""
    client = probe.connect(subject)

    client.expect_ending(Ending.EOF)

    flow = wire.flow(client)
    assert flow.expect(got.FIN).end > 2, "the FIN takes a sequence number behind those of SYN and line"
    flow.expect_no(sent.FIN)
    expect_no_reset(subject, probe, wire, client)


@covers("house:greeting/same-for-each-client", "house:any/survives")
def check_greets_client_after_client(subject: Subject, probe: Probe) -> None:
    """Thirty clients in turn, and three that wait together, each get one line and the end of the stream."""
    for _ in range(probe.affordable(30)):
        greets(subject, probe)
    with subject.paused() if subject.managed else contextlib.nullcontext():
        crowd = [probe.connect(subject) for _ in range(probe.room_for(subject, 3))]
    for client in crowd:
        expect_greeting(client)
        client.expect_end(Ending.EOF)
        client.close()


@exact
@covers("house:greeting/whole-line")
@pytest.mark.parametrize("size", [1, 10 * KiB], ids=["one_octet", "ten_kib"])
def check_client_that_talks_early_is_greeted(subject: Subject, probe: Probe, wire: Wire, size: int) -> None:
    """What a client says before it was accepted does not destroy its greeting: the whole line comes."""
    with control():
        greets(subject, probe)
    with subject.paused():
        client = probe.connect(subject)
        client.send_all(octets(size))
        wire.wait_for(client, got.taken(size))

    expect_greeting(client)


@exact
@covers("house:greeting/early-talker")
@pytest.mark.parametrize("size", [1, 10 * KiB], ids=["one_octet", "ten_kib"])
def check_client_that_talks_early_is_not_reset(subject: Subject, probe: Probe, wire: Wire, size: int) -> None:
    """What a client says before it was accepted is read, or at least no reason for a RST that may destroy the line."""
    with control():
        greets(subject, probe)
    with subject.paused():
        client = probe.connect(subject)
        client.send_all(octets(size))
        wire.wait_for(client, got.taken(size))

    client.ending()

    expect_no_reset(subject, probe, wire, client)


@covers("house:greeting/half-closed-client")
def check_half_closed_client_is_greeted(subject: Subject, probe: Probe, wire: Wire) -> None:
    """A client that has closed its direction before it was accepted still gets its line and the end of the stream."""
    with control():
        greets(subject, probe)
    with subject.paused():
        client = probe.connect(subject)
        client.half_close()
        wire.wait_for(client, sent.FIN)

    expect_greeting(client)
    client.expect_end(Ending.EOF)


@covers("house:greeting/client-gone", "house:any/survives")
@pytest.mark.parametrize("how", Leaving, ids=str)
def check_survives_a_client_that_left_before_it_was_greeted(subject: Subject, probe: Probe, how: Leaving) -> None:
    """Clients that are gone when they are accepted cost nobody else the greeting."""
    with control():
        greets(subject, probe)

    probe.leave_in_the_queue(subject, how)
    for _ in range(3):
        greets(subject, probe)


@exact
@covers("house:greeting/client-gone", "house:any/survives")
@pytest.mark.parametrize("after", ["connect", "one_octet", "the_line"])
def check_survives_a_client_that_resets(subject: Subject, probe: Probe, after: str) -> None:
    """A client that aborts, in any phase, costs its own connection only."""
    with control():
        greets(subject, probe)

    for _ in range(5):
        client = probe.connect(subject)
        if after != "connect":
            client.read(1 if after == "one_octet" else LONGEST)
        client.reset()

    greets(subject, probe)


@covers("house:any/small-segments", "house:greeting/may-be-segmented")
def check_small_segments_and_a_tiny_window(subject: Subject, probe: Probe) -> None:
    """A client with segments of 88 octets and a window of a few hundred gets the whole line."""
    with control():
        greets(subject, probe)
    client = probe.connect(subject, receive_buffer=512, segment_size=88)

    expect_greeting(client)
    client.expect_end(Ending.EOF)

"""The contract of a request-reply server: for each client it reads one message, sends its fixed reply, and closes.

It reads once, up to 1024 octets: so a request goes in one segment here, or waits whole until the server looks. A server
that serves one client at a time is a correct one, also when it waits for the client to close before the next has its
turn: so clients close here.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from harness.suite import Ending, KiB, Leaving, Mismatch, control, covers, exact, got, octets, quote, sent

if TYPE_CHECKING:
    from harness.suite import Client, Probe, Subject, Wire

PROFILES = ("request-reply",)

LONGEST = 1024 * KiB  # octets of a reply that we read
REQUEST = b"hello\r\n"  # as ordinary as can be: where what is asked does not matter

MESSAGES = (
    *(b"x", b"0", b"\0", b"\n", b"\r\n", b" ", b"\xff", b"hello", b"quit\r\n", b"exit\n", b"bye"),
    b"GET / HTTP/1.0\r\n\r\n",
    bytes(range(256)),
    b"\0" * 20,
    b"\xff\xfe\x80\xc3(\xed\xa0\x80\xf5",  # no UTF-8
    *(b"x" * size for size in (128, 256, 512, 1000, 1023, 1024)),  # just fills a buffer
)


def read_reply(client: Client) -> bytes:
    """Claim that a reply comes, and the end of the stream behind it; close; what the reply was."""
    reply = client.expect_any(LONGEST)
    client.expect_end(Ending.EOF)
    client.close()
    return reply


def ask(subject: Subject, probe: Probe, message: bytes = REQUEST) -> bytes:
    """An ordinary session, from connect to the end of the stream; what the reply was."""
    client = probe.connect(subject)
    client.send_all(message)
    return read_reply(client)


def usual_reply(subject: Subject, probe: Probe) -> bytes:
    """The control: the reply to an ordinary request, as it has to be to every other."""
    with control():
        return ask(subject, probe)


def expect_same(usual: bytes, reply: bytes) -> None:
    """Claim that a reply is the usual one."""
    if reply != usual:
        raise Mismatch(f"the reply that others get, {quote(usual)}", quote(reply))


def expect_no_reset(subject: Subject, probe: Probe, wire: Wire, client: Client) -> None:
    """Claim that the connection was not reset, and is not behind its FIN either."""
    if subject.managed:
        probe.let_settle(subject)
    wire.flow(client).lived().expect_no(got.RST)


@covers("house:request-reply/one-reply")
def check_answers_and_closes(subject: Subject, probe: Probe) -> None:
    """A request draws a reply, and then the end of the stream, though the client has not closed."""
    ask(subject, probe)


@exact
@covers("house:request-reply/one-reply")
@pytest.mark.parametrize("size", [1, 1024])
def check_ends_with_fin_behind_the_reply(subject: Subject, probe: Probe, wire: Wire, size: int) -> None:
    """Behind the reply comes FIN, and no RST: all that was sent, up to 1024 octets, was read."""
    client = probe.connect(subject)

    client.send_all(b"x" * size)
    client.expect_ending(Ending.EOF)

    assert wire.flow(client).expect(got.FIN).end > 2, "the FIN takes a sequence number behind those of SYN and reply"
    expect_no_reset(subject, probe, wire, client)


@covers("house:request-reply/silent-before-request")
def check_says_nothing_before_the_request(subject: Subject, probe: Probe, wire: Wire) -> None:
    """A client that takes its time hears nothing before it has asked, neither a reply nor an end of stream."""
    client = probe.connect(subject)
    probe.let_settle(subject)

    client.send_all(REQUEST)
    client.ending()

    flow = wire.flow(client)
    flow.before(flow.expect(sent.data())).expect_no(got.data() | got.FIN | got.RST)


@covers("house:request-reply/content-does-not-matter")
def check_every_request_draws_the_same_reply(subject: Subject, probe: Probe) -> None:
    """The reply is the same whatever was asked: text or not, one octet or 1024, with a line end or without."""
    usual = usual_reply(subject, probe)

    for message in MESSAGES:
        client = probe.connect(subject)
        client.send_all(message)
        reply = client.read(LONGEST)
        if reply != usual or client.ended is not Ending.EOF:
            seen = f"{quote(reply)}, then {client.ended or 'nothing more'}"
            raise Mismatch(f"{quote(message)} draws the reply that others get, {quote(usual)}, and the end", seen)
        client.close()


@exact
@covers("house:request-reply/content-does-not-matter", "house:any/small-segments")
def check_request_in_many_segments_is_one_request(subject: Subject, probe: Probe, wire: Wire) -> None:
    """A request that waits for the server in fourteen segments is read whole: the same reply, then FIN and no RST."""
    usual = usual_reply(subject, probe)
    with subject.paused():
        client = probe.connect(subject, segment_size=88)
        client.send_all(b"x" * 1024)
        wire.wait_for(client, got.acked(1024))

    reply = client.expect_any(LONGEST)
    client.expect_end(Ending.EOF)

    expect_same(usual, reply)
    expect_no_reset(subject, probe, wire, client)


@covers("house:request-reply/whole-reply", "house:any/small-segments")
def check_slow_reader_gets_the_whole_reply(subject: Subject, probe: Probe, wire: Wire) -> None:
    """A client with a window of a few hundred octets, which reads late, gets the reply as others do, to its end."""
    usual = usual_reply(subject, probe)
    client = probe.connect(subject, receive_buffer=512, segment_size=88)
    client.send_all(REQUEST)
    wire.wait_for(client, got.data())

    reply = read_reply(client)

    expect_same(usual, reply)


@covers("house:request-reply/half-closed-client")
def check_half_closed_client_is_answered(subject: Subject, probe: Probe, wire: Wire) -> None:
    """Request and FIN that wait together when the server looks are both seen: the whole reply, then the end."""
    usual = usual_reply(subject, probe)
    with subject.paused():
        client = probe.connect(subject)
        client.send_all(REQUEST)
        client.half_close()
        wire.wait_for(client, sent.FIN)

    reply = read_reply(client)

    expect_same(usual, reply)


@covers("house:request-reply/empty-request", "house:any/survives")
def check_end_of_stream_without_a_request(subject: Subject, probe: Probe) -> None:
    """A client that closes its direction and has asked nothing gets the end of the stream, with a reply or without."""
    client = probe.connect(subject)

    client.half_close()

    client.expect_ending(Ending.EOF)
    client.close()
    ask(subject, probe)


@covers("house:request-reply/one-reply", "house:request-reply/clients-in-order", "house:any/survives")
def check_answers_client_after_client(subject: Subject, probe: Probe) -> None:
    """Thirty clients in turn, and three that wait together, each get the same reply and the end of the stream."""
    usual = usual_reply(subject, probe)

    for number in range(probe.affordable(30)):
        expect_same(usual, ask(subject, probe, f"client {number}\r\n".encode()))
    with subject.paused() if subject.managed else contextlib.nullcontext():
        crowd = [probe.connect(subject) for _ in range(probe.room_for(subject, 3))]
    if subject.managed:
        probe.let_settle(subject)
    for client in crowd:
        client.send_all(REQUEST)
    for client in crowd:
        expect_same(usual, read_reply(client))


@exact
@covers("house:any/survives")
@pytest.mark.parametrize("after", ["connect", "the_request", "the_reply"])
def check_survives_a_client_that_resets(subject: Subject, probe: Probe, after: str) -> None:
    """A client that aborts, in any phase of a session, costs its own connection only."""
    usual = usual_reply(subject, probe)

    for _ in range(3):
        client = probe.connect(subject)
        if after == "connect":
            probe.let_settle(subject)
        else:
            client.send_all(REQUEST)
        if after == "the_reply":
            client.read(1)
        client.reset()

    expect_same(usual, ask(subject, probe))


@exact
@covers("house:any/survives")
@pytest.mark.parametrize("message", [b"", REQUEST], ids=["without_a_request", "behind_its_request"])
@pytest.mark.parametrize("how", Leaving, ids=str)
def check_survives_a_client_that_left_in_the_queue(
    subject: Subject, probe: Probe, how: Leaving, message: bytes
) -> None:
    """Clients that are gone when they are accepted cost nobody else the reply."""
    usual = usual_reply(subject, probe)

    probe.leave_in_the_queue(subject, how, message)
    for _ in range(3):
        expect_same(usual, ask(subject, probe))


@exact
@covers("house:any/survives", "house:request-reply/reads-1024")
def check_survives_more_than_it_reads(subject: Subject, probe: Probe) -> None:
    """A client that sends more than the server reads, whatever becomes of its reply, leaves the server as it was."""
    usual = usual_reply(subject, probe)
    client = probe.connect(subject)

    client.send_all(octets(8 * KiB))
    client.ending()
    client.close()

    expect_same(usual, ask(subject, probe))

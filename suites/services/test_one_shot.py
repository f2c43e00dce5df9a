"""The contract of a one-shot server: it takes one connection, reads one message, closes, and ends with status 0.

Whether it replies is its own affair; whether it closes its listener before or after the connection, too.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from harness.suite import Ending, KiB, NotApplicable, control, covers, exact, got, octets, sent

if TYPE_CHECKING:
    from harness.suite import Client, Probe, Subject, Wire

PROFILES = ("one-shot",)


@pytest.fixture(autouse=True)
def _started_for_this_check(subject: Subject) -> None:
    if not subject.managed:
        raise NotApplicable("its first client would be its last: start it with --serve")


def serves(subject: Subject, probe: Probe) -> None:
    """An ordinary session, from connect to the end of the stream."""
    client = probe.connect(subject)
    client.send_all(b"hello\r\n")
    client.ending()
    client.close()


def expect_no_reset(subject: Subject, probe: Probe, wire: Wire, client: Client) -> None:
    """Claim that the connection was not reset, and is not behind its FIN either."""
    probe.let_settle(subject)
    wire.flow(client).lived().expect_no(got.RST)


def expect_no_listener(subject: Subject, probe: Probe) -> None:
    """Claim that nothing listens any more where the subject did."""

    def still_there() -> str:
        ports = [listener["local"][1] for listener in subject.sockets(listening=True)]
        return f"it still listens on {subject.address}" if subject.address.port in ports else ""

    probe.expect_soon(subject, "the listener is closed", still_there)


@covers("house:one-shot/exits-zero")
def check_ends_by_itself_after_its_client(subject: Subject, probe: Probe) -> None:
    """When it has served its client the server ends by itself, with exit status 0."""
    with control():
        serves(subject, probe)

    probe.expect_exit(subject, 0)


@exact
@covers("house:one-shot/one-connection")
def check_nobody_is_served_after_the_first(subject: Subject, probe: Probe, wire: Wire) -> None:
    """After its client the listener is gone, and who comes late is refused at once."""
    with control():
        serves(subject, probe)

    expect_no_listener(subject, probe)
    late = probe.begin_connect(subject)
    late.outcome()

    wire.flow(late).expect_only(sent.SYN, got.RST)


@exact
@covers("house:one-shot/orderly-fin")
@pytest.mark.parametrize("size", [1, 1024])
def check_ends_the_connection_in_order(subject: Subject, probe: Probe, wire: Wire, size: int) -> None:
    """A message of one octet, or of all that it reads, is read whole: the connection ends with FIN and without RST."""
    client = probe.connect(subject)

    client.send_all(b"x" * size)

    client.expect_ending(Ending.EOF)
    wire.flow(client).expect(sent.data(), got.FIN)
    expect_no_reset(subject, probe, wire, client)


@exact
@covers("house:one-shot/orderly-fin", "house:any/small-segments")
def check_message_in_many_segments_is_read_whole(subject: Subject, probe: Probe, wire: Wire) -> None:
    """A message that waits for the server in fourteen segments is one message: it is read whole, so FIN and no RST."""
    with subject.paused():
        client = probe.connect(subject, segment_size=88)
        client.send_all(b"x" * 1024)
        wire.wait_for(client, got.acked(1024))

    client.expect_ending(Ending.EOF)
    expect_no_reset(subject, probe, wire, client)


@exact
@covers("house:one-shot/orderly-fin")
def check_fin_right_behind_the_message_does_no_harm(subject: Subject, probe: Probe, wire: Wire) -> None:
    """Message and FIN that wait together when the server looks are an ordinary session: it ends with FIN, not RST."""
    with subject.paused():
        client = probe.connect(subject)
        client.send_all(b"hello")
        client.half_close()
        wire.wait_for(client, sent.FIN)

    client.expect_ending(Ending.EOF)
    expect_no_reset(subject, probe, wire, client)


@covers("house:one-shot/reads-before-closing")
def check_waits_for_the_message(subject: Subject, probe: Probe, wire: Wire) -> None:
    """A client that takes its time finds the connection open: the server closes when it has read, not before."""
    client = probe.connect(subject)
    probe.let_settle(subject)

    client.send_all(b"hello")
    client.ending()

    flow = wire.flow(client)
    flow.before(flow.expect(sent.data())).expect_no(got.FIN | got.RST)


@exact
@covers("house:one-shot/client-says-nothing")
@pytest.mark.parametrize("where", ["in_the_queue", "when_accepted"])
@pytest.mark.parametrize("how", ["half_closes", "closes", "resets"])
def check_client_that_says_nothing_ends_it(subject: Subject, probe: Probe, how: str, where: str) -> None:
    """A client that leaves without a message has had the shot: the server does not wait for another one.

    Its exit status is 0 after an end of stream, and any after a reset; but it is not killed by a signal.
    """
    with subject.paused() if where == "in_the_queue" else contextlib.nullcontext():
        client = probe.connect(subject)
        if where == "when_accepted":
            probe.let_settle(subject)
        {"half_closes": client.half_close, "closes": client.close, "resets": client.reset}[how]()

    if how == "half_closes":
        client.expect_ending(Ending.EOF)
        client.close()
    probe.expect_exit(subject, None if how == "resets" else 0)


@exact
@covers("house:one-shot/client-says-nothing")
def check_reset_behind_the_message_ends_it(subject: Subject, probe: Probe) -> None:
    """A reset that the server finds together with a message, when it looks, ends it as well, and not by a signal."""
    with subject.paused():
        client = probe.connect(subject)
        client.send_all(b"hello")
        client.reset()  # without a FIN before it: SIGPIPE harms nobody where the process ends anyhow

    probe.expect_exit(subject)


@exact
@covers("house:one-shot/one-connection", "house:one-shot/unread-data")
def check_more_than_it_reads_ends_it_too(subject: Subject, probe: Probe) -> None:
    """A client that sends more than the server reads is its only one, whether it meets FIN or RST."""
    client = probe.connect(subject)

    client.send_all(octets(4 * KiB))
    client.ending()
    client.close()

    expect_no_listener(subject, probe)
    probe.expect_exit(subject)


@exact
@covers("house:one-shot/second-client", "house:one-shot/one-connection")
def check_second_client_hears_of_the_end(subject: Subject, probe: Probe, wire: Wire) -> None:
    """Who queued behind the first client is told by FIN or RST, when that is done, that nobody will serve him."""
    with subject.paused():
        first, second = probe.connect(subject), probe.begin_connect(subject)

    with control():
        first.send_all(b"hello")
        first.ending()
        first.close()

    wire.wait_for(second, got.FIN | got.RST)


@covers("house:one-shot/content-does-not-matter")
def check_message_need_not_be_text(subject: Subject, probe: Probe) -> None:
    """A message with NUL and octets that are not UTF-8 is a message: the server ends in order, with status 0."""
    client = probe.connect(subject)

    client.send_all(b"\0\xff\xfe\x80 no text \xc3(\0")

    client.expect_ending(Ending.EOF)
    client.close()
    probe.expect_exit(subject, 0)

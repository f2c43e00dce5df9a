"""The contract of a discard server over TCP (RFC 863): it takes whatever comes, says nothing, and lets the client end.

That our kernel took the text proves nothing, so what is claimed is what the subject's kernel acknowledged: a server
that does not read leaves its window closed long before a mebibyte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.suite import (
    Ending,
    KiB,
    Leaving,
    MiB,
    Mismatch,
    control,
    covers,
    exact,
    families,
    got,
    octets,
    quote,
    requires,
    sent,
)

if TYPE_CHECKING:
    from harness.suite import Probe, Subject, Wire

PROFILES = ("discard",)

SILENCE = 11.0  # seconds: more than the ten that are a favourite limit, and far from minutes
MUCH = 4 * MiB  # octets: more than the buffers of both kernels take together

TEXTS = (
    *(b"x", b"0", b"hello\r\n", b"\xff\xfe\x80 no UTF-8", b"\0" * 300),
    b"HELP\r\nQUIT\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\nEHLO x\r\n",
    bytes(range(256)) * 8,
    octets(10 * KiB),
)
WORDS = (b"hello\r\n", b"0", b"\n", b"\x04", b"quit\r\n", b"exit\n")  # each read alone: a command, an end, or nothing


def discards(subject: Subject, probe: Probe, text: bytes = b"before") -> None:
    """An ordinary session, from connect to the end of the stream."""
    client = probe.connect(subject)
    client.send_all(text)
    client.half_close()
    client.expect_end(Ending.EOF)
    client.close()


@covers("rfc863:tcp/tcp-discard-sends-nothing")
def check_answers_nothing(subject: Subject, probe: Probe) -> None:
    """Whatever is said, and be it a request of another service, no octet comes back up to the end of the stream."""
    for text in TEXTS:
        client = probe.connect(subject)
        client.send_all(text)
        client.half_close()

        if came := client.read_to_end():
            raise Mismatch(f"nothing comes back for {quote(text)}", quote(came))
        client.close()


@covers("rfc863:tcp/tcp-discard-sends-nothing")
def check_says_nothing_unasked(subject: Subject, probe: Probe, wire: Wire) -> None:
    """A client that says nothing hears nothing: no greeting, and no farewell behind its end of stream."""
    client = probe.connect(subject)
    if subject.managed:
        probe.let_settle(subject)

    client.half_close()
    client.ending()

    wire.flow(client).expect_no(got.data())


@covers("rfc863:tcp/discard-keeps-reading")
@pytest.mark.parametrize("text", [octets(MiB), b"x" * MiB], ids=["of_any_octets", "without_a_line_end"])
def check_takes_a_mebibyte(subject: Subject, probe: Probe, wire: Wire, text: bytes) -> None:
    """A mebibyte is acknowledged to its last octet while the client keeps its direction open."""
    client = probe.connect(subject)

    client.send_all(text)

    wire.wait_for(client, got.acked(MiB))


@covers("rfc863:tcp/discard-keeps-reading")
def check_window_opens_again_after_a_pause(subject: Subject, probe: Probe, wire: Wire) -> None:
    """A server that was held still until its window closed reads on: the window opens, and 4 MiB are taken whole."""
    with control():
        discards(subject, probe)
    client, text = probe.connect(subject), octets(MUCH)

    with subject.paused():
        taken = client.fill(text, until=lambda: bool(wire.so_far(client).pick(got.window(0))))
        closed = wire.wait_for(client, got.window(0))
    client.send_all(text[taken:])

    wire.wait_for(client, got.acked(MUCH))
    wire.flow(client).after(closed).expect(got.window(above=0))


@exact
@covers("rfc863:tcp/discard-ends-on-client-close")
@pytest.mark.parametrize("size", [0, 1, 300 * KiB])
def check_ends_with_fin_behind_ours(subject: Subject, probe: Probe, wire: Wire, size: int) -> None:
    """The server's FIN follows the client's, and because all was read nothing is reset."""
    client = probe.connect(subject)

    client.send_all(octets(size))
    client.half_close()
    client.expect_end(Ending.EOF)

    flow = wire.flow(client)
    flow.expect(sent.FIN, got.FIN)
    flow.lived().expect_no(got.RST)


@covers("rfc863:tcp/discard-ends-on-client-close")
def check_lasts_until_the_client_closes(subject: Subject, probe: Probe, wire: Wire) -> None:
    """Word after word is taken on one connection, and none is a farewell; only the client ends it."""
    client = probe.connect(subject)

    for word in WORDS:
        client.send_all(word)
        if subject.managed:
            probe.let_settle(subject)
    client.half_close()
    client.ending()

    flow = wire.flow(client)
    flow.before(flow.expect(sent.FIN)).expect_no(got.FIN | got.RST)


@families("v4")  # a clock, not an address, would end it
@pytest.mark.slow(seconds=SILENCE)
@covers("rfc863:tcp/discard-ends-on-client-close", "house:any/long-idle-uses-no-cpu")
def check_lasts_while_nothing_is_said(subject: Subject, probe: Probe) -> None:
    """A client that is silent for eleven seconds finds its connection as it was, and ends it itself."""
    client = probe.connect(subject)
    client.send_all(b"before")

    client.expect_to_stand(SILENCE)
    unrest = probe.unrest(subject)

    client.send_all(b"behind")
    client.half_close()
    client.expect_end(Ending.EOF)
    if unrest:
        with requires("house:any/long-idle-uses-no-cpu"):
            raise Mismatch(
                f"while a client says nothing for {SILENCE:g} s it waits without using the processor", unrest
            )


@covers("rfc863:tcp/discard-ends-on-client-close")
def check_fin_right_behind_the_text_is_seen(subject: Subject, probe: Probe, wire: Wire) -> None:
    """Text and FIN that wait together when the server looks are both taken: the stream ends, and nothing is reset."""
    with subject.paused():
        client = probe.connect(subject)
        client.send_all(octets(10 * KiB))
        client.half_close()
        wire.wait_for(client, sent.FIN)

    client.expect_end(Ending.EOF)


@covers("rfc863:tcp/discard-ends-on-client-close", "house:any/survives")
def check_goes_on_serving(subject: Subject, probe: Probe) -> None:
    """Client after client is served, the thirtieth as the first."""
    for number in range(probe.affordable(30)):
        discards(subject, probe, f"client {number}".encode())


@exact
@covers("house:any/survives")
@pytest.mark.parametrize("after", ["connect", "a_word", "much"])
def check_survives_a_client_that_resets(subject: Subject, probe: Probe, after: str) -> None:
    """A client that aborts, in any phase, costs its own connection only."""
    with control():
        discards(subject, probe)

    for _ in range(3):
        client = probe.connect(subject)
        if after != "connect":
            client.send_all(b"x" * (5 if after == "a_word" else 300 * KiB))
        client.reset()

    discards(subject, probe, b"still there?")


@exact
@covers("house:any/survives")
@pytest.mark.parametrize("text", [b"", b"x" * 1000], ids=["silent", "behind_its_text"])
@pytest.mark.parametrize("how", Leaving, ids=str)
def check_survives_a_client_that_left_in_the_queue(subject: Subject, probe: Probe, how: Leaving, text: bytes) -> None:
    """Clients that are gone when they are accepted disturb nobody."""
    with control():
        discards(subject, probe)

    probe.leave_in_the_queue(subject, how, text)
    for _ in range(3):
        discards(subject, probe, b"still there?")


@covers("house:any/idle-client-does-not-block")
def check_an_idle_client_does_not_block_others(subject: Subject, probe: Probe) -> None:
    """A client that connects and says nothing keeps nobody from being served."""
    with control():
        discards(subject, probe)
    probe.connect(subject)

    discards(subject, probe, b"and me?")


@covers("house:any/small-segments")
def check_small_segments_are_taken(subject: Subject, probe: Probe, wire: Wire) -> None:
    """A client whose segments hold 88 octets gets rid of all its text, and then hears the end of the stream."""
    with control():
        discards(subject, probe, octets(20 * KiB))
    client = probe.connect(subject, receive_buffer=512, segment_size=88)

    client.send_all(octets(20 * KiB))
    wire.wait_for(client, got.acked(20 * KiB))
    client.half_close()

    client.expect_end(Ending.EOF)

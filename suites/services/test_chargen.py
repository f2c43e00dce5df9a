"""The contract of a character generator over TCP (RFC 864): text as fast as the client reads, until it leaves.

What the text says is free. A server that never reads is a correct one, if it is none that hears a client's careful
close: so clients here say little, and leave by a full close or a reset where the next one has to be served.
"""

from __future__ import annotations

import contextlib
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
    families,
    got,
    octets,
    quote,
    sent,
    wall_clock,
)

if TYPE_CHECKING:
    from harness.suite import Client, Probe, Subject, Wire

PROFILES = ("chargen",)

LINE = 72  # characters of the pattern of RFC 864 on a line
PRINTING = bytes(range(0x20, 0x7F))
SILENCE = 11.0  # seconds: more than the ten that are a favourite limit, and far from minutes
HOARD = 64 * MiB  # octets of memory: what no runtime takes for one client that does not read


def expect_stream(client: Client, size: int) -> bytes:
    """Claim that so many octets come as they are read; what they were."""
    came = client.expect_any(size)
    if len(came) < size:
        raise Mismatch(f"octets come as long as they are read, here {size}", f"only {len(came)} came")
    return came


def let_a_second_pass(subject: Subject, probe: Probe) -> None:
    """Do nothing, as a client that reads slowly."""
    over = wall_clock() + 1.0
    probe.expect_soon(subject, "our clock goes on", lambda: "" if wall_clock() >= over else "not yet")


def generates(subject: Subject, probe: Probe) -> None:
    """A session as a user has it who leaves in the middle."""
    client = probe.connect(subject)
    expect_stream(client, KiB)
    client.close()


@covers("rfc864:tcp/tcp-chargen-streams-on-connect")
@pytest.mark.parametrize("size", [1, 300 * KiB], ids=["one_octet", "300_kib"])
def check_streams_to_a_client_that_says_nothing(subject: Subject, probe: Probe, size: int) -> None:
    """Octets come as soon as the connection stands, and go on coming as long as they are read."""
    client = probe.connect(subject)

    expect_stream(client, size)


@covers("rfc864:tcp/tcp-chargen-streams-on-connect")
def check_text_of_the_client_does_no_harm(subject: Subject, probe: Probe, wire: Wire) -> None:
    """What the client says, before it was accepted and amid the stream, is thrown away: the stream goes on."""
    with control():
        generates(subject, probe)
    with subject.paused():
        client = probe.connect(subject)
        client.send_all(octets(KiB))
        wire.wait_for(client, got.taken(KiB))

    expect_stream(client, 100 * KiB)
    client.send_all(b"QUIT\r\n")
    expect_stream(client, 100 * KiB)


@families("v4")  # a clock, not an address, would end it
@pytest.mark.slow(seconds=SILENCE)
@covers("rfc864:tcp/tcp-chargen-streams-on-connect")
def check_streams_on_to_a_client_that_says_nothing_for_long(subject: Subject, probe: Probe) -> None:
    """A client that reads a little now and then, and is silent for eleven seconds, still gets more."""
    client = probe.connect(subject, receive_buffer=4 * KiB)
    over = wall_clock() + SILENCE

    while wall_clock() < over:
        expect_stream(client, 4 * KiB)
        let_a_second_pass(subject, probe)

    try:
        expect_stream(client, 300 * KiB)  # more than its kernel has from before
    except Mismatch as missed:
        expected = f"{missed.expected}, though the client has said nothing for {SILENCE:g} s"
        raise Mismatch(expected, f"{missed.actual}, then {client.ended or 'nothing more'}") from None


@covers("rfc864:tcp/chargen-respects-flow-control")
def check_stops_and_goes_on_with_its_reader(subject: Subject, probe: Probe, wire: Wire) -> None:
    """A client that stops reading closes the window; when it reads again it gets more, on the same connection."""
    with control():
        generates(subject, probe)
    client = probe.connect(subject, receive_buffer=4 * KiB)

    closed = wire.wait_for(client, sent.window(0))
    client.widen(64 * KiB)
    for _ in range(10):
        expect_stream(client, 20 * KiB)
        wire.so_far(client)  # empties the ring, which a server that sends line by line would fill

    wire.flow(client).after(closed).expect(sent.window(above=0), got.data())


@covers("rfc864:tcp/chargen-respects-flow-control")
def check_hoards_nothing_for_a_client_that_does_not_read(subject: Subject, probe: Probe, wire: Wire) -> None:
    """What a client does not read is not made in advance: the server's memory stays as it was."""
    with control():
        generates(subject, probe)
    before = subject.resources()["memory"]
    last = subject.look()

    def at_work() -> str:
        nonlocal last
        previous, last = last, subject.look()
        rests = last is not None and previous is not None and last.still_since(previous)
        return "" if rests or grown() > HOARD else "it is at work all the while"

    def grown() -> int:
        return subject.resources()["memory"] - before

    client = probe.connect(subject, receive_buffer=4 * KiB)
    wire.wait_for(client, sent.window(0))
    made = -HOARD
    while made + MiB <= (more := grown()) <= HOARD:  # a hoarder may get little of the processor
        made = more
        with contextlib.suppress(Mismatch):  # one that tries again and again is no hoarder for that: its memory tells
            probe.expect_soon(subject, "the server comes to rest", at_work)
            break

    if (more := grown()) > HOARD:
        raise Mismatch("the server waits for its reader", f"its memory grew by {more // MiB} MiB meanwhile")


@covers("rfc864:tcp/careful-close-ends-the-stream")
def check_careful_close_ends_the_stream(subject: Subject, probe: Probe, wire: Wire) -> None:
    """Behind the client's FIN the stream ends, with FIN: a careful close is answered by one."""
    client = probe.connect(subject, receive_buffer=16 * KiB)
    with control():
        expect_stream(client, 10 * KiB)

    client.half_close()

    if (ending := client.ending(limit=4 * MiB)) is not Ending.EOF:
        raise Mismatch(str(Ending.EOF), str(ending))
    flow = wire.flow(client)
    flow.expect(sent.FIN, got.FIN)


@covers("rfc864:tcp/chargen-survives-client-abort", "house:any/survives")
@pytest.mark.parametrize("after", ["connect", "some_octets", "no_more_reading"])
@pytest.mark.parametrize("how", ["ends_its_direction_first", "closes", "resets"])
def check_survives_a_client_that_leaves(subject: Subject, probe: Probe, wire: Wire, how: str, after: str) -> None:
    """A client that has enough, in any phase and by any way, ends its own session only."""
    with control():
        generates(subject, probe)

    for _ in range(3):
        client = probe.connect(subject, receive_buffer=4 * KiB)
        if after == "some_octets":
            client.read(20 * KiB)
        elif after == "no_more_reading":
            wire.wait_for(client, sent.window(0))
        if how == "ends_its_direction_first":
            client.half_close()
        client.reset() if how == "resets" else client.close()

    expect_stream(probe.connect(subject), KiB)


@covers("rfc864:tcp/chargen-survives-client-abort", "house:any/survives")
@pytest.mark.parametrize("how", Leaving, ids=str)
def check_survives_a_client_that_left_in_the_queue(subject: Subject, probe: Probe, how: Leaving) -> None:
    """Clients that are gone when they are accepted cost nobody else the stream."""
    with control():
        generates(subject, probe)

    probe.leave_in_the_queue(subject, how)
    for _ in range(3):
        generates(subject, probe)


@covers("rfc864:tcp/tcp-chargen-streams-on-connect", "house:any/survives")
def check_goes_on_serving(subject: Subject, probe: Probe) -> None:
    """Client after client gets its stream, the twentieth as the first."""
    for _ in range(20):
        generates(subject, probe)


@covers("house:any/idle-client-does-not-block")
def check_a_client_that_does_not_read_blocks_nobody(subject: Subject, probe: Probe) -> None:
    """A client that stopped reading keeps nobody else from his stream."""
    with control():
        generates(subject, probe)
    expect_stream(probe.connect(subject, receive_buffer=4 * KiB), KiB)
    other = probe.connect(subject)

    expect_stream(other, 100 * KiB)


@covers("house:any/small-segments")
def check_small_segments_and_a_tiny_window(subject: Subject, probe: Probe) -> None:
    """A client with segments of 88 octets and a window of a few hundred gets the stream as others do."""
    with control():
        generates(subject, probe)
    client = probe.connect(subject, receive_buffer=512, segment_size=88)

    expect_stream(client, 10 * KiB)


@covers("rfc864:tcp/chargen-line-pattern")
def check_tells_whether_the_pattern_is_the_popular_one(subject: Subject, probe: Probe) -> None:
    """Lines of 72 of the 95 printing characters, each begun one character later than the one before."""
    client = probe.connect(subject)
    with control():
        text = expect_stream(client, 2 * len(PRINTING) * (LINE + 2))

    first, *lines = text.split(b"\r\n")[:-1]

    for line in lines:
        expected = (PRINTING * 2)[PRINTING.find(first[1:2]) :][:LINE]
        if line != expected:
            raise Mismatch(f"the line behind {quote(first)} is {quote(expected)}", quote(line))
        first = line

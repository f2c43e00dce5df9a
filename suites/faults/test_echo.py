"""An echo over a link that misbehaves: whatever is lost, doubled, late or forged there, every octet comes back once.

TCP makes up for all of it (RFC 9293 1, 3.8, 3.10.7), so a client sees nothing but time. Each check does one thing to
the link and judges by what the client sees: the octets, in order, and the end of the stream. That the fault has acted
is claimed by its block: one that never did makes the test inconclusive. So does a server that does not send the same
octets back without the fault: it is not the link that it suffers from.

The subject is a program with the TCP beneath it, be that the kernel's or the program's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.suite import (
    Client,
    Inconclusive,
    KiB,
    Mismatch,
    NotApplicable,
    control,
    covers,
    got,
    octets,
    requires,
    sent,
)

if TYPE_CHECKING:
    from harness.suite import Link, Pattern, Probe, Raw, Subject, Wire

PROFILES = ("echo",)

TEXT = octets(20 * KiB)  # some segments, and more than one round trip

LOST = {
    "data": (sent.data(), got.data()),
    "acknowledgment": (sent.acked(1), got.acked(1)),
    "fin": (sent.FIN, got.FIN),
}

# What is held, and what shows that others have overtaken it.
OVERTAKEN = {
    "ours": (sent.data(), got.bare_ack() & got.segment(ack=1)),  # the first octet is missing there, and something came
    "theirs": (got.data(), got.data()),
}

# What a router, or whoever passes for one, may say of a segment. None of it proves that the other end is gone.
COMPLAINTS = {
    "v4": ("network unreachable", "host unreachable", "protocol unreachable", "port unreachable", "time exceeded"),
    "v6": ("network unreachable", "host unreachable", "communication prohibited", "port unreachable", "time exceeded"),
}


def serves(subject: Subject, probe: Probe, text: bytes = TEXT) -> None:
    """The control: over a link that does nothing to it the text comes back, and the stream ends."""
    with control():
        client = probe.connect(subject)
        expect_whole(client, text)
        client.close()


def expect_whole(client: Client, text: bytes = TEXT) -> None:
    """Claim that the text comes back, sent and read at once, and that the stream ends when the client ends its own."""
    client.expect_back(text)
    client.half_close()
    client.expect_end()


@covers("house:any/loss-and-reorder")
@pytest.mark.parametrize("what", LOST)
def check_lost_segment_costs_no_octet(subject: Subject, probe: Probe, link: Link, what: str) -> None:
    """Data, an acknowledgment or a FIN that is lost, in either direction, is made up for."""
    serves(subject, probe)
    for pattern in LOST[what]:
        client = probe.connect(subject)
        with link.drop(pattern, times=1):
            expect_whole(client)
        client.close()


@covers(
    "house:any/loss-and-reorder", "rfc9293:3.10.7.4/syn-ack-retransmitted-on-loss", "rfc862:tcp/closes-after-client-fin"
)
def check_lost_segment_of_the_handshake_costs_no_connection(subject: Subject, probe: Probe, link: Link) -> None:
    """Three clients, of whom one loses its SYN, one the SYN ACK and one its ACK, are all served."""
    serves(subject, probe, b"served")
    losses = [sent.SYN, got.SYN_ACK, sent.bare_ack()]
    if probe.room_for(subject, len(losses)) == len(losses):
        expect_served_in_spite_of(losses, subject, probe, link)
    else:  # who is in the middle of its handshake takes a place, too
        for loss in losses:
            expect_served_in_spite_of([loss], subject, probe, link)


def expect_served_in_spite_of(losses: list[Pattern], subject: Subject, probe: Probe, link: Link) -> None:
    """Claim that clients, of whom each loses one segment of its handshake, are all served."""
    attempts = []
    for loss in losses:
        with link.drop(loss, times=1):
            attempts.append(probe.begin_connect(subject))

    clients = [attempt.outcome() for attempt in attempts]

    for client in clients:  # all speak before one is read: a server may serve them in any order
        if isinstance(client, str):
            raise Mismatch("the connection is accepted", client)
        client.send_all(b"served")
        client.half_close()
    for client in clients:
        assert isinstance(client, Client)
        with requires("rfc862:tcp/closes-after-client-fin"):
            client.expect(b"served")
            client.expect_end()


@covers("house:any/loss-and-reorder", "rfc9293:3.10.7.4/old-duplicate-data-re-acked")
def check_doubled_segments_double_nothing(subject: Subject, probe: Probe, link: Link) -> None:
    """Every segment of a connection arrives twice, from SYN to FIN, and every octet comes back once."""
    serves(subject, probe)

    with link.duplicate(sent.segment() | got.segment()):
        expect_whole(probe.connect(subject))


@covers("rfc862:tcp/order-restored", "house:any/loss-and-reorder")
@pytest.mark.parametrize("whose", OVERTAKEN)
def check_overtaken_segment_is_put_in_its_place(
    subject: Subject, probe: Probe, wire: Wire, link: Link, whose: str
) -> None:
    """What is the first to be sent and the last to arrive, in either direction, keeps its place in the stream."""
    serves(subject, probe)
    late, others_came = OVERTAKEN[whose]
    client = probe.connect(subject)

    with link.hold(late, times=1):
        client.send_all(TEXT)
        wire.wait_for(client, others_came)

    client.expect(TEXT)
    client.half_close()
    client.expect_end()


@covers("rfc9293:3.10.7.4/out-of-order-fin-waits", "house:any/loss-and-reorder")
def check_fin_that_overtakes_the_text_waits_for_it(subject: Subject, probe: Probe, wire: Wire, link: Link) -> None:
    """A FIN that arrives before the text it follows ends the stream behind the text, not in its place."""
    serves(subject, probe, b"last words")
    client = probe.connect(subject)

    with link.hold(sent.data(), times=1):
        client.send_all(b"last words")
        client.half_close()
        if wire.wait_for(client, sent.FIN).data:  # a kernel may put it on the last segment that still waits to be sent
            raise Inconclusive("our FIN was sent with the text that it follows: it cannot overtake it")
        wire.wait_for(client, got.bare_ack() & got.segment(ack=1))

    client.expect(b"last words")
    client.expect_end()


@covers("rfc9293:MUST-36", "house:any/loss-and-reorder")
def check_lost_window_update_stops_nothing(subject: Subject, probe: Probe, wire: Wire, link: Link) -> None:
    """The client has closed its window, and the segment that opens it is lost: the server asks, and goes on."""
    text = octets(8 * KiB)  # whole with the server before it is owed: no segment of the client's opens the window, too
    serves(subject, probe, text)
    client = probe.connect(subject, receive_buffer=4 * KiB)
    try:
        client.send_all(text)
        wire.wait_for(client, got.acked(len(text)))
    except Mismatch:
        while client.take_in():
            pass
        if client.ended:
            raise  # its buffers are not what stood in the way
        reason = (
            "needs a server that takes 8 KiB before it has sent them: it has smaller buffers (SO_RCVBUF, SO_SNDBUF)"
        )
        raise NotApplicable(reason) from None
    wire.wait_for(client, sent.window(0))

    with link.drop(sent.window(above=0), times=1):
        client.widen()
        client.expect(text)

    client.half_close()
    client.expect_end()


@covers("rfc9293:MUST-56", "rfc5927:5.2/hard-errors-soft-when-synchronized")
def check_icmp_errors_cost_no_octet(subject: Subject, probe: Probe, wire: Wire, link: Link, raw: Raw) -> None:
    """ICMP errors about octets in flight, true or forged, leave the connection as it was."""
    serves(subject, probe)
    client = probe.connect(subject)

    with link.hold(sent.acked(1)):
        client.expect_back(b"before")
        said = wire.wait_for(client, got.data())
        for kind in COMPLAINTS[subject.family]:
            raw.complain(said, kind)

    expect_whole(client)
    wire.flow(client).expect(*[sent.icmp(kind) for kind in COMPLAINTS[subject.family]])

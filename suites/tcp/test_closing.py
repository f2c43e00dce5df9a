"""How a connection ends: orderly with FIN, each direction for itself, or with RST when something was lost.

The document is RFC 9293 3.6. The subject is the kernel's TCP: the told server makes the calls, so each test decides who
closes, and when.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.suite import Ending, KiB, covers, got, octets, sent

if TYPE_CHECKING:
    from harness.suite import Link, Probe, Serve, Wire


@covers("rfc9293:3.10.4/queued-data-sent-before-fin", "posix:close/close-sends-fin-in-background")
def test_close_delivers_what_was_queued_before_its_fin(serve: Serve, probe: Probe, wire: Wire) -> None:
    """Every octet that was sent before close() arrives, and the FIN comes behind the last of them."""
    subject = serve()
    client = probe.connect(subject)
    subject.tell("accept")

    subject.tell(f"send-pattern {64 * KiB} 7")
    subject.tell("close")

    client.expect(octets(64 * KiB, seed=7))
    client.expect_end(Ending.EOF)
    flow = wire.flow(client)
    assert flow.expect(got.FIN).end == 64 * KiB + 2, "the FIN takes the sequence number behind SYN and data"
    flow.expect_no(got.RST)


@covers("rfc9293:3.6/fin-consumes-one-sequence-number")
def test_fin_is_acknowledged_as_one_octet(serve: Serve, probe: Probe, wire: Wire) -> None:
    """A FIN behind five octets is acknowledged with the sequence number behind it."""
    subject = serve()
    client = probe.connect(subject)
    subject.tell("accept")

    client.send_all(b"hello")
    client.half_close()
    assert subject.tell("drain")["ending"] == "EOF"
    subject.tell("close")

    client.expect_end(Ending.EOF)
    wire.flow(client).expect(sent.FIN, got.segment(ack=7))


@covers("rfc9293:3.6/close-wait-may-still-send")
def test_half_close_leaves_the_other_direction_open(serve: Serve, probe: Probe, wire: Wire) -> None:
    """After the peer's FIN the subject still sends, and ends its own direction when it likes."""
    subject = serve()
    client = probe.connect(subject)
    subject.tell("accept")

    client.half_close()
    subject.tell("ending")
    subject.tell(f"send-pattern {8 * KiB} 7")
    subject.tell("close")

    client.expect(octets(8 * KiB, seed=7))
    client.expect_end(Ending.EOF)
    wire.flow(client).expect(sent.FIN, got.data(), got.FIN)


@covers("posix:shut/shut-wr-sends-fin-after-data")
def test_half_close_of_the_subject_lets_it_go_on_reading(serve: Serve, probe: Probe, wire: Wire) -> None:
    """shutdown(SHUT_WR) sends a FIN behind the data; what the peer sends afterwards still arrives."""
    subject = serve()
    client = probe.connect(subject)
    subject.tell("accept")

    subject.tell("send 6c617374")
    subject.tell("half-close")
    client.expect(b"last")
    client.expect_end(Ending.EOF)
    client.send_all(b"afterwards")
    client.half_close()

    assert subject.tell("drain")["size"] == len(b"afterwards")
    wire.flow(client).expect(got.data(b"last"), got.FIN, sent.data(b"afterwards"), sent.FIN)


@covers("rfc9293:SHLD-3", "linux:close/unread-data-causes-rst-on-close")
def test_close_with_unread_data_sends_rst(serve: Serve, probe: Probe, wire: Wire) -> None:
    """Octets that arrived and were never read are lost; RST tells the peer so."""
    subject = serve()
    client = probe.connect(subject)
    subject.tell("accept")
    client.send_all(b"never read")
    wire.wait_for(client, got.acked(10))

    subject.tell("close")

    client.expect_end(Ending.RESET)
    flow = wire.flow(client)
    flow.expect(got.acked(10), got.RST)
    flow.expect_no(got.FIN)


@covers("rfc9293:SHLD-3")
def test_data_after_close_is_answered_with_rst(serve: Serve, probe: Probe, wire: Wire) -> None:
    """Who has closed cannot read any more: octets that arrive then are lost, and RST tells the peer so."""
    subject = serve()
    client = probe.connect(subject)
    subject.tell("accept")
    subject.tell("close")
    client.expect_end(Ending.EOF)

    client.send_all(b"too late")

    wire.wait_for(client, got.RST)
    wire.flow(client).expect(got.FIN, sent.data(b"too late"), got.RST)


@covers("rfc9293:3.10.5/abort-sends-rst-at-snd-nxt", "linux:close/linger-zero-aborts-with-rst")
def test_abort_sends_rst_and_no_fin(serve: Serve, probe: Probe, wire: Wire) -> None:
    """close() with SO_LINGER 0 is an abort: a RST at the next sequence number, no FIN."""
    subject = serve()
    client = probe.connect(subject)
    subject.tell("accept")
    subject.tell("send 68656c6c6f")
    client.expect(b"hello")

    subject.tell("reset")

    client.expect_end(Ending.RESET)
    flow = wire.flow(client)
    flow.expect(got.data(b"hello"), got.RST & got.segment(seq=6))
    flow.expect_no(got.FIN)


@covers("linux:close/closing-listener-resets-queued-connections")
def test_closing_the_listener_resets_who_was_never_accepted(serve: Serve, probe: Probe, wire: Wire) -> None:
    """A connection that waits in the accept queue when the listener closes gets RST: nobody will ever serve it."""
    subject = serve()
    client = probe.connect(subject)

    subject.tell("close-listener")

    client.expect_end(Ending.RESET)
    flow = wire.flow(client)
    flow.expect(got.SYN, got.RST)
    flow.expect_no(got.FIN)


@covers("linux:close/accepted-connections-survive-listener-close")
def test_closing_the_listener_leaves_accepted_connections_alone(serve: Serve, probe: Probe, wire: Wire) -> None:
    """Who was accepted is served on when the listener closes."""
    subject = serve()
    client = probe.connect(subject)
    subject.tell("accept")

    subject.tell("close-listener")
    client.send_all(b"still here?")
    assert bytes.fromhex(subject.tell("read 100")) == b"still here?"
    subject.tell("send 796573")

    client.expect(b"yes")
    wire.flow(client).expect_no(got.RST)


@covers("rfc9293:3.6/fin-retransmitted-until-acknowledged")
def test_lost_fin_is_sent_again_with_the_stream_intact(serve: Serve, probe: Probe, wire: Wire, link: Link) -> None:
    """A FIN that got lost on the link is sent again at the same place, and no octet is lost or doubled."""
    subject = serve()
    client = probe.connect(subject)
    subject.tell("accept")

    with link.drop(got.FIN, times=1) as fault:
        subject.tell(f"send-pattern {4 * KiB} 7")
        subject.tell("close")
        client.expect(octets(4 * KiB, seed=7))
        client.expect_end(Ending.EOF)

    assert fault.hits == 1
    flow = wire.flow(client)
    assert flow.stream(got) == octets(4 * KiB, seed=7)
    assert flow.expect(got.FIN).end == 4 * KiB + 2, "the FIN that arrived takes the place of the one that was lost"


@covers("rfc9293:3.6/fin-retransmitted-until-acknowledged")
def test_unacknowledged_fin_is_sent_again(serve: Serve, probe: Probe, wire: Wire, link: Link) -> None:
    """A FIN whose acknowledgment got lost is sent again, with the same sequence number."""
    subject = serve()
    client = probe.connect(subject)
    subject.tell("accept")

    with link.drop(sent.segment(ack=2), times=1):
        subject.tell("close")
        client.expect_end(Ending.EOF)
        wire.wait_for(client, got.FIN, count=2)

    first, again = wire.flow(client).pick(got.FIN)[:2]
    assert again.seq == first.seq, "the second FIN stands at the place of the first"


@covers("rfc9293:3.6/simultaneous-close-works")
def test_both_ends_may_close_at_once(serve: Serve, probe: Probe, wire: Wire, link: Link) -> None:
    """FINs that cross on the link end the connection for both, in order and without RST."""
    subject = serve()
    client = probe.connect(subject)
    subject.tell("accept")

    with link.hold(got.FIN) as fault:
        subject.tell("close")
        fault.wait()
        client.half_close()
        wire.wait_for(client, sent.FIN)

    client.expect_end(Ending.EOF)
    wire.wait_for(client, got.segment(ack=2))
    flow = wire.flow(client)
    flow.expect(sent.FIN, got.FIN)
    flow.expect_no(got.RST)

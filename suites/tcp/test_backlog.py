"""What listen(n) admits, what a client sees beyond it, and what becomes of those who waited (listen(2), tcp(7)).

The subject is the kernel's TCP: the told server listens and accepts only when it is told to, so its queue fills for
sure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.suite import Client, Ending, control, covers, got, sent

if TYPE_CHECKING:
    from harness.suite import Attempt, Link, Probe, Raw, Serve, Subject, Wire


@covers("linux:listen/accept-queue-holds-backlog-plus-one", "linux:listen/accept-queue-overflow-drops-handshakes")
@pytest.mark.parametrize("backlog", [0, 1, 3])
def test_backlog_and_one_more_are_admitted(serve: Serve, probe: Probe, wire: Wire, backlog: int) -> None:
    """listen(n) lets n + 1 clients connect while nobody accepts; the SYN of the next one stays unanswered."""
    subject = serve(backlog=backlog)
    admitted = [probe.connect(subject) for _ in range(backlog + 1)]

    beyond = probe.begin_connect(subject)

    wire.flow(beyond).expect_only(sent.SYN)
    for client in admitted:
        wire.flow(client).expect(sent.SYN, got.SYN_ACK, sent.ACK)


@covers("posix:accept/accept-returns-first-queued-connection")
def test_queued_clients_are_accepted_in_order(serve: Serve, probe: Probe) -> None:
    """accept() gives the connections in the order in which they came, with all that they sent while they waited."""
    subject = serve(backlog=4)
    clients = [probe.connect(subject) for _ in range(4)]
    for number, client in enumerate(clients):
        client.send_all(f"I am number {number}".encode())

    for number, client in enumerate(clients):
        assert subject.tell("accept")["peer"][1] == client.near.port
        assert bytes.fromhex(subject.tell("read 100")) == f"I am number {number}".encode()


@covers("linux:listen/accept-queue-overflow-drops-handshakes")
def test_who_waits_beyond_the_backlog_gets_in_when_the_queue_drains(serve: Serve, probe: Probe, wire: Wire) -> None:
    """A client whose SYN was dropped is not refused: it asks again, and is served as soon as there is room."""
    subject = serve(backlog=0)
    first = probe.connect(subject)
    beyond = probe.begin_connect(subject)
    wire.flow(beyond).expect_only(sent.SYN)

    subject.tell("accept")
    subject.tell("close")
    first.expect_end(Ending.EOF)
    wire.wait_for(beyond, got.SYN_ACK)
    client = beyond.outcome()

    assert isinstance(client, Client), client
    assert subject.tell("accept")["peer"][1] == client.near.port
    client.send_all(b"patient")
    assert bytes.fromhex(subject.tell("read 100")) == b"patient"


@control()
def last_place_taken_twice(subject: Subject, probe: Probe, wire: Wire, link: Link) -> Attempt:
    """Fill the queue of listen(2) but for one place, then complete two handshakes at once; the second one overflows.

    Not with listen(0): there the second SYN would find the SYN queue full and be answered with a cookie.
    """
    for _ in range(2):
        probe.connect(subject)
    with link.hold(sent.bare_ack(), times=2) as held:
        last, overflowing = probe.begin_connect(subject), probe.begin_connect(subject)
        wire.wait_for(last, got.SYN_ACK)
        wire.wait_for(overflowing, got.SYN_ACK)
        held.wait()
    return overflowing


@covers("linux:listen/accept-queue-overflow-drops-handshakes")
def test_overflow_leaves_the_client_connected_and_loses_nothing(
    serve: Serve, probe: Probe, wire: Wire, link: Link
) -> None:
    """A handshake whose last ACK finds the queue full: the client believes itself connected, and what it sends is kept.

    The subject drops the ACK and goes on offering its SYN ACK; when there is room, the connection is made after all.
    """
    subject = serve(backlog=2)
    overflowing = last_place_taken_twice(subject, probe, wire, link)
    wire.wait_for(overflowing, got.SYN_ACK, count=2)
    client = overflowing.outcome()
    assert isinstance(client, Client), client

    client.send_all(b"early")
    for _ in range(4):
        subject.tell("accept")

    assert bytes.fromhex(subject.tell("read 100")) == b"early"


@covers("linux:listen/abort-on-overflow-sends-rst")
def test_overflow_resets_where_the_administrator_wants_it(serve: Serve, probe: Probe, wire: Wire, link: Link) -> None:
    """With tcp_abort_on_overflow the client whose last ACK finds the queue full gets RST, and knows."""
    subject = serve(backlog=2)
    subject.sysctl("net/ipv4/tcp_abort_on_overflow", "1")

    overflowing = last_place_taken_twice(subject, probe, wire, link)

    wire.wait_for(overflowing, got.RST)


@covers("linux:listen/backlog-clamped-to-somaxconn")
def test_backlog_is_cut_to_somaxconn(serve: Serve, probe: Probe, wire: Wire) -> None:
    """listen(100) where somaxconn is 1 admits two clients, as listen(1) does."""
    subject = serve(backlog=100, somaxconn=1)
    for _ in range(2):
        probe.connect(subject)

    beyond = probe.begin_connect(subject)

    wire.flow(beyond).expect_only(sent.SYN)


@covers("rfc9293:3.10.7.1/segment-to-closed-port-gets-rst")
def test_nobody_listens_any_more(serve: Serve, probe: Probe, wire: Wire) -> None:
    """When the listener is closed a SYN is answered with RST at once: refused, not ignored."""
    subject = serve()
    subject.tell("close-listener")

    attempt = probe.begin_connect(subject)

    assert attempt.outcome() == "refused (RST)"
    wire.flow(attempt).expect_only(sent.SYN, got.RST & got.segment(flags="RST ACK", ack=1))


# -- half-open connections --------------------------------------------------------------------------------------------


@covers("linux:listen/half-open-takes-no-place")
def test_half_open_connections_take_no_place_in_the_accept_queue(serve: Serve, probe: Probe, raw: Raw) -> None:
    """A SYN ACK that waits for its ACK keeps nobody out: the queue of listen(1) still takes two."""
    subject = serve(backlog=1)
    half_open = raw.peer(subject)
    half_open.send_syn()
    half_open.expect(got.SYN_ACK)

    clients = [probe.connect(subject) for _ in range(2)]

    for client in clients:
        assert subject.tell("accept")["peer"][1] == client.near.port
    half_open.send("ACK")
    assert subject.tell("accept")["peer"][1] == half_open.near.port


@covers("linux:listen/syn-queue-is-bounded", "rfc4987:3/backlog-limits-half-open-state")
def test_half_open_connections_are_bounded(serve: Serve, raw: Raw) -> None:
    """Without SYN cookies a listener remembers so many SYNs and no more; those beyond are dropped, not refused."""
    subject = serve(backlog=8)
    subject.sysctl("net/ipv4/tcp_syncookies", "0")
    subject.sysctl("net/ipv4/tcp_max_syn_backlog", "8")

    peers = [raw.peer(subject) for _ in range(16)]
    for peer in peers:
        peer.send_syn()

    flows = [peer.flow() for peer in peers]
    answered = [flow for flow in flows if flow.pick(got.SYN_ACK)]
    assert 0 < len(answered) <= 9, f"{len(answered)} of 16 SYNs are answered"
    for flow in flows:
        flow.expect_no(got.RST)


@covers("rfc4987:3.6/syn-cookies-keep-service-alive")
def test_cookies_serve_who_comes_when_the_queue_is_full(serve: Serve, raw: Raw) -> None:
    """With SYN cookies a client connects although half-open connections fill the queue, and its octets arrive."""
    subject = serve(backlog=8)
    subject.sysctl("net/ipv4/tcp_syncookies", "1")
    subject.sysctl("net/ipv4/tcp_max_syn_backlog", "8")
    for _ in range(20):
        raw.peer(subject).send_syn()

    peer = raw.connect(subject)
    peer.send("PSH ACK", b"served all the same")

    assert subject.tell("accept")["peer"][1] == peer.near.port
    assert bytes.fromhex(subject.tell("read 100")) == b"served all the same"


@covers("linux:accept/data-before-accept-is-kept")
def test_what_comes_before_accept_is_kept(serve: Serve, raw: Raw) -> None:
    """Data and FIN that arrive while a connection waits in the queue are there when it is accepted."""
    subject = serve()
    peer = raw.connect(subject)

    peer.send("FIN PSH ACK", b"all that I have to say")
    peer.expect(got.segment(ack=peer.snd_nxt))

    subject.tell("accept")
    seen = subject.tell("drain")
    assert (seen["size"], seen["ending"]) == (22, "EOF"), "the octets that came before accept(), and the end"


@covers("linux:listen/accept-queue-overflow-drops-handshakes")
def test_last_ack_of_an_overflow_is_dropped_and_comes_to_bear_later(serve: Serve, raw: Raw) -> None:
    """With tcp_abort_on_overflow off the ACK that finds the queue full draws nothing; sent again, it is taken."""
    subject = serve(backlog=2)
    for _ in range(2):
        raw.connect(subject)
    last, late = raw.peer(subject), raw.peer(subject)
    for peer in (last, late):
        peer.send_syn()
        peer.expect(got.SYN_ACK)

    last.send("ACK")
    late.send("ACK")
    late.expect_silence()
    subject.tell("accept")
    late.send("PSH ACK", b"me too")

    for _ in range(3):
        newest = subject.tell("accept")
    assert newest["peer"][1] == late.near.port
    assert bytes.fromhex(subject.tell("read 100")) == b"me too"

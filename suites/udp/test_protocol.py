"""The contract of any server that answers requests over UDP: it does what the file of its protocol says.

The file tells what is asked and what comes back (docs/own-protocol.md): one datagram for one, to whoever asked. UDP
promises no delivery, but the link loses nothing, and nobody is asked more than one thing at a time here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.suite import Inconclusive, Mismatch, NotApplicable, control, covers, got, sent

if TYPE_CHECKING:
    from harness.suite import DatagramClient, Exchange, Probe, Protocol, Subject, Wire

PROFILES = ("udp-protocol",)

ROUNDS = 20
MUCH = b"x" * 20_000  # behind a request: more than most buffers hold


def ask(client: DatagramClient, exchange: Exchange) -> None:
    """Claim that a request draws the answer of the file, from the place that was asked."""
    client.send(exchange.send)
    expected = f"the answer to {exchange}: a datagram of {exchange.answer} from {client.far}"
    answer = client.answer(expected)
    if not exchange.answer.whole(answer.octets) or answer.source != client.far:
        raise Mismatch(expected, str(answer))


def ask_all(client: DatagramClient, protocol: Protocol) -> None:
    """Claim that every request draws its answer."""
    for exchange in protocol.exchanges:
        ask(client, exchange)


def serves(subject: Subject, probe: Probe, protocol: Protocol) -> None:
    """The control of those tests that do something odd to the server: before it, it serves."""
    with control():
        ask_all(probe.datagrams(subject), protocol)


@covers("house:protocol/datagram-answers")
def check_answers_as_described(subject: Subject, probe: Probe, protocol: Protocol) -> None:
    """Every request draws the answer that the file describes, the twentieth time as the first, and then another's."""
    client, other = probe.datagrams(subject), probe.datagrams(subject)

    for _ in range(probe.affordable(ROUNDS)):
        ask_all(client, protocol)

    ask_all(other, protocol)


@covers("house:protocol/datagram-source")
def check_answers_come_from_the_port_asked(subject: Subject, probe: Probe, wire: Wire, protocol: Protocol) -> None:
    """An answer comes from the address and port that were asked, and goes to the port that asked."""
    client = probe.datagrams(subject)

    ask(client, protocol.exchanges[0])

    wire.flow(client).expect_only(sent.datagram(), got.datagram())


@covers("rfc1122:4.1.3.5/reply-source-equals-request-destination")
def check_answers_come_from_the_address_asked(subject: Subject, probe: Probe, protocol: Protocol) -> None:
    """A server bound to every address of its host answers from the one that was asked, whichever the route prefers."""
    addresses = subject.addresses()
    if len(addresses) == 1:
        raise NotApplicable(f"the subject is bound to {subject.address.host} alone")

    for address in addresses:
        ask(probe.datagrams(subject, to=address), protocol.exchanges[0])


@covers("house:protocol/datagram-once")
def check_one_answer_to_who_asked(subject: Subject, probe: Probe, wire: Wire, protocol: Protocol) -> None:
    """Two clients that take turns get one datagram for each that they send, and none of the other's."""
    clients = [probe.datagrams(subject) for _ in range(2)]

    for _ in range(3):
        for client in clients:
            ask_all(client, protocol)
    if subject.managed:
        probe.let_settle(subject)

    for client in clients:
        wire.flow(client).expect_only(*[sent.datagram(), got.datagram()] * (3 * len(protocol.exchanges)))


@covers("house:protocol/datagram-once")
def check_exchanges_of_two_clients_alternate(subject: Subject, probe: Probe, protocol: Protocol) -> None:
    """Two clients whose exchanges alternate are each answered as if alone: a client is an address and a port."""
    if len(protocol.exchanges) == 1 and not protocol.personal:
        raise NotApplicable("needs a protocol of several exchanges, or one in which {client} stands")
    clients = [(probe.datagrams(subject), protocol.of(number)) for number in (1, 2)]

    for number in range(len(protocol.exchanges)):
        for client, own in clients:
            ask(client, own.exchanges[number])


@covers("house:any/survives")
@pytest.mark.parametrize("what", ["empty", "half_a_request", "rubbish", "a_long_one"])
def check_survives_what_is_no_request(subject: Subject, probe: Probe, protocol: Protocol, what: str) -> None:
    """A datagram that is empty, cut short, rubbish or too long, whatever comes of it, costs nobody else the answer."""
    serves(subject, probe, protocol)
    request = protocol.exchanges[0].send
    said = {
        "empty": b"",
        "half_a_request": request[: len(request) // 2],
        "rubbish": bytes(range(256)),
        "a_long_one": request + MUCH,
    }

    for _ in range(3):
        probe.datagrams(subject).send(said[what])

    ask_all(probe.datagrams(subject), protocol)


@covers("house:any/survives")
def check_survives_an_answer_that_nobody_hears(subject: Subject, probe: Probe, wire: Wire, protocol: Protocol) -> None:
    """The answer to a client that is gone draws ICMP port unreachable; the server goes on answering all the same."""
    serves(subject, probe, protocol)
    gone = probe.datagrams(subject)

    with subject.paused():
        gone.send(protocol.exchanges[0].send)
        gone.close()
    with control():
        wire.wait_for(gone, got.datagram())
    if not wire.flow(gone).pick(sent.icmp("port unreachable")):
        raise Inconclusive("our kernel did not answer with ICMP port unreachable")

    client = probe.datagrams(subject)
    for _ in range(3):
        ask_all(client, protocol)

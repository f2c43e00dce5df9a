"""The contract of any server that answers requests over UDP: it does what the file of its protocol says.

The file tells what is asked and what comes back (docs/own-protocol.md): one datagram for one, to whoever asked. UDP
promises no delivery, but the link loses nothing, and nobody is asked more than one thing at a time here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.suite import DatagramConversation, Inconclusive, Mismatch, NotApplicable, control, covers, got, sent

if TYPE_CHECKING:
    from harness.suite import Probe, Protocol, Session, Subject, Wire

PROFILES = ("udp-protocol",)

ROUNDS = 20
MUCH = b"x" * 20_000  # behind a request: more than most buffers hold


def meet(subject: Subject, probe: Probe, protocol: Protocol) -> DatagramConversation:
    """One more client, with a name and a port of its own."""
    return DatagramConversation(probe.datagrams(subject), protocol)


def serves(subject: Subject, probe: Probe, protocol: Protocol) -> None:
    """The control of those tests that do something odd to the server: before it, it serves."""
    with control():
        meet(subject, probe, protocol).ask_all()


@covers("house:protocol/datagram-answers")
def check_answers_as_described(subject: Subject, probe: Probe, protocol: Protocol) -> None:
    """Every request draws the answer that the file describes, the twentieth time as the first, and then another's."""
    talk, other = meet(subject, probe, protocol), meet(subject, probe, protocol)

    for _ in range(probe.affordable(ROUNDS)):
        talk.ask_all()

    other.ask_all()


@covers("house:protocol/datagram-source")
def check_answers_come_from_the_port_asked(subject: Subject, probe: Probe, wire: Wire, protocol: Protocol) -> None:
    """An answer comes from the address and port that were asked, and goes to the port that asked."""
    if protocol.other_port:
        raise NotApplicable("the file of the protocol says that answers come from another port")
    talk = meet(subject, probe, protocol)

    talk.ask(0)

    wire.flow(talk.client).expect_only(sent.datagram(), got.datagram())


@covers("house:protocol/datagram-other-port")
def check_an_exchange_keeps_the_port_that_answered(subject: Subject, probe: Probe, protocol: Protocol) -> None:
    """The first answer comes from another port than was asked, later ones from where their requests went: to that."""
    if not protocol.other_port:
        raise NotApplicable("answers come from the port asked: the file of the protocol has no answers-from")
    one, two = meet(subject, probe, protocol), meet(subject, probe, protocol)

    for number in range(len(protocol.exchanges)):
        for talk in (one, two):
            talk.ask(number)

    one.part()
    two.part()


@covers("rfc1122:4.1.3.5/reply-source-equals-request-destination")
def check_answers_come_from_the_address_asked(subject: Subject, probe: Probe, protocol: Protocol) -> None:
    """A server bound to every address of its host answers from the one that was asked, whichever the route prefers."""
    addresses = subject.addresses()
    if len(addresses) == 1:
        raise NotApplicable(f"the subject is bound to {subject.address.host} alone")

    for address in addresses:
        DatagramConversation(probe.datagrams(subject, to=address), protocol).ask(0)


@covers("house:protocol/datagram-once")
def check_one_answer_to_who_asked(subject: Subject, probe: Probe, wire: Wire, protocol: Protocol) -> None:
    """Two clients that take turns get one datagram for each that they send, and none of the other's."""
    talks = [meet(subject, probe, protocol) for _ in range(2)]

    for _ in range(3):
        for talk in talks:
            talk.ask_all()
    if subject.managed:
        probe.let_settle(subject)

    for talk in talks:
        if extra := talk.extra():
            raise Mismatch("one datagram for each request", f"also {extra[0]}")
        if not (protocol.other_port or protocol.unasked or protocol.farewell):
            exchanges = [sent.datagram(), got.datagram()] * (3 * len(protocol.exchanges))
            wire.flow(talk.client).expect_only(*exchanges)


@covers("house:protocol/datagram-once")
def check_exchanges_of_two_clients_alternate(subject: Subject, probe: Probe, protocol: Protocol) -> None:
    """Two clients whose exchanges alternate are each answered as if alone: a client is an address and a port."""
    if len(protocol.exchanges) == 1 and not protocol.personal:
        raise NotApplicable("needs a protocol of several exchanges, or one in which {client} stands")
    talks = [meet(subject, probe, protocol) for _ in range(2)]

    for number in range(len(protocol.exchanges)):
        for talk in talks:
            talk.ask(number)


@covers("house:any/survives")
@pytest.mark.parametrize("what", ["empty", "half_a_request", "rubbish", "a_long_one"])
def check_survives_what_is_no_request(subject: Subject, probe: Probe, protocol: Protocol, what: str) -> None:
    """A datagram that is empty, cut short, rubbish or too long, whatever comes of it, costs nobody else the answer."""
    serves(subject, probe, protocol)
    request = meet(subject, probe, protocol).exchange(0).send
    said = {
        "empty": b"",
        "half_a_request": request[: len(request) // 2],
        "rubbish": bytes(range(256)),
        "a_long_one": request + MUCH,
    }

    for _ in range(3):
        probe.datagrams(subject).send(said[what])

    meet(subject, probe, protocol).ask_all()


@covers("house:any/survives")
def check_survives_an_answer_that_nobody_hears(
    subject: Subject, probe: Probe, wire: Wire, protocol: Protocol, session: Session
) -> None:
    """The answer to a client that is gone draws ICMP port unreachable; the server goes on answering all the same."""
    serves(subject, probe, protocol)
    session.known_port()
    talk = meet(subject, probe, protocol)
    gone = talk.client

    with subject.paused():
        talk.say(0)
        gone.close()
    with control():
        wire.wait_for(gone, got.datagram())
    if not wire.flow(gone).pick(sent.icmp("port unreachable")):
        raise Inconclusive("our kernel did not answer with ICMP port unreachable")

    talk = meet(subject, probe, protocol)
    for _ in range(3):
        talk.ask_all()

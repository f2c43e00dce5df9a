"""Sessions: an ordinary client of every profile is served by our servers, and by a wrong one it is not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from harness.probe.datagram import Received
from harness.probe.session import ORDINARY, SERVICES, UDP_SERVICES, Session, ordinary
from harness.subject.inventory import mutants, reference_servers, told_server
from harness.subject.process import start
from harness.subject.profile import PROFILES
from harness.subject.protocol import Exactly, Exchange, Protocol, samples
from harness.subject.state import State
from harness.verdict import Mismatch, NotApplicable
from harness.wire.segment import Endpoint

if TYPE_CHECKING:
    from harness.lab.handle import Lab
    from harness.probe.probe import Probe

# One server for each profile and each sample: the first by name.
SERVERS = {program.profile: program for program in reversed(reference_servers().values())}


def test_every_profile_has_its_session() -> None:
    """Own protocols have it in their file."""
    assert ORDINARY.keys() == PROFILES.keys()
    assert set(SERVICES) | set(UDP_SERVICES) | {"one-shot"} == ORDINARY.keys() | {"protocol", "udp-protocol"}
    assert [ordinary(name) for name in samples()] == list(samples().values())


@pytest.mark.parametrize("profile", SERVERS)
def test_an_ordinary_client_is_served(lab: Lab, probe: Probe, profile: str) -> None:
    """One after the other."""
    subject = start(lab, SERVERS[profile], "v4", {})
    session = Session(subject, probe, ordinary(profile))

    session.serve()
    if profile != "one-shot":
        session.serve()

    assert not subject.sockets(State.ESTABLISHED, State.CLOSE_WAIT, side="near")
    subject.close()


def test_a_client_that_stays_asks_again(lab: Lab, probe: Probe) -> None:
    """Where one session has more than one request; elsewhere there is nothing to be asked again."""
    echo = start(lab, SERVERS["echo"], "v4", {})
    session = Session(echo, probe, ordinary("echo"))
    client = session.begin()

    session.talk(client)

    assert (client.sent, client.received) == (10, 10)
    echo.close()
    with pytest.raises(NotApplicable, match="all may be said again"):
        Session(echo, probe, ordinary("request-reply")).talk(client)


@pytest.mark.parametrize(
    ("mutant", "complaint"),
    [
        ("cheat_closes_everything", "no octet came, then"),
        ("request_reply_no_reply", "no octet came"),
        ("request_reply_resets", "reset"),
        ("udp_echo_pads", "a datagram of 'hello'"),
    ],
)
def test_who_is_not_served_says_so(lab: Lab, probe: Probe, mutant: str, complaint: str) -> None:
    """In the words of the claim that is missed."""
    subject = start(lab, mutants()[mutant], "v4", {})
    session = Session(subject, probe, ordinary(subject.profile))

    with pytest.raises(Mismatch, match=complaint):
        session.serve()
    subject.close()


def test_one_that_answers_nothing_has_to_accept(lab: Lab, probe: Probe) -> None:
    """A client in the queue is connected by the kernel alone."""
    subject = start(lab, told_server(), "v4", {})
    session = Session(subject, probe, ordinary("tcp"))

    with pytest.raises(Mismatch, match=r"1 in the listener's queue; the subject was idle"):
        session.serve()
    subject.close()


def test_one_that_answers_no_datagram_has_to_receive(lab: Lab, probe: Probe) -> None:
    """A datagram that nobody takes waits in the kernel, and where nobody has the port it is not taken either."""
    subject = start(lab, mutants()["udp_discard_reads_once"], "v4", {})
    session = Session(subject, probe, ordinary("udp-discard"))

    session.serve()
    with pytest.raises(Mismatch, match=r"every datagram is received\n.*octets as the kernel counts them are left"):
        session.serve()
    subject.kill()
    with pytest.raises(Mismatch, match="nobody has port"):
        session.serve()
    subject.close()


@pytest.mark.parametrize("profile", ["echo", "discard", "chargen", "redis"])
def test_a_client_talks_on(lab: Lab, probe: Probe, profile: str) -> None:
    """On the connection that it has, again and again; from a server that sends without end it reads a little."""
    subject = start(lab, SERVERS[profile], "v4", {})
    session = Session(subject, probe, ordinary(profile))
    client = session.begin()

    received = client.received
    for _ in range(3):
        session.talk(client)
        session.pause(client, 0.01)

    assert (client.received > received) == (profile != "discard")
    assert client.ended is None
    subject.close()


def test_who_ends_its_sessions_is_not_talked_to_again(lab: Lab, probe: Probe) -> None:
    """The server closes behind its answer."""
    subject = start(lab, SERVERS["request-reply"], "v4", {})
    session = Session(subject, probe, ordinary("request-reply"))

    with pytest.raises(NotApplicable, match="which the client ends"):
        session.talk(session.begin())
    subject.close()


def test_a_greeting_takes_its_time(lab: Lab, probe: Probe) -> None:
    """To a client that says nothing, and to one that speaks at once."""
    subject = start(lab, SERVERS["smtp"], "v4", {})
    session = Session(subject, probe, ordinary("smtp"))

    assert session.greeting_delay() > 0
    assert session.greeting_delay(session.words()) > 0
    with pytest.raises(NotApplicable, match="the client speaks first"):
        Session(subject, probe, ordinary("echo")).greeting_delay()
    subject.close()


def test_datagrams_have_no_middle(lab: Lab, probe: Probe) -> None:
    """There is no connection to be in."""
    subject = start(lab, SERVERS["udp-echo"], "v4", {})

    with pytest.raises(NotApplicable, match="datagrams have no connection"):
        Session(subject, probe, ordinary("udp-echo")).begin()
    subject.close()


class _Asked:
    """Stands for subject, probe and client: whoever asks gets what the first exchange of these tests answers."""

    managed = False
    far = Endpoint("192.0.2.1", 7)

    def __init__(self) -> None:
        self.said: list[bytes] = []

    def datagrams(self, _: object) -> _Asked:
        return self

    def send(self, octets: bytes, to: Endpoint) -> None:
        self.said.append(octets)

    def answer(self, _: str) -> Received:
        return Received(b"ok", Endpoint("192.0.2.1", 7))

    def waiting(self) -> list[Received]:
        return []


def test_who_asks_together_asks_what_comes_first_and_in_his_own_name() -> None:
    """A later exchange may build on the first: nobody who has not logged in is asked who he is."""
    login, who = Exchange(b"LOGIN {client}", Exactly(b"ok")), Exchange(b"WHO", Exactly(b"you are {client}"))
    asked: Any = _Asked()

    Session(asked, asked, Protocol("login", "udp", (login, who))).serve_together(3)

    assert len(set(asked.said)) == 3
    assert all(re.fullmatch(rb"LOGIN [0-9]{8}", words) for words in asked.said)

"""A session: what an ordinary client of a profile says and hears, from its connect to its end.

The suites of a service know that in every detail. Tests that hold for any service (what a restart, a signal or a
thousand clients do to it) need no more than a client that is served, one that is in the middle of its session, and one
that leaves. So each profile is told here as an own protocol is told in its file, and both are spoken alike.

A server that answers nothing is seen to serve by its accepting, or over UDP by its receiving, no more: the kernel alone
leaves a client in the queue, and a datagram in the buffer.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

from harness.payload import count, quote
from harness.probe.crowd import Crowd, Member
from harness.probe.ending import Ending
from harness.subject.process import Subject
from harness.subject.protocol import DATAGRAM, STREAM, Exactly, Exchange, Matching, Protocol, named
from harness.subject.state import State
from harness.verdict import Mismatch, NotApplicable

if TYPE_CHECKING:
    from harness.probe.client import Client
    from harness.probe.datagram import DatagramClient
    from harness.probe.probe import Probe
    from harness.subject.external import External
    from harness.subject.protocol import Answer

_SOMETHING = Matching(re.compile(rb"(?s).+"))
_PERHAPS = Matching(re.compile(rb"(?s).*"))
_NONE = Matching(re.compile(rb"(?!)"))
_LONGEST = 64 * 1024  # octets of an answer that is looked for
_SMALL = 4 * 1024  # octets of room for what is sent without end

ORDINARY = {
    protocol.name: protocol
    for protocol in (
        Protocol("echo", "tcp", (Exchange(b"hello", Exactly(b"hello")),)),
        Protocol("discard", "tcp", (Exchange(b"hello", _PERHAPS),)),
        Protocol("chargen", "tcp", (), greeting=_SOMETHING),
        Protocol("qotd", "tcp", (), greeting=_SOMETHING, server_closes=True),
        Protocol("daytime", "tcp", (), greeting=_SOMETHING, server_closes=True),
        Protocol("time", "tcp", (), greeting=_SOMETHING, server_closes=True),
        Protocol("tcp", "tcp", ()),
        Protocol("greeting", "tcp", (), greeting=_SOMETHING, server_closes=True),
        Protocol("request-reply", "tcp", (Exchange(b"hello\r\n", _SOMETHING),), server_closes=True),
        Protocol("one-shot", "tcp", (Exchange(b"hello\r\n", _PERHAPS),), server_closes=True),
        Protocol("udp-echo", "udp", (Exchange(b"hello", Exactly(b"hello")),)),
        Protocol("udp-discard", "udp", (Exchange(b"hello", _NONE),)),
        Protocol("udp-chargen", "udp", (Exchange(b"hello", _PERHAPS),)),
        Protocol("udp-qotd", "udp", (Exchange(b"hello", _SOMETHING),)),
        Protocol("udp-daytime", "udp", (Exchange(b"hello", _SOMETHING),)),
        Protocol("udp-time", "udp", (Exchange(b"", _SOMETHING),)),
    )
}

# For PROFILES: who serves client after client, over TCP and over UDP.
SERVICES = (*(name for name, one in ORDINARY.items() if one.transport == "tcp" and name != "one-shot"), STREAM)
UDP_SERVICES = (*(name for name, one in ORDINARY.items() if one.transport == "udp"), DATAGRAM)


def ordinary(profile: str) -> Protocol:
    """What an ordinary client of this profile says and hears."""
    return ORDINARY.get(profile) or named(profile)


class Session:
    """Makes ordinary clients of one subject. What they claim is only that they are served."""

    def __init__(self, subject: Subject | External, probe: Probe, protocol: Protocol) -> None:
        self._subject = subject
        self._probe = probe
        self._protocol = protocol

    def serve(self) -> None:
        """One client, from its connect to its end; a claim that it is served."""
        if self._protocol.transport == "udp":
            self._exchange_datagrams()
        else:
            self.finish(self.begin())

    def request(self) -> bytes:
        """What such a client asks first."""
        return self._protocol.exchanges[0].send

    def words(self) -> bytes:
        """What such a client asks first; nothing where the profile has it ask nothing."""
        return self.request() if self._protocol.exchanges else b""

    def ask(self, client: DatagramClient) -> None:
        """All that such a client asks in its datagrams, from its own port; a claim that it is served."""
        for exchange in self._protocol.exchanges:
            client.send(exchange.send)
            self._expect_answered(client, exchange.answer)

    def serve_together(self, clients: int) -> None:
        """So many clients whose datagrams wait together when the server looks; a claim that each gets its one answer.

        Each asks what comes first: what comes later may build on it.
        """
        subject, first = self._subject, [self._protocol.of(number).exchanges[0] for number in range(1, clients + 1)]
        asking = [(self._probe.datagrams(subject), exchange) for exchange in first]
        with subject.paused() if subject.managed else contextlib.nullcontext():
            for client, exchange in asking:
                client.send(exchange.send)
        for number, (client, exchange) in enumerate(asking, 1):
            self._expect_answered(client, exchange.answer, f"client {number} of {clients} that ask together gets ")
        for number, (client, _) in enumerate(asking, 1):
            if extra := client.waiting():
                raise Mismatch(f"one answer for client {number} of {clients} that ask together", f"also {extra[0]}")

    def begin(self) -> Client:
        """A client in the middle of its session: served as far as can be while both ends stay; a claim that it is."""
        if self._protocol.transport == "udp":
            raise NotApplicable("datagrams have no connection to be in the middle of")
        protocol = self._protocol
        endless = protocol.greeting is _SOMETHING and not protocol.server_closes
        client = self._probe.connect(self._subject, receive_buffer=_SMALL if endless else None)
        self.go_on(client)
        if not client.received and not protocol.server_closes:
            self._expect_accepted()
        return client

    def go_on(self, client: Client) -> None:
        """Bring a client that is connected to the middle of its session; a claim that it is served so far."""
        protocol = self._protocol
        if protocol.server_closes and not protocol.exchanges:  # who only greets may greet at any length
            client.expect_any(1)
            return
        self.greet(client)
        for exchange in protocol.exchanges[: -1 if protocol.server_closes else None]:
            client.send_all(exchange.send)
            _hear(client, exchange.answer)

    def again(self, client: Client) -> None:
        """All that such a client asks, once more in its session; a claim that it is answered."""
        if self._protocol.server_closes or not self._protocol.repeatable or not self._protocol.exchanges:
            raise NotApplicable("needs a server that answers more than one request in a session")
        for exchange in self._protocol.exchanges:
            client.send_all(exchange.send)
            _hear(client, exchange.answer)

    def hold(self) -> Client:
        """A client in the middle of its session, of which the program knows.

        Behind a listener that waits for words (TCP_DEFER_ACCEPT) one that says nothing is known to the kernel alone,
        which tells it of no end: so there it has begun to speak.
        """
        client = self.begin()
        if isinstance(self._subject, Subject) and not (client.received or self._held(client)):
            client.send_some((self.words() or b"hello")[:1])
            self._probe.expect_soon(
                self._subject,
                "the handshake is over when the client has said something",
                lambda: "" if self._held(client) else "the subject's end has no connection",
            )
            self._expect_accepted()
        return client

    def finish(self, client: Client) -> None:
        """Bring a session to its end, and close; a claim that the client gets what it is owed."""
        protocol = self._protocol
        if protocol.server_closes:
            last = protocol.exchanges[-1].answer if protocol.exchanges else None
            if protocol.exchanges:
                client.send_all(protocol.exchanges[-1].send)
            came = client.read_to_end()
            if client.ended is not Ending.EOF:
                raise Mismatch(str(Ending.EOF), str(client.ended))
            if last is not None and not last.whole(came):
                raise Mismatch(_asked(last), _came(came))
        client.close()

    def greet(self, client: Client) -> None:
        """Have a client that is connected hear what the server says first, if anything; a claim that it does."""
        if self._protocol.greeting is not None:
            _hear(client, self._protocol.greeting)

    def ask_last(self, client: Client) -> bool:
        """Have a client in the middle of its session ask what the server closes behind; whether it does close first."""
        if self._protocol.server_closes and self._protocol.exchanges:
            client.send_all(self._protocol.exchanges[-1].send)
        return self._protocol.server_closes

    def leave_behind_words(self) -> None:
        """One client that says what it has said before, or what nobody asked it for, and leaves without an answer.

        It waits for a server that closes unasked, so that its own FIN comes last, behind octets that nobody may read.
        """
        client = self.begin()
        words = [exchange.send for exchange in self._protocol.exchanges] or [b"hello\r\n"]
        client.send_some(words[0])
        if self._protocol.server_closes and not self._protocol.exchanges:
            client.ending()
        client.close()

    def crowd(self, first: Client, size: int) -> Crowd:
        """So many clients at once, `first` among them, that is in the middle of its session; nobody speaks yet."""
        subject, protocol = self._subject, self._protocol
        if not isinstance(subject, Subject):
            raise NotApplicable("needs a server that is ours to burden: start the subject with --serve")
        greeting = [] if protocol.greeting is None else [Exchange(b"", protocol.greeting)]

        def own(number: int, client: Client) -> Member:
            words = f"I am client {number}\n".encode()
            theirs = protocol if client is first else protocol.of(number)
            exchanges = [Exchange(words, Exactly(words))] if protocol.name == "echo" else list(theirs.exchanges)
            return Member(number, client, [*greeting, *exchanges], protocol.server_closes)

        one = own(1, first)
        del one.exchanges[: len(greeting)]
        if protocol.server_closes:
            del one.exchanges[:-1]
        elif not protocol.repeatable:
            one.exchanges.clear()
        crowd = Crowd(subject, self._probe, one)
        crowd.gather(size, own)
        return crowd

    def _held(self, client: Client) -> bool:
        """Whether the subject's end has the whole connection, and not the request for one alone."""
        assert isinstance(self._subject, Subject)  # nobody else's sockets can be seen
        known = [entry for entry in self._subject.sockets() if entry["state"] != State.SYN_RECEIVED]
        return any(entry["remote"][1] == client.near.port for entry in known)

    def _expect_accepted(self) -> None:
        subject = self._subject
        if not isinstance(subject, Subject):
            return  # the queue of a listener that is not ours cannot be seen

        def waiting() -> str:
            queues = [entry for entry in subject.sockets(listening=True) if entry["local"][1] == subject.address.port]
            number = sum(entry["unread"] for entry in queues)
            return f"{number} in the listener's queue" if number else ""

        self._probe.expect_soon(subject, "who has connected is accepted", waiting)

    def _exchange_datagrams(self) -> None:
        client = self._probe.datagrams(self._subject)
        self.ask(client)
        client.close()

    def _expect_answered(self, client: DatagramClient, answer: Answer, who: str = "") -> None:
        if answer == _NONE:
            self._expect_received()
        else:
            _hear_datagram(client, answer, who)

    def _expect_received(self) -> None:
        subject = self._subject
        if not isinstance(subject, Subject):
            raise NotApplicable("what it has received is seen of a server that sockspec starts: use --serve")

        def left() -> str:
            if octets := subject.unread():
                return f"{octets} octets as the kernel counts them are left"
            if all(place.port != subject.address.port for place in subject.listeners()):  # asked last: it may just end
                return f"nobody has port {subject.address.port}"
            return ""

        self._probe.expect_soon(subject, "every datagram is received", left)


def _hear_datagram(client: DatagramClient, answer: Answer, who: str = "") -> None:
    """Claim that a datagram comes, and is this answer."""
    expected = f"{who}a datagram" if answer in {_SOMETHING, _PERHAPS} else f"{who}a datagram of {answer}"
    came = client.answer(expected)
    if not answer.whole(came.octets):
        raise Mismatch(expected, str(came))


def _hear(client: Client, answer: Answer) -> None:
    """Claim that an answer comes, which ends where it matches for the first time."""
    if isinstance(answer, Exactly):
        client.expect(answer.octets)
        return
    came = b""
    while not answer.whole(came):
        octet = client.read(1)
        came += octet
        if not octet or len(came) == _LONGEST:
            raise Mismatch(_asked(answer), _came(came))


def _asked(answer: Answer) -> str:
    return "octets" if answer in {_SOMETHING, _PERHAPS} else str(answer)


def _came(octets: bytes) -> str:
    return f"{count(len(octets))}, {quote(octets)}" if octets else "no octet came"

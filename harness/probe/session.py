"""A session: what an ordinary client of a profile says and hears, from its connect to its end.

The suites of a service know that in every detail. Tests that hold for any service (what a restart, a signal or a
thousand clients do to it) need no more than a client that is served, one that is in the middle of its session, and one
that leaves. So each profile is told here as an own protocol is told in its file, and both are spoken alike.

A server that answers nothing is seen to serve by its accepting, or over UDP by its receiving, no more: the kernel alone
leaves a client in the queue, and a datagram in the buffer.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from harness import budget
from harness.payload import said
from harness.probe.conversation import Conversation, DatagramConversation, hear
from harness.probe.crowd import Crowd, Member
from harness.probe.ending import Ending
from harness.subject.answer import NONE, PERHAPS, SOMETHING
from harness.subject.client_names import fresh
from harness.subject.process import Subject
from harness.subject.protocol import DATAGRAM, STREAM, Exactly, Exchange, Protocol, named
from harness.subject.state import State
from harness.verdict import Broken, Mismatch, NotApplicable

if TYPE_CHECKING:
    from harness.probe.client import Client
    from harness.probe.datagram import DatagramClient, Received
    from harness.probe.probe import Probe
    from harness.subject.external import External

_OFTEN = 100  # times that all is said again in the longest of tests
_SMALL = 4 * 1024  # octets of room for what is sent without end

ORDINARY = {
    protocol.name: protocol
    for protocol in (
        Protocol("echo", "tcp", (Exchange(b"hello", Exactly(b"hello")),)),
        Protocol("discard", "tcp", (Exchange(b"hello", PERHAPS),)),
        Protocol("chargen", "tcp", (), greeting=SOMETHING),
        Protocol("qotd", "tcp", (), greeting=SOMETHING, server_closes=True),
        Protocol("daytime", "tcp", (), greeting=SOMETHING, server_closes=True),
        Protocol("time", "tcp", (), greeting=SOMETHING, server_closes=True),
        Protocol("tcp", "tcp", ()),
        Protocol("greeting", "tcp", (), greeting=SOMETHING, server_closes=True),
        Protocol("request-reply", "tcp", (Exchange(b"hello\r\n", SOMETHING),), server_closes=True),
        Protocol("one-shot", "tcp", (Exchange(b"hello\r\n", PERHAPS),), server_closes=True),
        Protocol("udp-echo", "udp", (Exchange(b"hello", Exactly(b"hello")),)),
        Protocol("udp-discard", "udp", (Exchange(b"hello", NONE),)),
        Protocol("udp-chargen", "udp", (Exchange(b"hello", PERHAPS),)),
        Protocol("udp-qotd", "udp", (Exchange(b"hello", SOMETHING),)),
        Protocol("udp-daytime", "udp", (Exchange(b"hello", SOMETHING),)),
        Protocol("udp-time", "udp", (Exchange(b"", SOMETHING),)),
    )
}

# For PROFILES: who serves client after client, over TCP and over UDP.
SERVICES = (*(name for name, one in ORDINARY.items() if one.transport == "tcp" and name != "one-shot"), STREAM)
UDP_SERVICES = (*(name for name, one in ORDINARY.items() if one.transport == "udp"), DATAGRAM)


def ordinary(profile: str) -> Protocol:
    """What an ordinary client of this profile says and hears."""
    return ORDINARY.get(profile) or named(profile)


def says_something(protocol: Protocol) -> bool:
    """Whether a server of this protocol can be seen to answer."""
    silent = {NONE} if protocol.transport == "udp" else {NONE, PERHAPS}
    return protocol.greeting is not None or any(exchange.answer not in silent for exchange in protocol.exchanges)


class Session:
    """Makes ordinary clients of one subject. What they claim is only that they are served."""

    def __init__(self, subject: Subject | External, probe: Probe, protocol: Protocol) -> None:
        self._subject = subject
        self._probe = probe
        self._protocol = protocol
        self._talks: WeakKeyDictionary[Client, Conversation] = WeakKeyDictionary()  # what each has heard so far
        self._asking: WeakKeyDictionary[DatagramClient, DatagramConversation] = WeakKeyDictionary()

    def serve(self) -> None:
        """One client, from its connect to its end; a claim that it is served."""
        if self._protocol.transport == "udp":
            self._exchange_datagrams()
        else:
            self.finish(self.begin())

    def request(self) -> bytes:
        """What such a client asks first."""
        return fresh(self._protocol).exchanges[0].send

    def words(self) -> bytes:
        """What such a client asks first; nothing where the profile has it ask nothing."""
        return self.request() if self._protocol.exchanges else b""

    def ask(self, client: DatagramClient) -> None:
        """All that such a client asks in its datagrams, from its own port; a claim that it is served."""
        talk = self._asking.setdefault(client, DatagramConversation(client, self._protocol))
        for number in range(len(self._protocol.exchanges)):
            talk.say(number)
            self._expect_answered(talk, number)
        talk.part()

    def unasked(self, client: DatagramClient) -> list[Received]:
        """What has come to a client that has asked, beside its answers; but for what may."""
        return self._asking[client].extra()

    def known_port(self) -> None:
        """For tests that look on the wire for the answer to the first request, whose port is then that asked."""
        if self._protocol.other_port:
            raise NotApplicable("answers come from another port (answers-from), which is not known before they do")

    def begins_transfers(self) -> bool:
        """Whether the server keeps something for each client until that ends its exchange; NotApplicable if none does.

        So it is where answers come from another port: that port is kept, until the farewell or a limit of time.
        """
        if self._protocol.other_port and not self._protocol.farewell:
            raise NotApplicable("the server may keep what no client ends: the file of the protocol has no farewell")
        return self._protocol.other_port

    def serve_together(self, clients: int) -> None:
        """So many clients whose datagrams wait together when the server looks; a claim that each gets its one answer.

        Each asks what comes first: what comes later may build on it.
        """
        subject = self._subject
        talks = [DatagramConversation(self._probe.datagrams(subject), self._protocol) for _ in range(clients)]
        with subject.paused() if subject.managed else contextlib.nullcontext():
            for talk in talks:
                talk.say(0)
        for number, talk in enumerate(talks, 1):
            self._expect_answered(talk, 0, f"client {number} of {clients} that ask together gets ")
        for number, talk in enumerate(talks, 1):
            if extra := talk.extra():
                raise Mismatch(f"one answer for client {number} of {clients} that ask together", f"also {extra[0]}")

    def begin(self) -> Client:
        """A client in the middle of its session: served as far as can be while both ends stay; a claim that it is."""
        if self._protocol.transport == "udp":
            raise NotApplicable("datagrams have no connection to be in the middle of")
        protocol = self._protocol
        client = self._probe.connect(self._subject, receive_buffer=_SMALL if self._endless else None)
        self.go_on(client)
        if not client.received and not protocol.server_closes:
            self._expect_accepted()
        return client

    def go_on(self, client: Client) -> None:
        """Bring a client that is connected to the middle of its session; a claim that it is served so far."""
        protocol = self._protocol
        if protocol.greeting is not None and protocol.server_closes and not protocol.exchanges:
            client.expect_any(1)  # a server that only greets may greet at any length
            return
        self.greet(client)
        self._talks[client].converse(until=-1 if protocol.server_closes else None)

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

    def greeting_delay(self, words: bytes = b"") -> float:
        """Seconds until a client that says `words` at once, or nothing, has its greeting; a claim that it gets one."""
        if self._protocol.greeting is None:
            raise NotApplicable("the client speaks first: the file of the protocol has no greeting")
        client = self._probe.connect(self._subject)
        watch = budget.Stopwatch()
        if words:
            client.send_some(words)
        Conversation(client, self._protocol).hear_greeting()
        seconds = watch.seconds
        client.close()
        return seconds

    def talk(self, client: Client, *, of: int = _OFTEN) -> None:
        """All that is said in such a session once more, after its beginning; a claim that the client is served.

        It is not applicable where a connection does not last for `of` times, as often as the test does it at most. Of a
        server that sends without end a little more is read.
        """
        protocol = self._protocol
        if protocol.server_closes or not (protocol.repeatable and (protocol.exchanges or self._endless)):
            raise NotApplicable("needs a session in which all may be said again, and which the client ends")
        if protocol.rounds(of) < of:
            raise NotApplicable(
                f"a connection lasts for {protocol.requests} requests: so says the file of the protocol"
            )
        if self._endless and len(came := client.read(_SMALL)) < _SMALL:
            raise Mismatch(f"{_SMALL} octets more come", f"{said(came)}, then {client.ended or 'nothing more'}")
        if protocol.exchanges:
            self._talks[client].converse()

    def pause(self, client: Client, seconds: float) -> None:
        """Let so much time pass in which the client says nothing, or less if the connection ends."""
        if self._endless:
            client.leave_unread(seconds)
        else:
            client.keep_silent(seconds)

    def finish(self, client: Client) -> None:
        """Bring a session to its end, and close; a claim that the client gets what it is owed."""
        protocol = self._protocol
        if protocol.server_closes:
            if protocol.exchanges:
                self._talks[client].say(len(protocol.exchanges) - 1)
            came = client.read_to_end()
            if client.ended is not Ending.EOF:
                raise Mismatch(str(Ending.EOF), f"{client.ended} after {said(came)}")
            if protocol.exchanges:
                self._talks[client].take_last(came)
        client.close()

    def greet(self, client: Client) -> None:
        """Have a client that is connected hear what the server says first, if anything; a claim that it does."""
        if client not in self._talks:
            self._talks[client] = Conversation(client, self._protocol)
            self._talks[client].hear_greeting()

    def ask_last(self, client: Client) -> bool:
        """Have a client in the middle of its session ask for what ends it; whether the server closes first."""
        if self._protocol.server_closes and self._protocol.exchanges:
            self._talks[client].say(len(self._protocol.exchanges) - 1)
        return self._protocol.server_closes

    def leave_behind_words(self) -> None:
        """One client that says what it has said before, or what nobody asked it for, and leaves without an answer.

        It waits for a server that closes unasked, so that its own FIN comes last, behind octets that nobody may read.
        """
        client = self.begin()
        client.send_some(self.words() or b"hello\r\n")
        if self._protocol.server_closes and not self._protocol.exchanges:
            client.ending()
        client.close()

    def serve_one_of_many(self) -> None:
        """One client alone that says what one of a crowd does; a claim that it is served."""
        if self._protocol.name != "echo":
            self.serve()
            return
        client = self._probe.connect(self._subject)
        for exchange in _words_of(1):
            client.send_all(exchange.send)
            hear(client, exchange.answer, self._protocol)
        client.close()

    def crowd(self, first: Client, size: int) -> Crowd:
        """So many clients at once, `first` among them, that is in the middle of its session; nobody speaks yet."""
        subject, protocol = self._subject, self._protocol
        if not isinstance(subject, Subject):
            raise NotApplicable("needs a server that is ours to burden: start the subject with --serve")
        greeting = [] if protocol.greeting is None else [Exchange(b"", protocol.greeting)]

        def own(number: int, client: Client) -> Member:
            if protocol.name == "echo":
                exchanges = list(_words_of(number))
            else:
                exchanges = self._again(client) if client is first else list(fresh(protocol).exchanges)
            asked = [*([] if client is first else greeting), *exchanges]
            return Member(number, client, asked, protocol.server_closes, protocol.unasked)

        watch, crowd = budget.Stopwatch(), Crowd(subject, self._probe, own(1, first))
        crowd.gather(size, own)
        if protocol.idle_limit is not None and watch.seconds >= protocol.idle_limit:
            limit = f"the file says that the server may close after {protocol.idle_limit:g} s of silence"
            raise NotApplicable(f"{limit}: it took {watch.seconds:.1f} s until all had connected")
        return crowd

    def has_answered(self, client: Client) -> bool:
        """Whether this client has had an answer, and counts as served.

        A greeting is not yet a service; and behind one what is asked may still be before a login, where a server that
        wants room for others may let the oldest go, as dovecot does. The file does not say where the login is.
        """
        return client.received > 0 and self._protocol.greeting is None

    def _again(self, client: Client) -> list[Exchange]:
        """What a client in the middle of its session has still to say, or may say once more."""
        protocol, talk = self._protocol, self._talks[client]
        if protocol.server_closes:
            return [talk.exchange(number) for number in range(len(protocol.exchanges))][-1:]
        left = len(protocol.exchanges) if protocol.requests is None else protocol.requests - len(protocol.exchanges)
        return talk.again()[:left] if protocol.repeatable else []

    @property
    def _endless(self) -> bool:
        """Whether the server sends as long as it is read."""
        return self._protocol.greeting is SOMETHING and not self._protocol.server_closes

    def _held(self, client: Client) -> bool:
        """Whether the subject's end has the whole connection, and not the request for one alone."""
        subject = self._subject
        if not isinstance(subject, Subject):
            raise Broken("the sockets of a subject that is not ours cannot be seen")
        known = [entry for entry in subject.sockets() if entry["state"] != State.SYN_RECEIVED]
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

    def _expect_answered(self, talk: DatagramConversation, number: int, who: str = "") -> None:
        if talk.exchange(number).answer == NONE:
            self._expect_received()
        else:
            talk.hear(number, who=who, from_place=self._protocol.other_port)

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


def _words_of(number: int) -> tuple[Exchange, ...]:
    """What the client of this number says to an echo server that many ask at once."""
    words = f"I am client {number}\n".encode()
    return (Exchange(words, Exactly(words)),)

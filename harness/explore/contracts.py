"""What each profile owes its clients, as the suites of that profile have it. Pure.

Never more than the profile promises: where a suite asks for it under a SHOULD, or knows correct servers that do
otherwise, nothing is owed here. A server that serves one client at a time is a correct one, so what is owed is owed to
the client whose turn it is, when everyone before it has gone; what must not come, must not come to anybody.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.explore.model import SURVIVES, DatagramIds, Due, DueDatagrams, End, Ids
from harness.probe.session import ordinary
from harness.subject.answer import CLIENT, marker
from harness.subject.client_names import numbered
from harness.subject.profile import PROFILES
from harness.subject.protocol import Exactly, Matching

if TYPE_CHECKING:
    from harness.explore.model import Heard
    from harness.subject.protocol import Answer, Exchange, Protocol

_ALL = bytes(range(256))
_LINE = rb"[\t\x20-\x7e]*[\x21-\x7e][\t\x20-\x7e]*\r\n"
_MESSAGE = 1024  # octets that request-reply and one-shot read

WORDS = (
    *(b"x", b"hello\r\n", b"\0", b"\xff\xfe\x80", b"0", b"\n", b"quit\r\n", b"two words"),
    *(b"y" * 1024, _ALL * 8, _ALL * 16, _ALL, b"x" * 300, b"exit\n", b"\x04", _ALL[::-1] * 4),
)
SHORT = tuple(word for word in WORDS if len(word) <= 16)
MESSAGES = tuple(word for word in WORDS if len(word) <= _MESSAGE)
DATAGRAMS = (b"x", b"hello\r\n", b"", b"\0", b"\xff\xfe\x80", b"0", b"quit\r\n", b"one\n", _ALL * 4, b"y" * 1400)

ANYTHING = Matching(re.compile(rb"(?s).*"))


@dataclass(frozen=True)
class Contract:
    """One profile."""

    profile: str
    transport: str = "tcp"
    words: tuple[bytes, ...] = WORDS  # what clients say
    accepts: str = SURVIVES  # broken by a client that is not let in
    lossy: bool = True  # whether the loss of a segment changes nothing of what is owed
    one_client: bool = False  # per life of the server
    endless: bool = False  # the stream goes on as long as one reads
    closing: str = "half_close"  # how an ordinary client ends its session: so, or by `close`
    greets: bool = False  # and the client waits for that before it speaks
    protocol: Protocol | None = None  # as a client without a number speaks it: lengths are those of all others
    file: Protocol | None = None  # with the names in it

    def due(self, heard: Heard) -> Due:
        """What a client is owed over TCP."""
        own = self.own(heard.client)
        due = _DUE.get(self.profile, _anything)(heard) if own is None else _conversation(own, heard)
        return due if heard.turn else replace(due, owed=False)

    def own(self, client: int) -> Protocol | None:
        """The protocol as the client with this number speaks it."""
        return self.file and numbered(self.file, client)

    def in_its_words(self, client: int, before: int, octets: bytes) -> bytes:
        """What a client says in place of what any other says, when it has said so many octets `before`.

        A plan knows of no names: a client of it may have another number when it is played again.
        """
        if self.file is None or not self.file.personal:
            return octets
        own = numbered(self.file, client)
        if self.transport == "udp":
            number = next(place for place, one in enumerate(self.file.exchanges) if _is_said(one, octets, own))
            return own.exchanges[number].send
        said = b"".join(map(_sent, own.exchanges))
        rounds = -(-(before + len(octets)) // len(said))
        return (said * rounds)[before : before + len(octets)]

    @property
    def unexplored(self) -> str:
        """Why no sequence can be planned, in words; empty where one can."""
        one = self.file
        if one is None:
            return ""
        answers = [one.greeting, *(exchange.answer for exchange in one.exchanges)]
        told = any(isinstance(answer, Matching) and answer.tells_length for answer in answers)
        reasons = {
            "takes values from answers": one.tells_values,
            "has lengths within answers": told,
            "has unasked-regex": one.unasked is not None,
            "has answers-from": one.other_port,
        }
        found = [what for what, there in reasons.items() if there]
        return f"--explore plans ahead what is said and heard: the file of the protocol {found[0]}" if found else ""

    def due_datagrams(self, heard: Heard) -> DueDatagrams:
        """What a client is owed over UDP."""
        if (own := self.own(heard.client)) is not None:
            given = {exchange.send: exchange.answer for exchange in own.exchanges}
            answers = tuple(given[words] for words in heard.said)
            names = ("answers", "answers", "once", "source")
            return DueDatagrams(DatagramIds(*(f"house:protocol/datagram-{name}" for name in names)), answers)
        return _DATAGRAMS[self.profile](heard)


def contract(profile: str) -> Contract:
    """The contract of a profile, or of an own protocol."""
    if profile in _CONTRACTS:
        return _CONTRACTS[profile]
    protocol = ordinary(profile)
    spoken = numbered(protocol, 0)
    words = tuple(map(_sent, spoken.exchanges))
    return Contract(
        profile,
        protocol.transport,
        words,
        accepts="house:protocol/answers" if protocol.transport == "tcp" else SURVIVES,
        lossy=not protocol.server_closes,
        closing="close" if protocol.server_closes else "half_close",
        greets=protocol.greeting is not None,
        protocol=spoken,
        file=protocol,
    )


def _sent(exchange: Exchange) -> bytes:
    return exchange.send


def _is_said(exchange: Exchange, octets: bytes, protocol: Protocol) -> bool:
    """Whether some client says these octets in this exchange."""
    name = b"(?s:.{%d})" % protocol.client_length
    return re.fullmatch(name.join(map(re.escape, exchange.send.split(marker(CLIENT)))), octets) is not None


# -- over TCP


def _anything(heard: Heard) -> Due:
    return Due(Ids(SURVIVES, SURVIVES, SURVIVES, SURVIVES), octets=None, end=End.MAY, reset=True)


def _echo(heard: Heard) -> Due:
    said = heard.stream
    differs = not said.startswith(heard.came[: len(said)])
    octets = (
        "octets-unchanged" if differs else "closes-after-client-fin" if heard.half_closed else "returns-every-octet"
    )
    ends = "closes-after-client-fin" if said else "empty-session"
    ids = Ids(*(f"rfc862:tcp/{name}" for name in (octets, "adds-nothing", ends, "lasts-until-client-closes")))
    return Due(ids, said, end=End.MUST if heard.half_closed else End.NOT)


def _discard(heard: Heard) -> Due:
    silent, ends = "rfc863:tcp/tcp-discard-sends-nothing", "rfc863:tcp/discard-ends-on-client-close"
    return Due(Ids(silent, silent, ends, ends), end=End.MUST if heard.half_closed else End.NOT)


def _chargen(heard: Heard) -> Due:
    streams = "rfc864:tcp/tcp-chargen-streams-on-connect"
    if heard.half_closed:  # a careful close ends the stream: a SHOULD
        return replace(_anything(heard), ids=Ids(streams, streams, streams, streams))
    return Due(Ids(streams, streams, streams, streams), octets=None, least=heard.wanted)


def _qotd(heard: Heard) -> Due:
    return _told_and_closed("rfc865:tcp/tcp-quote-then-close", heard)


def _daytime(heard: Heard) -> Due:
    return _told_and_closed("rfc867:tcp/tcp-daytime-then-close", heard)


def _told_and_closed(requirement: str, heard: Heard) -> Due:
    ids = Ids(requirement, requirement, requirement, requirement)
    return Due(ids, octets=None, least=1, end=End.MUST, reset=bool(heard.said))


def _time(heard: Heard) -> Due:
    value, ends = "rfc868:tcp/tcp-time-sends-32-bits", "rfc868:tcp/time-server-close-sequence"
    end = (
        End.MUST if heard.half_closed else End.MAY
    )  # the RFC's text has the server close first, its example the client
    return Due(Ids(value, value, ends, ends), octets=None, least=4, like=rb"(?s).{4}", end=end, reset=bool(heard.said))


def _greeting(heard: Heard) -> Due:
    line = "one-crlf-line" if heard.came else "whole-line" if heard.said else "speaks-first"
    line = "half-closed-client" if heard.half_closed and not heard.came else line
    ids = Ids(*(f"house:greeting/{name}" for name in (line, "one-crlf-line", "closes-after", "closes-after")))
    return Due(ids, octets=None, like=_LINE, end=End.MUST, reset=bool(heard.said))


def _request_reply(heard: Heard) -> Due:
    names = ("one-reply", "one-reply", "one-reply", "silent-before-request")
    if not heard.said and not heard.half_closed:
        names = ("silent-before-request",) * 4
        return Due(Ids(*(f"house:request-reply/{name}" for name in names)))
    if not heard.said:
        ids = Ids(*("house:request-reply/empty-request",) * 4)
        return Due(ids, octets=None, end=End.MUST)
    if len(heard.said) > 1:  # it may have closed on what came second
        return _anything(heard)
    same = "half-closed-client" if heard.half_closed else "content-does-not-matter" if heard.came else "one-reply"
    ids = Ids(*(f"house:request-reply/{name}" for name in (same, "content-does-not-matter", *names[2:])))
    return Due(ids, octets=heard.usual, least=1, end=End.MUST)


def _one_shot(heard: Heard) -> Due:
    ids = Ids(*(f"house:one-shot/{name}" for name in (*("orderly-fin",) * 3, "reads-before-closing")))
    if not heard.said and not heard.half_closed:
        return Due(ids, octets=None)
    if len(heard.said) > 1:
        return _anything(heard)
    ends = "orderly-fin" if heard.said else "client-says-nothing"
    return Due(replace(ids, end=f"house:one-shot/{ends}"), octets=None, end=End.MUST)


_DUE = {
    "echo": _echo,
    "discard": _discard,
    "chargen": _chargen,
    "qotd": _qotd,
    "daytime": _daytime,
    "time": _time,
    "greeting": _greeting,
    "request-reply": _request_reply,
    "one-shot": _one_shot,
}


# -- own protocols


def asked(protocol: Protocol, octets: int) -> int:
    """How many requests are whole in the first so many octets of a client that says one behind the other."""
    number = 0
    while octets >= (size := len(protocol.exchanges[number % len(protocol.exchanges)].send)):
        octets -= size
        number += 1
    return number


def _conversation(protocol: Protocol, heard: Heard) -> Due:
    whole = asked(protocol, len(heard.stream))
    exchanges = protocol.exchanges
    answers = [exchanges[number % len(exchanges)].answer for number in range(whole)]
    answers = answers if protocol.greeting is None else [protocol.greeting, *answers]
    pieces = len(heard.said) > whole
    name = "segmentation" if pieces else "repeats" if whole > len(exchanges) else "answers"
    name = name if whole else "speaks-first" if protocol.greeting is not None else "silent-before-request"
    more = "answers" if whole else "silent-before-request"
    ids = Ids(*(f"house:protocol/{one}" for one in (name, more, "closes", "stays-open")))
    said = sum(len(exchanges[number % len(exchanges)].send) for number in range(whole))
    if heard.half_closed and len(heard.stream) > said:  # what a request means that breaks off is not said
        return Due(ids, octets=None, end=End.MAY, reset=True)
    over = protocol.server_closes and whole == len(exchanges)
    spent = protocol.requests is not None and whole >= protocol.requests
    end = End.MUST if over else End.MAY if protocol.server_closes or heard.half_closed or spent else End.NOT
    exactly = [answer.octets for answer in answers if isinstance(answer, Exactly)]
    due = Due(ids, b"".join(exactly), end=end, reset=end is End.MAY, owed=not heard.half_closed)
    if len(exactly) == len(answers):
        return due
    return replace(due, octets=None, like=b"".join(_scoped(answer) for answer in answers))


def _scoped(answer: Answer) -> bytes:
    """The answer as a part of a longer regular expression, its flags for itself alone."""
    if isinstance(answer, Exactly):
        return re.escape(answer.octets)
    flags = re.match(rb"\(\?([aimsxL]+)\)", answer.regex.pattern)
    rest = answer.regex.pattern[flags.end() :] if flags else answer.regex.pattern
    return b"(?" + (flags[1] if flags else b"") + b":" + rest + b")"


# -- over UDP


def _udp_echo(heard: Heard) -> DueDatagrams:
    unanswered = Counter(heard.said) - Counter(heard.datagrams)
    missing = "rfc862:udp/empty" if b"" in unanswered else "rfc862:udp/one-in-one-out"
    ids = DatagramIds("rfc862:udp/same-data", missing, "rfc862:udp/one-in-one-out", "rfc862:udp/reply-address")
    return DueDatagrams(ids, tuple(Exactly(octets) for octets in heard.said))


def _udp_discard(_: Heard) -> DueDatagrams:
    return DueDatagrams(_all("rfc863:udp/udp-discard-never-replies"))


def _udp_chargen(heard: Heard) -> DueDatagrams:
    up_to_512 = Matching(re.compile(rb"(?s).{0,512}"))
    return DueDatagrams(_all("rfc864:udp/udp-chargen-random-length-reply"), (up_to_512,) * len(heard.said))


def _udp_qotd(heard: Heard) -> DueDatagrams:
    quote = Matching(re.compile(rb"(?s).+"))
    return DueDatagrams(_all("rfc865:udp/udp-quote-per-datagram"), (quote,) * len(heard.said))


def _udp_daytime(heard: Heard) -> DueDatagrams:
    with_a_digit = Matching(re.compile(rb"(?s).*[0-9].*"))
    return DueDatagrams(_all("rfc867:udp/udp-daytime-per-datagram"), (with_a_digit,) * len(heard.said))


def _udp_time(heard: Heard) -> DueDatagrams:
    value = Matching(re.compile(rb"(?s).{4}"))
    empty = sum(not octets for octets in heard.said)  # RFC 868 speaks of these only
    anything = (ANYTHING,) * (len(heard.said) - empty)
    return DueDatagrams(_all("rfc868:udp/udp-time-replies-32-bits"), (value,) * empty, anything)


def _all(requirement: str) -> DatagramIds:
    return DatagramIds(requirement, requirement, requirement, requirement)


_DATAGRAMS = {
    "udp-echo": _udp_echo,
    "udp-discard": _udp_discard,
    "udp-chargen": _udp_chargen,
    "udp-qotd": _udp_qotd,
    "udp-daytime": _udp_daytime,
    "udp-time": _udp_time,
}

_CONTRACTS = {
    one.profile: one
    for one in (
        Contract("echo", accepts="rfc862:tcp/returns-every-octet"),
        Contract("discard", accepts="rfc863:tcp/discard-ends-on-client-close"),
        Contract(
            "chargen",
            words=SHORT,
            accepts="rfc864:tcp/tcp-chargen-streams-on-connect",
            lossy=False,  # so many segments as a stream without end has, no link of ours counts in time
            endless=True,
            closing="close",
        ),
        Contract("qotd", words=SHORT, accepts="rfc865:tcp/tcp-quote-then-close", lossy=False, closing="close"),
        Contract("daytime", words=SHORT, accepts="rfc867:tcp/tcp-daytime-then-close", lossy=False, closing="close"),
        Contract("time", words=SHORT, accepts="rfc868:tcp/tcp-time-sends-32-bits", lossy=False),
        Contract("greeting", words=SHORT, accepts="house:greeting/speaks-first", lossy=False, closing="close"),
        Contract(
            "request-reply", words=MESSAGES, accepts="house:request-reply/one-reply", lossy=False, closing="close"
        ),
        Contract(
            "one-shot",
            words=tuple(word for word in MESSAGES if word.isascii() and word != b"\0"),  # text or not is a SHOULD
            accepts="house:one-shot/orderly-fin",
            lossy=False,
            one_client=True,
            closing="close",
        ),
        Contract("tcp", accepts="house:any/accepts", closing="close"),
        *(Contract(profile, "udp", DATAGRAMS, lossy=False) for profile in PROFILES if profile.startswith("udp-")),
    )
}

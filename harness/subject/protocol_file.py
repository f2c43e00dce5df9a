"""The file of an own protocol, from its text to the value: what each key means, and which of them contradict. Pure.

What cannot be taken as it is, is one line: file, line, key, and what was expected.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any, Literal, cast

from harness.subject.answer import CLIENT, Exactly, Lengths, Matching, marker
from harness.subject.client_names import ALPHABETS, room
from harness.subject.exchange import Exchange, Protocol
from harness.subject.table import Amiss, Table
from harness.subject.toml_place import line_of, syntax

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.subject.answer import Answer

_TRANSPORTS = ("tcp", "udp")
_CLOSERS = ("client", "server")
_PORTS = ("the same port", "another port")
_ORDERS = ("big", "little")
_OF_LENGTHS = ("length-at", "length-order", "length-adjustment")
_OF_A_STREAM = (
    *("closes", "pipelining", "repeatable", "greeting", "greeting-hex", "greeting-regex"),
    *("requests-per-connection", "idle-limit", "length-prefix", *_OF_LENGTHS),
)
_OF_DATAGRAMS = ("answers-from", "farewell", "farewell-hex")
_OF_CLIENTS = ("client-alphabet", "client-length")
_TOP = ("purpose", "transport", *_OF_A_STREAM, *_OF_DATAGRAMS, *_OF_CLIENTS, "unasked-regex", "exchange")
_OF_AN_EXCHANGE = ("name", "send", "send-hex", "expect", "expect-hex", "expect-regex")

_PREFIXES = range(1, 9)
_FEW = 10_000  # clients of one run, at least, that must not share a name


def parse(text: str, source: str = "", name: str = "") -> Protocol:
    """The protocol that a text describes; ValueError in one line, with `source` as the file's name, if it is none."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{source}:{syntax(str(error), text)}") from None
    try:
        return _protocol(table, name)
    except Amiss as amiss:
        where = "" if amiss.exchange is None else f"exchange {amiss.exchange + 1}: "
        line = line_of(text, amiss.key, amiss.exchange)
        raise ValueError(f"{source}:{line}: {where}{amiss.key}: {amiss.what}") from None


def _protocol(table: dict[str, Any], name: str) -> Protocol:
    top = Table(table, None)
    top.known(_TOP)
    transport = top.word("transport", _TRANSPORTS, default="tcp")
    stream = transport == "tcp"
    top.only_where(stream, _OF_A_STREAM, "transport is 'tcp': datagrams have no connection")
    top.only_where(not stream, _OF_DATAGRAMS, "transport is 'udp'")
    closes = top.word("closes", _CLOSERS) if stream else "client"
    lengths = _lengths(top)
    greeting = top.answer("greeting", (), lengths, needed=False, empty=False)
    tables, exchanges = _exchanges(table, greeting, lengths, empty=not stream)
    top.only_where(closes == "client", ("repeatable",), "closes is 'client': here the server ends each session")
    repeatable = top.flag("repeatable", default=closes == "client")
    pipelining = top.flag("pipelining", default=False)
    if pipelining and len(exchanges) == 1 and not repeatable:
        raise top.amiss("pipelining", "expected a second exchange, or one that is repeatable: one cannot be pipelined")
    protocol = Protocol(
        name=name,
        transport=transport,
        exchanges=exchanges,
        purpose=top.text("purpose"),
        greeting=greeting,
        server_closes=closes == "server",
        pipelining=pipelining,
        repeatable=repeatable,
        client_alphabet=top.word("client-alphabet", tuple(ALPHABETS), default="digits"),
        client_length=top.integer("client-length", "1 to 64 octets", range(1, 65)) or len(marker(CLIENT)),
        unasked=top.regex("unasked-regex", lengths) if "unasked-regex" in top else None,
        requests=_requests(top, len(exchanges), repeatable=repeatable),
        idle_limit=top.seconds("idle-limit", 1),
        other_port=top.word("answers-from", _PORTS, default=_PORTS[0]) != _PORTS[0],
        farewell=top.octets(
            "farewell", _names((greeting, *(one.answer for one in exchanges))), empty=False, needed=False
        ),
    )
    _check_clients(top, tables, protocol)
    _check_values(top, tables, protocol)
    _check_unasked(top, protocol)
    return protocol


def _lengths(top: Table) -> Lengths | None:
    top.only_where("length-prefix" in top, _OF_LENGTHS, "length-prefix says how many octets a length has")
    octets = top.integer("length-prefix", "1 to 8 octets", _PREFIXES)
    at = top.integer("length-at", "0 to 64 octets before the length", range(65)) or 0
    adjustment = top.integer("length-adjustment", "a number of octets from -64 to 64", range(-64, 65)) or 0
    order = cast("Literal['big', 'little']", top.word("length-order", _ORDERS, default="big"))
    return None if octets is None else Lengths(octets, at, order, adjustment)


def _requests(top: Table, exchanges: int, *, repeatable: bool) -> int | None:
    key = "requests-per-connection"
    top.only_where(repeatable, (key,), "the client closes and may ask again on the same connection")
    requests = top.integer(key, "a number of requests", range(1, 1 << 31))
    if requests is not None and requests <= exchanges:
        what = f"expected more than the {exchanges} of the file: a server that closes behind them has closes = 'server'"
        raise top.amiss(key, what)
    return requests


def _exchanges(
    table: dict[str, Any], greeting: Answer | None, lengths: Lengths | None, *, empty: bool
) -> tuple[list[Table], tuple[Exchange, ...]]:
    entries = table.get("exchange")
    if not (isinstance(entries, list) and entries and all(isinstance(entry, dict) for entry in entries)):
        raise Amiss("exchange", "expected one [[exchange]] or more, with what to send and what to expect", None)
    tables, exchanges, answers = [], [], [greeting]
    for number, entry in enumerate(entries):
        one, names = Table(entry, number), _names(answers)
        one.known(_OF_AN_EXCHANGE)
        answer = one.answer("expect", names, lengths, needed=True, empty=empty)
        if answer is None:
            raise one.amiss("expect", "expected an answer")
        answers.append(answer)
        tables.append(one)
        exchanges.append(Exchange(one.octets("send", names, empty=empty), answer, one.text("name")))
    return tables, tuple(exchanges)


def _names(answers: Sequence[Answer | None]) -> list[str]:
    """What may stand in braces behind these answers."""
    taken = [name for answer in answers if isinstance(answer, Matching) for name in answer.names]
    return [CLIENT, *dict.fromkeys(taken)]


def _pattern(answer: Answer | None) -> bytes:
    """All that is written of an answer."""
    return b"" if answer is None else answer.octets if isinstance(answer, Exactly) else answer.regex.pattern


def _check_clients(top: Table, tables: list[Table], protocol: Protocol) -> None:
    """Claim that {client} stands where the server can know it, and has room for enough of them."""
    top.only_where(protocol.personal, _OF_CLIENTS, "{client} stands in a request")
    names = room(protocol.client_alphabet, protocol.client_length)
    if names < _FEW:
        key = "client-length" if "client-length" in top else "client-alphabet"
        what = f"{protocol.client_length} of {protocol.client_alphabet!r} are {names}"
        raise top.amiss(key, f"expected room for {_FEW} clients that differ: {what}")
    if marker(CLIENT) in _pattern(protocol.greeting):
        raise top.amiss(top.written("greeting"), "expected no {client}: the server greets before it knows of any")
    said = b""
    for table, exchange in zip(tables, protocol.exchanges, strict=True):
        said += exchange.send
        if marker(CLIENT) in _pattern(exchange.answer) and marker(CLIENT) not in said:
            raise table.amiss(table.written("expect"), "expected {client} in this request or an earlier one too")


def _check_values(top: Table, tables: list[Table], protocol: Protocol) -> None:
    """Claim that what is taken from an answer is used behind it, and that nothing is asked before it can be known."""
    answers = [(top, "greeting", protocol.greeting)]
    answers += [(table, "expect", one.answer) for table, one in zip(tables, protocol.exchanges, strict=True)]
    for place, (table, key, answer) in enumerate(answers):
        if not isinstance(answer, Matching):
            continue
        later = protocol.exchanges[place:]
        used = b"".join([*(one.send + _pattern(one.answer) for one in later), protocol.farewell])
        for name in answer.names:
            if name == CLIENT:
                raise table.amiss(
                    table.written(key), "expected another name for this group: {client} is each client's own"
                )
            if marker(name) not in used and f"(?P={name})".encode() not in answer.regex.pattern:
                raise table.amiss(table.written(key), f"expected {{{name}}} in a request or an answer behind this one")
            if protocol.pipelining and place and any(marker(name) in one.send for one in later):
                what = f"expected no request with {{{name}}}, which an earlier answer tells: it cannot be sent before"
                raise top.amiss("pipelining", what)


def _check_unasked(top: Table, protocol: Protocol) -> None:
    """Claim that what may be said unasked can be told from what was asked for."""
    if protocol.unasked is None:
        return
    if protocol.unasked.names:
        raise top.amiss("unasked-regex", "expected no named group: what is left out has no values")
    for number, answer in enumerate((protocol.greeting, *(one.answer for one in protocol.exchanges))):
        if isinstance(answer, Exactly) and protocol.unasked.whole(answer.octets):
            which = f"the answer of exchange {number}" if number else "the greeting"
            raise top.amiss("unasked-regex", f"expected a regular expression that does not match {which}")

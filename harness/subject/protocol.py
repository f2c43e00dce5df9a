"""Your own protocol: what a file says that a server answers, so that any request/response server can be judged.

The format by example is in docs/own-protocol.md; the samples in `fixtures/protocols/` are known by their names. Text
in, a value or one line that names what is wrong out; only `load` reads a file, and `named` knows where the samples are.

An answer ends where it matches for the first time, so that how it was divided into segments changes nothing. What a
server says before it closes is taken whole, up to the end of the stream.
"""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from harness import bundle
from harness.payload import quote
from harness.subject.profile import PROFILES

STREAM = "protocol"  # what the tests of every own protocol over TCP name in PROFILES
DATAGRAM = "udp-protocol"  # and those over UDP
SUFFIX = ".toml"

CLIENT = b"{client}"  # in a text: what each of several clients says in its own way, in as many octets


@dataclass(frozen=True)
class Exactly:
    """An answer of exactly these octets."""

    octets: bytes

    def whole(self, came: bytes) -> bool:
        """Whether what came is the answer, neither a part of it nor more."""
        return came == self.octets

    def of(self, client: bytes) -> Exactly:
        """The same for one of several clients."""
        return Exactly(self.octets.replace(CLIENT, client))

    def __str__(self) -> str:
        return quote(self.octets)


@dataclass(frozen=True)
class Matching:
    """An answer that a regular expression matches as a whole."""

    regex: re.Pattern[bytes]

    def whole(self, came: bytes) -> bool:
        """Whether what came is the answer, neither a part of it nor more."""
        return self.regex.fullmatch(came) is not None

    def of(self, client: bytes) -> Matching:
        """The same for one of several clients."""
        return Matching(re.compile(self.regex.pattern.replace(CLIENT, client)))

    def __str__(self) -> str:
        pattern = self.regex.pattern.decode().replace("\n", "\\n")
        return f"octets that match '{pattern}'"


Answer: TypeAlias = Exactly | Matching


@dataclass(frozen=True)
class Exchange:
    """One request, and what has to come back."""

    send: bytes
    answer: Answer
    name: str = ""

    def of(self, client: bytes) -> Exchange:
        """The same for one of several clients."""
        return replace(self, send=self.send.replace(CLIENT, client), answer=self.answer.of(client))

    def __str__(self) -> str:
        return self.name or quote(self.send)


@dataclass(frozen=True)
class Protocol:
    """What a server answers: the exchanges of one session, in order."""

    name: str
    transport: str  # "tcp" or "udp"
    exchanges: tuple[Exchange, ...]
    purpose: str = ""
    greeting: Answer | None = None  # what the server says first, None when the client speaks first
    server_closes: bool = False  # behind the last answer; else the client does
    pipelining: bool = False  # requests may be sent before the answers to earlier ones came
    repeatable: bool = True  # all exchanges may be said again on the same connection

    def of(self, number: int) -> Protocol:
        """What the client with this number says and hears, where the file has each client say something of its own.

        Who is alone with the server says what the file has, as it stands there.
        """
        client = b"%0*d" % (len(CLIENT), number)
        return replace(self, exchanges=tuple(exchange.of(client) for exchange in self.exchanges))

    @property
    def personal(self) -> bool:
        """Whether clients at the same time have to differ in what they say."""
        return any(CLIENT in exchange.send for exchange in self.exchanges)

    @property
    def kind(self) -> str:
        """What the tests that judge it name in their PROFILES."""
        return STREAM if self.transport == "tcp" else DATAGRAM

    def __str__(self) -> str:
        return f"{self.name}: {self.purpose}" if self.purpose else self.name


def kind_of(profile: str) -> str:
    """The word by which tests name a profile: its own name, or the kind of an own protocol; ValueError if unknown."""
    return profile if profile in PROFILES else named(profile).kind


def transport_of(profile: str) -> str:
    """Over what a profile is spoken, "tcp" or "udp"; ValueError if unknown."""
    return PROFILES[profile].transport if profile in PROFILES else named(profile).transport


@functools.cache
def named(word: str) -> Protocol:
    """The protocol that `--profile WORD` means: a sample by name, or a file; ValueError, in one line, if neither."""
    if word.endswith(SUFFIX):
        return load(Path(word))
    found = samples()
    if word not in found:
        raise ValueError(
            f"{word!r} is not known; the profiles are {', '.join(PROFILES)}; samples of own protocols are"
            f" {', '.join(found)}; a file of your own ends in {SUFFIX}"
        )
    return found[word]


@functools.cache
def samples() -> dict[str, Protocol]:
    """The protocols that come along, by name."""
    folder = bundle.root() / "fixtures" / "protocols"
    return {path.stem: load(path) for path in sorted(folder.glob(f"*{SUFFIX}"))}


def load(path: Path) -> Protocol:
    """The protocol in a file; ValueError with file, line, key and what was expected when it describes none."""
    try:
        octets = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    try:
        text = octets.decode()
    except UnicodeDecodeError as error:
        line = octets[: error.start].count(b"\n") + 1
        raise ValueError(f"{path}:{line}: expected UTF-8, found octet 0x{octets[error.start]:02x}") from None
    return parse(text, str(path), path.stem)


# --- from text to value

_TRANSPORTS = ("tcp", "udp")
_CLOSERS = ("client", "server")
_TOP = (
    *("purpose", "transport", "closes", "pipelining", "repeatable"),
    *("greeting", "greeting-hex", "greeting-regex", "exchange"),
)
_OF_A_STREAM = ("closes", "pipelining", "repeatable", "greeting", "greeting-hex", "greeting-regex")
_OF_AN_EXCHANGE = ("name", "send", "send-hex", "expect", "expect-hex", "expect-regex")
_TYPES = {str: "text", bool: "true or false", int: "an integer", float: "a number", list: "an array", dict: "a table"}


class _Amiss(Exception):  # noqa: N818 - what is wrong, before it is known where
    """One thing wrong: the key, what was expected, and in which exchange (counted from 0, None at the top)."""

    def __init__(self, key: str, what: str, exchange: int | None) -> None:
        self.key, self.what, self.exchange = key, what, exchange
        super().__init__(key, what, exchange)


def parse(text: str, source: str = "", name: str = "") -> Protocol:
    """The protocol that a text describes; ValueError in one line, with `source` as the file's name, if it is none."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{source}:{_syntax(str(error), text)}") from None
    try:
        return _protocol(table, name)
    except _Amiss as amiss:
        where = "" if amiss.exchange is None else f"exchange {amiss.exchange + 1}: "
        line = _line(text, amiss.key, amiss.exchange)
        raise ValueError(f"{source}:{line}: {where}{amiss.key}: {amiss.what}") from None


def _protocol(table: dict[str, Any], name: str) -> Protocol:
    top = _Reader(table, None)
    top.known(_TOP)
    transport = top.word("transport", _TRANSPORTS, default="tcp")
    stream = transport == "tcp"
    if not stream and (odd := [key for key in _OF_A_STREAM if key in table]):
        raise top.amiss(odd[0], "expected only where transport is 'tcp': datagrams have no connection")
    closes = top.word("closes", _CLOSERS) if stream else "client"
    exchanges = _exchanges(table, empty=not stream)
    if closes == "server" and "repeatable" in table:
        raise top.amiss("repeatable", "expected only where closes is 'client': here the server ends each session")
    repeatable = top.flag("repeatable", default=closes == "client")
    pipelining = top.flag("pipelining", default=False)
    if pipelining and len(exchanges) == 1 and not repeatable:
        raise top.amiss("pipelining", "expected a second exchange, or one that is repeatable: one cannot be pipelined")
    return Protocol(
        name=name,
        transport=transport,
        exchanges=exchanges,
        purpose=top.text("purpose"),
        greeting=top.answer("greeting", needed=False, empty=False),
        server_closes=closes == "server",
        pipelining=pipelining,
        repeatable=repeatable,
    )


def _exchanges(table: dict[str, Any], *, empty: bool) -> tuple[Exchange, ...]:
    entries = table.get("exchange")
    if not (isinstance(entries, list) and entries and all(isinstance(entry, dict) for entry in entries)):
        raise _Amiss("exchange", "expected one [[exchange]] or more, with what to send and what to expect", None)
    exchanges = []
    for number, entry in enumerate(entries):
        reader = _Reader(entry, number)
        reader.known(_OF_AN_EXCHANGE)
        answer = reader.answer("expect", needed=True, empty=empty)
        if answer is None:
            raise reader.amiss("expect", "expected an answer")
        exchanges.append(Exchange(reader.octets("send", empty=empty), answer, reader.text("name")))
    return tuple(exchanges)


class _Reader:
    """Takes values out of one table, each of the type that it must have."""

    def __init__(self, table: dict[str, Any], exchange: int | None) -> None:
        self._table = table
        self._exchange = exchange

    def amiss(self, key: str, what: str) -> _Amiss:
        return _Amiss(key, what, self._exchange)

    def known(self, keys: tuple[str, ...]) -> None:
        for key in self._table:
            if key not in keys:
                raise self.amiss(key, f"expected one of the keys {', '.join(keys)}")

    def text(self, key: str) -> str:
        value = self._table.get(key, "")
        if not isinstance(value, str):
            raise self.amiss(key, f"expected text in quotes, found {_shown(value)}")
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        value = self._table.get(key, default)
        if not isinstance(value, bool):
            raise self.amiss(key, f"expected true or false, found {_shown(value)}")
        return value

    def word(self, key: str, words: tuple[str, ...], default: str | None = None) -> str:
        value = self._table.get(key, default)
        if value not in words:
            found = "nothing" if value is None else _shown(value)
            raise self.amiss(key, f"expected {' or '.join(map(repr, words))}, found {found}")
        return str(value)

    def octets(self, key: str, *, empty: bool) -> bytes:
        found = self._one_of(key, f"{key}-hex")
        if found is None:
            raise self.amiss(key, f"expected {key} or {key}-hex, found neither")
        octets = self._hex(found) if found != key else self.text(found).encode()
        if not octets and not empty:
            raise self.amiss(found, "expected at least one octet")
        return octets

    def answer(self, key: str, *, needed: bool, empty: bool) -> Answer | None:
        regex = f"{key}-regex"
        found = self._one_of(key, f"{key}-hex", regex)
        if found is None and needed:
            raise self.amiss(key, f"expected {key}, {key}-hex or {regex}, found none of them")
        if found is None:
            return None
        return self._regex(regex) if found == regex else Exactly(self.octets(key, empty=empty))

    def _one_of(self, *keys: str) -> str | None:
        found = [key for key in keys if key in self._table]
        if len(found) > 1:
            raise self.amiss(found[1], f"expected one of {' and '.join(found)}, found both")
        return found[0] if found else None

    def _hex(self, key: str) -> bytes:
        value = self.text(key)
        try:
            return bytes.fromhex(value)
        except ValueError:
            raise self.amiss(key, f"expected pairs of hexadecimal digits, found {_shown(value)}") from None

    def _regex(self, key: str) -> Matching:
        try:
            regex = re.compile(self.text(key).encode())
        except re.error as error:
            raise self.amiss(key, f"expected a regular expression: {error}") from None
        if regex.fullmatch(b""):
            raise self.amiss(key, "expected a regular expression that nothing at all does not match")
        return Matching(regex)


def _shown(value: Any) -> str:
    """A value as it is named in a message, on one line."""
    return repr(value) if isinstance(value, str) else _TYPES.get(type(value), type(value).__name__)


# --- where in the text

_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")
_HEADER = re.compile(r"\s*\[\[?\s*(?P<key>[^\]\s]+)")


def _syntax(error: str, text: str) -> str:
    """What tomllib says, with the line in front of it."""
    place = _PLACE.search(error)
    what = " ".join(error[: place.start()].split()) if place else error
    if place is None or place["line"] is None:
        return f"{text.count(chr(10)) + 1}: {what} at the end of the file"
    return f"{place['line']}: {what} at column {place['column']}"


def _line(text: str, key: str, exchange: int | None) -> int:
    """The number of the line that sets `key` in this exchange (None: at the top); else that of its header, or 1.

    tomllib tells no places, so the text is searched: a key within a text of several lines may be taken for one.
    """
    setting = re.compile(rf"""\s*["']?{re.escape(key)}["']?\s*=""")
    within: int | None = None
    section = 1
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            if header["key"] == key and exchange is None:
                return number
            within = (-1 if within is None else within) + 1 if header["key"] == "exchange" else within
            if within == exchange and header["key"] == "exchange":
                section = number
        elif within == exchange and setting.match(line):
            return number
    return section

"""Files of own protocols: what they mean, and one line, golden, for each that cannot be taken."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from harness import bundle
from harness.subject.answer import alternatives, asked_for
from harness.subject.client_names import ALPHABETS, fresh, name, numbered, room
from harness.subject.protocol import (
    DATAGRAM,
    STREAM,
    Exactly,
    Exchange,
    Lengths,
    Matching,
    Protocol,
    kind_of,
    load,
    named,
    parse,
    samples,
    transport_of,
)

if TYPE_CHECKING:
    from pathlib import Path

EVERYTHING = r"""
purpose = "a counter"
transport = "tcp"
closes = "client"
pipelining = true
repeatable = false
greeting-hex = "0d 0A"

[[exchange]]
name = "the next"
send = "NEXT\r\n"
expect-regex = '[0-9]+\r\n'

[[exchange]]
send-hex = "00ff"
expect = "다람쥐"
"""

LEAST = 'closes = "server"\n[[exchange]]\nsend = "a"\nexpect = "b"\n'

TOP_KEYS = (
    "purpose, transport, closes, pipelining, repeatable, greeting, greeting-hex, greeting-regex,"
    " requests-per-connection, idle-limit, length-prefix, length-at, length-order, length-adjustment,"
    " answers-from, farewell, farewell-hex, client-alphabet, client-length, unasked-regex, exchange"
)
EXCHANGE_KEYS = "name, send, send-hex, expect, expect-hex, expect-regex"

BAD = {
    "no TOML": ('closes = "client"\nsend "a"\n', "2: Expected '=' after a key in a key/value pair at column 6"),
    "TOML cut short": ("closes", "1: Expected '=' after a key in a key/value pair at the end of the file"),
    "key twice": ('closes = "client"\ncloses = "server"\n', "2: Cannot overwrite a value at column 18"),
    "unknown top key": ("port = 7\n" + LEAST, f"1: port: expected one of the keys {TOP_KEYS}"),
    "unknown table": (LEAST + "[settings]\nport = 7\n", f"5: settings: expected one of the keys {TOP_KEYS}"),
    "unknown key of an exchange": (
        LEAST + '\n[[exchange]]\nsend = "a"\nexpects = "b"\n',
        f"8: exchange 2: expects: expected one of the keys {EXCHANGE_KEYS}",
    ),
    "unknown transport": ('transport = "sctp"\n', "1: transport: expected 'tcp' or 'udp', found 'sctp'"),
    "nobody closes": (
        '[[exchange]]\nsend = "a"\nexpect = "b"\n',
        "1: closes: expected 'client' or 'server', found nothing",
    ),
    "closes is no word": ("\n\ncloses = true\n", "3: closes: expected 'client' or 'server', found true or false"),
    "closes over UDP": (
        'transport = "udp"\ncloses = "server"\n',
        "2: closes: expected only where transport is 'tcp': datagrams have no connection",
    ),
    "pipelining is no flag": (
        'pipelining = "yes"\n' + LEAST,
        "1: pipelining: expected true or false, found 'yes'",
    ),
    "nothing to pipeline": (
        "pipelining = true\n" + LEAST,
        "1: pipelining: expected a second exchange, or one that is repeatable: one cannot be pipelined",
    ),
    "repeatable though the server closes": (
        "repeatable = true\n" + LEAST,
        "1: repeatable: expected only where closes is 'client': here the server ends each session",
    ),
    "purpose is no text": ("purpose = 3\n" + LEAST, "1: purpose: expected text in quotes, found an integer"),
    "no exchange": (
        'closes = "client"\n',
        "1: exchange: expected one [[exchange]] or more, with what to send and what to expect",
    ),
    "exchange in single brackets": (
        'closes = "client"\n[exchange]\nsend = "a"\nexpect = "b"\n',
        "2: exchange: expected one [[exchange]] or more, with what to send and what to expect",
    ),
    "nothing to send": (
        'closes = "client"\n[[exchange]]\nexpect = "b"\n',
        "2: exchange 1: send: expected send or send-hex, found neither",
    ),
    "two things to send": (
        'closes = "client"\n[[exchange]]\nsend = "a"\nsend-hex = "61"\nexpect = "b"\n',
        "4: exchange 1: send-hex: expected one of send and send-hex, found both",
    ),
    "an empty request": (
        'closes = "client"\n[[exchange]]\nsend = ""\nexpect = "b"\n',
        "3: exchange 1: send: expected at least one octet",
    ),
    "nothing expected": (
        LEAST + '[[exchange]]\nsend = "a"\n',
        "5: exchange 2: expect: expected expect, expect-hex or expect-regex, found none of them",
    ),
    "no hexadecimal digits": (
        LEAST + '[[exchange]]\nsend = "a"\nexpect-hex = "0x41"\n',
        "7: exchange 2: expect-hex: expected pairs of hexadecimal digits, found '0x41'",
    ),
    "no regular expression": (
        'closes = "client"\n[[exchange]]\nsend = "a"\nexpect-regex = "(b"\n',
        "4: exchange 1: expect-regex: expected a regular expression: missing ), unterminated subpattern at position 0",
    ),
    "a regular expression for nothing": (
        'closes = "client"\n[[exchange]]\nsend = "a"\nexpect-regex = ".*"\n',
        "4: exchange 1: expect-regex: expected a regular expression that nothing at all does not match",
    ),
    "requests on a connection that the server closes": (
        "requests-per-connection = 9\n" + LEAST,
        "1: requests-per-connection: expected only where the client closes and may ask again on the same connection",
    ),
    "fewer requests on a connection than the file has": (
        'closes = "client"\nrequests-per-connection = 1\n[[exchange]]\nsend = "a"\nexpect = "b"\n',
        (
            "2: requests-per-connection: expected more than the 1 of the file: a server that closes behind them has"
            " closes = 'server'"
        ),
    ),
    "a number of requests that is none": (
        'closes = "client"\nrequests-per-connection = "many"\n[[exchange]]\nsend = "a"\nexpect = "b"\n',
        "2: requests-per-connection: expected a number of requests, found 'many'",
    ),
    "an idle limit below a second": (
        "idle-limit = 0.5\n" + LEAST,
        "1: idle-limit: expected seconds, 1 at least, found 0.5",
    ),
    "an idle limit of yes": (
        "idle-limit = true\n" + LEAST,
        "1: idle-limit: expected seconds, 1 at least, found true or false",
    ),
    "an idle limit over UDP": (
        'transport = "udp"\nidle-limit = 9\n[[exchange]]\nsend = "a"\nexpect = "b"\n',
        "2: idle-limit: expected only where transport is 'tcp': datagrams have no connection",
    ),
    "another port over TCP": (
        'answers-from = "another port"\n' + LEAST,
        "1: answers-from: expected only where transport is 'udp'",
    ),
    "a port by number": (
        'transport = "udp"\nanswers-from = 69\n[[exchange]]\nsend = "a"\nexpect = "b"\n',
        "2: answers-from: expected 'the same port' or 'another port', found an integer",
    ),
    "a farewell over TCP": ('farewell = "bye"\n' + LEAST, "1: farewell: expected only where transport is 'udp'"),
    "a length of nine octets": (
        "length-prefix = 9\n" + LEAST,
        "1: length-prefix: expected 1 to 8 octets, found 9",
    ),
    "the place of a length and no length": (
        "length-at = 4\n" + LEAST,
        "1: length-at: expected only where length-prefix says how many octets a length has",
    ),
    "the order of octets": (
        'length-prefix = 2\nlength-order = "middle"\n' + LEAST,
        "2: length-order: expected 'big' or 'little', found 'middle'",
    ),
    "an answer that is not as long as it says": (
        'closes = "client"\nlength-prefix = 2\n[[exchange]]\nsend = "a"\nexpect-hex = "0003 4142"\n',
        "5: exchange 1: expect-hex: expected as many octets as its length says: there are 4, 5 by its first length",
    ),
    "an answer too short for a length": (
        'closes = "client"\nlength-prefix = 2\n[[exchange]]\nsend = "a"\nexpect-hex = "00"\n',
        "5: exchange 1: expect-hex: expected as many octets as its length says: there are 1, and no length yet",
    ),
    "a length without a content": (
        'closes = "client"\n[[exchange]]\nsend = "a"\nexpect-regex = \'(?P<length>[0-9]+)\\n\'\n',
        "4: exchange 1: expect-regex: expected the group (?P<content>…) too, which belongs to (?P<length>…)",
    ),
    "an alphabet that is none": (
        'client-alphabet = "roman"\n' + LEAST.replace('"a"', '"{client}"'),
        "1: client-alphabet: expected 'digits' or 'letters' or 'hex' or 'octets', found 'roman'",
    ),
    "a length for clients who have no name": (
        "client-length = 4\n" + LEAST,
        "1: client-length: expected only where {client} stands in a request",
    ),
    "names for too few clients": (
        "client-length = 3\n" + LEAST.replace('"a"', '"{client}"'),
        "1: client-length: expected room for 10000 clients that differ: 3 of 'digits' are 1000",
    ),
    "a client that nobody told the server of": (
        LEAST.replace('"b"', '"{client}"'),
        "4: exchange 1: expect: expected {client} in this request or an earlier one too",
    ),
    "a greeting that knows the client": (
        'greeting = "hello {client}"\n' + LEAST.replace('"a"', '"{client}"'),
        "1: greeting: expected no {client}: the server greets before it knows of any",
    ),
    "a name in hexadecimal digits that nobody knows": (
        'closes = "server"\n[[exchange]]\nsend-hex = "00 {cleint}"\nexpect = "b"\n',
        "3: exchange 1: send-hex: expected digits or one of {client}, found {cleint}",
    ),
    "a value that is not used": (
        'closes = "client"\n[[exchange]]\nsend = "a"\nexpect-regex = \'(?P<token>[0-9]+)\\n\'\n',
        "4: exchange 1: expect-regex: expected {token} in a request or an answer behind this one",
    ),
    "a value by the name of the client": (
        'closes = "client"\n[[exchange]]\nsend = "a"\nexpect-regex = \'(?P<client>[0-9]+)\\n\'\n',
        "4: exchange 1: expect-regex: expected another name for this group: {client} is each client's own",
    ),
    "a value that is not known when it is sent": (
        (
            'closes = "client"\npipelining = true\n[[exchange]]\nsend = "a"\nexpect-regex = \'(?P<token>[0-9])\\n\'\n'
            '[[exchange]]\nsend = "{token}"\nexpect = "b"\n'
        ),
        "2: pipelining: expected no request with {token}, which an earlier answer tells: it cannot be sent before",
    ),
    "what is said unasked is an answer": (
        "unasked-regex = '[a-z]'\n" + LEAST,
        "1: unasked-regex: expected a regular expression that does not match the answer of exchange 1",
    ),
    "what is said unasked has values": (
        "unasked-regex = '(?P<token>[0-9])'\n" + LEAST,
        "1: unasked-regex: expected no named group: what is left out has no values",
    ),
    "the greeting is a number": ("greeting = 220\n" + LEAST, "1: greeting: expected text in quotes, found an integer"),
}


def test_everything_that_can_be_said() -> None:
    assert parse(EVERYTHING, name="counter") == Protocol(
        name="counter",
        transport="tcp",
        purpose="a counter",
        greeting=Exactly(b"\r\n"),
        exchanges=(
            Exchange(b"NEXT\r\n", Matching(re.compile(rb"[0-9]+\r\n")), "the next"),
            Exchange(b"\0\xff", Exactly("다람쥐".encode())),
        ),
        server_closes=False,
        pipelining=True,
        repeatable=False,
    )


def test_each_client_may_say_something_of_its_own() -> None:
    """In as many octets as the file has, so that lengths that are said before them stay true."""
    text = LEAST.replace('"a"', '"SET {client} red"').replace('expect = "b"', "expect-regex = '{client} [0-9]{1,3}'")
    protocol = parse(text)

    second = protocol.of(b"00000002").exchanges[0]

    assert (protocol.personal, parse(LEAST).personal) == (True, False)
    assert second == Exchange(b"SET 00000002 red", Matching(re.compile(rb"00000002 [0-9]{1,3}")))
    assert len(second.send) == len(protocol.exchanges[0].send)
    assert parse(LEAST).of(b"00000002") == parse(LEAST)


def test_every_client_has_a_name_of_its_own_and_one_that_looks_unlike_the_last() -> None:
    protocol = parse(LEAST.replace('"a"', '"{client}"'))

    names = [fresh(protocol).exchanges[0].send for _ in range(5000)]

    assert len(set(names)) == len(names)
    assert all(re.fullmatch(rb"[0-9]{8}", name) for name in names)
    assert all(one[:2] != two[:2] for one, two in pairwise(names))
    assert fresh(parse(LEAST)) == parse(LEAST)


@pytest.mark.parametrize("alphabet", ALPHABETS)
def test_no_two_names_are_the_same_until_all_were_given(alphabet: str) -> None:
    names = {name(alphabet, 2, number) for number in range(7, 7 + room(alphabet, 2))}
    assert len(names) == room(alphabet, 2) == len(ALPHABETS[alphabet]) ** 2
    assert all(set(one) <= set(ALPHABETS[alphabet]) for one in names)


def test_a_client_with_a_number_is_the_same_each_time_and_nobody_else() -> None:
    protocol = parse(LEAST.replace('"a"', '"{client}"'))
    others = {fresh(protocol) for _ in range(100)}

    assert numbered(protocol, 3) == numbered(protocol, 3) != numbered(protocol, 4)
    assert numbered(protocol, 3) not in others


def test_a_client_in_hexadecimal_digits_with_octets_of_its_own() -> None:
    """Whatever octets they are, a regular expression takes them as they are."""
    text = (
        'closes = "client"\nclient-alphabet = "octets"\nclient-length = 2\n[[exchange]]\nsend-hex = "00 {client} ff"\n'
    )
    protocol = parse(text + "expect-regex = '(?s){client}.'\n").of(b"(\xff")

    assert protocol.exchanges[0].send == b"\0(\xff\xff"
    assert protocol.exchanges[0].answer.whole(b"(\xff!")
    assert "x28" in str(protocol.exchanges[0].answer) or "(" in str(protocol.exchanges[0].answer)


def test_what_an_answer_tells_is_said_again() -> None:
    text = (
        'closes = "client"\n[[exchange]]\nsend = "a"\nexpect-regex = \'(?P<token>[^\\n]+)\\n\'\n'
        "[[exchange]]\nsend = \"use {token}, {other}\"\nexpect-regex = 'used {token} [0-9]{1,3}'\n"
    )
    first, second = parse(text).exchanges

    taken = first.answer.taken(b"a.b{client}\n")

    assert taken == {"token": b"a.b{client}"}
    assert second.of(taken).send == b"use a.b{client}, {other}"
    assert second.of(taken).answer.whole(b"used a.b{client} 17")
    assert not second.of(taken).answer.whole(b"used axb{client} 17")


def test_a_content_is_as_long_as_its_length_says() -> None:
    answer = Matching(re.compile(rb"(?s)VALUE (?P<length>[0-9]+)\r\n(?P<content>.*)\r\nEND\r\n"))

    assert answer.whole(b"VALUE 5\r\nhello\r\nEND\r\n")
    assert not answer.whole(b"VALUE 4\r\nhello\r\nEND\r\n")
    assert answer.whole(b"VALUE 12\r\nhello\r\nEND\r\n\r\nEND\r\n")
    assert not answer.whole(b"VALUE 12\r\nhello\r\nEND\r\n")
    assert Matching(re.compile(answer.regex.pattern + rb"|END\r\n")).whole(b"END\r\n")
    assert answer.taken(b"VALUE 5\r\nhello\r\nEND\r\n") == {}


@pytest.mark.parametrize(
    ("pattern", "parts"),
    [
        (rb"a\n", [rb"a\n"]),
        (rb"a\n|b|", [rb"a\n", b"b", b""]),
        (rb"(a|b)\||[|)]|[]|]", [rb"(a|b)\|", rb"[|)]", rb"[]|]"]),
        (rb"[^]|]\(|[\]|]", [rb"[^]|]\(", rb"[\]|]"]),
    ],
)
def test_bars_of_a_regular_expression(pattern: bytes, parts: list[bytes]) -> None:
    re.compile(pattern)
    assert alternatives(pattern) == parts


@pytest.mark.parametrize(
    ("pattern", "answer"),
    [
        (rb"a\n|b", b"b"),
        (rb"a\\n", rb"a\n"),
        (rb"(?:a\n|b)", b"b"),
        (rb"a\n?", b"a"),
        (rb"a\n|b\n", b"b\n"),
        (rb"(?x) a # \n", b"a"),
    ],
)
def test_an_answer_is_whole_whatever_it_ends_with(pattern: bytes, answer: bytes) -> None:
    assert Matching(re.compile(pattern)).whole(answer)


@pytest.mark.parametrize(
    ("lengths", "messages"),
    [
        (Lengths(2), b"\0\3abc" + b"\0\0"),
        (Lengths(2, order="little"), b"\3\0abc" + b"\0\0"),
        (Lengths(4, at=1, adjustment=-4), b"Z\0\0\0\5I" + b"N\0\0\0\4"),
        (Lengths(3, order="little", adjustment=1), b"\3\0\0#abc" + b"\0\0\0#"),
        (Lengths(1, adjustment=-9), b"\1" + b"\2"),
    ],
)
def test_messages_end_where_their_lengths_say(lengths: Lengths, messages: bytes) -> None:
    """As parts of one answer, and not a single octet earlier or later."""
    first = lengths.end(messages, 0)

    ends = [size for size in range(1, len(messages) + 1) if lengths.whole(messages[:size])]

    assert ends == [first, len(messages)]
    assert not lengths.whole(messages + b"\0") or lengths.octets == 1


def test_what_is_said_unasked_is_left_out_at_each_line() -> None:
    unasked = Matching(re.compile(rb"PING [^\n]*\n"))

    assert asked_for(b"PING a\n+OK\nPING b\nlist PING c\n.\nPING", unasked) == b"+OK\nlist PING c\n.\nPING"
    assert asked_for(b"PING a\n", None) == b"PING a\n"


def test_what_is_said_unasked_is_left_out_at_each_message() -> None:
    lengths = Lengths(4, at=1, adjustment=-4)
    unasked = Matching(re.compile(rb"(?s)N.*"), lengths)

    assert asked_for(b"T\0\0\0\6\nN" + b"N\0\0\0\5\n" + b"Z\0\0\0\5I", unasked) == b"T\0\0\0\6\nN" + b"Z\0\0\0\5I"


def test_how_often_is_asked_on_one_connection() -> None:
    text = 'closes = "client"\n[[exchange]]\nsend = "a"\nexpect = "b"\n[[exchange]]\nsend = "a"\nexpect = "b"\n'

    assert parse(text).rounds(100) == 100
    assert parse("requests-per-connection = 7\n" + text).rounds(100) == 3
    assert parse("repeatable = false\n" + text).rounds(100) == 1


def test_the_example_in_the_documentation() -> None:
    text = (bundle.root() / "docs" / "own-protocol.md").read_text()
    example = text.partition("```toml\n")[2].partition("```")[0]
    protocol = parse(example)
    assert (protocol.greeting, protocol.server_closes) == (Exactly(b"counter 1.0\r\n"), True)
    assert [str(exchange) for exchange in protocol.exchanges] == [r"'NEXT\r\n'", "the farewell"]


def test_the_least_that_must_be_said() -> None:
    assert parse(LEAST) == Protocol(
        name="", transport="tcp", exchanges=(Exchange(b"a", Exactly(b"b")),), server_closes=True, repeatable=False
    )


def test_datagrams_may_be_empty() -> None:
    protocol = parse('transport = "udp"\n[[exchange]]\nsend = ""\nexpect = ""\n')
    assert (protocol.kind, protocol.exchanges) == (DATAGRAM, (Exchange(b"", Exactly(b"")),))


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_is_told_with_line_key_and_what_was_expected(case: str) -> None:
    text, line = BAD[case]
    with pytest.raises(ValueError) as raised:
        parse(text, "my.toml", "my")
    assert str(raised.value) == f"my.toml:{line}"


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError) as raised:
        load(tmp_path / "my.toml")
    assert str(raised.value) == f"{tmp_path}/my.toml: No such file or directory"


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_bytes(b'closes = "client"\npurpose = "\xe9t\xe9"\n')
    with pytest.raises(ValueError) as raised:
        load(tmp_path / "my.toml")
    assert str(raised.value) == f"{tmp_path}/my.toml:2: expected UTF-8, found octet 0xe9"


def test_an_answer_is_whole_or_not() -> None:
    exactly, matching = Exactly(b"+PONG\r\n"), Matching(re.compile(rb"[0-9]+\r\n"))
    assert [exactly.whole(came) for came in (b"", b"+PONG", b"+PONG\r\n", b"+PONG\r\n+")] == [False, False, True, False]
    assert [matching.whole(came) for came in (b"", b"12", b"12\r\n", b"12\r\n3")] == [False, False, True, False]


def test_every_sample_has_a_purpose_and_its_name() -> None:
    assert {name: sample.transport for name, sample in samples().items()} == {
        "dns": "udp",
        "dns-tcp": "tcp",
        "http": "tcp",
        "memcached": "tcp",
        "modbus": "tcp",
        "mqtt": "tcp",
        "ntp": "udp",
        "pop3": "tcp",
        "postgresql": "tcp",
        "redis": "tcp",
        "smtp": "tcp",
        "stun": "udp",
        "tftp": "udp",
    }
    assert all(sample.purpose and sample.name == name for name, sample in samples().items())


@pytest.mark.parametrize(
    ("name", "number", "answer"),
    [
        ("redis", 0, b"+PONG\r\n"),
        ("http", 0, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\xff\n\0"),
        ("http", 0, b"HTTP/1.0 404 \r\nServer: x\r\n\r\n"),
        ("smtp", 0, b"250 OK\r\n"),
        ("smtp", 1, b"221-this is\r\n221 goodbye\r\n"),
        ("stun", 0, bytes.fromhex("0101 000c 2112a442 736f636b 73706563 30303031 00200008 0001a1475e12a443")),
    ],
)
def test_samples_know_an_answer_of_the_wild(name: str, number: int, answer: bytes) -> None:
    assert samples()[name].exchanges[number].answer.whole(answer)


def test_words_for_a_profile(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text('transport = "udp"\n[[exchange]]\nsend = ""\nexpect = ""\n')
    mine = str(tmp_path / "my.toml")
    assert [kind_of(word) for word in ("echo", "redis", mine)] == ["echo", STREAM, DATAGRAM]
    assert [transport_of(word) for word in ("udp-echo", "redis", mine)] == ["udp", "tcp", "udp"]
    assert named(mine).name == "my"
    with pytest.raises(ValueError, match="'ehco' is not known; the profiles are echo, "):
        named("ehco")

"""Files of own protocols: what they mean, and one line, golden, for each that cannot be taken."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from harness import bundle
from harness.subject.protocol import (
    DATAGRAM,
    STREAM,
    Exactly,
    Exchange,
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
        "http": "tcp",
        "redis": "tcp",
        "smtp": "tcp",
        "stun": "udp",
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

"""Conversations: what a client says next follows from what it heard, told from octets alone."""

from __future__ import annotations

from typing import Any

import pytest

from harness.budget import Stopwatch
from harness.probe.conversation import Conversation, DatagramConversation
from harness.probe.datagram import Received
from harness.probe.ending import Ending
from harness.subject.protocol import parse
from harness.verdict import Inconclusive, Mismatch
from harness.wire.segment import Endpoint

TOKENS = """
closes = "client"
greeting-regex = 'hello (?P<guest>[a-z]+)\\n'
unasked-regex = '!.*\\n'
[[exchange]]
send = "I am {guest}\\n"
expect-regex = '(?P<token>[0-9]+)\\n'
[[exchange]]
send = "open {token}\\n"
expect = "opened {token} for {guest}\\n"
"""

FARE = Endpoint("192.0.2.1", 69)
OTHER, THIRD = Endpoint("192.0.2.1", 4000), Endpoint("192.0.2.1", 4001)
TRANSFER = """
transport = "udp"
answers-from = "another port"
farewell = "bye {token}"
[[exchange]]
send = "begin"
expect-regex = 'take (?P<token>[0-9])'
[[exchange]]
send = "more {token}"
expect = "end"
"""


class Stream:
    """A client of a server that says all this, whatever it is asked."""

    stopped = ""

    def __init__(self, come: bytes, ended: Ending | None = None) -> None:
        self.come, self._last = come, ended
        self.said: list[bytes] = []

    @property
    def ended(self) -> Ending | None:
        return None if self.come else self._last

    def send_all(self, octets: bytes) -> None:
        self.said.append(octets)

    def read(self, size: int) -> bytes:
        octets, self.come = self.come[:size], self.come[size:]
        return octets

    def read_to_end(self) -> bytes:
        return self.read(len(self.come))

    def keep_silent(self, _: float) -> bytes:
        return self.read_to_end()


class Datagrams:
    """A client to which all this comes, whatever it asks."""

    far = FARE

    def __init__(self, *come: Received) -> None:
        self.come = list(come)
        self.said: list[tuple[bytes, Endpoint]] = []

    def send(self, octets: bytes, to: Endpoint) -> None:
        self.said.append((octets, to))

    def answer(self, expected: str) -> Received:
        if not self.come:
            raise Mismatch(expected, "no datagram came")
        return self.come.pop(0)

    def waiting(self) -> list[Received]:
        return self.come


def talk(text: str, come: bytes, ended: Ending | None = None) -> tuple[Any, Conversation]:
    client: Any = Stream(come, ended)
    return client, Conversation(client, parse(text))


def test_values_of_greeting_and_answers_are_said_again() -> None:
    client, one = talk(TOKENS, b"hello stranger\n17\nopened 17 for stranger\n")

    one.hear_greeting()
    one.converse()

    assert client.said == [b"I am stranger\n", b"open 17\n"]
    assert [exchange.send for exchange in one.again()] == [b"I am stranger\n", b"open {token}\n"]


def test_what_is_said_unasked_is_no_part_of_an_answer() -> None:
    _, one = talk(TOKENS, b"!\nhello me\n!ping\n!\n17\n!\nopened 17 for me\n!pong\n", Ending.EOF)

    one.hear_greeting()
    one.converse()
    one.expect_end()


def test_another_value_than_was_told_is_told() -> None:
    _, one = talk(TOKENS, b"hello me\n17\nopened 18 for me\n")

    one.hear_greeting()
    with pytest.raises(Mismatch, match="'opened 17 for me"):
        one.converse()


@pytest.mark.parametrize(("come", "left"), [(b"!\n", b""), (b"!\nwell?\n", b"well?"), (b"!\n!half", b"!half")])
def test_what_comes_amid_silence(come: bytes, left: bytes) -> None:
    _, one = talk(TOKENS, come)

    if not left:
        one.expect_to_stand(0.01)
    else:
        with pytest.raises(Mismatch, match=left.decode().replace("?", r"\?")):
            one.expect_to_stand(0.01)


def test_who_was_silent_beyond_the_idle_limit_tells_nothing_of_the_server() -> None:
    text = 'closes = "client"\nidle-limit = 9\n[[exchange]]\nsend = "a"\nexpect-regex = "b"\n'
    _, early = talk(text, b"", Ending.EOF)
    _, late = talk(text, b"", Ending.EOF)
    late._silence = Stopwatch(late._silence.started - 10)

    with pytest.raises(Mismatch):
        early.converse()
    with pytest.raises(Inconclusive, match=r"we were silent for 10\.. s; the server may close after 9 s"):
        late.converse()


def datagrams(*come: Received, text: str = TRANSFER) -> tuple[Any, DatagramConversation]:
    client: Any = Datagrams(*come)
    return client, DatagramConversation(client, parse(text))


def test_an_exchange_goes_on_with_the_port_that_answered() -> None:
    client, one = datagrams(Received(b"take 7", OTHER), Received(b"end", OTHER))

    one.ask_all()

    assert client.said == [(b"begin", FARE), (b"more 7", OTHER), (b"bye 7", OTHER)]


def test_the_next_exchange_begins_where_the_subject_is_asked() -> None:
    client, one = datagrams(*[Received(b"take 7", OTHER), Received(b"end", OTHER)] * 2)

    one.ask_all()
    one.ask_all()

    assert [to for octets, to in client.said if octets == b"begin"] == [FARE, FARE]


@pytest.mark.parametrize(
    ("come", "expected"),
    [
        ([(b"take 7", FARE)], "from another port of 192.0.2.1 than 69"),
        ([(b"take 7", Endpoint("192.0.2.2", 4000))], "from another port of 192.0.2.1 than 69"),
        ([(b"take 7", OTHER), (b"end", THIRD)], "from 192.0.2.1:4000"),
        ([(b"take 7", OTHER), (b"end", FARE)], "from 192.0.2.1:4000"),
    ],
)
def test_an_answer_from_a_wrong_place_is_told(come: list[tuple[bytes, Endpoint]], expected: str) -> None:
    _, one = datagrams(*[Received(*one) for one in come])

    with pytest.raises(Mismatch, match=expected.replace(".", r"\.")):
        one.ask_all()


def test_what_is_sent_again_is_no_answer_when_time_has_passed() -> None:
    """TFTP repeats a block that is not acknowledged in time; two at once are one too many."""
    first = Received(b"take 7", OTHER)
    _, hasty = datagrams(first, first, Received(b"end", OTHER))
    _, late = datagrams(first, first, Received(b"end", OTHER))

    hasty.ask(0)
    with pytest.raises(Mismatch):
        hasty.ask(1)
    late.ask(0)
    late._heard = Stopwatch(late._heard.started - 1)
    late.ask(1)


def test_datagrams_that_may_come_unasked_are_no_answers() -> None:
    text = 'transport = "udp"\nunasked-regex = "!.*"\n[[exchange]]\nsend = "a"\nexpect = "b"\n'
    client, one = datagrams(Received(b"!so", FARE), Received(b"b", FARE), text=text)

    one.ask_all()
    client.come = [Received(b"!more", FARE), Received(b"b", FARE)]

    assert one.extra() == [Received(b"b", FARE)]

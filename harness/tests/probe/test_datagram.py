"""The datagram client: it hears everybody, and says what was wrong with what came, or that nothing did."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from harness.probe.datagram import DatagramClient, Received
from harness.tests.probe.acted import GIVEN_UP, AtOnce
from harness.verdict import Mismatch
from harness.wire.segment import Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Talk:
    """A client on this host's loopback, and a subject that answers as a test says."""

    def __init__(self) -> None:
        self.answers: Callable[[bytes], list[bytes]] = lambda octets: [octets]
        self.theirs, self.elsewhere, ours = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3))
        self.speaker = self.theirs
        for one in (self.theirs, self.elsewhere, ours):
            one.bind(("127.0.0.1", 0))
            one.setblocking(False)
        self.far = Endpoint(*self.theirs.getsockname())
        self.client = DatagramClient(ours, self.far, AtOnce(self.act))

    def act(self) -> None:
        """Answer what is there."""
        try:
            octets, near = self.theirs.recvfrom(1 << 16)
        except BlockingIOError:
            return
        for answer in self.answers(octets):
            self.speaker.sendto(answer, near)

    def close(self) -> None:
        """Close all three sockets."""
        for one in (self.theirs, self.elsewhere):
            one.close()
        self.client.close()

    def claimed(self, claim: Callable[[], object]) -> tuple[str, str]:
        """What a claim that does not hold expected, and what it saw; the ports of both sockets by their names."""
        with pytest.raises(Mismatch) as told:
            claim()
        other = Endpoint(*self.elsewhere.getsockname())
        return tuple(  # type: ignore[return-value]  # two of them
            text.replace(str(self.far), "SUBJECT").replace(str(other), "ELSEWHERE")
            for text in (told.value.expected, told.value.actual)
        )


@pytest.fixture
def talk() -> Iterator[Talk]:
    """The client and its subject."""
    talk = Talk()
    yield talk
    talk.close()


def test_a_datagram_comes_back(talk: Talk) -> None:
    """Of any size, the empty one too."""
    for octets in (b"hello", b"", bytes(range(256)) * 40):
        talk.client.expect_back(octets)

    assert talk.client.waiting() == []


@pytest.mark.parametrize(
    ("sent", "answers", "expected", "said"),
    [
        pytest.param(
            b"hello", [], "a datagram of 5 octets, 'hello', from SUBJECT", f"no datagram came; {GIVEN_UP}", id="none"
        ),
        pytest.param(
            b"hello",
            [b"hel"],
            "a datagram of 5 octets, 'hello', from SUBJECT",
            "a datagram from SUBJECT that ends after 3 of 5 octets",
            id="truncated",
        ),
        pytest.param(
            b"hello",
            [b"hello!"],
            "a datagram of 5 octets, 'hello', from SUBJECT",
            "a datagram from SUBJECT that goes on after 5 octets: '!'",
            id="padded",
        ),
        pytest.param(
            b"hello",
            [b"HELLO"],
            "a datagram of 5 octets, 'hello', from SUBJECT",
            "a datagram from SUBJECT that differs at offset 0: expected 'hello', got 'HELLO'",
            id="changed",
        ),
        pytest.param(
            b"", [], "an empty datagram from SUBJECT", f"no datagram came; {GIVEN_UP}", id="none for an empty one"
        ),
        pytest.param(
            b"",
            [b"x"],
            "an empty datagram from SUBJECT",
            "a datagram from SUBJECT that goes on after 0 octets: 'x'",
            id="something for an empty one",
        ),
        pytest.param(
            b"x",
            [b""],
            "a datagram of 1 octet, 'x', from SUBJECT",
            "a datagram from SUBJECT that ends after 0 of 1 octet",
            id="an empty one for something",
        ),
        pytest.param(
            b"x" * 60,
            [],
            f"a datagram of 60 octets, '{'x' * 48}'…, from SUBJECT",
            f"no datagram came; {GIVEN_UP}",
            id="long",
        ),
    ],
)
def test_what_came_instead_is_said(talk: Talk, sent: bytes, answers: list[bytes], expected: str, said: str) -> None:
    """Nothing, less, more, or other octets."""
    talk.answers = lambda _: answers

    assert talk.claimed(lambda: talk.client.expect_back(sent)) == (expected, said)


def test_the_source_must_be_where_we_asked(talk: Talk) -> None:
    """The socket is not connected, so a wrong one is seen."""
    talk.speaker = talk.elsewhere

    assert talk.claimed(lambda: talk.client.expect_back(b"hello")) == (
        "a datagram of 5 octets, 'hello', from SUBJECT",
        "the right octets, but from ELSEWHERE",
    )


def test_another_source_may_be_expected(talk: Talk) -> None:
    """A subject with several addresses answers from the one that was asked."""
    talk.speaker = talk.elsewhere
    talk.client.send(b"hello")

    talk.client.expect(b"hello", Endpoint(*talk.elsewhere.getsockname()))


def test_a_second_answer_is_found_by_the_fence(talk: Talk) -> None:
    """What must be answered is sent behind: what comes beside its answer is too much."""
    talk.answers = lambda octets: [octets] if octets != b"fence" else [octets, b"again", b"and again"]
    talk.client.expect_back(b"hello")

    assert talk.claimed(lambda: talk.client.expect_nothing_before(b"fence")) == (
        "no further datagram",
        "2 more: a datagram of 5 octets, 'again', from SUBJECT",
    )


def test_an_answer_before_that_of_the_fence(talk: Talk) -> None:
    """It is told as what it is, not as a wrong answer to the fence."""
    talk.answers = lambda octets: [octets, octets]
    talk.client.expect_back(b"hello")

    assert talk.claimed(lambda: talk.client.expect_nothing_before(b"fence")) == (
        "no further datagram",
        "2 more: a datagram of 5 octets, 'hello', from SUBJECT",
    )


def test_a_fence_that_is_not_answered(talk: Talk) -> None:
    """Then nothing is proved, and what came instead is told."""
    talk.answers = lambda octets: [octets] if octets != b"fence" else []
    talk.client.send(b"hello")

    assert talk.claimed(lambda: talk.client.expect_nothing_before(b"fence")) == (
        "a datagram of 5 octets, 'fence', from SUBJECT",
        f"1 others came, first a datagram of 5 octets, 'hello', from SUBJECT; {GIVEN_UP}",
    )


def test_nothing_before_the_fence(talk: Talk) -> None:
    """Silence is proved."""
    talk.answers = lambda octets: [octets] if octets == b"fence" else []
    talk.client.send(b"not to be answered")

    talk.client.expect_nothing_before(b"fence")


def test_receive_tells_from_whom(talk: Talk) -> None:
    """Or None when nothing will come."""
    talk.client.send(b"hello")

    received = talk.client.receive()

    assert received == Received(b"hello", talk.far)
    assert str(received) == f"a datagram of 5 octets, 'hello', from {talk.far}"
    assert talk.client.receive() is None


def test_it_sends_where_it_is_told(talk: Talk) -> None:
    """For a subject that is asked at several addresses."""
    talk.client.send(b"elsewhere", Endpoint(*talk.elsewhere.getsockname()))

    assert talk.elsewhere.recv(100) == b"elsewhere"
    assert str(talk.client) == f"{talk.client.near} <-> {talk.far}"

"""What came of one client of a crowd, told from octets alone."""

from __future__ import annotations

import re
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, cast

import pytest

from harness.probe.crowd import Crowd, Member
from harness.probe.ending import Ending
from harness.subject.patience import Waited
from harness.subject.protocol import Answer, Exactly, Exchange, Matching
from harness.wire.segment import Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.probe.client import Client


class Wire:
    """A client as far as a member sees it: what came in pieces, and how it ended."""

    def __init__(self, pieces: list[bytes], ended: Ending | None = None) -> None:
        self.pieces = pieces
        self.said: list[bytes] = []
        self.ended: Ending | None = None
        self._ending = ended

    def take_in(self) -> bytes:
        if self.pieces:
            return self.pieces.pop(0)
        self.ended = self._ending
        return b""

    def send_all(self, octets: bytes) -> None:
        self.said.append(octets)


def heard(wire: Wire, *answers: Answer, to_end: bool = False) -> Member:
    member = Member(7, cast("Client", wire), [Exchange(b"say", answer) for answer in answers], to_end)
    member.speak()
    for _ in range(len(wire.pieces) + 1):
        member.hear()
    return member


@pytest.mark.parametrize("cut", range(1, 6))
def test_an_answer_may_come_in_pieces(cut: int) -> None:
    member = heard(Wire([b"mine\n\n"[:cut], b"mine\n\n"[cut:]]), Exactly(b"mine\n\n"))

    assert (member.strange, member.lack, member.settled) == ("", "", True)


def test_octets_of_another_are_strange() -> None:
    assert heard(Wire([b"yours"]), Exactly(b"mine")).strange == "client 7 got 'yours' where 'mine' is its own"


def test_octets_beyond_the_answer_are_strange() -> None:
    assert heard(Wire([b"mine", b"yours"]), Exactly(b"mine")).strange == "client 7 got 'yours' beyond its answer"


def test_a_part_of_the_answer_is_a_lack_and_not_strange() -> None:
    member = heard(Wire([b"mi"], Ending.EOF), Exactly(b"mine"))

    assert member.strange == ""
    assert member.lack == "client 7 got 2 octets of its answer, then end of stream (FIN)"


def test_the_next_is_said_when_the_answer_is_whole() -> None:
    wire = Wire([b"onetwo"])

    assert heard(wire, Exactly(b"one"), Exactly(b"two")).lack == ""
    assert wire.said == [b"say", b"say"]


def test_an_answer_up_to_the_end_is_whole_with_it_only() -> None:
    anything = Matching(re.compile(b".+"))

    without = heard(Wire([b"a", b"b"]), anything, to_end=True)
    assert without.lack == "client 7 got an answer of 2 octets, and not the end of the stream (FIN) behind it"
    assert heard(Wire([b"mi"]), Exactly(b"mine"), to_end=True).lack == "client 7 got 2 octets of its answer"
    assert heard(Wire([b"a", b"b"], Ending.EOF), anything, to_end=True).lack == ""


def test_a_long_answer_is_not_looked_at_octet_by_octet(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    def whole(answer: Exactly, came: bytes) -> bool:
        looks.append(len(came))
        return came == answer.octets

    monkeypatch.setattr(Exactly, "whole", whole)
    long, short = b"long" * 5000, b"short"

    assert heard(Wire([long + short[:2], short[2:]]), Exactly(long), Exactly(short)).lack == ""
    assert looks == [20_000, 2, 5]


def test_a_long_answer_up_to_the_end_is_taken_at_once() -> None:
    """Octet by octet a thousand answers of 100 KiB took longer than a test may."""
    anything = Matching(re.compile(rb"(?s).+"))

    member = heard(Wire([b"x" * (2 << 20)], Ending.EOF), anything, to_end=True)

    assert (member.lack, member.settled) == ("", True)


class Waiting:
    """A client with a real socket that nothing has come to yet; `answer()` is what its server does."""

    ended = None

    def __init__(self, number: int) -> None:
        self.near = Endpoint("::1", number)
        self.socket, self._far = socket.socketpair()
        self.left = False

    def take_in(self) -> bytes:
        return self.socket.recv(100)

    def answer(self) -> None:
        self._far.send(b"mine")

    def close(self) -> None:
        self.left = True

    def end(self) -> None:
        self.socket.close()
        self._far.close()


class Pool:
    """Subject and probe in one: of its clients each that leaves lets it serve the next one, `serves` of them."""

    def __init__(self, clients: list[Waiting], serves: int) -> None:
        self.clients = clients
        self.serves = serves
        self.rests, self.ended = True, False
        self.queued: set[int] = set()

    def accepted(self) -> frozenset[int]:
        return frozenset(client.near.port for client in self.clients) - self.queued

    def until(self, _: object, came: Callable[[float], bool]) -> Waited:
        """Serve one when somebody has left, the first of those who wait."""
        waiting = [client for client in self.clients if not client.left]
        if len(self.clients) - len(waiting) <= self.serves and waiting:
            waiting[0].answer()
        return Waited(came(0.0))

    def at_rest(self, _: object, seconds: float) -> bool:
        return self.rests


@pytest.fixture
def waiting() -> Iterator[list[Waiting]]:
    """Five clients, of which the first has been served."""
    with ExitStack() as stack:
        clients = [Waiting(number) for number in range(1, 6)]
        for client in clients:
            stack.callback(client.end)
        yield clients


def crowd_of(pool: Any) -> Crowd:
    first, *others = (
        Member(one.near.port, one, [] if one.near.port == 1 else [Exchange(b"", Exactly(b"mine"))], to_end=False)
        for one in pool.clients
    )
    crowd = Crowd(pool, pool, first)
    crowd.members += others
    return crowd


def test_who_waits_for_a_worker_is_not_forgotten(waiting: list[Waiting]) -> None:
    """Each has its turn when the one before it has left."""
    assert crowd_of(Pool(waiting, serves=4)).forgotten() == []
    assert [client.left for client in waiting] == [True, True, True, True, False]


def test_who_gets_no_answer_when_the_others_have_left_is_forgotten(waiting: list[Waiting]) -> None:
    """Two are served, two are not."""
    assert [str(one) for one in crowd_of(Pool(waiting, serves=2)).forgotten()] == ["client 4", "client 5"]


@pytest.mark.parametrize("state", ["works", "ended", "queued"])
def test_of_a_server_that_works_has_ended_or_has_not_accepted_nobody_is_forgotten(
    waiting: list[Waiting], state: str
) -> None:
    """Who is slow is not asked for more than it can do, and how it ended is told elsewhere."""
    pool = Pool(waiting, serves=0)
    pool.rests, pool.ended = state != "works", state == "ended"
    pool.queued = {2, 3, 4, 5} if state == "queued" else set()

    assert crowd_of(pool).forgotten() == []

"""What came of one client of a crowd, told from octets alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

import pytest

from harness.probe.crowd import Member
from harness.probe.ending import Ending
from harness.subject.protocol import Answer, Exactly, Exchange, Matching

if TYPE_CHECKING:
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

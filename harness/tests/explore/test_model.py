"""What came, compared with what is owed: from octets alone."""

from __future__ import annotations

import re

import pytest

from harness.explore.model import (
    Amiss,
    DatagramIds,
    Due,
    DueDatagrams,
    End,
    Ids,
    amiss,
    amiss_datagrams,
)
from harness.probe.ending import Ending
from harness.subject.protocol import Exactly, Matching

IDS = Ids("octets", "more", "end", "early")
LINE = Due(IDS, octets=None, like=rb"[a-z ]+\r\n", end=End.MUST)
ECHO = Due(IDS, b"hello")
LAST = Due(IDS, b"hello", end=End.MUST)
IDLE = "idle for 2 s"


@pytest.mark.parametrize(
    ("due", "came", "ended"),
    [
        (ECHO, b"", None),
        (ECHO, b"hel", None),
        (ECHO, b"hello", None),
        (LAST, b"hello", None),
        (LAST, b"hello", Ending.EOF),
        (LINE, b"one li", None),
        (LINE, b"one line\r\n", Ending.EOF),
        (Due(IDS, None, least=4), b"12345", None),
        (Due(IDS, None, end=End.MAY, reset=True), b"anything", Ending.RESET),
    ],
)
def test_what_may_be_on_its_way_is_not_amiss(due: Due, came: bytes, ended: Ending | None) -> None:
    assert amiss(due, came, ended) is None


@pytest.mark.parametrize(
    ("due", "came", "ended", "requirement", "actual"),
    [
        (ECHO, b"hellO", None, "octets", "differs at offset 4: expected 'o', got 'O'"),
        (ECHO, b"hello!", None, "more", "1 octet more, '!'"),
        (ECHO, b"hello", Ending.EOF, "early", "5 octets, 'hello', then end of stream (FIN)"),
        (ECHO, b"", Ending.RESET, "early", "no octet came, then reset (RST)"),
        (LAST, b"hel", Ending.EOF, "octets", "3 octets, 'hel', then end of stream (FIN)"),
        (LAST, b"hello", Ending.RESET, "end", "5 octets, 'hello', then reset (RST)"),
        (LINE, b"one line\r\ntwo", None, "more", "3 octets more, 'two'"),
        (LINE, b"one line\n", Ending.EOF, "octets", "9 octets, 'one line\\n', then end of stream (FIN)"),
    ],
)
def test_what_is_wrong_is_wrong_at_once(
    due: Due, came: bytes, ended: Ending | None, requirement: str, actual: str
) -> None:
    found = amiss(due, came, ended)

    assert found is not None
    assert (found.requirement, found.actual) == (requirement, actual)


@pytest.mark.parametrize(
    ("due", "came", "requirement"),
    [
        (ECHO, b"hel", "octets"),
        (LAST, b"hello", "end"),
        (LINE, b"", "octets"),
        (Due(IDS, None, least=4), b"123", "octets"),
    ],
)
def test_what_is_missing_is_amiss_when_nothing_more_comes(due: Due, came: bytes, requirement: str) -> None:
    found = amiss(due, came, None, why=IDLE)

    assert found is not None
    assert found.requirement == requirement
    assert found.actual.endswith(IDLE)
    assert not due.satisfied(came, None)


def test_what_is_not_owed_may_stay_away() -> None:
    """The client whose turn it is not may wait for ever, and may not hear a stranger's words either."""
    waits = Due(IDS, b"hello", owed=False)

    assert amiss(waits, b"", None, why=IDLE) is None
    assert waits.satisfied(b"", None)
    assert amiss(waits, b"world", None) is not None


# -- datagrams

DATAGRAMS = DueDatagrams(
    DatagramIds("octets", "missing", "more", "source"),
    (Exactly(b"one"), Exactly(b"one"), Matching(re.compile(rb"tw."))),
    optional=(Exactly(b"perhaps"),),
)


@pytest.mark.parametrize("came", [(), (b"one",), (b"two", b"one", b"one"), (b"one", b"perhaps", b"one", b"twx")])
def test_datagrams_may_come_in_any_order(came: tuple[bytes, ...]) -> None:
    assert amiss_datagrams(DATAGRAMS, came) is None


@pytest.mark.parametrize(
    ("came", "why", "found"),
    [
        ((b"three",), "", Amiss("octets", "a datagram of 'one' or octets that match 'tw.'", "'three' came")),
        (
            (b"one", b"one", b"two", b"perhaps", b"one"),
            "",
            Amiss("more", "one answer for each datagram", "one more came, 'one'"),
        ),
        (
            (b"two", b"one"),
            IDLE,
            Amiss("missing", "a datagram of 'one'", f"2 datagrams came, this one did not; {IDLE}"),
        ),
    ],
)
def test_datagrams_that_are_amiss(came: tuple[bytes, ...], why: str, found: Amiss) -> None:
    assert amiss_datagrams(DATAGRAMS, came, why=why) == found

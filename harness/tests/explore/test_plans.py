"""What is possible one behind the other, and what a sequence ends with."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.explore.actions import Close, Connect, DropNext, HalfClose, Read, Reset, Send, Wait, literal
from harness.explore.contracts import contract
from harness.explore.plans import KINDS, Draft, ended, in_order, planned, possible, renumbered, session
from harness.subject.profile import PROFILES
from harness.subject.protocol import samples

EVERYBODY = (*PROFILES, *samples())
DRAFTS = st.lists(st.builds(Draft, st.sampled_from(KINDS), st.integers(0, 3), st.integers(0, 15)), max_size=40)


@pytest.mark.parametrize("profile", EVERYBODY)
@settings(max_examples=25)
@given(drafts=DRAFTS)
def test_what_is_planned_is_possible(profile: str, drafts: list[Draft]) -> None:
    """Nobody acts who is not there, at most three are, and in the end all have gone."""
    made = contract(profile)
    plan = planned(drafts, made, link=True)

    assert possible(plan, made, link=True) == plan
    there: set[int] = set()
    for action in ended(plan, made):
        match action:
            case Connect(client):
                assert client not in there
                there.add(client)
                assert len(there) <= 3
            case Close(client) | Reset(client):
                there.remove(client)
            case Send(client) | Read(client) | HalfClose(client):
                assert client in there
    assert not there


@given(drafts=DRAFTS, place=st.integers(0, 30))
def test_what_is_left_out_leaves_a_plan(drafts: list[Draft], place: int) -> None:
    made = contract("echo")
    plan = planned(drafts, made, link=True)

    rest = possible(plan[:place] + plan[place + 1 :], made, link=True)

    assert possible(rest, made, link=True) == rest


def test_segments_are_lost_only_on_a_link_and_where_it_changes_nothing() -> None:
    drafts = [Draft("connect", 0, 0), Draft("other", 0, 0), Draft("other", 0, 1)]

    assert planned(drafts, contract("echo"), link=True) == (Connect(1), DropNext(sent=True), DropNext(sent=False))
    assert planned(drafts, contract("echo"), link=False) == (Connect(1),)
    assert planned(drafts, contract("greeting"), link=True) == (Connect(1),)


def test_where_a_greeting_comes_nobody_speaks_before_it() -> None:
    drafts = [Draft("connect", 0, 0), Draft("send", 0, 0), Draft("read", 0, 0), Draft("send", 0, 0)]

    assert planned(drafts, contract("smtp"), link=False) == (Connect(1), Read(1), Send(1, b"NOOP\r\n"))


def test_requests_are_said_in_their_order_and_in_pieces() -> None:
    drafts = [Draft("connect", 0, 0), *[Draft("send", 0, what) for what in (1, 0, 0, 0)]]

    sent = [action.octets for action in planned(drafts, contract("redis"), link=False) if isinstance(action, Send)]

    assert sent == [b"*1\r\n$4\r", b"\nPING\r\n", b"PING\r\n", b"*1\r\n$4\r\nPING\r\n"]


def test_an_ordinary_client() -> None:
    assert session(4, contract("echo")) == (
        *(Connect(4), Send(4, b"hello\r\n"), Read(4)),
        *(HalfClose(4), Read(4), Close(4)),
    )


def test_clients_are_numbered_anew() -> None:
    later = renumbered((Connect(1), Wait(), Reset(1)), 3)

    assert later == (Connect(4), Wait(), Reset(4))
    assert in_order((Connect(7), Connect(9), *later)) == (Connect(1), Connect(2), Connect(3), Wait(), Reset(3))


@given(octets=st.binary(max_size=300))
def test_a_literal_is_python(octets: bytes) -> None:
    assert eval(literal(octets)) == octets


@pytest.mark.parametrize(
    ("octets", "shown"),
    [
        (b"hello\r\n", "b'hello\\r\\n'"),
        (b"y" * 1024, "b'y' * 1024"),
        (bytes(range(256)) * 8, "bytes(range(256)) * 8"),
        (bytes(range(256)) * 2 + b"\0\1", "bytes(range(256)) * 2 + bytes(range(256))[:2]"),
    ],
)
def test_long_octets_with_a_pattern_are_shown_short(octets: bytes, shown: str) -> None:
    assert literal(octets) == shown
    assert eval(shown) == octets

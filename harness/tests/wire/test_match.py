"""A pattern matches a step exactly when nothing speaks against it, and what speaks against it is said in words.

Each thing that can be said of a packet stands here twice: as a pattern, and as the plain predicate that it means. The
law is tested over random steps and over patterns combined at random with `|` and `&`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.tests.wire.craft import FAR, NEAR, SYN_OPTIONS, half_close
from harness.wire.icmp import EVERY_KIND
from harness.wire.match import (
    FIELDS,
    Differs,
    Missing,
    Present,
    exactly,
    in_order,
    matches,
    mismatches,
    none_of,
    pick,
)
from harness.wire.pattern import FIELD_NAMES, Field, Pattern, Sender, Template, got, sent
from harness.wire.segment import ACK, EVERY_FLAGS, FIN, RST, SYN, Datagram, Endpoint, IcmpError, Segment
from harness.wire.step import FlowPacket, Step

if TYPE_CHECKING:
    from collections.abc import Callable

    Meaning = Callable[[Step], bool]


def segment(flags: int = ACK, data: bytes = b"", options: bytes = b"") -> Segment:
    return Segment(1, 0, False, FAR, NEAR, 0, 0, EVERY_FLAGS[flags], 0, 0, 0, options, data)


def datagram(data: bytes) -> Datagram:
    return Datagram(1, 0, False, FAR, NEAR, 0, data)


def icmp_error(kind: str) -> IcmpError:
    return IcmpError(1, 0, False, Endpoint(FAR.host, 0), Endpoint(NEAR.host, 0), kind, 0, "udp", NEAR, FAR, None, 0)


def all_of(step: Step, flags: int) -> bool:
    return isinstance(step.packet, Segment) and step.flags & flags == flags


# What can be said, and what it means, sender apart.
SAID: list[tuple[Callable[[Sender], Pattern], Meaning]] = [
    (lambda who: who.SYN, lambda step: all_of(step, SYN)),
    (lambda who: who.FIN, lambda step: all_of(step, FIN)),
    (lambda who: who.RST, lambda step: all_of(step, RST)),
    (lambda who: who.ACK, lambda step: all_of(step, ACK)),
    (lambda who: who.SYN_ACK, lambda step: all_of(step, SYN | ACK)),
    (lambda who: who.data(), lambda step: isinstance(step.packet, Segment) and step.data != b""),
    (lambda who: who.data(b"ab"), lambda step: isinstance(step.packet, Segment) and step.data == b"ab"),
    (lambda who: who.data(size=1), lambda step: isinstance(step.packet, Segment) and len(step.data) == 1),
    (lambda who: who.acked(0), lambda step: all_of(step, ACK) and step.ack > 0),
    (lambda who: who.acked(2), lambda step: all_of(step, ACK) and step.ack > 2),
    (
        lambda who: who.window(0),
        lambda step: isinstance(step.packet, Segment) and not step.flags & RST and step.window == 0,
    ),
    (
        lambda who: who.taken(2),
        lambda step: (
            (all_of(step, ACK) and step.ack > 2)
            or (isinstance(step.packet, Segment) and not step.flags & RST and step.window == 0)
        ),
    ),
    (
        lambda who: who.window(above=0),
        lambda step: isinstance(step.packet, Segment) and not step.flags & RST and step.window > 0,
    ),
    (lambda who: who.bare_ack(), lambda step: all_of(step, ACK) and not step.flags & 7 and not step.data),
    (lambda who: who.segment(), lambda step: isinstance(step.packet, Segment)),
    (
        lambda who: who.segment(flags="SYN", without="ACK"),
        lambda step: all_of(step, SYN) and not step.flags & ACK,
    ),
    (lambda who: who.segment(seq=1, size=0), lambda step: all_of(step, 0) and step.seq == 1 and not step.data),
    (lambda who: who.segment(ack=1), lambda step: all_of(step, ACK) and step.ack == 1),
    (
        lambda who: who.segment(mss=1460, window_scale=7, sack_permitted=True, timestamps=False),
        lambda step: isinstance(step.packet, Segment) and step.packet.option_octets == SYN_OPTIONS,
    ),
    (
        lambda who: who.segment(sack_permitted=False),
        lambda step: isinstance(step.packet, Segment) and not step.packet.option_octets,
    ),
    (lambda who: who.datagram(), lambda step: isinstance(step.packet, Datagram)),
    (lambda who: who.datagram(b""), lambda step: isinstance(step.packet, Datagram) and step.data == b""),
    (lambda who: who.datagram(size=2), lambda step: isinstance(step.packet, Datagram) and len(step.data) == 2),
    (lambda who: who.icmp(), lambda step: isinstance(step.packet, IcmpError)),
    (
        lambda who: who.icmp("time exceeded"),
        lambda step: isinstance(step.packet, IcmpError) and step.packet.kind == "time exceeded",
    ),
]

OPTIONS = (b"", SYN_OPTIONS)

small_data = st.sampled_from([b"", b"a", b"ab"])
packets = st.one_of(
    st.builds(segment, st.integers(0, 31), small_data, st.sampled_from(OPTIONS)),
    st.builds(datagram, small_data),
    st.builds(icmp_error, st.sampled_from(["time exceeded", "port unreachable"])),
)
small = st.integers(0, 3)
steps = st.builds(Step, packets, st.booleans(), st.just(0), small, small, small)


@st.composite
def said_and_meant(draw: st.DrawFn) -> tuple[Pattern, Meaning]:
    """A pattern, alone or combined, and its predicate."""
    pattern, meaning = draw(one_said())
    for _ in range(draw(st.integers(0, 3))):
        other, other_meaning = draw(one_said())
        if draw(st.booleans()):
            pattern, meaning = pattern | other, either(meaning, other_meaning)
            continue
        try:
            pattern, meaning = pattern & other, both(meaning, other_meaning)
        except ValueError:  # nothing can be both; then there is no such pattern
            continue
    return pattern, meaning


@st.composite
def one_said(draw: st.DrawFn) -> tuple[Pattern, Meaning]:
    say, meaning = draw(st.sampled_from(SAID))
    who = draw(st.sampled_from([sent, got]))
    return say(who), lambda step: step.sent == who.sent and meaning(step)


def either(one: Meaning, other: Meaning) -> Meaning:
    return lambda step: one(step) or other(step)


def both(one: Meaning, other: Meaning) -> Meaning:
    return lambda step: one(step) and other(step)


EVERY_PACKET: list[FlowPacket] = [
    *(segment(flags, data, options) for flags in range(32) for data in (b"", b"a", b"ab") for options in OPTIONS),
    *(datagram(data) for data in (b"", b"a", b"ab")),
    *(icmp_error(kind) for kind in ("time exceeded", "port unreachable")),
]
EVERY_STEP = [
    Step(packet, by_probe, 0, number, number, number)
    for packet in EVERY_PACKET
    for by_probe in (True, False)
    for number in range(4)
]


@pytest.mark.parametrize(("say", "meaning"), SAID, ids=[str(say(got)) for say, _ in SAID])
def test_what_is_said_is_what_is_meant_of_every_step(say: Callable[[Sender], Pattern], meaning: Meaning) -> None:
    wrong = [
        step
        for who in (sent, got)
        for step in EVERY_STEP
        if matches(say(who), step) != (step.sent == who.sent and meaning(step))
    ]

    assert wrong == []


@settings(max_examples=1000)
@given(said_and_meant(), steps)
def test_a_step_matches_exactly_when_nothing_speaks_against_it(said: tuple[Pattern, Meaning], step: Step) -> None:
    pattern, meaning = said

    assert (mismatches(pattern, step) == ()) == meaning(step)
    assert matches(pattern, step) == meaning(step)


@given(said_and_meant(), steps)
def test_every_reason_is_said_once_and_in_words(said: tuple[Pattern, Meaning], step: Step) -> None:
    reasons = mismatches(said[0], step)

    assert all(reasons)
    assert len(set(reasons)) == len(reasons)


def test_every_field_that_a_pattern_can_name_can_be_read() -> None:
    assert tuple(FIELDS) == FIELD_NAMES


# --- the words


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (got.FIN, "got FIN"),
        (sent.SYN, "sent SYN"),
        (got.SYN_ACK, "got SYN ACK"),
        (got.RST | got.FIN, "got RST or got FIN"),
        (got.FIN & got.data(b"bye"), "got FIN and data 'bye'"),
        (sent.data(), "sent data"),
        (sent.data(size=10), "sent data (10 octets)"),
        (sent.data(size=1), "sent data (1 octet)"),
        (got.acked(10), "got ACK of 10 octets"),
        (got.window(0), "got window 0"),
        (got.taken(10), "got ACK of 10 octets or got window 0"),
        (got.window(above=0), "got window above 0"),
        (got.bare_ack(), "got bare ACK"),
        (got.segment(), "got segment"),
        (got.segment() | got.datagram() | got.icmp(), "got anything"),
        (got.segment(flags="SYN", without="ACK", mss=1460), "got SYN without ACK, with mss 1460"),
        (got.segment(timestamps=True, sack_permitted=False), "got segment without SACK permitted, with timestamps"),
        (got.segment(seq=1), "got segment with seq 1"),
        (got.icmp(), "got ICMP error"),
        (got.icmp("port unreachable"), "got ICMP port unreachable"),
        (got.datagram(), "got datagram"),
        (got.datagram(b"data"), "got datagram 'data'"),
        (got.datagram(size=0), "got datagram (0 octets)"),
    ],
    ids=str,
)
def test_a_pattern_prints_in_the_words_of_the_user(pattern: Pattern, words: str) -> None:
    assert str(pattern) == words


SYN_SEGMENT = segment(SYN, options=SYN_OPTIONS)
REFUSAL = icmp_error("port unreachable")
NOT_RST_NOR_DATA = ("RST not set", "it carries nothing")


@pytest.mark.parametrize(
    ("pattern", "step", "reasons"),
    [
        (got.FIN, Step(segment(), True, 0), ("it was sent, not got",)),
        (got.FIN, Step(datagram(b""), False, 0), ("it is no segment",)),
        (got.datagram(), Step(segment(), False, 0), ("it is no datagram",)),
        (got.SYN_ACK, Step(segment(RST | ACK), False, 0), ("SYN not set",)),
        (got.segment(flags="FIN ACK"), Step(segment(SYN), False, 0), ("FIN ACK not set",)),
        (got.segment(without="ACK"), Step(segment(SYN | ACK), False, 0), ("ACK set",)),
        (got.data(), Step(segment(), False, 0), ("it carries nothing",)),
        (got.data(size=2), Step(segment(data=b"x"), False, 0), ("it carries 1 octet, not 2",)),
        (got.data(b"no"), Step(segment(data=b"x"), False, 0), ("it carries 'x', not 'no'",)),
        (got.acked(10), Step(segment(), False, 0, ack=6), ("it acknowledges 5 octets, not 10",)),
        (got.acked(10), Step(segment(RST), False, 0), ("ACK not set",)),
        (got.window(0), Step(segment(), False, 0, window=512), ("window is 512, not 0",)),
        (got.window(0), Step(segment(RST), False, 0), ("a RST offers no window",)),
        (got.window(above=9), Step(segment(), False, 0, window=9), ("window is 9, not above 9",)),
        (got.bare_ack(), Step(segment(FIN | ACK), False, 0), ("FIN set",)),
        (got.bare_ack(), Step(segment(data=b"x"), False, 0), ("it carries 1 octet",)),
        (got.segment(mss=536), Step(SYN_SEGMENT, False, 0), ("mss is 1460, not 536",)),
        (got.segment(mss=536), Step(segment(SYN), False, 0), ("it has no mss",)),
        (got.segment(timestamps=True), Step(segment(SYN), False, 0), ("it has no timestamps",)),
        (got.segment(sack_permitted=False), Step(SYN_SEGMENT, False, 0), ("it has SACK permitted",)),
        (got.icmp("time exceeded"), Step(REFUSAL, False, 0), ("it says port unreachable, not time exceeded",)),
        (got.RST | got.FIN, Step(segment(), False, 0), ("RST not set", "FIN not set")),
        (got.RST | sent.RST & sent.data(), Step(segment(), True, 0), ("it was sent, not got", *NOT_RST_NOR_DATA)),
    ],
)  # fmt: skip
def test_a_mismatch_says_what_is_there_and_what_was_wanted(
    pattern: Pattern, step: Step, reasons: tuple[str, ...]
) -> None:
    assert mismatches(pattern, step) == reasons


@pytest.mark.parametrize(
    ("slip", "message"),
    [
        (lambda: got.icmp("port unreachble"), "'port unreachble' is no ICMP error; they are: bad length, "),
        (lambda: got.segment(flags="SYNACK"), "'SYNACK' is not a list of flags"),
        (lambda: got.data(b""), r"said as segment\(size=0\) or bare_ack\(\)"),
        (lambda: got.data(size=0), r"said as segment\(size=0\) or bare_ack\(\)"),
        (lambda: got.data(b"x", size=1), "say the octets or their number, not both"),
        (got.window, r"window\(n\) or window\(above=n\)"),
        (lambda: got.window(0, above=0), r"window\(n\) or window\(above=n\)"),
        (lambda: got.acked(-1), "-1 octets cannot be acknowledged"),
        (lambda: got.FIN & sent.FIN, "nothing can be both got FIN and sent FIN"),
        (lambda: got.FIN & got.datagram(), "nothing can be both got FIN and got datagram"),
    ],
)
def test_a_slip_of_the_pen_is_told_where_it_is_made(slip: Callable[[], Pattern], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        slip()


def test_patterns_are_values() -> None:
    assert got.RST | got.FIN == got.RST | got.FIN
    assert got.RST | got.RST == got.RST
    assert got.segment(flags="ACK SYN") == got.SYN_ACK
    assert got.segment(mss=9) == Pattern((Template(False, Segment, (Field("mss", 9),)),))
    assert {got.icmp(kind) for kind in EVERY_KIND} == {got.icmp(kind) for kind in EVERY_KIND}


# --- over a flow

STEPS = half_close().flow().steps


def numbers(found: tuple[Step, ...]) -> list[int]:
    return [step.number for step in found]


def test_in_order_takes_the_first_step_for_each_pattern_behind_the_one_before() -> None:
    found = in_order((sent.SYN, got.ACK, got.acked(5), got.FIN), STEPS)

    assert isinstance(found, tuple)
    assert numbers(found) == [1, 2, 5, 9]


def test_one_step_never_serves_two_patterns() -> None:
    assert isinstance(in_order((got.FIN, got.FIN), STEPS), Missing)


@given(st.lists(st.integers(0, len(STEPS) - 1), min_size=1))
def test_in_order_finds_every_subsequence_and_nothing_else(places: list[int]) -> None:
    patterns = tuple((sent if STEPS[place].sent else got).segment(flags=STEPS[place].flags) for place in places)
    rest = iter(STEPS)
    is_there = all(any(matches(pattern, step) for step in rest) for pattern in patterns)

    assert isinstance(in_order(patterns, STEPS), tuple) == is_there


def test_what_is_missing_is_described_with_where_it_did_appear() -> None:
    patterns = (got.FIN, sent.FIN)

    assert in_order(patterns, STEPS) == Missing(patterns, matched=(STEPS[8],), earlier=(STEPS[5],), closest=None)


@pytest.mark.parametrize(
    ("pattern", "closest"),
    [
        (got.data(size=6), 7),  # the data, not one of the bare ACKs
        (got.acked(99), 9),  # the latest, which acknowledges most
        (got.RST, None),  # of flags there is no more or less
        (got.FIN & got.data(), 7),
        (got.datagram(), None),
    ],
    ids=str,
)
def test_the_closest_step_is_the_one_with_the_least_against_it(pattern: Pattern, closest: int | None) -> None:
    found = in_order((pattern,), STEPS)

    assert isinstance(found, Missing)
    assert (found.closest and found.closest.number) == closest


def test_exactly_wants_one_step_for_each_pattern() -> None:
    handshake = (sent.SYN, got.SYN_ACK, sent.bare_ack())

    assert exactly(handshake, STEPS[:3]) == STEPS[:3]
    assert exactly((), ()) == ()
    assert exactly(handshake, STEPS[:4]) == Differs(handshake, STEPS[:3], STEPS[3])
    assert exactly(handshake, STEPS[:2]) == Differs(handshake, STEPS[:2], None)
    assert exactly(handshake, STEPS[1:]) == Differs(handshake, (), STEPS[1])


def test_none_of_returns_all_that_should_not_be_there() -> None:
    assert none_of(got.RST, STEPS) is None
    assert none_of(got.data() | got.FIN, STEPS) == Present(got.data() | got.FIN, (STEPS[6], STEPS[8]))


def test_senders_print_as_they_are_written() -> None:
    assert (str(sent), str(got)) == ("sent", "got")


def test_pick_returns_all_that_match() -> None:
    assert numbers(pick(sent.bare_ack(), STEPS)) == [3, 8, 10]
    assert numbers(pick(got.window(65536), STEPS)) == [5, 7, 9]

"""Patience: how long is waited for whom, on a clock that only the waits move."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain, count, pairwise, repeat
from typing import TYPE_CHECKING, Any

import pytest

from harness import budget
from harness.lab.link_profile import named
from harness.subject import patience
from harness.subject.look import Look
from harness.subject.manner import Course, Manner
from harness.subject.patience import Pace, Patience, Waited
from harness.verdict import NotApplicable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

IDLE = Look(running=0, ticks=100, unsent=0, ended=False)
BUSY = Look(running=1, ticks=100, unsent=0, ended=False)
UNSENT = Look(running=0, ticks=100, unsent=5, ended=False)
ENDED = Look(running=0, ticks=100, unsent=0, ended=True)


@dataclass
class Clock:
    """Seconds that pass when somebody waits."""

    seconds: float = 1000.0
    turns: list[float] = field(default_factory=list)  # the lengths of all waits

    def monotonic(self) -> float:
        """As time.monotonic."""
        return self.seconds

    def never(self, seconds: float) -> bool:
        """Wait for what does not come."""
        self.turns.append(seconds)
        self.seconds += seconds
        return False

    def after(self, seconds: float) -> Callable[[float], bool]:
        """Wait for what comes when so many seconds have passed."""
        there = self.seconds + seconds
        return lambda wait: self.never(min(wait, max(0.0, there - self.seconds))) or self.seconds >= there


@dataclass
class Watched:
    """A subject that shows itself as it is told, one look after the other."""

    looks: Iterable[Look | None]
    name: str = "watched"

    def look(self) -> Look | None:
        """The next look."""
        self.looks = iter(self.looks)
        return next(self.looks)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that budget reads."""
    clock = Clock()
    monkeypatch.setattr(budget, "time", clock)
    return clock


def waited(
    clock: Clock, looks: Iterable[Look | None], came: Callable[[float], bool] | None = None
) -> tuple[Waited, Any]:
    """How the wait ended, and after how many seconds, about a glance more or less."""
    began = clock.seconds
    result = Patience(Watched(looks), seconds=10.0).until(came or clock.never)
    return result, pytest.approx(clock.seconds - began, abs=0.06)


def test_what_is_there_is_not_waited_for(clock: Clock) -> None:
    """Nobody even looks at the subject."""
    assert waited(clock, [], lambda _: True) == (Waited(True), 0.0)


def test_what_comes_is_taken_when_it_comes(clock: Clock) -> None:
    """Within a turn, however long it took."""
    assert waited(clock, repeat(BUSY), clock.after(7.3)) == (Waited(True), 7.3)


def test_an_idle_subject_is_given_up_early(clock: Clock) -> None:
    """When it has not moved for IDLE seconds nothing will come any more."""
    assert waited(clock, repeat(IDLE)) == (Waited(False, "the subject was idle for 2.0 s"), 2.2)


def test_octets_on_their_way_are_waited_for_longer(clock: Clock) -> None:
    """They may wait for a retransmission."""
    assert waited(clock, repeat(UNSENT)) == (Waited(False, "the subject was idle for 4.0 s"), 4.2)


@pytest.mark.parametrize(
    "looks",
    [
        pytest.param(repeat(BUSY), id="a thread wants to run"),
        pytest.param((Look(0, ticks, 0, False) for ticks in range(1000)), id="processor time is used"),
        pytest.param((Look(0, 100, 10_000 - place, False) for place in range(1000)), id="octets are delivered"),
        pytest.param(chain.from_iterable(repeat([*[IDLE] * 8, BUSY], 50)), id="it rests now and then"),
    ],
)
def test_a_busy_subject_has_the_whole_budget(clock: Clock, looks: Iterable[Look]) -> None:
    """A starved one is not idle."""
    assert waited(clock, looks) == (Waited(False, "the subject was still busy after 10 s"), 10.0)


def test_an_ended_subject_is_not_waited_for(clock: Clock) -> None:
    """But for what it had sent, which may still be on its way."""
    assert waited(clock, repeat(ENDED)) == (Waited(False, "the subject had ended"), 0.25)
    assert waited(clock, repeat(ENDED), clock.after(0.15)) == (Waited(True), 0.15)


def test_the_process_that_was_started_may_end_before_others(clock: Clock) -> None:
    """A program that went to the background works on."""
    looks = [Look(1, 100, 0, True)] * 10

    assert waited(clock, chain(looks, repeat(ENDED))) == (Waited(False, "the subject had ended"), 2.25)


def test_a_subject_that_cannot_be_seen_has_the_whole_budget(clock: Clock) -> None:
    """One that runs elsewhere may be busy or not."""
    assert waited(clock, repeat(None)) == (Waited(False, "nothing came after 10 s"), 10.0)


def test_at_the_last_moment_it_is_looked_once_more(clock: Clock) -> None:
    """What came while the subject was looked at counts."""
    calls = iter([False] * 42 + [True])

    result, _ = waited(clock, repeat(IDLE), lambda seconds: clock.never(0.05 if seconds else 0.0) or next(calls))

    assert result == Waited(True)


def test_the_ring_is_emptied_meanwhile(clock: Clock) -> None:
    """At every turn, and a turn is short while frames come."""
    emptied: list[float] = []

    def meanwhile() -> int:
        emptied.append(clock.seconds)
        return 1

    Patience(Watched(repeat(IDLE)), meanwhile, seconds=10.0).until(clock.never)

    assert len(emptied) > 2.0 / patience._TURN
    assert max(later - sooner for sooner, later in pairwise(emptied)) < 0.01


def test_the_turns_become_longer_while_nothing_comes(clock: Clock) -> None:
    """A ring into which nobody writes is looked at now and then, and often again behind the first frame."""
    frames = chain(repeat(0, 60), [3], repeat(0))
    taken = Patience(Watched(repeat(IDLE)), lambda: next(frames), seconds=10.0).until(clock.never)

    assert not taken.came
    turns = [turn for turn in clock.turns if turn > 1e-9]
    assert turns[0] == patience._TURN
    assert max(turns) == patience._SLOWEST
    assert turns.count(patience._TURN) == 2, "at the beginning, and behind the frames"
    assert len(turns) < 200


@pytest.mark.parametrize(
    ("looks", "came", "seconds"),
    [
        pytest.param(repeat(IDLE), True, 0.15, id="idle"),
        pytest.param(repeat(UNSENT), True, 0.15, id="octets that cannot be delivered"),
        pytest.param(repeat(ENDED), True, 0.0, id="ended"),
        pytest.param(repeat(None), True, 0.0, id="cannot be seen"),
        pytest.param(chain([BUSY] * 20, repeat(IDLE)), True, 1.2, id="busy at first"),
        pytest.param(repeat(BUSY), False, 3.0, id="spins"),
        pytest.param((Look(0, ticks, 0, False) for ticks in range(1000)), False, 3.0, id="uses the processor"),
        pytest.param(chain.from_iterable(repeat([IDLE, IDLE, BUSY], 50)), False, 3.0, id="rests too shortly"),
    ],
)
def test_a_subject_is_at_rest_or_is_not(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, looks: Iterable[Look | None], came: bool, seconds: float
) -> None:
    """It has nothing to do for a while, within the budget of this one wait."""
    monkeypatch.setattr("select.select", lambda *arguments: clock.never(arguments[-1]))
    began = clock.seconds

    assert Patience(Watched(looks), seconds=10.0).at_rest(0.1, 3.0) is came
    assert clock.seconds - began == pytest.approx(seconds, abs=0.06)


def test_who_works_on_and_on_is_not_waited_for(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second of processor time in which nobody asked anything; on a processor that is shared, it takes longer."""
    monkeypatch.setattr("select.select", lambda *arguments: clock.never(arguments[-1]))
    spins = (Look(1, 100 + ticks, 0, False) for ticks in count(0, 5))
    starved = (Look(1, 100 + ticks, 0, False) for ticks in count(0, 1))

    began = clock.seconds
    assert not Patience(Watched(spins)).at_rest(0.1, 10.0, work=1.0)
    assert clock.seconds - began == pytest.approx(1.0, abs=0.06)

    began = clock.seconds
    assert not Patience(Watched(starved)).at_rest(0.1, 10.0, work=1.0)
    assert clock.seconds - began == pytest.approx(5.0, abs=0.06)


# --- over a link profile


def test_on_a_link_that_loses_frames_one_waits_for_what_is_sent_again(clock: Clock) -> None:
    """A SYN that is lost twice comes after 3 s, one that is lost three times after 7: neither is a subject stuck."""
    lossy, twice, thrice = Pace.over(named("lossy")), clock.after(3.1), clock.after(7.1)

    assert Patience(Watched(repeat(UNSENT)), pace=lossy).until(twice).came
    assert Patience(Watched(repeat(UNSENT)), pace=lossy).until(thrice).came
    assert not Patience(Watched(repeat(UNSENT))).until(clock.after(7.1)).came


def test_a_handshake_that_took_long_makes_the_next_loss_long(clock: Clock) -> None:
    """Who measured 7 s as its first round trip sends again after R + 4 * R/2, which is 21 s (RFC 6298 2.2)."""
    lossy = Pace.over(named("lossy"))

    assert Patience(Watched(repeat(UNSENT)), pace=lossy).until(clock.after(21.5)).came


def test_what_an_ended_subject_has_sent_may_be_lost_and_sent_again(clock: Clock) -> None:
    """Its kernel delivers what it left, and sends it again when it has to: on a bad link that takes its time."""
    left = Look(running=0, ticks=100, unsent=5, ended=True)
    lossy = Pace.over(named("lossy"))

    assert Patience(Watched(repeat(left)), pace=lossy).until(clock.after(3.1)).came
    assert Patience(Watched(repeat(ENDED)), pace=lossy).until(clock.after(0.5)).came
    assert not Patience(Watched(repeat(left))).until(clock.after(3.1)).came


def test_on_a_slow_link_what_is_late_is_not_missing(clock: Clock) -> None:
    """There and back again a frame is on its way for twice the delay of each way."""
    slow = Pace.over(named("slow"))

    assert slow.idle == pytest.approx(patience.IDLE + 0.08)
    assert Patience(Watched(repeat(IDLE)), pace=slow).until(clock.after(2.05)).came


def test_on_a_clean_link_patience_is_as_ever() -> None:
    clean = Pace.over(named("clean"))

    assert (clean.idle, clean.stuck, clean.on_its_way) == (patience.IDLE, patience.STUCK, 0.0)


# --- one that never rests, and a test that has to be over


def restless(ticks_each: int, running: int = 1) -> Iterable[Look]:
    """A subject that works all the time, so many clock ticks between two looks."""
    return (Look(running, ticks, 0, False) for ticks in count(0, ticks_each))


def knowing(clock: Clock, looks: Iterable[Look], course: Course) -> tuple[Waited, Any]:
    """How the wait for a subject ended of which something is known, and after how many seconds, about."""
    began = clock.seconds
    result = Patience(Watched(looks), seconds=10.0, course=course).until(clock.never)
    return result, pytest.approx(clock.seconds - began, abs=0.06)


def test_one_that_never_rests_is_waited_for_until_it_has_worked(clock: Clock) -> None:
    """A second of processor time, however long the machine takes to give it that."""
    known = Manner(rests=False)

    assert knowing(clock, restless(20), Course(known)) == (
        Waited(False, "the subject never rests, and used the processor for 1.0 s"),
        1.05,
    )
    assert knowing(clock, restless(5), Course(known))[1] == 4.05
    assert knowing(clock, restless(1), Course(known)) == (
        Waited(False, "the subject was still busy after 10 s"),
        10.0,
    )


def test_each_of_many_threads_that_run_gets_its_turn(clock: Clock) -> None:
    """Those that spin keep the one waiting that has something to do: fifty of them for five seconds of a processor."""
    assert knowing(clock, restless(100, running=50), Course(Manner(rests=False)))[1] == 1.05
    assert knowing(clock, restless(20, running=50), Course(Manner(rests=False)))[1] == 5.05


def test_that_it_never_rests_a_test_finds_out_once(clock: Clock) -> None:
    """What ran out with the whole budget is not waited for so long again."""
    course = Course(Manner())

    assert knowing(clock, restless(20), course)[1] == 10.0
    assert knowing(clock, restless(20), course)[1] == 1.05


def test_one_that_comes_to_rest_now_and_then_is_not_taken_for_one_that_never_does(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Short waits that run out count only where they follow each other."""
    monkeypatch.setattr("select.select", lambda *arguments: clock.never(arguments[-1]))
    course = Course(Manner())
    for looks in [restless(20), repeat(IDLE)] * 10:
        Patience(Watched(looks), course=course).at_rest(0.1, 2.0)

    assert not course.restless


def test_to_one_that_is_known_never_to_rest_a_moment_of_work_is_left(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless it is claimed that it does."""
    monkeypatch.setattr("select.select", lambda *arguments: clock.never(arguments[-1]))
    course = Course(Manner(rests=False))
    began = clock.seconds

    assert not Patience(Watched(restless(10)), course=course).at_rest(0.1)
    assert clock.seconds - began == pytest.approx(0.1)
    assert not Patience(Watched(restless(10)), course=course).at_rest(0.1, work=1.0, claimed=True)
    assert clock.seconds - began == pytest.approx(0.6)


def test_a_test_that_has_had_its_time_is_not_applicable(clock: Clock) -> None:
    """With what is known of the subject as the reason; what is there already is still taken."""
    course = Course(Manner(seconds=1.0), more=2.0)
    patience = Patience(Watched(repeat(IDLE)), course=course)
    clock.seconds += 40

    assert patience.until(lambda _: True).came
    with pytest.raises(NotApplicable, match=r"is through within 32 s: one session of the server takes 1\.0 s"):
        patience.until(clock.never)
    with pytest.raises(NotApplicable):
        patience.at_rest(0.1)


@pytest.mark.parametrize(("seconds", "sessions"), [(0.0, 100), (0.29, 100), (0.5, 20), (1.0, 10), (30.0, 2)])
def test_fewer_sessions_are_held_with_a_slow_one(seconds: float, sessions: int) -> None:
    """But never less than a test needs."""
    assert Course(Manner(seconds=seconds)).affordable(100, 2) == sessions


def test_the_end_of_a_stream_is_hardly_waited_for_where_none_ends(clock: Clock) -> None:
    """That it does not come was seen with all patience once."""
    began = clock.seconds

    waited = Patience(Watched(repeat(IDLE)), course=Course(Manner(ends=False))).until_end(clock.never)

    assert waited.reason == "the subject was idle for 0.6 s"
    assert clock.seconds - began == pytest.approx(0.85, abs=0.06)
    assert Patience(Watched(repeat(IDLE)), course=Course(Manner())).until_end(clock.never).reason.endswith("2.0 s")


@pytest.mark.parametrize(("seconds", "idle"), [(0.29, 2.0), (1.0, 10.0)])
def test_a_slow_one_may_sleep_for_each_client_in_front(clock: Clock, seconds: float, idle: float) -> None:
    """One that serves its clients one by one is idle as long as it sleeps for those that have left already."""
    pace = Pace().longer(Manner(seconds=seconds).sleeps)

    waited = Patience(Watched(repeat(IDLE)), pace=pace).until(clock.never)

    assert waited.reason == f"the subject was idle for {idle:.1f} s"


def test_fewer_sessions_are_held_with_one_that_never_rests() -> None:
    """Each of its clients may leave a thread that spins."""
    assert Course(Manner(rests=False)).affordable(100) == 10

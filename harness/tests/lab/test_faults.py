"""Faults: which frames a rule decides over, how often, and what it says of itself. What the relay does is beside."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from harness.lab.acts import Log
from harness.lab.chance import Chance
from harness.lab.fates import Corrupt, Delay, Drop, Duplicate, Hold, Narrow, Reorder
from harness.lab.faults import Fault, Met, Place, Replay, deciding
from harness.tests.wire.craft import FAR, NEAR, Talk, udp_frame
from harness.verdict import Inconclusive
from harness.wire.pattern import got, sent

if TYPE_CHECKING:
    from harness.lab.fates import Fate
    from harness.lab.faults import About


def conversation() -> list[Met]:
    """SYN, SYN ACK, ACK, five octets from the subject, its FIN."""
    talk = Talk()
    talk.handshake()
    talk.got("ACK PSH", seq=1, ack=1, data=b"hello")
    talk.got("FIN ACK", seq=6, ack=1)
    steps = talk.flow().steps
    return [Met(frame.sent, frame.number, frame.octets, step) for frame, step in zip(talk.frames, steps, strict=True)]


def test_a_rule_speaks_of_what_it_matches_and_of_nothing_else() -> None:
    fault = Fault(got.FIN, Drop())

    decided = [deciding([fault], met) for met in conversation()]

    assert decided == [None, None, None, None, fault]
    assert fault.hits == 1


def test_a_rule_acts_no_more_often_than_it_may() -> None:
    fault = Fault(got.ACK, Drop(), times=1)

    decided = [deciding([fault], met) for met in conversation()]

    assert decided == [None, fault, None, None, None], "the first that matches"


def test_the_first_rule_that_speaks_decides() -> None:
    first, second = Fault(got.data(), Duplicate()), Fault(got.ACK, Drop())

    decided = [deciding([first, second], met) for met in conversation()]

    assert decided == [None, second, None, first, second]
    assert (first.hits, second.hits) == (1, 2)


def test_waiting_for_a_rule_ends_when_it_has_acted() -> None:
    fault = Fault(got.FIN, Hold(), times=1)
    frames = conversation()
    other = threading.Thread(target=lambda: [deciding([fault], met) for met in frames])

    other.start()
    fault.wait()
    other.join()

    assert fault.hits == 1


def test_a_rule_that_never_acts_is_inconclusive_in_words() -> None:
    with pytest.raises(
        Inconclusive, match=r"^the fault never acted within 0.01 s: got FIN is dropped, 2 times at most$"
    ):
        Fault(got.FIN, Drop(), times=2).wait(seconds=0.01)


@pytest.mark.parametrize(
    ("about", "places"),
    [
        pytest.param(None, [1, 2, 3, 4, 5], id="anything"),
        pytest.param(got, [2, 4, 5], id="got"),
        pytest.param(sent, [1, 3], id="sent"),
        pytest.param(Place(False, 4), [4], id="got frame 4"),
        pytest.param(got.data() | sent.SYN, [1, 4], id="a pattern"),
    ],
)
def test_a_rule_speaks_of_a_side_of_a_place_or_of_anything(about: About, places: list[int]) -> None:
    fault = Fault(about, Drop())

    assert [met.place for met in conversation() if fault.decides(met)] == places


def test_only_a_pattern_needs_the_frame_to_be_read() -> None:
    rules = (Fault(None, Drop()), Fault(got, Drop()), Fault(Place(True, 1), Drop()), Fault(got.FIN, Drop()))

    assert [rule.reads for rule in rules] == [False, False, False, True]


@pytest.mark.parametrize(("fate", "octets"), [(Narrow(1000), 972), (Corrupt(bit=8 * 1000 - 1), 991)], ids=str)
def test_a_rule_decides_only_where_its_fate_can_be(fate: Fate, octets: int) -> None:
    """A datagram of 20 + 8 octets of headers: one that just fits or just lacks the bit, and one octet more."""
    fits, larger = (Met(True, 1, udp_frame(NEAR, FAR, bytes(size))) for size in (octets, octets + 1))
    fault = Fault(sent, fate)

    assert (fault.decides(fits), fault.hits) == (None, 0)
    assert (fault.decides(larger), fault.hits) == (fault, 1)


# -- chance


def met(sent: bool, place: int) -> Met:
    """A frame of which only its place matters."""
    return Met(sent, place, b"")


def struck(seed: int, frames: list[Met], likely: float = 0.3) -> list[tuple[bool, int]]:
    """Which frames a rule of chance decided over."""
    fault = Fault(None, Drop(), chance=Chance(likely, seed))
    return [(one.sent, one.place) for one in frames if fault.decides(one)]


def test_the_same_seed_strikes_the_same_frames_and_another_seed_others() -> None:
    frames = [met(True, place) for place in range(1, 1001)]

    assert struck(7, frames) == struck(7, frames) != struck(8, frames)
    assert 250 < len(struck(7, frames)) < 350


def test_how_the_two_directions_interleave_changes_nothing() -> None:
    there, back = ([met(sent, place) for place in range(1, 101)] for sent in (True, False))
    in_turns = [one for pair in zip(there, back, strict=True) for one in pair]

    assert sorted(struck(7, there + back)) == sorted(struck(7, in_turns))
    assert struck(7, there) != [(True, place) for _, place in struck(7, back)], "each direction has dice of its own"


def test_dice_are_cast_only_for_frames_that_a_rule_speaks_of() -> None:
    fault = Fault(got.data(), Drop(), chance=Chance(1, 7), times=1)

    assert [one.place for one in conversation() * 2 if fault.decides(one)] == [4]


# -- words


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(got.FIN, Drop(), times=1), "got FIN is dropped, 1 time at most"),
        (Fault(None, Drop(), chance=Chance(0.05, 7)), "anything is dropped with a chance of 0.05 (seed 7)"),
        (Fault(sent, Delay(0.05)), "sent is delayed by 0.05 s"),
        (Fault(got.data(), Reorder()), "got data goes behind the next one"),
        (Fault(got.data(), Corrupt(3, mended=True)), "got data has bit 3 changed, its checksum mended"),
        (Fault(None, Narrow(576, silent=True)), "anything must fit into 576 octets, silently"),
        (Fault(Place(True, 3), Duplicate(), times=1), "sent frame 3 passes twice, 1 time at most"),
        (Fault(got.icmp(), Hold()), "got ICMP error is held"),
    ],
    ids=str,
)
def test_a_rule_reads_as_a_sentence(fault: Fault, words: str) -> None:
    assert str(fault) == words


def test_a_rule_that_can_never_act_is_refused() -> None:
    with pytest.raises(ValueError, match="may act 0 times is none"):
        Fault(got.FIN, Drop(), times=0)
    with pytest.raises(ValueError, match=r"a chance of 1\.5 is none"):
        Chance(1.5, 7)
    with pytest.raises(ValueError, match="a chance of 0 is none"):
        Chance(0, 7)
    with pytest.raises(ValueError, match="a delay of 0 s is none"):
        Delay(0)
    with pytest.raises(ValueError, match="nothing overtakes"):
        Reorder(within=0)
    with pytest.raises(ValueError, match="every IP link takes 68 octets"):
        Narrow(67)


def test_what_is_not_on_a_link_holds_nothing() -> None:
    with pytest.raises(ValueError, match="not on a link: got FIN is held"):
        Fault(got.FIN, Hold()).release()


# -- again


def test_a_replay_gives_frames_at_the_same_places_the_same_fates() -> None:
    log = Log()
    first = [Fault(got.data(), Duplicate()), Fault(None, Drop(), chance=Chance(0.5, 7))]
    for one in conversation():
        if (fault := deciding(first, one)) is not None:
            log.opened(one, fault)
    replay = Replay(log.acts())

    again = [(one.place, fault.fate) for one in conversation() if (fault := deciding([replay], one))]

    assert again == [(act.place, act.fate) for act in log.acts()]
    assert (4, Duplicate()) in again
    assert replay.hits == len(again) > 1


def test_a_replay_without_its_frames_is_inconclusive_in_words() -> None:
    log = Log()
    log.opened(met(False, 9), Fault(got, Drop()))
    log.opened(met(True, 2), Fault(sent, Drop()))
    replay = Replay(log.acts())
    assert deciding([replay], met(True, 2)) is not None

    with pytest.raises(
        Inconclusive, match=r"^1 of 2 acts were done again within 0.01 s: got frame 9, which is dropped, did not come$"
    ):
        replay.wait(seconds=0.01)

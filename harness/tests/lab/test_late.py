"""Frames that wait: when each goes on, and what a marker waits for. Time is a number here."""

from __future__ import annotations

from harness.lab.acts import Deed
from harness.lab.fates import Delay
from harness.lab.faults import Fault, Met
from harness.lab.late import Late, Waiting


def deed(octets: bytes) -> Deed:
    return Deed(Met(True, 1, octets), Fault(None, Delay(1)), 0)


def told(waiting: list[Waiting]) -> list[bytes]:
    return [frame.octets for frame in waiting]


def test_frames_go_on_when_they_are_due_and_equal_ones_in_their_order() -> None:
    late = Late()
    for octets, due in ((b"late", 3.0), (b"a", 2.0), (b"b", 2.0), (b"soon", 1.0), (b"c", 2.0)):
        late.add(deed(octets), due)

    assert late.next_due == 1.0
    assert told(late.due(0.5)) == []
    assert told(late.due(2.0)) == [b"soon", b"a", b"b", b"c"]
    assert told(late.due(9.0)) == [b"late"]
    assert not late.waits


def test_a_marker_passes_at_once_where_nothing_waits() -> None:
    assert not Late().mark(b"marker")


def test_a_marker_waits_for_all_that_waits_and_for_nothing_that_comes_later() -> None:
    late = Late()
    late.add(deed(b"far"), 3.0)
    late.add(deed(b"near"), 1.0)

    assert late.mark(b"marker")
    late.add(deed(b"later"), 4.0)

    assert told(late.due(2.9)) == [b"near"]
    assert told(late.due(3.0)) == [b"far", b"marker"]


def test_a_reordered_frame_goes_behind_the_next_one() -> None:
    late = Late()
    late.add_behind(deed(b"first"), 5.0)
    assert late.wants_another

    assert told(late.overtaken()) == [b"first"]
    assert not late.wants_another
    assert told(late.overtaken()) == []
    assert told(late.due(9.0)) == []


def test_a_reordered_frame_goes_on_when_no_other_comes() -> None:
    late = Late()
    late.add_behind(deed(b"first"), 5.0)

    assert told(late.due(5.0)) == [b"first"]
    assert not late.wants_another


def test_a_marker_goes_with_the_reordered_frame_that_it_waited_for() -> None:
    late = Late()
    late.add_behind(deed(b"first"), 5.0)
    late.mark(b"marker")

    assert told(late.overtaken()) == [b"first", b"marker"]


def test_a_marker_still_waits_for_others_when_a_frame_was_overtaken() -> None:
    late = Late()
    late.add(deed(b"delayed"), 4.0)
    late.add_behind(deed(b"first"), 5.0)
    late.mark(b"marker")

    assert told(late.overtaken()) == [b"first"]
    assert told(late.due(5.0)) == [b"delayed", b"marker"]

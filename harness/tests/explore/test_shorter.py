"""Delta debugging: the fewest of the items that still fail."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.explore.shorter import fewest, fewest_kinds


@pytest.mark.parametrize("needed", [(), (0,), (19,), (3, 4), (0, 7, 19), tuple(range(20))])
def test_what_is_needed_stays_and_nothing_else(needed: tuple[int, ...]) -> None:
    assert fewest(tuple(range(20)), lambda some: set(needed) <= set(some)) == needed


@given(st.lists(st.integers(0, 9), max_size=20), st.integers(1, 40))
def test_none_can_be_left_out(numbers: list[int], wanted: int) -> None:
    def fails(some: tuple[int, ...]) -> bool:
        return sum(some) >= wanted

    items = tuple(numbers)
    if not fails(items):
        return
    least = fewest(items, fails)

    assert fails(least)
    assert not any(fails(least[:place] + least[place + 1 :]) for place in range(len(least)))


def test_whole_kinds_are_left_out_first() -> None:
    """Where fifty are needed, none of them can go; what goes is what lies between."""
    items = tuple(item for number in range(50) for item in (number, "said", 0.5))
    tried: list[int] = []

    def fails(some: tuple[object, ...]) -> bool:
        tried.append(len(some))
        return sum(isinstance(item, int) for item in some) == 50

    assert fewest_kinds(items, fails) == tuple(range(50))
    assert tried[:3] == [100, 100, 50]

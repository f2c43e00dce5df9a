"""The order in which several workers begin tests, looked at with tests that are names."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.plugin.ordering import ordered
from harness.subject import inventory

MUTANT = inventory.mutants()["echo_never_closes"]


@dataclass(frozen=True, eq=False)
class Item:
    """What the order needs to know of a test."""

    name: str
    program: Any = None
    slow: float = 0.0  # seconds
    callspec: Any = field(default=None)

    def __post_init__(self) -> None:
        object.__setattr__(self, "callspec", SimpleNamespace(params={"program": self.program}))

    @property
    def nodeid(self) -> str:
        return f"suites/x/test_x.py::{self.name}"

    def get_closest_marker(self, name: str) -> object:
        return pytest.mark.slow(seconds=self.slow).mark if name == "slow" and self.slow else None


def names(items: list[Item]) -> list[str]:
    return [cast("Item", item).name for item in ordered(cast("list[pytest.Item]", items))]


def test_what_waits_is_begun_before_the_end() -> None:
    """Of a hundred tests the last twenty wait for nobody, and nothing is lost."""
    items = [Item(f"quick_{n}") for n in range(90)] + [Item(f"slow_{n}", slow=2) for n in range(10)]

    order = names(items)

    assert sorted(order) == sorted(item.name for item in items)
    assert not any(name.startswith("slow") for name in order[-20:])


def test_what_waits_is_spread() -> None:
    """No eight tests that follow each other wait, all of them: there is something to compute meanwhile."""
    order = names([Item(f"quick_{n}") for n in range(90)] + [Item(f"slow_{n}", slow=2) for n in range(10)])

    longest = max(len(run) for run in "".join(name[0] for name in order).split("q"))
    assert longest == 1


def test_the_longest_is_begun_first_where_few_are_asked() -> None:
    """A server that is judged alone is done when its longest test is; two of these do not lie with one worker."""
    items = [Item(f"quick_{n}") for n in range(90)] + [Item(f"slow_{n}", slow=2) for n in range(10)]

    order = names([*items, Item("longest_0", slow=11), Item("longest_1", slow=11)])

    first, second = (place for place, name in enumerate(order) if name.startswith("longest"))
    assert first <= 1 < second <= 4


def test_the_longest_are_spread_where_many_are_asked() -> None:
    """Begun together they would leave the processors with nothing to do."""
    items = [Item(f"quick_{n}") for n in range(900)]

    order = names([*items, *(Item(f"longest_{n}", slow=11) for n in range(10))])

    places = [place for place, name in enumerate(order) if name.startswith("longest")]
    assert all(60 < later - before < 100 for before, later in pairwise(places))


def test_further_variants_of_a_mutant_come_later() -> None:
    """When its turn comes a second variant need perhaps not be asked."""
    items = [Item(f"check_{test}[{variant}]", MUTANT) for test in "abc" for variant in (1, 2)]

    order = [name.partition("[")[0] for name in names(items)]

    assert sorted(order[:3]) == sorted(order[3:]) == ["check_a", "check_b", "check_c"]


def test_neighbours_are_parted() -> None:
    """Tests of one file wait for the same, or compute the same; the order is that of every other run."""
    items = [Item(f"{file}_{number}") for file in "ab" for number in range(50)]

    order = names(items)

    assert order == names(items)
    assert 15 < sum(name.startswith("a") for name in order[:50]) < 35

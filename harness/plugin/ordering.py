"""In which order tests run where several run at a time: what waits goes first, spread among what computes.

Neighbours in a file are alike: some files wait, others compute. So tests are mixed, by a checksum of their names, which
is the same on every machine and in every run.

A test that waits for an answer which never comes takes seconds and no processor, so others run meanwhile; begun last it
holds up the end of the run. So the tests that wait, those marked slow and those that are put to a mutant, are done when
`_LAST` of all are left. Of the variants in which one test is put to one mutant the first comes long before the second,
which need not be asked when the first has rejected the mutant (`harness.plugin.sparing`).
"""

from __future__ import annotations

import zlib
from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING

import pytest

from harness.plugin.asking import is_mutant
from harness.plugin.selection import is_judged, program_of

if TYPE_CHECKING:
    from collections.abc import Iterable

_LAST = 0.2  # of all tests


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the tests of a run with several workers in this order."""
    if hasattr(config, "workerinput"):
        items[:] = ordered(items)


def ordered(items: list[pytest.Item]) -> list[pytest.Item]:
    """The same tests in the order in which several workers are to begin them."""
    mixed = sorted(items, key=lambda item: zlib.crc32(item.nodeid.encode()))
    waiting = [item for item in mixed if _waits(item)]
    those = set(waiting)
    others = [item for item in mixed if item not in those]
    behind = max(0, len(others) - round(_LAST * len(items)))
    return [*_spread(_first_variants_first(waiting), others[:behind]), *others[behind:]]


def _waits(item: pytest.Item) -> bool:
    return is_judged(item.nodeid) and (item.get_closest_marker("slow") is not None or is_mutant(program_of(item)))


def _first_variants_first(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """The first variant of each test with each mutant, then the second ones, and so on."""
    seen: Counter[tuple[str, str]] = Counter()
    ranked: list[tuple[int, pytest.Item]] = []
    for item in items:
        program = program_of(item)
        variants = item.nodeid.partition("[")[0], program.name if program is not None else item.nodeid
        ranked.append((seen[variants], item))
        seen[variants] += 1
    return [item for _, item in sorted(ranked, key=lambda pair: pair[0])]


def _spread(some: list[pytest.Item], others: list[pytest.Item]) -> list[pytest.Item]:
    """Both in their order, and each spread evenly over the whole."""
    placed = chain.from_iterable(
        (((place + 0.5) / len(group), item) for place, item in enumerate(group)) for group in (some, others)
    )
    return [item for _, item in sorted(placed, key=lambda pair: pair[0])]

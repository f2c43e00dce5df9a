"""In which order tests run where several run at a time: what waits goes first, spread among what computes.

Neighbours in a file are alike: some files wait, others compute. So tests are mixed, by a checksum of their names, which
is the same on every machine and in every run.

A test that waits for an answer which never comes takes seconds and no processor, so others run meanwhile; begun last it
holds up the end of the run. So the tests that wait, those marked slow and those that are put to a mutant, have begun
when `_LAST` of all are left, and earlier where these are done before: where one server is judged, the longest come
first. Of the variants in which one test is put to one mutant the first comes long before the second, which need not be
asked when the first has rejected the mutant (`harness.plugin.sparing`).
"""

from __future__ import annotations

import zlib
from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING

import pytest

from harness.plugin.asking import WAIT, is_mutant, slow_s
from harness.plugin.selection import is_judged, program_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LAST = 0.2  # of all tests
_EACH = 0.06  # seconds of a run for each of its tests, where several run at a time
_APART = 2  # tests: as many lie with each worker, so of neighbours one would wait for the other


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the tests of a run with several workers in this order."""
    if hasattr(config, "workerinput"):
        items[:] = ordered(items)


def ordered(items: list[pytest.Item]) -> list[pytest.Item]:
    """The same tests in the order in which several workers are to begin them."""
    alike: dict[float, list[pytest.Item]] = {}
    for item in sorted(items, key=lambda item: zlib.crc32(item.nodeid.encode())):
        alike.setdefault(_waits_s(item), []).append(item)
    placed = chain.from_iterable(
        _spread(_first_variants_first(group), _end(wait_s, len(group), len(items)))
        for wait_s, group in sorted(alike.items(), reverse=True)
    )
    return [item for _, item in sorted(placed, key=lambda pair: pair[0])]


def _waits_s(item: pytest.Item) -> float:
    """How long a test waits, in seconds: about, and 0 for one that computes."""
    if not is_judged(item.nodeid):
        return 0.0
    return slow_s(item) or (WAIT if is_mutant(program_of(item)) else 0.0)


def _end(wait_s: float, some: int, of_all: int) -> float:
    """Until where, from 0 to 1, tests are begun that wait so long: some of all that there are."""
    if not wait_s:
        return 1.0
    in_time = min(1 - _LAST, 1 - wait_s / (_EACH * of_all))
    return max(in_time, _APART * some / of_all)


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


def _spread(items: list[pytest.Item], end: float) -> Iterator[tuple[float, pytest.Item]]:
    """Each with its place in the run, which goes from 0 to 1: even distances, all of them before `end`."""
    return (((place + 0.5) / len(items) * end, item) for place, item in enumerate(items))

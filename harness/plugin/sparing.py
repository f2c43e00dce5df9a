"""What need not be asked again in a proof.

A test that has rejected a mutant rejects it in its other variants too: nothing more would be learned, and to be left
without an answer takes seconds each time. Whoever is put to a test at all is said in `harness.plugin.asking`. That a
test has rejected a mutant, workers tell each other by an empty file in the run folder.

The kernel and a server of ours are put to the first variant of each test: `make test` puts all variants to all of them.
Servers by others are judged here only, so those that speak a profile divide the variants of each test among them: each
variant is put to one of them at least, and each server to one variant of each test.

In a wide proof all are put to all variants, and a test that does not cover what a mutant breaks is put to it in the
first one, or not at all if it is marked slow: it can show that the mutant is wrong elsewhere too, but not close a hole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.plugin import naming
from harness.plugin.asking import broken, covers_of, is_foreign, is_mutant
from harness.plugin.repeating import repetition_of
from harness.plugin.selection import is_judged, program_of
from harness.plugin.verdicts import folder_key
from harness.record.result import Result
from harness.verdict import NotApplicable, Verdict

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from harness.subject.inventory import Program

_FOLDER = "rejected"  # in the run folder


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of a proof of all, leave out the variants that need not be asked."""
    if not config.option.mutants or config.option.keyword:
        return
    wide = config.option.wide
    seen: set[tuple[str, str, int]] = set()
    spared: set[pytest.Item] = set() if wide else _left_to_others(items)
    for item in items:
        if not is_judged(item.nodeid):
            continue
        program = program_of(item)
        place = _place(item, program)
        if _spares(item, program, wide=wide, again=place in seen):
            spared.add(item)
        seen.add(place)
    if spared:
        config.hook.pytest_deselected(items=[item for item in items if item in spared])
        items[:] = [item for item in items if item not in spared]


def _place(item: pytest.Item, program: Program | None) -> tuple[str, str, int]:
    """What the variants of a test have in common that are put to one program, in one repetition."""
    return item.nodeid.partition("[")[0], program.name if program is not None else "", repetition_of(item)


def _left_to_others(items: list[pytest.Item]) -> set[pytest.Item]:
    """The variants that a server by others leaves to those that speak its profile too."""
    variants: dict[tuple[str, str, int], list[pytest.Item]] = {}
    profiles: dict[str, dict[str, None]] = {}
    for item in items:
        program = program_of(item) if is_judged(item.nodeid) else None
        if program is not None and is_foreign(program) and not program.absent:
            variants.setdefault(_place(item, program), []).append(item)
            profiles.setdefault(program.profile, {})[program.name] = None
    places = {name: (place, len(names)) for names in profiles.values() for place, name in enumerate(sorted(names))}
    left: set[pytest.Item] = set()
    for (_, name, _), found in variants.items():
        place, servers = places[name]
        own = found[place % min(len(found), servers) :: servers]
        left.update(item for item in found if item not in own)
    return left


def _spares(item: pytest.Item, program: Program | None, *, wide: bool, again: bool) -> bool:
    """Whether a test need not be put to a program, or to the kernel; `again` says that another variant of it is."""
    if program is None or not is_mutant(program):
        return again and not wide and not is_foreign(program)
    own = broken()[program.name] in covers_of(getattr(item, "function", None))
    return wide and not own and (again or item.get_closest_marker("slow") is not None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave a test out that has rejected this mutant."""
    mark = _mark(item)
    if mark is not None and mark.exists():
        raise NotApplicable("this test has rejected this mutant already, in another variant")


@pytest.hookimpl(wrapper=True, tryfirst=True)  # outside of the one that judges
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Take down that a test has rejected a mutant, for the requirement that the mutant breaks."""
    report = yield
    mark = _mark(item) if call.when == "call" else None
    if mark is not None and _rejects(Result.from_record(report.__dict__["sockspec"]), program_of(item)):
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    return report


def _rejects(row: Result, mutant: Program | None) -> bool:
    missed = {finding.requirement for finding in row.findings if finding.verdict in (Verdict.FAIL, Verdict.DEVIATION)}
    return mutant is not None and broken()[mutant.name] in missed


def _mark(item: pytest.Item) -> Path | None:
    """The file that says that this test has rejected this mutant; None where no mutant is judged or all is repeated."""
    program = program_of(item) if is_judged(item.nodeid) else None
    folder = item.config.stash.get(folder_key, None)
    if program is None or folder is None or not is_mutant(program) or item.config.option.repeat > 1:
        return None
    test = naming.stable_id(item.nodeid).partition("[")[0].replace("/", ".").replace("::", ".")
    return folder / _FOLDER / program.name / test

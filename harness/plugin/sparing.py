"""What need not be asked of our own servers, in a proof above all, so that it asks all mutants within minutes.

- A test that covers what the mutant breaks is put to it in all variants, until one of them has rejected it: nothing
  more would be learned, and to be left without an answer takes seconds each time.
- The other tests of the same suites are put to it in one variant, the first, unless they are marked slow: they can show
  that the mutant is wrong elsewhere too, but not close a hole. Suites that do not cover what it breaks are left out.
- The lifecycle suite costs more processor time than all others, so it is put to one reference server of each profile,
  the first: `make test` puts it to all.
- The stress suite, which burdens the machine with a thousand clients, is put to the first of each profile in any run.

Servers by others, and the subjects of users, are spared nothing, and who asks with -k gets what he asks for. That a
test has rejected a mutant, workers tell each other by an empty file in the run folder.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest

from harness import bundle
from harness.plugin import naming
from harness.plugin.options import settings_of
from harness.plugin.selection import is_judged, is_mutant, program_of
from harness.plugin.verdicts import folder_key
from harness.proof import mutants
from harness.record.result import Result
from harness.subject import inventory
from harness.verdict import NotApplicable, Verdict

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from harness.subject.inventory import Program

_FOLDER = "rejected"  # in the run folder


@functools.cache
def _broken() -> dict[str, str]:
    """The requirement that each mutant breaks."""
    return {mutant.name: mutant.breaks for mutant in mutants.read(bundle.root())}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what does not cover what a mutant breaks, and costly suites for further reference servers."""
    if config.option.keyword or settings_of(config).implementations:
        return
    seen: set[tuple[str, str]] = set()
    spared: set[pytest.Item] = set()
    others = _not_the_first_of_a_profile()
    costly = ("/lifecycle/", "/stress/") if config.option.mutants else ("/stress/",)
    suites = {(covered, _suite(item)) for item in items for covered in _covers(item)}
    for item in items:
        program = program_of(item) if is_judged(item.nodeid) else None
        if program is not None and program in others and any(suite in f"/{item.nodeid}" for suite in costly):
            spared.add(item)
        if program is None or not is_mutant(program) or _broken()[program.name] in _covers(item):
            continue
        place = (item.nodeid.partition("[")[0], program.name)
        elsewhere = (_broken()[program.name], _suite(item)) not in suites
        if elsewhere or place in seen or item.get_closest_marker("slow"):
            spared.add(item)
        seen.add(place)
    if spared:
        config.hook.pytest_deselected(items=[item for item in items if item in spared])
        items[:] = [item for item in items if item not in spared]


def _not_the_first_of_a_profile() -> set[Program]:
    servers = inventory.reference_servers().values()
    first = {program.profile: program for program in reversed(servers)}
    return set(servers) - set(first.values())


def _covers(item: pytest.Item) -> tuple[str, ...]:
    covers: tuple[str, ...] = getattr(getattr(item, "function", None), "covers", ())
    return covers


def _suite(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


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
    """Take down that a test has rejected a mutant, for the requirement that governs the test."""
    report = yield
    mark = _mark(item) if call.when == "call" else None
    if mark is not None and _rejects(Result.from_record(report.__dict__["sockspec"])):
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    return report


def _rejects(row: Result) -> bool:
    missed = {finding.requirement for finding in row.findings if finding.verdict in (Verdict.FAIL, Verdict.DEVIATION)}
    return bool(missed & set(row.covers[:1]))


def _mark(item: pytest.Item) -> Path | None:
    """The file that says that this test has rejected this mutant; None where no mutant is judged or all is repeated."""
    program = program_of(item) if is_judged(item.nodeid) else None
    folder = item.config.stash.get(folder_key, None)
    if program is None or folder is None or not is_mutant(program) or item.config.option.repeat > 1:
        return None
    test = naming.stable_id(item.nodeid).partition("[")[0].replace("/", ".").replace("::", ".")
    return folder / _FOLDER / program.name / test

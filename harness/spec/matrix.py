"""How the requirements stand after a run: requirement × test, from nothing but ids and verdicts.

A test names the requirements that it covers, and the first one governs its verdict. So a pass counts for all of them,
a miss for the first only: what else the test would have shown stays open.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from harness.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.spec.catalogue import Catalogue, Requirement


class Standing(Enum):
    """Where a requirement stands after a run."""

    PASSED = "passed"
    MISSED = "missed"
    KNOWN = "known deviation"  # missed, and accepted for a reason
    OPEN = "open"  # tried, and not decided
    UNTESTED = "untested"
    NOT_OBSERVABLE = "not observable"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Row:
    """One requirement and the tests that cover it."""

    requirement: Requirement
    standing: Standing
    why: str  # "" for a requirement that passed
    tests: tuple[tuple[str, Verdict], ...]  # test id and verdict, in the order of the results

    def __str__(self) -> str:
        return f"{self.requirement.id}: {self.standing}" + (f" ({self.why})" if self.why else "")


_NOTHING: Mapping[str, str] = {}


def matrix(
    catalogue: Catalogue,
    results: Iterable[tuple[Sequence[str], str, Verdict]],
    accepted: Mapping[str, str] = _NOTHING,
) -> list[Row]:
    """A row for each requirement of `catalogue`, from triples of requirement ids, test id and verdict.

    `accepted` has the tests whose miss is a known deviation, with the reason.
    """
    tests: dict[str, list[tuple[str, Verdict]]] = {requirement.id: [] for requirement in catalogue}
    missed: dict[str, list[str]] = {requirement.id: [] for requirement in catalogue}
    for names, test, verdict in results:
        for name in dict.fromkeys(names):
            tests[catalogue[name].id].append((test, verdict))
        if names and verdict in (Verdict.DEVIATION, Verdict.FAIL):
            missed[names[0]].append(test)
    return [_row(requirement, tests[requirement.id], missed[requirement.id], accepted) for requirement in catalogue]


def _row(
    requirement: Requirement,
    tests: Sequence[tuple[str, Verdict]],
    missed: Sequence[str],
    accepted: Mapping[str, str],
) -> Row:
    standing, why = _standing(requirement, tests, missed, accepted)
    return Row(requirement, standing, why, tuple(tests))


def _standing(
    requirement: Requirement,
    tests: Sequence[tuple[str, Verdict]],
    missed: Sequence[str],
    accepted: Mapping[str, str],
) -> tuple[Standing, str]:
    tried = [(test, verdict) for test, verdict in tests if verdict is not Verdict.NOT_APPLICABLE]
    undecided = [test for test, verdict in tried if verdict is not Verdict.PASS]
    if new := [test for test in missed if test not in accepted]:
        return Standing.MISSED, _named(new)
    if missed:
        return Standing.KNOWN, accepted[missed[0]]
    if not requirement.is_observable:
        return Standing.NOT_OBSERVABLE, requirement.reason
    if undecided:
        return Standing.OPEN, f"not decided by {_named(undecided)}"
    if tried:
        return Standing.PASSED, ""
    if tests:
        return Standing.UNTESTED, f"not applicable here: {_named([test for test, _ in tests])}"
    return Standing.UNTESTED, requirement.untested or "no test of this run covers it"


def _named(tests: Sequence[str]) -> str:
    return tests[0] if len(tests) == 1 else f"{tests[0]} and {len(tests) - 1} more"

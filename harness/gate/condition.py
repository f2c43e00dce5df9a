"""When a known deviation is expected: comparisons of what the run has recorded of the machine and of the subject.

`{ platform = "Linux", kernel = ">= 6.1", version = "< 2" }` holds when each of them does. What the run did not record
holds for nobody: the failure is then told as a new one, with the name of what is missing.
"""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.gate.wildcard import matches

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.record.result import Result

# What a condition may ask, and where it is in the record: `subject` and `profile` in the row, the rest in `run.json`.
ASKED = ("platform", "kernel", "machine", "python", "harness", "subject", "profile", "version")

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_WRITTEN = re.compile(r"\s*(<=|>=|==|!=|<|>|)\s*(.*?)\s*", re.DOTALL)


@dataclass(frozen=True)
class Comparison:
    """One fact compared with a text: `kernel >= 6.1`."""

    fact: str
    relation: str  # <, <=, >, >=, == or !=
    value: str

    def __str__(self) -> str:
        return f"{self.fact} {self.relation} {self.value}"

    def holds(self, found: str) -> bool:
        """Whether the fact as it was recorded fits; versions are compared number by number."""
        if self.relation in _ORDER:
            return _ORDER[self.relation](numbers(found), numbers(self.value))
        return matches(self.value, found) is (self.relation == "==")


@dataclass(frozen=True)
class Condition:
    """Comparisons that must all hold."""

    comparisons: tuple[Comparison, ...] = ()

    def __str__(self) -> str:
        return " and ".join(map(str, self.comparisons))

    def holds(self, facts: Mapping[str, str]) -> bool:
        """Whether the facts are all recorded and fit."""
        return all(one.fact in facts and one.holds(facts[one.fact]) for one in self.comparisons)

    def unrecorded(self, facts: Mapping[str, str]) -> tuple[str, ...]:
        """What it asks and the run did not record."""
        return tuple(one.fact for one in self.comparisons if one.fact not in facts)


def parse(fact: str, text: str) -> Comparison:
    """The comparison that a baseline writes as `kernel = ">= 6.1"`; ValueError with a remedy when it is none."""
    written = _WRITTEN.fullmatch(text)
    relation, value = written.groups() if written else ("", "")
    if not value:
        raise ValueError(f'{text!r} compares with nothing; write for example {fact} = ">= 6.1" or {fact} = "Linux"')
    if relation in _ORDER and not numbers(value):
        raise ValueError(f"{text!r}: only versions have an order, and {value!r} has no number; use == or !=")
    return Comparison(fact, relation or "==", value)


def numbers(version: str) -> tuple[int, ...]:
    """The first dotted number of a version: (6, 18, 0) of "6.18.0-rc1", without zeros at its end.

    So 6.1 and 6.1.0 are one, and what a distribution adds to a version plays no part.
    """
    found = re.search(r"\d+(?:\.\d+)*", version)
    parts = [int(part) for part in found.group().split(".")] if found else []
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def facts_of(row: Result, environment: Mapping[str, Any]) -> dict[str, str]:
    """What conditions may ask about one row, of the machine as `harness.record.environment.facts` has it."""
    platform, _, kernel = str(environment.get("system", "")).partition(" ")
    versions = environment.get("subjects", {})
    known = {
        "platform": platform,
        "kernel": kernel,
        "machine": str(environment.get("machine", "")),
        "python": str(environment.get("python", "")),
        "harness": str(environment.get("harness", "")),
        "subject": row.subject,
        "profile": row.profile,
        "version": str(versions.get(row.subject, "")) if isinstance(versions, dict) else "",
    }
    return {name: value for name, value in known.items() if value}

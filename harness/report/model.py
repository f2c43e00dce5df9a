"""A run as reports see it: rows counted, findings told once, and what was planned but never came.

Nothing here reads a file or writes one, and nothing edits a verdict. Where one test reported twice the worst row
counts, and the double is told, since ids are meant to be unique.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING

from harness.record.facts import RequirementText
from harness.record.result import READY
from harness.report.causes import causes
from harness.report.complaints import WORST_FIRST, complaints
from harness.verdict import Finding, Level, Verdict, worst

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from harness.record.facts import RunFacts
    from harness.record.result import Result
    from harness.record.store import RunRecord
    from harness.report.causes import Cause

_VARIANTS = 6  # of one test that are named
_LAYERS = {"services": 0, "udp": 0, "faults": 2, "lifecycle": 2, "stress": 3, "explore": 4}  # from the plain ones on
_OTHERS = 1
_MANY = 10  # tests: a reason that so many were not applicable for is told
_LEVELS = (Level.MUST.value, Level.DOCUMENTED.value, Level.SHOULD.value, Level.MAY.value, "")


class Exit(IntEnum):
    """What the process answers with; 0 to 5 as pytest's."""

    HOLDS = 0
    MISSED = 1
    INTERRUPTED = 2
    BROKEN = 3
    USAGE = 4
    NOTHING = 5
    OPEN = 6

    @property
    def meaning(self) -> str:
        """One line for a person."""
        return _MEANING[self]


_MEANING = {
    Exit.HOLDS: "all required behaviour holds",
    Exit.MISSED: "required behaviour is missed",
    Exit.INTERRUPTED: "the run was interrupted",
    Exit.BROKEN: "the harness itself broke, or the subject could not be started",
    Exit.USAGE: "the command line is not understood",
    Exit.NOTHING: "nothing was run",
    Exit.OPEN: "something stayed inconclusive, was lost, or differed between repetitions",
}


@dataclass(frozen=True)
class Told:
    """What a reader is told once: one finding, with all the rows in which it was seen."""

    verdict: Verdict
    requirement: str  # id, "" where the harness speaks of itself
    level: str
    behaviour: str  # the test's id without family and subject, with all the variants in which it was seen
    purpose: str
    expected: str
    actuals: tuple[str, ...]  # without doubles; ports and counts may differ from row to row
    seen: tuple[tuple[Result, Finding], ...]
    known: str = ""  # why it is accepted, where it is a known deviation

    @property
    def first(self) -> Result:
        """The row that is shown for all."""
        return self.seen[0][0]

    @property
    def text(self) -> str:
        """The whole message of the first row."""
        return self.seen[0][1].text

    @property
    def subjects(self) -> dict[str, tuple[str, ...]]:
        """Where it was seen: subject → families, "" where addresses play no part."""
        places: dict[str, tuple[str, ...]] = {}
        for row, _ in self.seen:
            families = places.get(row.subject, ())
            places[row.subject] = families if row.family in families else (*families, row.family)
        return places


@dataclass(frozen=True)
class Unstable:
    """A test whose verdict differed between repetitions, though subject and test were the same."""

    test: str  # without the repetition
    rows: tuple[Result, ...]

    @property
    def counts(self) -> Counter[Verdict]:
        """Repetitions per verdict."""
        return Counter(row.verdict for row in self.rows)

    def __str__(self) -> str:
        counts = sorted(self.counts.items(), key=lambda item: item[0].rank)
        return f"{self.test}: {', '.join(f'{count} {verdict}' for verdict, count in counts)}"


@dataclass(frozen=True)
class Run:
    """Everything a report may show of a run."""

    folder: Path
    facts: RunFacts
    rows: tuple[Result, ...]  # one a test
    lost: tuple[str, ...]  # planned and never reported
    duplicates: tuple[str, ...]  # reported more than once
    notes: tuple[str, ...]  # what could not be read
    requirements: Mapping[str, RequirementText]

    @classmethod
    def of(cls, record: RunRecord, requirements: Mapping[str, RequirementText] | None = None) -> Run:
        """The run that a record tells of; texts of requirements given here go before those in the record."""
        rows: dict[str, Result] = {}
        for row in record.results:
            before = rows.get(row.test)
            if before is None or row.verdict.rank > before.verdict.rank:
                rows[row.test] = row
        times = Counter(row.test for row in record.results)
        place = {test: number for number, test in enumerate(record.facts.planned)}

        def in_their_files(row: Result) -> tuple[str, int, int]:
            """Where a reader finds the test: several workers begin slow ones first, and answer in any order."""
            return row.nodeid.partition("::")[0], row.line, place.get(row.test, len(place))

        return cls(
            folder=record.folder,
            facts=record.facts,
            rows=tuple(sorted(rows.values(), key=in_their_files)),
            lost=tuple(test for test in dict.fromkeys(record.facts.planned) if test not in rows),
            duplicates=tuple(test for test, seen in times.items() if seen > 1),
            notes=record.notes,
            requirements={**record.facts.requirements, **(requirements or {})},
        )

    @cached_property
    def counts(self) -> Counter[Verdict]:
        """Rows per verdict."""
        return Counter(row.verdict for row in self.rows)

    @property
    def known(self) -> int:
        """Rows of known deviations: their verdicts count above as any others, and do not fail the run."""
        return sum(bool(row.known) for row in self.rows)

    @cached_property
    def by_subject(self) -> dict[str, dict[str, Counter[Verdict]]]:
        """Rows per verdict, for each subject and therein each group, in the order of the run."""
        table: dict[str, dict[str, Counter[Verdict]]] = {}
        for row in self.rows:
            table.setdefault(row.subject, {}).setdefault(row.group, Counter())[row.verdict] += 1
        return table

    @cached_property
    def by_group(self) -> dict[str, Counter[Verdict]]:
        """Rows per verdict, for each group."""
        table: dict[str, Counter[Verdict]] = {}
        for row in self.rows:
            table.setdefault(row.group, Counter())[row.verdict] += 1
        return table

    @cached_property
    def by_requirement(self) -> dict[str, Counter[Verdict]]:
        """Rows per verdict, for each requirement that a row covers.

        A test that missed one of its requirements ended there: of the others that it covers and has no finding about,
        it tells nothing, so they count as inconclusive.
        """
        table: dict[str, Counter[Verdict]] = {}
        for row in self.rows:
            found = {finding.requirement for finding in row.findings}
            for requirement in row.covers:
                if requirement in found:
                    verdict = worst(one.verdict for one in row.findings if one.requirement == requirement)
                elif row.verdict in WORST_FIRST and found & set(row.covers):
                    verdict = Verdict.INCONCLUSIVE
                else:
                    verdict = row.verdict
                table.setdefault(requirement, Counter())[verdict] += 1
        return table

    @cached_property
    def causes(self) -> tuple[Cause, ...]:
        """What most of its findings follow from, the ones that explain most first."""
        return causes(self.rows)

    @cached_property
    def cause_of(self) -> dict[str, Cause]:
        """Test id → the cause of all that it missed."""
        left = {row.test for told in self.told for row, _ in told.seen}
        causes = {row.test: cause for cause in reversed(self.causes) for row in (*cause.rows, *cause.blocked)}
        return {test: cause for test, cause in causes.items() if test not in left}

    @cached_property
    def told(self) -> tuple[Told, ...]:
        """What no cause explains, the worst first: of one test and one requirement once, with all its variants.

        Of those that are equally bad the plain behaviour comes first: what rests on it may go with it.
        """
        explained = {(row.test, finding) for cause in self.causes for row, finding in cause.seen}
        seen = [(row, finding) for row in self.rows for finding in complaints(row)]
        return self._told((row, finding) for row, finding in seen if (row.test, finding) not in explained)

    def follows(self, cause: Cause) -> tuple[Told, ...]:
        """What a cause explains, told as findings are."""
        return self._told(cause.seen)

    @property
    def summary(self) -> str:
        """`1 cause · 0 other findings · 1 deviation`, or `3 findings` where nothing belongs together."""
        if not self.causes:
            return _plural(len(self.told), "finding")
        causes = sum(cause.verdict is not Verdict.DEVIATION for cause in self.causes)
        others = sum(told.verdict is not Verdict.DEVIATION for told in self.told)
        deviations = len(self.causes) + len(self.told) - causes - others
        said = [_plural(causes, "cause"), _plural(others, "other finding")] if causes else []
        said += [_plural(others, "finding")] * bool(others and not causes)
        return " · ".join(said + [_plural(deviations, "deviation")] * bool(deviations))

    def _told(self, found: Iterable[tuple[Result, Finding]]) -> tuple[Told, ...]:
        groups: dict[tuple[str, ...], list[tuple[Result, Finding]]] = {}
        for row, finding in found:
            key = (row.behaviour.partition("[")[0], finding.verdict.value, finding.requirement, row.known)
            groups.setdefault(key, []).append((row, finding))
        return tuple(sorted((self._tell(tuple(seen)) for seen in groups.values()), key=_urgency))

    @cached_property
    def not_tried(self) -> dict[str, int]:
        """The reasons for which many tests were not applicable, as that a family is not served, with their number."""
        reasons = Counter(row.reason for row in self.rows if row.verdict is Verdict.NOT_APPLICABLE)
        return {reason: tests for reason, tests in reasons.items() if tests >= _MANY}

    @cached_property
    def unstable(self) -> tuple[Unstable, ...]:
        """The tests whose verdict differed between repetitions, in the order of the run."""
        tests: dict[str, list[Result]] = {}
        for row in self.rows:
            if row.repetition:
                tests.setdefault(row.unrepeated, []).append(row)
        found = (Unstable(test, tuple(rows)) for test, rows in tests.items())
        return tuple(one for one in found if len(one.counts) > 1)

    @cached_property
    def relayed(self) -> Counter[str]:
        """Rules on the link, in words, with the frames on which they acted, over all tests."""
        acted: Counter[str] = Counter()
        for row in self.rows:
            acted.update(row.relay or {})
        return acted

    @property
    def weather(self) -> str:
        """The link profile of the run in a line, with its seed and how often it acted; empty without one."""
        link = self.facts.link
        if not link:
            return ""
        acted = sum(self.relayed[rule] for rule in link.get("rules", ()))
        tests = sum(row.relay is not None for row in self.rows)
        frames = f"{acted} frame{'' if acted == 1 else 's'} of {tests} test{'' if tests == 1 else 's'}"
        return f"{link.get('name')} (seed {link.get('seed')}): it acted on {frames}"

    @property
    def seconds(self) -> float:
        """How long the run took; the sum over its tests where its end was not recorded."""
        return sum(row.seconds for row in self.rows) if self.facts.seconds is None else self.facts.seconds

    @property
    def ended(self) -> bool:
        """Whether the end of the run was recorded."""
        return self.facts.exit_code is not None

    @property
    def exit(self) -> Exit:
        """The exit code on record; where the run did not get so far, the one that it would have had."""
        code = self.facts.exit_code
        if code is not None and code in Exit.__members__.values():
            return Exit(code)
        return self.exit_code(self.facts.strict, interrupted=code is None, internal_error=code is not None)

    @property
    def meaning(self) -> str:
        """What the exit code says of this run, in a line."""
        errors = [finding for row in self.rows for finding in row.findings if finding.verdict is Verdict.ERROR]
        if self.exit is Exit.BROKEN and errors and all(finding.expected == READY for finding in errors):
            return "the subject could not be started for every test"
        return self.exit.meaning

    def exit_code(self, strict: bool, interrupted: bool, internal_error: bool) -> Exit:
        """What the process answers with: 2 over 1 over 3 over 6 over 5 over 0; 4 never comes from a run.

        *Interrupted* goes first: who stopped the run knows that it is not the whole answer. Then a fail: it is backed
        by its own evidence, and stays true whatever broke beside it; were 3 to go before it, a pipeline that repeats
        runs on 3 would take a real fail for weather. An error of one test, of the whole harness, or an id that
        reported twice comes next: the record is not to be relied on. 6 is what is not known, be it that the answer
        differed between repetitions, and 5 that nothing was asked, be it that all was not applicable; a test that was
        planned and lost was asked. A known deviation was judged, and fails nothing.
        """
        failing = {Verdict.FAIL, Verdict.DEVIATION} if strict else {Verdict.FAIL}
        verdicts = {Verdict.PASS if row.known else row.verdict for row in self.rows}
        if interrupted:
            return Exit.INTERRUPTED
        if verdicts & failing:
            return Exit.MISSED
        if internal_error or Verdict.ERROR in verdicts or self.duplicates:
            return Exit.BROKEN
        if Verdict.INCONCLUSIVE in verdicts or self.lost or self.unstable:
            return Exit.OPEN
        if verdicts <= {Verdict.NOT_APPLICABLE}:
            return Exit.NOTHING
        return Exit.HOLDS

    def text(self, requirement: str) -> RequirementText:
        """What is known of a requirement; empty texts where the record does not tell."""
        return self.requirements.get(requirement, RequirementText())

    def _tell(self, seen: tuple[tuple[Result, Finding], ...]) -> Told:
        row, finding = seen[0]
        level = self.text(finding.requirement).level
        if not level and row.level and row.covers[:1] == (finding.requirement,):
            level = row.level.value
        return Told(
            verdict=finding.verdict,
            requirement=finding.requirement,
            level=level,
            behaviour=_behaviour(seen),
            purpose=row.purpose,
            expected=finding.expected,
            actuals=tuple(dict.fromkeys(one.actual for _, one in seen)),
            seen=seen,
            known=row.known,
        )


def _behaviour(seen: tuple[tuple[Result, Finding], ...]) -> str:
    parts = [row.behaviour.partition("[") for row, _ in seen]
    variants = list(dict.fromkeys(variant.removesuffix("]") for _, _, variant in parts if variant))
    if len(variants) > _VARIANTS:
        variants[_VARIANTS - 1 :] = [f"{len(variants) - _VARIANTS + 1} more"]
    return f"{parts[0][0]}[{', '.join(variants)}]" if variants else parts[0][0]


def _urgency(told: Told) -> tuple[bool, int, int, tuple[int, str, int], int, str]:
    strength = told.level.removesuffix(" NOT")
    level = _LEVELS.index(strength) if strength in _LEVELS else len(_LEVELS)
    return bool(told.known), WORST_FIRST.index(told.verdict), level, _plainness(told), -len(told.seen), told.behaviour


def _plainness(told: Told) -> tuple[int, str, int]:
    """How plain the behaviour is: what rests on it comes after it, in other suites and further down in its own file."""
    layer = told.first.group.partition("/")[0]
    return _LAYERS.get(layer, _OTHERS), told.first.nodeid.partition("::")[0], told.first.line


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"

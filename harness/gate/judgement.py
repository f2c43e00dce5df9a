"""A run against its baseline: what is new, what is known, and which lines of the baseline are no longer true.

A known deviation accepts what it says and no more. Every test that it names must still be missed in the way that it
says; one that is met again must be taken out of it, or the next regression of that test would pass unseen. What the run
could not tell (inconclusive, lost, broken) is accepted by nobody, and speaks against no entry.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from harness.gate.condition import facts_of
from harness.gate.wildcard import pattern_of
from harness.report.complaints import WORST_FIRST
from harness.report.model import Exit
from harness.report.visible import one_line
from harness.verdict import Verdict

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping, Sequence

    from harness.gate.baseline import Baseline, Known
    from harness.record.result import Result
    from harness.report.model import Run

_MISSED = {Verdict.FAIL, Verdict.DEVIATION}
_OPEN = {Verdict.INCONCLUSIVE, Verdict.ERROR}
_TOLD = {Verdict.PASS, *_MISSED}  # what says whether a deviation happens


class Wrong(Enum):
    """Why an entry of the baseline has to be touched."""

    GONE = "no longer happens"
    PARTLY = "no longer happens in some of the tests that it names"
    OTHERWISE = "happens, but the finding says something else"
    EXPIRED = "was accepted until a day that is over"
    NOBODY = "names no test of this run"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Complaint:
    """One thing that a row says is not as it should be."""

    row: Result
    expected: str  # "" where the harness speaks of itself
    actual: str

    @property
    def said(self) -> str:
        """In one line, as patterns see it."""
        return one_line(f"expected {self.expected}; actual {self.actual}" if self.expected else self.actual)

    @property
    def pattern(self) -> str:
        """A pattern for it that does not depend on how far the subject came this time: the beginning of the actual."""
        actual = pattern_of(re.split(r"[:,;(]", one_line(self.actual), maxsplit=1)[0]).rstrip("* ") + "*"
        return f"expected {pattern_of(one_line(self.expected))}; actual {actual}" if self.expected else actual

    def __str__(self) -> str:
        return f"{self.row.verdict}  {self.row.test}: {self.said}"


@dataclass(frozen=True)
class Untrue:
    """An entry that has to be deleted or changed."""

    known: Known
    wrong: Wrong
    met: tuple[str, ...] = ()  # tests that it names and in which it no longer happens
    otherwise: tuple[Complaint, ...] = ()  # what the tests say in which it happens otherwise
    expired: bool = False  # whether its last day is over, whatever else is wrong with it

    @property
    def delete(self) -> bool:
        """Whether nothing of it is true any more; else it is to be changed."""
        return self.wrong in {Wrong.GONE, Wrong.NOBODY}

    @property
    def lines(self) -> tuple[int, int]:
        """The first and the last line of the file that are to be deleted, or changed."""
        if self.delete:
            return self.known.line, self.known.last
        key = {Wrong.PARTLY: "test", Wrong.OTHERWISE: "message", Wrong.EXPIRED: "until"}[self.wrong]
        line = self.known.places.get(key, self.known.line)
        return line, line

    def __str__(self) -> str:
        return f"line {self.known.line}: {self.known.test}: {self.wrong}"


@dataclass(frozen=True)
class Judgement:
    """What the gate says of a run."""

    new: tuple[Complaint, ...]  # misses that no entry accepts
    accepted: tuple[tuple[Complaint, Known], ...]
    untrue: tuple[Untrue, ...]  # in the order of the file
    open: tuple[Result, ...]  # inconclusive and broken rows
    lost: tuple[str, ...]
    duplicates: tuple[str, ...]
    tolerated: tuple[Complaint, ...]  # a SHOULD missed where the run is not strict, and in no entry
    unrecorded: tuple[str, ...] = ()  # why an entry could not be asked
    nothing: bool = False  # whether the run has judged nothing

    @property
    def exit(self) -> Exit:
        """1 over 3 over 6 over 5 over 0, as `sockspec check` has it."""
        if self.new or self.untrue:
            return Exit.MISSED
        if self.duplicates or any(row.verdict is Verdict.ERROR for row in self.open):
            return Exit.BROKEN
        if self.open or self.lost:
            return Exit.OPEN
        return Exit.NOTHING if self.nothing else Exit.HOLDS


def complaints(row: Result) -> tuple[Complaint, ...]:
    """What a row says is missed, a line for each finding; a row without a finding speaks by its reason.

    Nothing where the run itself has accepted it (`harness.plugin.deviations`).
    """
    if row.verdict not in _MISSED or row.known:
        return ()
    found = [finding for finding in row.findings if finding.verdict in WORST_FIRST]
    said = dict.fromkeys((one.expected, one.actual) for one in found)
    return tuple(Complaint(row, expected, actual) for expected, actual in said or {("", row.reason): None})


def narrowed(run: Run) -> bool:
    """Whether the run was asked for a part of the tests only, so that an entry may rightly name none of them."""
    return bool(run.facts.shard or run.facts.selection)


def judge(run: Run, baseline: Baseline, today: datetime.date) -> Judgement:
    """What the gate says of the run on this day."""
    planned = tuple(dict.fromkeys((*run.facts.planned, *(row.test for row in run.rows))))
    names = {known: tuple(test for test in planned if known.names(test)) for known in baseline.known}
    about: dict[str, list[Known]] = {}
    for known, tests in names.items():
        for test in tests:
            about.setdefault(test, []).append(known)

    matched = {row.test: _match(row, about.get(row.test, []), run) for row in run.rows}
    left = [complaint for one in matched.values() for complaint in one.new]
    untrue = (_untrue(known, names[known], matched, today, narrowed(run)) for known in baseline.known)
    return Judgement(
        new=tuple(one for one in left if run.facts.strict or one.row.verdict is Verdict.FAIL),
        accepted=tuple(pair for one in matched.values() for pair in one.accepted),
        untrue=tuple(one for one in untrue if one is not None),
        open=tuple(row for row in run.rows if row.verdict in _OPEN),
        lost=run.lost,
        duplicates=run.duplicates,
        tolerated=tuple(one for one in left if not run.facts.strict and one.row.verdict is Verdict.DEVIATION),
        unrecorded=tuple(dict.fromkeys(line for one in matched.values() for line in one.unrecorded)),
        nothing=all(row.verdict is Verdict.NOT_APPLICABLE for row in run.rows),
    )


@dataclass(frozen=True)
class _Match:
    """One row with the entries that are about it."""

    row: Result
    asked: tuple[Known, ...]  # whose condition holds here
    accepted: tuple[tuple[Complaint, Known], ...]
    left: tuple[Complaint, ...]  # accepted by none
    unrecorded: tuple[str, ...]

    @property
    def happens(self) -> set[Known]:
        """The entries that are true of this row."""
        return {known for _, known in self.accepted}

    @property
    def waiting(self) -> Known | None:
        """The entry that is about this row and accepts nothing of it; the first, which is told what happens instead."""
        return next((known for known in self.asked if known not in self.happens), None)

    @property
    def otherwise(self) -> tuple[Complaint, ...]:
        """What no entry accepts, where one waits for something else."""
        return self.left if self.waiting is not None else ()

    @property
    def new(self) -> tuple[Complaint, ...]:
        """What no entry accepts, and none waits for."""
        return self.left if self.waiting is None else ()


def _match(row: Result, entries: Sequence[Known], run: Run) -> _Match:
    facts = facts_of(row, run.facts.environment) if entries else {}
    asked = tuple(known for known in entries if known.when.holds(facts))
    said = complaints(row)
    accepted = tuple((one, known) for one in said for known in asked if known.accepts(one.said))
    left = tuple(one for one in said if not any(known.accepts(one.said) for known in asked))
    unrecorded = (
        f"{known}: this run has no record of {', '.join(missing)}, which it asks for"
        for known in entries
        if (missing := known.when.unrecorded(facts))
    )
    return _Match(row, asked, accepted, left, tuple(unrecorded))


def _untrue(
    known: Known, names: Sequence[str], matched: Mapping[str, _Match], today: datetime.date, partial: bool
) -> Untrue | None:
    """What is wrong with an entry, the first of what there is; None when it is true."""
    about = [matched[test] for test in names if test in matched and known in matched[test].asked]
    idle = [one for one in about if known not in one.happens and one.row.verdict in _TOLD]
    otherwise = [one for one in idle if one.otherwise and one.waiting is known]
    met = tuple(one.row.test for one in idle if one not in otherwise)
    if otherwise:
        said = tuple(complaint for one in otherwise for complaint in one.otherwise)
        return Untrue(known, Wrong.OTHERWISE, met, said, known.expired(today))
    if met:
        lost = any(test not in matched for test in names)
        alive = lost or any(known in one.happens or one.row.verdict in _OPEN for one in about)
        return Untrue(known, Wrong.PARTLY if alive else Wrong.GONE, met, (), known.expired(today))
    if not names and not partial and not known.when.comparisons:
        return Untrue(known, Wrong.NOBODY)
    return Untrue(known, Wrong.EXPIRED, expired=True) if known.expired(today) else None

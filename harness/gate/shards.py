"""Shards: the parts of a run that several machines judge, and the whole that is joined from them.

Which shard a test belongs to is told by its id alone, so that a test that comes or goes moves no other. The whole has
the rows of all its shards; what a shard was given and did not report is lost there too, and so the gate knows.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.record.environment import differences
from harness.record.store import RunRecord
from harness.report.model import Exit, Run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.record.facts import RunFacts

MOST = 1000  # shards of one run
_NAMED = 3  # differences that are told


class NotTogether(Exception):  # noqa: N818 - named for what was met
    """Runs that are no parts of one whole; the message is one line with the remedy."""


@dataclass(frozen=True)
class Shard:
    """One part of several: the second of five."""

    number: int  # from 1
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def holds(self, test: str) -> bool:
        """Whether a test belongs to it."""
        return place(test, self.of) == self.number


@dataclass(frozen=True)
class Joined:
    """The whole, and what it lacks."""

    record: RunRecord
    missing: tuple[Shard, ...]  # shards that nobody gave
    notes: tuple[str, ...]  # what is told and refuses nothing


def parse(text: str) -> Shard:
    """The shard that `--shard 2/5` names; ValueError with a remedy when it is none."""
    found = re.fullmatch(r"([1-9][0-9]{0,3})/([1-9][0-9]{0,3})", text)
    if not found or not int(found[1]) <= int(found[2]) <= MOST:
        raise ValueError(f"{text!r} is no shard; write 2/5 for the second of five (at most {MOST})")
    return Shard(int(found[1]), int(found[2]))


def place(test: str, shards: int) -> int:
    """The shard, from 1, to which a test belongs among so many."""
    digest = hashlib.sha256(test.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % shards + 1


def join(records: Sequence[RunRecord], folder: Path) -> Joined:
    """The whole run that these shards make, as the record of `folder`; raises `NotTogether`."""
    shards = _shards(records)
    first = records[0]
    for other in records[1:]:
        _compare(first, other)
    given = {shard.number: record for shard, record in zip(shards, records, strict=True)}
    missing = tuple(Shard(number, shards[0].of) for number in range(1, shards[0].of + 1) if number not in given)
    # Nobody knows its tests, but every reader of the whole must know that it lacks them: they are lost.
    absent = tuple(f"shard {shard}::all its tests" for shard in missing)
    ordered = [given[number] for number in sorted(given)]
    facts = replace(
        ordered[0].facts,
        shard="",
        planned=(*_in_order(ordered), *absent),
        started=min((one.facts.started for one in ordered if one.facts.started is not None), default=None),
        ended=max((one.facts.ended for one in ordered if one.facts.ended is not None), default=None),
        exit_code=None,
    )
    results = tuple(row for record in ordered for row in record.results)
    torn = tuple(f"{record.folder.name}: {note}" for record in ordered for note in record.notes)
    record = RunRecord(folder, facts, results, torn)
    codes = [one.facts.exit_code for one in ordered]
    code = Run.of(record).exit_code(
        facts.strict, interrupted=Exit.INTERRUPTED in codes, internal_error=Exit.BROKEN in codes
    )
    whole = replace(record, facts=replace(facts, exit_code=int(code)))
    return Joined(whole, missing, (*torn, *_machines(ordered)))


def _shards(records: Sequence[RunRecord]) -> list[Shard]:
    """The shard that each record is; they are of one number, each given once, and hold their own tests only."""
    shards = []
    for record in records:
        if not record.facts.shard:
            raise NotTogether(f"{record.folder} is no shard; give the folders of runs made with --shard")
        shard = parse(record.facts.shard)
        strays = [test for test in record.facts.planned if not shard.holds(test)]
        if strays:
            raise NotTogether(f"{record.folder} holds {strays[0]}, which is not of its shard {shard}; judge it again")
        shards.append(shard)
    for record, shard in zip(records, shards, strict=True):
        if shard.of != shards[0].of:
            raise NotTogether(
                f"{record.folder} is shard {shard}, {records[0].folder} is {shards[0]}; give the shards of one division"
            )
    twice = [shard for shard, times in Counter(shards).items() if times > 1]
    if twice:
        folders = [str(record.folder) for record, shard in zip(records, shards, strict=True) if shard == twice[0]]
        raise NotTogether(f"shard {twice[0]} is given more than once: {', '.join(folders)}; give one of them")
    return shards


def _compare(one: RunRecord, other: RunRecord) -> None:
    """Refuses two shards that were not asked the same of the same."""
    for what, left, right in (
        ("subjects", one.facts.subjects, other.facts.subjects),
        ("versions of sockspec", one.facts.harness_version, other.facts.harness_version),
        ("suites", one.facts.suite, other.facts.suite),
        ("selections of tests", _selection(one.facts), _selection(other.facts)),
        ("strictness", one.facts.strict, other.facts.strict),
        ("versions of subjects", _versions(one.facts), _versions(other.facts)),
    ):
        if left != right:
            raise NotTogether(
                f"{one.folder} and {other.folder} have different {what}: {_brief(left)} and {_brief(right)};"
                " merge shards of one run only"
            )


def _selection(facts: RunFacts) -> tuple[str, ...]:
    return tuple(f"{name} {value}" for name, value in sorted(facts.selection.items()))


def _versions(facts: RunFacts) -> tuple[str, ...]:
    versions = facts.environment.get("subjects", {})
    return tuple(f"{name} {version}" for name, version in versions.items()) if isinstance(versions, dict) else ()


def _brief(value: object) -> str:
    if isinstance(value, tuple):
        named = ", ".join(map(str, value[:_NAMED])) + (", …" if len(value) > _NAMED else "")
        return named or "none"
    if isinstance(value, bool):
        return "strict" if value else "not strict"
    return str(value) or "none recorded"


def _machines(records: Sequence[RunRecord]) -> tuple[str, ...]:
    """How the machines of the shards differ from that of the first, whose facts the whole keeps."""
    notes = []
    for record in records[1:]:
        found = differences(records[0].facts.environment, record.facts.environment)
        if found:
            told = [f"{name} {left or '-'} against {right or '-'}" for name, (left, right) in found.items()]
            notes.append(
                f"{records[0].folder.name} and {record.folder.name} ran on different machines: {_brief(tuple(told))}"
            )
    return tuple(notes)


def _in_order(records: Sequence[RunRecord]) -> list[str]:
    """The tests of all shards as one run would have planned them, as far as rows tell: by file, line and variant."""
    lines = {row.test.partition("[")[0]: row.line for record in records for row in record.results}
    planned = [test for record in records for test in record.facts.planned]
    return sorted(planned, key=lambda test: (test.partition("::")[0], lines.get(test.partition("[")[0], 0), test))

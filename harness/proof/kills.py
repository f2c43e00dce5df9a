"""The kill matrix: test × mutant, from the rows of one run in which the mutants and the reference servers were judged.

A test stands here for all its variants, parameters and families together: it kills a mutant if one of them rejects it.
A mutant is rejected as it must be when a finding names the requirement that it breaks. A missed SHOULD counts for that
requirement only: correct servers miss some too. A mutant that no test rejects for its own requirement is a hole; a test
of a MUST that rejects no mutant which breaks something that it covers is dead weight; a correct server that is rejected
is a false alarm.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING

from harness.record.result import READY
from harness.subject.languages import NOT_INSTALLED
from harness.verdict import Level, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.proof.mutants import Mutant
    from harness.record.result import Result

KERNEL = "told"  # the subject of tests that judge the kernel: only a runtime can be wrong in its place, where it calls
BINDING = (Level.MUST, Level.DOCUMENTED)  # what is missed of these is a fail


class Answer(Enum):
    """What a test said of a mutant, weakest first; the sign stands in the matrix."""

    UNASKED = " "  # not put to it, or not applicable
    SILENT = "."  # passed, or missed a SHOULD that the mutant does not break
    OPEN = "?"  # inconclusive: its control did not hold, or it could not see
    BROKEN = "!"  # the harness broke
    UNREADY = "0"  # the mutant never became ready: rejected, but by no test
    KILLED = "x"  # rejected, for another requirement
    PROVED = "X"  # rejected, for the requirement that it breaks

    @property
    def rank(self) -> int:
        """Place in the order."""
        return _ORDER.index(self)

    @property
    def kills(self) -> bool:
        """Whether the test rejected the mutant."""
        return self in (Answer.KILLED, Answer.PROVED)


_ORDER = tuple(Answer)


def answer(row: Result, mutant: Mutant) -> Answer:
    """What one row says of the mutant that it judged."""
    if mutant.breaks in _missed(row):
        return Answer.PROVED
    if any(finding.verdict is Verdict.FAIL for finding in row.findings):
        return Answer.KILLED
    match row.verdict:
        case Verdict.ERROR:
            unready = any(finding.expected == READY and finding.actual for finding in row.findings)
            return Answer.UNREADY if unready else Answer.BROKEN
        case Verdict.INCONCLUSIVE:
            return Answer.OPEN
        case Verdict.NOT_APPLICABLE:
            return Answer.UNASKED
        case _:
            return Answer.SILENT


def _missed(row: Result) -> set[str]:
    """The requirements that a row says are not met; a pass that tells something tells of a MAY that is not done."""
    return {one.requirement for one in row.findings if one.verdict not in (Verdict.ERROR, Verdict.INCONCLUSIVE)}


@dataclass(frozen=True)
class Test:
    """One test of the suites, all its variants together."""

    __test__ = False  # for pytest: this is no test of ours

    name: str  # services/echo::returns_what_it_gets
    covers: tuple[str, ...] = ()
    level: Level | None = None  # of the requirement that governs

    @property
    def binding(self) -> bool:
        """Whether a miss is a fail."""
        return self.level in BINDING

    @property
    def governing(self) -> str:
        """The requirement that a finding of it names."""
        return self.covers[0] if self.covers else ""


@dataclass(frozen=True)
class Kills:
    """The matrix, and what follows from it."""

    mutants: tuple[Mutant, ...]
    tests: tuple[Test, ...]  # those that judge more than the kernel, or were put to a mutant, in the order of the rows
    cells: Mapping[tuple[str, str], Answer]  # test and mutant, by name; what is missing was not asked
    kernel: tuple[Test, ...] = ()  # tests that judge the kernel: not proved by mutants
    alarms: tuple[Result, ...] = ()  # rows in which a correct server was rejected
    known: tuple[Result, ...] = ()  # rows in which a server by others missed what it is known to miss
    allowed: frozenset[str] = frozenset()  # tests that told of a correct server what it need not do: seen to tell
    deviations: tuple[Result, ...] = ()  # rows in which the kernel did: these tests are seen to fail
    judged: tuple[str, ...] = ()  # the correct servers
    absent: Mapping[str, str] = field(default_factory=dict)  # correct servers that could not be judged → why
    away: Mapping[str, str] = field(default_factory=dict)  # mutants whose language is not installed → what they need
    unstable: tuple[str, ...] = ()  # tests whose verdict differed between repetitions, with the verdicts
    lost: tuple[str, ...] = ()  # tests that were planned and never reported, or lost with their worker
    partial: bool = False  # only some tests were asked for

    def cell(self, test: str, mutant: str) -> Answer:
        """What a test said of a mutant."""
        return self.cells.get((test, mutant), Answer.UNASKED)

    def with_answer(self, mutant: str, *answers: Answer) -> tuple[str, ...]:
        """The tests that gave one of these answers about a mutant."""
        return tuple(test.name for test in self.tests if self.cell(test.name, mutant) in answers)

    def proved_by(self, mutant: str) -> tuple[str, ...]:
        """The tests that reject a mutant for the requirement that it breaks."""
        return self.with_answer(mutant, Answer.PROVED)

    def killed_by(self, test: str) -> tuple[str, ...]:
        """The mutants that a test rejects."""
        return tuple(mutant.name for mutant in self.mutants if self.cell(test, mutant.name).kills)

    @cached_property
    def tried(self) -> tuple[Mutant, ...]:
        """The mutants that must be rejected: of a partial run those that were, and those who met their own test.

        Where what a mutant breaks comes second in a test, another one may be there to see it.
        """
        at_hand = tuple(mutant for mutant in self.mutants if mutant.name not in self.away)
        if not self.partial:
            return at_hand
        breaks = {mutant.name: mutant.breaks for mutant in self.mutants}
        governing = {test.name: test.governing for test in self.tests}
        met = {
            name
            for (test, name), said in self.cells.items()
            if said is Answer.PROVED or breaks[name] == governing[test]
        }
        return tuple(mutant for mutant in at_hand if mutant.name in met)

    @cached_property
    def holes(self) -> tuple[tuple[Mutant, str], ...]:
        """The mutants that are not rejected as they must be, and why not."""
        return tuple((mutant, why) for mutant in self.tried if (why := self._hole(mutant)))

    @cached_property
    def dead_weight(self) -> tuple[Test, ...]:
        """The tests of a MUST, or of a promise in plain words, that rejected none which breaks what they cover."""
        return self._without_kill(binding=True)

    @cached_property
    def soft_weight(self) -> tuple[Test, ...]:
        """The same for tests of a SHOULD or MAY, but for those that told something of a correct server."""
        return tuple(test for test in self._without_kill(binding=False) if test.name not in self.allowed)

    @property
    def holds(self) -> bool:
        """Whether every mutant is rejected as it must be, and no correct server."""
        return not (self.holes or self.alarms or self.unstable or self.lost)

    def proof_of(self, requirement: str) -> tuple[str, ...]:
        """The mutants that break a requirement and are rejected for it."""
        return tuple(m.name for m in self.mutants if m.breaks == requirement and self.proved_by(m.name))

    def _without_kill(self, *, binding: bool) -> tuple[Test, ...]:
        return tuple(test for test in self.tests if test.binding is binding and not self._can_fail(test))

    def _can_fail(self, test: Test) -> bool:
        """Whether it rejected a mutant that breaks what it covers, or such a one is not at hand to show that it can."""
        breaking = [mutant.name for mutant in self.mutants if mutant.breaks in test.covers]
        return any(name in self.away or self.cell(test.name, name).kills for name in breaking)

    def _hole(self, mutant: Mutant) -> str:
        if self.proved_by(mutant.name):
            return ""
        answers = {self.cell(test.name, mutant.name) for test in self.tests} - {Answer.UNASKED}
        if not answers:
            return "no test was put to it"
        if answers == {Answer.UNREADY}:
            return ""  # nobody can say more of a subject that never becomes ready
        own = [test.name for test in self.tests if test.governing == mutant.breaks]
        asked = {name: self.cells[name, mutant.name] for name in own if (name, mutant.name) in self.cells}
        words = [_words(asked)] if asked else ["no test is governed by its requirement"]
        others = self.with_answer(mutant.name, Answer.KILLED)
        words.append(f"rejected for other requirements, by {_named(others)}" if others else "rejected by no test")
        return "; ".join(words)


def _words(asked: Mapping[str, Answer]) -> str:
    told = {
        Answer.UNASKED: "not put to it",
        Answer.SILENT: "did not notice",
        Answer.OPEN: "could not decide",
        Answer.BROKEN: "broke",
        Answer.UNREADY: "found it not ready",
        Answer.KILLED: "rejected it for something else",
    }
    parts = [(words, [name for name, cell in asked.items() if cell is kind]) for kind, words in told.items()]
    return "; ".join(f"{_named(names)} {words}" for words, names in parts if names)


def _named(tests: Sequence[str]) -> str:
    shown = ", ".join(tests[:3])
    return shown if len(tests) <= 3 else f"{shown} and {len(tests) - 3} more"


def kill_matrix(
    rows: Iterable[Result],
    mutants: Iterable[Mutant],
    lost: Iterable[str] = (),
    findings: Mapping[str, Mapping[str, str]] | None = None,
    unstable: Mapping[str, str] | None = None,
    *,
    partial: bool = False,
) -> Kills:
    """The matrix that the rows of one run make; rows of subjects that are no mutants are those of correct servers.

    `findings` tells of a server by others which requirements it does miss, and in what: that is no false alarm.
    `unstable` tells of tests whose verdict differed between repetitions, which verdicts these were. A run is `partial`
    if it was asked for some tests only.
    """
    by_name = {mutant.name: mutant for mutant in mutants}
    cells: dict[tuple[str, str], Answer] = {}
    tests: dict[str, Test] = {}
    kernel: dict[str, Test] = {}
    alarms: list[Result] = []
    known: list[Result] = []
    allowed: set[str] = set()
    deviations: list[Result] = []
    judged: dict[str, None] = {}
    absent: dict[str, str] = {}
    away: dict[str, str] = {}
    gone = list(lost)
    for row in rows:
        if not row.subject:
            gone.append(row.test)
            continue
        test = Test(test_of(row), row.covers, row.level)
        _remember(kernel if row.subject == KERNEL else tests, test)
        if row.subject in by_name:
            if row.verdict is Verdict.NOT_APPLICABLE and NOT_INSTALLED in row.reason:
                away[row.subject] = row.reason
            place = (test.name, row.subject)
            said = answer(row, by_name[row.subject])
            cells[place] = max(cells.get(place, said), said, key=lambda one: one.rank)
        else:
            if row.verdict is Verdict.NOT_APPLICABLE:
                absent.setdefault(row.subject, row.reason)
            elif row.subject != KERNEL:
                judged[row.subject] = None
            if row.known:
                deviations.append(row)
            elif row.verdict in (Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE):
                expected = (findings or {}).get(row.subject, {})
                (known if _misses_only(row, expected) else alarms).append(row)
            elif not _missed(row).isdisjoint(row.covers):
                allowed.add(test.name)
    # What a server by others is known to miss it may miss now and then: then it is that server which races.
    racing = {row.unrepeated for row in known} - {row.unrepeated for row in alarms}
    return Kills(
        mutants=tuple(by_name.values()),
        tests=tuple(tests.values()) if by_name else (),
        cells=cells,
        kernel=tuple(test for name, test in kernel.items() if name not in {*tests, *map(test_of, deviations)}),
        alarms=tuple(alarms),
        known=tuple(known),
        allowed=frozenset(allowed),
        deviations=tuple(deviations),
        judged=tuple(judged),
        absent={name: reason for name, reason in absent.items() if name not in judged and name != KERNEL},
        unstable=tuple(words for test, words in (unstable or {}).items() if test not in racing),
        away=away,
        lost=tuple(gone),
        partial=partial,
    )


def _misses_only(row: Result, expected: Mapping[str, str]) -> bool:
    """Whether all that a row has against its subject is known of it."""
    missed = {finding.requirement for finding in row.findings if finding.verdict is not Verdict.DEVIATION}
    return row.verdict is Verdict.FAIL and bool(missed) and missed <= expected.keys()


def test_of(row: Result) -> str:
    """The test that a row belongs to, without variant, family and subject."""
    return row.test.partition("[")[0]


def _remember(known: dict[str, Test], test: Test) -> None:
    # A row whose test ended in set-up, or was lost with its worker, may know less than another one of the same test.
    before = known.get(test.name)
    if before is None or (test.covers and not before.covers):
        known[test.name] = test

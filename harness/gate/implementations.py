"""Implementations beside each other: one row a behaviour, one column a subject, disagreements first.

Both families of a test share a cell, which shows the worse of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.complaints import WORST_FIRST
from harness.report.visible import one_line
from harness.verdict import Verdict, worst

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.report.model import Run

SIGNS = {
    Verdict.PASS: "✓",
    Verdict.DEVIATION: "d",
    Verdict.INCONCLUSIVE: "?",
    Verdict.FAIL: "✗",
    Verdict.ERROR: "!",
    Verdict.NOT_APPLICABLE: "-",
}


_LEGEND = (*WORST_FIRST, Verdict.PASS, Verdict.NOT_APPLICABLE)


@dataclass(frozen=True)
class Line:
    """What all subjects answered to one test."""

    behaviour: str
    verdicts: tuple[Verdict | None, ...]  # in the order of the subjects; None: not asked, or lost

    @property
    def disagree(self) -> bool:
        """Whether two subjects that were judged answered differently."""
        return len(_judged(self.verdicts)) > 1

    def differ(self, one: int, other: int) -> bool:
        """Whether these two subjects answered differently, or only one of them at all."""
        return self.verdicts[one] is not self.verdicts[other]


@dataclass(frozen=True)
class Matrix:
    """All lines of a run."""

    subjects: tuple[str, ...]
    lines: tuple[Line, ...]  # those on which subjects disagree come first, then in the order of the run


def matrix(run: Run) -> Matrix:
    """The matrix of a run; subjects that answered nothing have a column too."""
    subjects = tuple(dict.fromkeys((*run.facts.subjects, *(row.subject for row in run.rows))))
    cells: dict[str, dict[str, list[Verdict]]] = {}
    for row in run.rows:
        cells.setdefault(row.behaviour, {}).setdefault(row.subject, []).append(row.verdict)
    lines = [
        Line(behaviour, tuple(worst(found[subject]) if subject in found else None for subject in subjects))
        for behaviour, found in cells.items()
    ]
    return Matrix(subjects, tuple(sorted(lines, key=lambda line: not line.disagree)))


def text(whole: Matrix) -> str:
    """The whole for a terminal: disagreements, then what all answer alike."""
    apart = [line for line in whole.lines if line.disagree]
    alike = [line for line in whole.lines if not line.disagree]
    parts = [
        *_section(f"{_plural(len(apart), 'behaviour')} on which implementations disagree", whole.subjects, apart),
        *_section(f"{_plural(len(alike), 'behaviour')} on which they do not", whole.subjects, alike),
        " · ".join(f"{SIGNS[verdict]} {verdict}" for verdict in _LEGEND) + " · blank: not asked, or lost",
    ]
    return "\n".join(parts) + "\n"


def compared(whole: Matrix, one: str, other: str) -> str:
    """Only where two subjects differ; raises ValueError with the names that there are."""
    for name in (one, other):
        if name not in whole.subjects:
            raise ValueError(f"{name!r} is not in this run; it has {', '.join(map(one_line, whole.subjects))}")
    places = whole.subjects.index(one), whole.subjects.index(other)
    lines = [
        Line(line.behaviour, (line.verdicts[places[0]], line.verdicts[places[1]]))
        for line in whole.lines
        if line.differ(*places)
    ]
    head = f"{_plural(len(lines), 'behaviour')} in which {one_line(one)} and {one_line(other)} differ"
    return "\n".join(_section(head, (one, other), lines)).rstrip("\n") + "\n"


def _section(head: str, subjects: Sequence[str], lines: Sequence[Line]) -> Iterator[str]:
    yield head
    if lines:
        yield ""
        names = [one_line(subject) for subject in subjects]
        width = max(len(one_line(line.behaviour)) for line in lines)
        yield f"  {'':{width}}  {'  '.join(names)}"
        for line in lines:
            signs = (SIGNS[verdict] if verdict else "" for verdict in line.verdicts)
            cells = (f"{sign:^{len(name)}}" for sign, name in zip(signs, names, strict=True))
            yield f"  {one_line(line.behaviour):{width}}  {'  '.join(cells)}".rstrip()
    yield ""


def _judged(verdicts: Sequence[Verdict | None]) -> set[Verdict]:
    return {verdict for verdict in verdicts if verdict not in (None, Verdict.NOT_APPLICABLE)}


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"

"""The requirements after a run, as text: each with its standing, the tests that ran for it, and what proves them.

What stays quiet in a list of findings is told here: what no test covers, and what no test can see, each with its why.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from harness.spec.matrix import Standing, matrix
from harness.verdict import Verdict, worst

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from harness.record.result import Result
    from harness.spec.catalogue import Catalogue, Document
    from harness.spec.matrix import Row

_NOTHING: Mapping[str, tuple[str, ...]] = {}
_STRENGTHS = ("MUST", "documented", "SHOULD", "MAY")


def standings(catalogue: Catalogue, rows: Iterable[Result]) -> tuple[list[Row], tuple[str, ...]]:
    """How each requirement stands after these rows, and the ids that they cite and the catalogue does not know."""
    known: list[tuple[tuple[str, ...], str, Verdict]] = []
    unknown: dict[str, None] = {}
    accepted: dict[str, str] = {}
    for row in rows:
        unknown |= {name: None for name in row.covers if name not in catalogue}
        known.append((tuple(name for name in row.covers if name in catalogue), row.test, row.verdict))
        if row.known:
            accepted[row.test] = row.known
    return matrix(catalogue, known, accepted), tuple(unknown)


def render(rows: Sequence[Row], proved: Mapping[str, Sequence[str]] = _NOTHING, unknown: Sequence[str] = ()) -> str:
    """The matrix; `proved` has, for a requirement, the mutants that break it and were rejected for it."""
    lines = [f"{len(rows)} requirements", *_counts(rows)]
    if unknown:
        lines += ["", "cited, but not in the catalogue:", *(f"  {name}" for name in unknown)]
    width = max((len(row.requirement.id) for row in rows), default=0)
    documents: dict[Document, list[Row]] = {}
    for row in rows:
        documents.setdefault(row.requirement.document, []).append(row)
    for document, entries in documents.items():
        lines += ["", str(document), *_standings_of(document, entries)]
        for row in entries:
            lines += _requirement(row, width, proved.get(row.requirement.id, ()))
    return "\n".join(lines) + "\n"


def _counts(rows: Sequence[Row]) -> Iterator[str]:
    table = Counter((str(row.requirement.level), row.standing) for row in rows)
    width = max(len(str(standing)) for standing in Standing)
    yield f"  {'':{width}}  {'  '.join(f'{strength:>10}' for strength in _STRENGTHS)}"
    for standing in Standing:
        yield f"  {standing!s:{width}}  {'  '.join(f'{table[strength, standing]:>10}' for strength in _STRENGTHS)}"


def _standings_of(document: Document, rows: Sequence[Row]) -> Iterator[str]:
    """A line for each strength: `rfc9293: 69 MUST: 60 passed, 0 missed, 3 known deviation, 6 untested`.

    Passed and missed are always told, what else there is where there is some.
    """
    for strength in _STRENGTHS:
        counts = Counter(row.standing for row in rows if str(row.requirement.level) == strength)
        if counts:
            told = [one for one in Standing if counts[one] or one in (Standing.PASSED, Standing.MISSED)]
            standings = ", ".join(f"{counts[one]} {one}" for one in told)
            yield f"{document.key}: {counts.total()} {strength}: {standings}"


def _requirement(row: Row, width: int, proved: Sequence[str]) -> Iterator[str]:
    strength = row.requirement.strength
    yield f"  {row.requirement.id:{width}}  {strength:10}  {row.standing!s:15}  {row.why}".rstrip()
    tests: dict[str, list[Verdict]] = {}
    for test, verdict in row.tests:
        tests.setdefault(test.partition("[")[0], []).append(verdict)
    for test, verdicts in tests.items():
        yield f"      {worst(verdicts)!s:14}  {test}"
    if proved:
        yield f"      {'proved by':14}  {', '.join(proved)}"

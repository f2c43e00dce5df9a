"""The report as one HTML file: summary, findings, matrix of tests and subjects, requirements, a page for each test.

The file stands alone: style inside, links only to evidence beside it. Without its script everything but the pages of
the tests can be read; these are packed (see `harness.report.pages`). What a subject said is escaped by jinja2, or where
a picture is drawn, never marked safe. The templates say how it looks, this module what there is to show.
"""

from __future__ import annotations

import shlex
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote

from harness.record.environment import flat
from harness.record.evidence import FAULTS, FINDING, SEGMENTS, SUBJECT, WIRE, Shown
from harness.report.complaints import WORST_FIRST
from harness.report.crew import spread
from harness.report.pages import PACK, Pictures, pack, pictures
from harness.report.templates import environment
from harness.report.visible import one_line, visible
from harness.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from harness.record.facts import RequirementText
    from harness.record.result import Result
    from harness.report.causes import Cause
    from harness.report.model import Run, Told

OVERVIEW = 30  # findings that the summary lists at once; the others unfold
IN_FULL = 50  # findings that show their evidence at once; of the others it is on the page of the test
SLOWEST = 20  # tests that are named for the time they took
LINES = 120  # of a listing that are shown, around those that are cited

# A verdict is told by its word and its sign, never by colour alone.
SIGNS = {
    Verdict.PASS: "✓",
    Verdict.FAIL: "✗",
    Verdict.ERROR: "!",
    Verdict.INCONCLUSIVE: "?",
    Verdict.DEVIATION: "~",
    Verdict.NOT_APPLICABLE: "–",
}
_ORDER = (*WORST_FIRST, Verdict.PASS, Verdict.NOT_APPLICABLE)
_TEMPLATE = "index.html.j2"
_TEST = "test.html.j2"


@dataclass(frozen=True)
class Line:
    """One line of a wire listing."""

    text: str
    cited: bool  # the finding speaks of this segment


@dataclass(frozen=True)
class Cell:
    """One verdict in the matrix."""

    verdict: Verdict
    family: str
    href: str  # the finding on this page, or the capture; "" for neither
    title: str
    page: int  # the number of the test's page


@dataclass(frozen=True)
class Behaviour:
    """One behaviour in the matrix, with a list of cells for each subject of its group."""

    behaviour: str
    purpose: str
    covers: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Group:
    """One table of the matrix."""

    name: str
    subjects: tuple[str, ...]
    lines: tuple[Behaviour, ...]
    counts: Counter[Verdict]

    @property
    def calm(self) -> bool:
        """Whether there is nothing in it that a reader must see."""
        return not self.counts.keys() & set(WORST_FIRST)


@dataclass(frozen=True)
class Entry:
    """One requirement, with the tests that covered it: name, verdict, link, and the number of the page."""

    id: str
    text: RequirementText
    tests: tuple[tuple[str, Verdict, str, int], ...]


@dataclass(frozen=True)
class Document:
    """The requirements of one document that tests of this run covered."""

    document: str
    entries: tuple[Entry, ...]
    counts: Counter[Verdict]  # requirements, each with its worst verdict

    @property
    def calm(self) -> bool:
        """Whether there is nothing in it that a reader must see."""
        return not self.counts.keys() & set(WORST_FIRST)


def render(run: Run, look: Callable[[str], Shown], templates: Path) -> str:
    """The file; `look` gives what there is to show of an evidence folder, `templates` is the folder of the design."""
    design = environment(templates)
    design.filters |= {"visible": visible, "one_line": one_line, "slug": _slug, "when": _when, "shell": shlex.join}
    page = _Page(run, look)
    test = design.get_template(_TEST).module.test  # type: ignore[attr-defined] # a macro of the template
    index = design.get_template(_TEMPLATE)

    def packed(place: int) -> str:
        rows = run.rows[place * PACK : (place + 1) * PACK]
        return pack(str(test(page, run, row, (shown := page.evidence(row)), pictures(shown))) for row in rows)

    return index.render(
        page=page,
        run=run,
        verdicts=_ORDER,
        signs=SIGNS,
        overview_limit=OVERVIEW,
        pages_per_pack=PACK,
        packs=spread(packed, -(-len(run.rows) // PACK)),
    )


def listing(segments: str, limit: int = LINES) -> tuple[Line, ...]:
    """The lines of a segment listing; of a long one the head, and what lies around the lines cited with `>`."""
    lines = tuple(Line(text, text.lstrip().startswith(">")) for text in segments.splitlines())
    if len(lines) <= limit:
        return lines
    cited = [place for place, line in enumerate(lines) if line.cited] or [limit // 2]
    around = (limit - 2) // (2 * min(len(cited), 8)) or 1
    kept = {0, 1, *(near for place in cited[:8] for near in range(place - around, place + around))}
    shown: list[Line] = []
    last = -1
    for place in sorted(kept & set(range(len(lines)))):
        if place > last + 1:
            shown.append(Line(f"    … {place - last - 1} lines left out …", cited=False))
        shown.append(lines[place])
        last = place
    if last + 1 < len(lines):
        shown.append(Line(f"    … {len(lines) - last - 1} lines left out …", cited=False))
    return tuple(shown)


class _Page:
    """What the template asks for, beyond the run itself."""

    def __init__(self, run: Run, look: Callable[[str], Shown]) -> None:
        self.run = run
        self._look = look
        self._numbers = {row.test: number for number, row in enumerate(run.rows)}

    def evidence(self, row: Result) -> Shown:
        """What the evidence of a test shows."""
        return self._look(row.evidence) if row.evidence else Shown()

    def number(self, row: Result) -> int:
        """The number of the test's page."""
        return self._numbers[row.test]

    def cause(self, cause: Cause) -> int:
        """The number of the cause, from 1."""
        return self.run.causes.index(cause) + 1

    @cached_property
    def documents(self) -> tuple[Document, ...]:
        """The ledger: document → requirement → tests, those with something to see first."""
        tests: dict[str, dict[str, list[Result]]] = {}
        for row in self.run.rows:
            for requirement in row.covers:
                tests.setdefault(requirement, {}).setdefault(row.test.partition("[")[0], []).append(row)
        entries: dict[str, list[Entry]] = {}
        for requirement, by_test in tests.items():
            text = self.run.text(requirement)
            told = tuple(self._entry_test(name, requirement, rows) for name, rows in by_test.items())
            name = text.document or requirement.partition(":")[0]
            entries.setdefault(name, []).append(Entry(requirement, text, told))
        documents = [
            Document(name, tuple(own), Counter(_worst_of(self.run.by_requirement[entry.id]) for entry in own))
            for name, own in entries.items()
        ]
        return tuple(sorted(documents, key=lambda document: document.calm))

    def _entry_test(self, name: str, requirement: str, rows: list[Result]) -> tuple[str, Verdict, str, int]:
        # A row that missed another of its requirements says nothing of this one.
        clear = [
            row for row in rows if requirement in {f.requirement for f in row.findings} or not row.findings
        ] or rows
        worst_row = min(clear, key=lambda row: _ORDER.index(row.verdict))
        cell = self._cell(worst_row)
        return name.partition("::")[2] or name, worst_row.verdict, cell.href, cell.page

    @cached_property
    def anchors(self) -> dict[str, str]:
        """Test id → anchor of the cause of what it missed, or of the first finding that tells of it."""
        anchors = {test: f"cause-{self.cause(cause)}" for test, cause in self.run.cause_of.items()}
        for number, told in enumerate(self.run.told, start=1):
            for row, _ in told.seen:
                anchors.setdefault(row.test, f"finding-{number}")
        return anchors

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The matrix: a table for each group, those with something to see first."""
        rows: dict[str, list[Result]] = {}
        for row in self.run.rows:
            rows.setdefault(row.group, []).append(row)
        groups = [self._group(name, members) for name, members in rows.items()]
        return tuple(sorted(groups, key=lambda group: group.calm))

    @cached_property
    def slowest(self) -> tuple[Result, ...]:
        """The tests that took longest, the longest first."""
        return tuple(sorted(self.run.rows, key=lambda row: -row.seconds)[:SLOWEST])

    @cached_property
    def environment(self) -> dict[str, str]:
        """The machine, a line for each fact."""
        return flat(self.run.facts.environment)

    def in_full(self, number: int) -> bool:
        """Whether the finding of that number, from 1, shows its evidence."""
        return number <= IN_FULL

    def drawn(self, told: Told) -> Pictures:
        """What the first row's capture shows: one flow, the page of the test has more."""
        return pictures(self.shown(told), drawn=1)

    def listing(self, segments: str) -> tuple[Line, ...]:
        """The lines of a segment listing that are shown."""
        return listing(segments)

    def place_in_document(self, text: RequirementText) -> str:
        """`RFC 9293, section 3.6.1`; a section that is no number stands as it is."""
        section = f"section {text.section}" if text.section[:1].isdigit() else text.section
        return ", ".join(filter(None, dict.fromkeys((text.document, section))))

    def shown(self, told: Told) -> Shown:
        """What the evidence folder of the first row holds."""
        return self.evidence(told.first)

    def lines(self, told: Told) -> tuple[Line, ...]:
        """The wire listing of the first row."""
        return listing(self.shown(told).segments)

    def files(self, row: Result) -> tuple[tuple[str, str], ...]:
        """What may be opened of the row's evidence: name and link. A row that has a certificate has a capture."""
        names = (("capture", WIRE), ("segments", SEGMENTS)) if row.certificate is not None else (("message", FINDING),)
        return tuple((name, _href(row.evidence, file)) for name, file in names if row.evidence)

    def kept(self, row: Result, shown: Shown) -> tuple[tuple[str, str], ...]:
        """What there is of the row's evidence: name and link."""
        names = (
            ("capture", WIRE, bool(shown.wire)),
            ("segments", SEGMENTS, bool(shown.segments)),
            ("message", FINDING, bool(shown.message)),
            ("subject's output", SUBJECT, bool(shown.subject)),
            ("relay's log", FAULTS, bool(shown.faults)),
        )
        return tuple((name, _href(row.evidence, file)) for name, file, there in names if row.evidence and there)

    @cached_property
    def not_applicable(self) -> dict[str, list[str]]:
        """Reason → tests that could not be tried for it."""
        reasons: dict[str, list[str]] = {}
        for row in self.run.rows:
            if row.verdict is Verdict.NOT_APPLICABLE:
                reasons.setdefault(row.reason, []).append(row.test)
        return reasons

    def _group(self, name: str, rows: list[Result]) -> Group:
        subjects = tuple(dict.fromkeys(row.subject for row in rows))
        lines: dict[str, dict[str, list[Result]]] = {}
        for row in rows:
            lines.setdefault(row.behaviour, {}).setdefault(row.subject, []).append(row)
        counts = self.run.by_group[name]
        return Group(name, subjects, tuple(self._line(one, cells, subjects) for one, cells in lines.items()), counts)

    def _line(self, behaviour: str, cells: Mapping[str, list[Result]], subjects: tuple[str, ...]) -> Behaviour:
        first = next(iter(cells.values()))[0]
        return Behaviour(
            behaviour=behaviour.partition("::")[2] or behaviour,
            purpose=first.purpose,
            covers=first.covers,
            cells=tuple(tuple(self._cell(row) for row in cells.get(subject, ())) for subject in subjects),
        )

    def _cell(self, row: Result) -> Cell:
        anchor = self.anchors.get(row.test)
        href = f"#{anchor}" if anchor else next((href for _, href in self.files(row)), "")
        return Cell(row.verdict, row.family, href, row.reason, self.number(row))


def _href(evidence: str, name: str) -> str:
    """A link to a file of the evidence; the leading `./` keeps what looks like a scheme from being one."""
    return f"./{quote(evidence.encode('utf-8', 'replace').strip(b'/'))}/{name}" if evidence else ""


def _worst_of(counts: Counter[Verdict]) -> Verdict:
    return min(counts, key=_ORDER.index)


def _slug(text: str) -> str:
    return text.replace(" ", "-")


def _when(moment: float | None) -> str:
    """Seconds since the epoch as a person reads them."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S} UTC" if moment is not None else "not recorded"

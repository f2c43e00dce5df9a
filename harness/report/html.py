"""The report as one HTML file: summary, matrix of tests and subjects, each finding with its evidence, environment.

The page stands alone: style inside, no script that must run, links only to evidence beside it. What a subject said is
escaped by jinja2, never marked safe. The templates say how it looks, this module what there is to show.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote

import jinja2

from harness.record.environment import flat
from harness.record.evidence import FINDING, SEGMENTS, WIRE, Shown
from harness.report.model import WORST_FIRST, Run, Told
from harness.report.visible import one_line, visible
from harness.verdict import Verdict

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Mapping
    from pathlib import Path

    from harness.record.facts import RequirementText
    from harness.record.result import Result

OVERVIEW = 30  # findings that the summary lists at once; the others unfold
IN_FULL = 200  # findings that show their listing and their subject's output; the others link to the files
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


def render(run: Run, shown: Mapping[str, Shown], templates: Path) -> str:
    """The page; `shown` is what `record.evidence.read` finds for `wanted(run)`, `templates` a folder."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {"visible": visible, "one_line": one_line, "slug": _slug, "when": _when, "shell": shlex.join}
    page = environment.get_template(_TEMPLATE)
    return page.render(page=_Page(run, shown), run=run, verdicts=_ORDER, signs=SIGNS, overview_limit=OVERVIEW)


def wanted(run: Run) -> tuple[str, ...]:
    """The evidence folders of which the page shows something: one for each finding told in full."""
    return tuple(dict.fromkeys(told.first.evidence for told in run.told[:IN_FULL] if told.first.evidence))


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

    def __init__(self, run: Run, shown: Mapping[str, Shown]) -> None:
        self.run = run
        self._shown = shown

    @cached_property
    def anchors(self) -> dict[str, str]:
        """Test id → anchor of the first finding that tells of it."""
        anchors: dict[str, str] = {}
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
    def environment(self) -> dict[str, str]:
        """The machine, a line for each fact."""
        return flat(self.run.facts.environment)

    def in_full(self, number: int) -> bool:
        """Whether the finding of that number, from 1, shows its listing."""
        return number <= IN_FULL

    def place_in_document(self, text: RequirementText) -> str:
        """`RFC 9293, section 3.6.1`; a section that is no number stands as it is."""
        section = f"section {text.section}" if text.section[:1].isdigit() else text.section
        return ", ".join(filter(None, dict.fromkeys((text.document, section))))

    def shown(self, told: Told) -> Shown:
        """What the evidence folder of the first row holds."""
        return self._shown.get(told.first.evidence, Shown())

    def lines(self, told: Told) -> tuple[Line, ...]:
        """The wire listing of the first row."""
        return listing(self.shown(told).segments)

    def files(self, row: Result) -> tuple[tuple[str, str], ...]:
        """What may be opened of the row's evidence: name and link. A row that has a certificate has a capture."""
        names = (("capture", WIRE), ("segments", SEGMENTS)) if row.certificate is not None else (("message", FINDING),)
        return tuple((name, _href(row.evidence, file)) for name, file in names if row.evidence)

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
        return Cell(row.verdict, row.family, href, row.reason)


def _href(evidence: str, name: str) -> str:
    """A link to a file of the evidence; the leading `./` keeps what looks like a scheme from being one."""
    return f"./{quote(evidence.encode('utf-8', 'replace').strip(b'/'))}/{name}" if evidence else ""


def _slug(text: str) -> str:
    return text.replace(" ", "-")


def _when(moment: float | None) -> str:
    """Seconds since the epoch as a person reads them."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S} UTC" if moment is not None else "not recorded"

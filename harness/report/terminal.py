"""The summary that a person reads in ten seconds at the end of a run.

What is calm takes little room: groups without a complaint share a line where there are many. What is wrong is told
the worst first, each once, with the command that shows it again. The last lines say the counts and what the exit code
means.
"""

from __future__ import annotations

import shutil
import textwrap
from collections import Counter
from typing import TYPE_CHECKING, TextIO

from harness.report.complaints import WORST_FIRST
from harness.report.model import Exit
from harness.report.visible import one_line
from harness.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.report.causes import Cause
    from harness.report.model import Run, Told

_WIDTH = 100  # characters of a line where nobody says how many fit
_WIDEST = 120  # characters beyond which lines are hard to read
LIMIT = 20  # findings that are told in full
_REQUIREMENTS = 6  # that are named of those that were missed for one cause
_ROOM = 24  # lines that the table may take before calm groups share one
_NAMED = 5  # lost tests that are named

_COLUMNS = (Verdict.PASS, *WORST_FIRST, Verdict.NOT_APPLICABLE)
_STYLE = {
    Verdict.PASS: "32",
    Verdict.DEVIATION: "33",
    Verdict.INCONCLUSIVE: "35",
    Verdict.FAIL: "1;31",
    Verdict.ERROR: "1;31;7",
    Verdict.NOT_APPLICABLE: "2",
}
_FAINT = "2"
_STRONG = "1"


def look(out: TextIO, environment: Mapping[str, str]) -> tuple[bool, int]:
    """Whether what is written there may have colour, and how wide its lines may be, in characters.

    Colour is for a terminal that can show it, and for people who have not asked for none (no-color.org).
    """
    if not out.isatty():
        return False, _WIDTH
    colour = not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
    return colour, min(shutil.get_terminal_size((_WIDTH, 24)).columns, _WIDEST)


def render(run: Run, *, colour: bool = False, width: int = 80, limit: int = LIMIT, report: str = "") -> str:
    """The summary, in lines of at most `width` characters where words allow; `report` is the path of the full one."""
    page = _Page(run, colour, max(40, width), report or f"{run.folder}/index.html")
    return "\n".join(line.rstrip() for line in page.lines(limit)) + "\n"


class _Page:
    """One rendering: the run with how it is to look."""

    def __init__(self, run: Run, colour: bool, width: int, report: str) -> None:
        self.run = run
        self.colour = colour
        self.width = width
        self.report = report

    def lines(self, limit: int) -> Iterator[str]:
        yield from self.table()
        told = self.run.told
        if told or self.run.causes:
            yield ""
            yield self.style(_STRONG, self.run.summary) + self.style(_FAINT, ", the worst first" if told else "")
        yield from self.causes(False)
        for one in told[:limit]:
            yield ""
            yield from self.finding(one)
        if len(told) > limit:
            yield ""
            rest = Counter(one.verdict for one in told[limit:])
            yield f"… and {len(told) - limit} more ({self.counts(rest, ', ')}) in {self.report}"
        yield from self.causes(True)
        yield from self.unstable()
        yield from self.doubts()
        yield ""
        yield from self.end()

    def table(self) -> Iterator[str]:
        """A line per subject and group; calm groups share one where the table would not fit."""
        table = self.run.by_subject
        brief = sum(1 + len(groups) for groups in table.values()) > _ROOM
        rows = [(subject, list(_grouped(groups, brief))) for subject, groups in table.items()]
        column = max((len(label) for _, groups in rows for label, _ in groups), default=0)
        names = max((len(one_line(subject)) for subject, _ in rows), default=0)
        for subject, groups in rows:
            name = one_line(subject) or "no subject"
            if brief and len(groups) == 1:
                label, counts = groups[0]
                space = " " * (names - len(name) + 2)
                yield f"{self.style(_STRONG, name)}{space}{label:<{column}}  {self.cells(counts)}"
                continue
            yield self.style(_STRONG, name)
            for label, counts in groups:
                yield f"  {label:<{column}}  {self.cells(counts)}"

    def causes(self, of_deviations: bool) -> Iterator[str]:
        """Those of something worse than a deviation, or those of deviations alone, which come last."""
        for cause in self.run.causes[:LIMIT]:
            if (cause.verdict is Verdict.DEVIATION) is of_deviations:
                yield ""
                yield from self.cause(cause)

    def cause(self, cause: Cause) -> Iterator[str]:
        """One cause: what happened, where in the subject's own files, and what was missed for it."""
        label = cause.label.upper()
        first, *more = textwrap.wrap(one_line(cause.title), self.width - len(label) - 2) or [""]
        yield f"{self.style(_STYLE[cause.verdict], label)}  {self.style(_STRONG, first)}"
        yield from (" " * (len(label) + 2) + self.style(_STRONG, line) for line in more)
        if cause.where:
            yield from self.field("at", cause.where)
        if cause.status:
            yield from self.field("status", cause.status)
        if cause.said:
            yield from self.field("remedy", cause.said)
        yield from self.field("seen on", f"{cause.subject} ({' '.join(cause.families)})")
        yield from self.field("explains", f"{cause.explains} ({self.counts(cause.counts, ', ')})")
        for requirement, rows in cause.requirements.most_common(_REQUIREMENTS):
            level = self.run.text(requirement).level
            yield from self.field("", f"{requirement}{f' ({level})' if level else ''}  ×{rows}")
        if (rest := len(cause.requirements) - _REQUIREMENTS) > 0:
            yield from self.field("", f"and {_plural(rest, 'requirement')} more")
        if cause.first.evidence:
            yield from self.field("evidence", f"{self.run.folder}/{cause.first.evidence}", wrap=False)
        if cause.first.again:
            yield from self.field("again", cause.first.again, wrap=False)

    def finding(self, told: Told) -> Iterator[str]:
        """One finding: what was demanded, where it was missed, what came instead, and how to see it again."""
        label = told.verdict.value.upper() + (" (known)" if told.known else "")
        requirement = told.requirement + (f" ({told.level})" if told.level else "")
        title = one_line(self.run.text(told.requirement).title)
        head = "  ".join(filter(None, (requirement, title))) or one_line(told.behaviour)
        first, *more = textwrap.wrap(head, self.width - len(label) - 2) or [""]
        yield f"{self.style(_STYLE[told.verdict], label)}  {self.style(_STRONG, first)}"
        yield from (" " * (len(label) + 2) + self.style(_STRONG, line) for line in more)
        if requirement or title:
            yield from self.field("test", told.behaviour)
        yield from self.field("seen on", _places(told))
        if told.expected:
            yield from self.field("expected", told.expected)
        yield from self.actual(told)
        if told.known:
            yield from self.field("known", told.known)
        if told.first.evidence:
            yield from self.field("evidence", f"{self.run.folder}/{told.first.evidence}", wrap=False)
        if told.first.again:
            yield from self.field("again", told.first.again, wrap=False)

    def actual(self, told: Told) -> Iterator[str]:
        name = "actual" if told.expected else "reason"
        yield from self.field(name, told.actuals[0])
        if len(told.actuals) > 1:
            yield from self.field("", f"and {len(told.actuals) - 1} more, told otherwise")

    def field(self, name: str, text: str, *, wrap: bool = True) -> Iterator[str]:
        """A name and its text beneath it; paths and commands stay on one line, to be copied."""
        text = one_line(text)
        lines = textwrap.wrap(text, self.width - 12, break_on_hyphens=False) if wrap else [text]
        for place, line in enumerate(lines):
            label = "" if place else name
            yield f"  {self.style(_FAINT, f'{label:<8}')}  {line}"

    def unstable(self) -> Iterator[str]:
        """Tests that answered differently from one repetition to the next, apart from what they answered."""
        found = self.run.unstable
        if not found:
            return
        yield ""
        yield self.style(_STRONG, f"{_plural(len(found), 'test')} unstable") + self.style(
            _FAINT, ": the verdict differed between repetitions, so the harness or the subject races"
        )
        for one in found[:LIMIT]:
            yield from textwrap.wrap(
                one_line(str(one)), self.width, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False
            )
        if len(found) > LIMIT:
            yield f"  … and {len(found) - LIMIT} more in {self.report}"

    def doubts(self) -> Iterator[str]:
        """What makes the record less than whole."""
        run = self.run
        said: list[str] = [*run.notes]
        for tests, what in ((run.lost, "planned and never reported"), (run.duplicates, "reported more than once")):
            if tests:
                named = ", ".join(tests[:_NAMED]) + (", …" if len(tests) > _NAMED else "")
                said.append(f"{_plural(len(tests), 'test')} {what}: {named}")
        said += [f"{number} tests not applicable: {why}" for why, number in run.not_tried.items()]
        if said:
            yield ""
        for line in said:
            yield from textwrap.wrap(one_line(line), self.width, subsequent_indent="  ", break_on_hyphens=False)

    def end(self) -> Iterator[str]:
        run = self.run
        counts = self.counts(run.counts, " · ") or "no test was judged"
        lost = f" · {self.style(_STYLE[Verdict.ERROR], f'{len(run.lost)} lost')}" if run.lost else ""
        lost += (
            f" · {self.style(_STYLE[Verdict.INCONCLUSIVE], f'{len(run.unstable)} unstable')}" if run.unstable else ""
        )
        known = f" · {self.style(_FAINT, _plural(run.known, 'known deviation') + ' among them')}" if run.known else ""
        if run.causes:
            yield self.style(_STRONG, run.summary)
        yield f"{counts}{lost}{known} · {_duration(run.seconds)}"
        if run.weather:
            first, *more = textwrap.wrap(one_line(run.weather), self.width - 8)
            yield f"{self.style(_FAINT, 'link')}    {first}"
            yield from (f"        {line}" for line in more)
        yield f"{self.style(_FAINT, 'report')}  {self.report}"
        code = run.exit
        number = self.style(_EXIT_STYLE.get(code, "1;31"), str(int(code)))
        yield f"{self.style(_FAINT, 'exit')}    {number}  {run.meaning}"

    def counts(self, counts: Mapping[Verdict, int], between: str) -> str:
        return between.join(
            self.style(_STYLE[verdict], f"{counts[verdict]} {verdict}") for verdict in _COLUMNS if counts.get(verdict)
        )

    def cells(self, counts: Mapping[Verdict, int]) -> str:
        """The counts as columns, one for each verdict that the run has; blank where a line has none."""
        cells: list[str] = []
        for verdict in _COLUMNS:
            if self.run.counts[verdict]:
                text = f"{counts[verdict]} {verdict}" if counts.get(verdict) else ""
                room = len(f"{self.run.counts[verdict]} {verdict}") - len(text)
                cells.append(" " * room + self.style(_STYLE[verdict], text))
        return "  ".join(cells)

    def style(self, codes: str, text: str) -> str:
        return f"\x1b[{codes}m{text}\x1b[0m" if self.colour and text else text


_EXIT_STYLE = {Exit.HOLDS: "1;32", Exit.NOTHING: "33", Exit.OPEN: "35", Exit.INTERRUPTED: "33"}


def _grouped(groups: Mapping[str, Counter[Verdict]], brief: bool) -> Iterator[tuple[str, Counter[Verdict]]]:
    """The lines of one subject: label and counts; when brief, those without a complaint as one, the last."""
    if not brief:
        yield from ((one_line(group), counts) for group, counts in groups.items())
        return
    calm: Counter[Verdict] = Counter()
    quiet: list[str] = []
    for group, counts in groups.items():
        if counts.keys() & set(WORST_FIRST):
            yield one_line(group), counts
        else:
            calm += counts
            quiet.append(group)
    if quiet:
        label = one_line(quiet[0]) if len(quiet) == 1 else f"{len(quiet)} groups"
        yield label if len(quiet) in (1, len(groups)) else f"{len(quiet)} other groups", calm


def _places(told: Told) -> str:
    """`echo_asyncio (v4 v6), echo_threading (v4)`."""
    return ", ".join(
        " ".join(filter(None, (subject, f"({' '.join(filter(None, families))})" if any(families) else "")))
        for subject, families in told.subjects.items()
    )


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _duration(seconds: float) -> str:
    """`0.8 s`, `41 s`, `3 min 12 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"

"""The summary for a pull request or for the page of a CI job, in GitHub's Markdown.

What a subject printed is shown as code, which it cannot leave: a fence is longer than any row of backticks within.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from harness.report.complaints import WORST_FIRST
from harness.report.visible import one_line, visible
from harness.verdict import Verdict

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Mapping, Sequence

    from harness.report.causes import Cause
    from harness.report.model import Run, Told

LIMIT = 20  # findings that are told; a step summary of GitHub's holds 1 MiB
_NAMED = 20  # lost tests that are named
_TEXT = 8000  # characters of one message

_COLUMNS = (Verdict.PASS, *WORST_FIRST, Verdict.NOT_APPLICABLE)


def render(run: Run, *, limit: int = LIMIT) -> str:
    """The run as a section with a table of counts and the findings, the worst first."""
    return "\n".join(_lines(run, limit)) + "\n"


def _lines(run: Run, limit: int) -> Iterator[str]:
    yield f"## sockspec: {run.meaning}"
    yield ""
    yield f"{_counts(run.counts, len(run.lost))} · exit code {int(run.exit)}"
    yield ""
    yield from _table(run)
    if run.causes:
        yield ""
        yield f"**{run.summary}**"
    yield from _causes(run, [cause for cause in run.causes if cause.verdict is not Verdict.DEVIATION][:limit])
    for told in run.told[:limit]:
        yield ""
        yield from _finding(run, told)
    if len(run.told) > limit:
        yield ""
        yield f"… and {len(run.told) - limit} more findings in the report."
    yield from _causes(run, [cause for cause in run.causes if cause.verdict is Verdict.DEVIATION][:limit])
    if run.lost:
        yield ""
        yield f"**Planned and never reported** ({len(run.lost)}):"
        yield ""
        yield from (f"- {_code(test)}" for test in run.lost[:_NAMED])
        if len(run.lost) > _NAMED:
            yield f"- … and {len(run.lost) - _NAMED} more"
    for reason, tests in run.not_tried.items():
        yield ""
        yield f"{tests} tests not applicable: {_code(reason)}"
    for note in run.notes:
        yield ""
        yield f"Note: {_code(note)}"


def _counts(counts: Mapping[Verdict, int], lost: int) -> str:
    told = [f"{counts[verdict]} {verdict}" for verdict in _COLUMNS if counts.get(verdict)]
    return " · ".join([*told, *([f"{lost} lost"] if lost else [])]) or "no test was judged"


def _table(run: Run) -> Iterator[str]:
    """A line for each subject and group, a column for each verdict that the run has."""
    columns = [verdict for verdict in _COLUMNS if run.counts[verdict]]
    if not columns:
        return
    yield f"| subject | group | {' | '.join(map(str, columns))} |"
    yield f"|---|---|{'---:|' * len(columns)}"
    for subject, groups in run.by_subject.items():
        for group, counts in groups.items():
            yield f"| {_cell(subject)} | {_cell(group)} | {_cells(counts, columns)} |"


def _cells(counts: Counter[Verdict], columns: list[Verdict]) -> str:
    return " | ".join(str(counts[verdict] or "") for verdict in columns)


def _causes(run: Run, causes: Sequence[Cause]) -> Iterator[str]:
    for cause in causes:
        yield ""
        yield from _cause(run, cause)


def _cause(run: Run, cause: Cause) -> Iterator[str]:
    yield f"### {cause.label.upper()} {_code(cause.title)}"
    yield ""
    for name, text in (
        ("at", cause.where),
        ("status", cause.status),
        ("remedy", cause.said),
        ("seen on", f"{cause.subject} ({' '.join(cause.families)})"),
        ("evidence", cause.first.evidence),
        ("again", cause.first.again),
    ):
        if text:
            yield f"- {name}: {_code(text)}"
    yield f"- explains {cause.explains}"
    yield ""
    yield "<details><summary>what follows from it</summary>"
    yield ""
    for told in run.follows(cause):
        missed = f"{told.verdict.value.upper()} {_code(told.requirement)} {_code(told.behaviour)}"
        yield f"- {missed}: {_code(told.actuals[0])}"
    yield ""
    yield "</details>"


def _finding(run: Run, told: Told) -> Iterator[str]:
    level = f" ({told.level})" if told.level else ""
    head = f"{_code(told.requirement)}{level}" if told.requirement else _code(told.behaviour)
    title = _plain(run.text(told.requirement).title)
    known = " (known deviation)" if told.known else ""
    yield f"### {told.verdict.value.upper()}{known} {head} {title}".rstrip()
    yield ""
    seen = [f"{subject} ({' '.join(filter(None, families))})" for subject, families in told.subjects.items()]
    for name, text in (
        ("test", told.behaviour),
        ("seen on", ", ".join(seen)),
        ("expected", told.expected),
        ("actual" if told.expected else "reason", told.actuals[0]),
        ("known", told.known),
        ("evidence", told.first.evidence),
        ("again", told.first.again),
    ):
        if text:
            yield f"- {name}: {_code(text)}"
    if told.text:
        yield ""
        yield "<details><summary>the whole message</summary>"
        yield ""
        yield from _block(told.text)
        yield ""
        yield "</details>"


def _block(text: str) -> Iterator[str]:
    shown = visible(text).rstrip("\n")
    shown = shown if len(shown) <= _TEXT else f"{shown[:_TEXT]}\n… {len(shown) - _TEXT} characters left out …"
    fence = "`" * max(3, _longest_row(shown) + 1)
    yield f"{fence}text"
    yield shown
    yield fence


def _code(text: str) -> str:
    """The text as code on one line."""
    shown = one_line(text)
    fence = "`" * (_longest_row(shown) + 1)
    space = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{space}{shown}{space}{fence}" if shown.strip() else ""


def _cell(text: str) -> str:
    """The same within a table, where a bar ends the cell even in code."""
    return _code(text).replace("|", "\\|")


def _plain(text: str) -> str:
    """A title of ours, from the catalogue or from a record that somebody else made."""
    return re.sub(r"([\\`*_{}\[\]<>#|~@!])", r"\\\1", one_line(text))


def _longest_row(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)

"""A baseline made true again, with the smallest difference: for `sockspec baseline update`.

What no longer happens goes, what happens otherwise is changed, what is new is added at the end; every other line stays
as it was, with its comments. A person has written the reasons, so none is written here: new entries get a placeholder
that the gate refuses, and an entry whose message changed has to be looked at again.

The file is cut at its headers, and only a piece that changes is taken apart, by tomlkit, which keeps the form of the
rest. A comment directly above a header belongs to that entry.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import tomlkit

from harness.gate.baseline import UNWRITTEN, headers
from harness.gate.judgement import Wrong

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.gate.judgement import Complaint, Judgement, Untrue
    from harness.report.model import Run


def updated(text: str, judgement: Judgement, run: Run) -> str:
    """The text of the baseline, true of this run but for reasons that a person has to write."""
    head, *pieces = _cut(text)
    wrong = {one.known.line: one for one in judgement.untrue}
    kept = [head]
    for place, piece in zip(headers(text), pieces, strict=True):
        untrue = wrong.get(place + 1)
        kept += [piece] if untrue is None else _changed(piece, untrue, judgement, run)
    added = [_entry(complaint) for complaint in judgement.new]
    return _joined([piece for piece in (*kept, *added) if piece.strip()]) if added or wrong else text


def _cut(text: str) -> list[str]:
    """What stands before the first entry, then a piece for each entry with the comment lines directly above it."""
    lines = re.findall(r"[^\n]*\n|[^\n]+\Z", text)
    starts = []
    for place in headers(text):
        while place > 0 and lines[place - 1].lstrip().startswith("#"):
            place -= 1
        starts.append(place)
    ends = [*starts, len(lines)]
    return ["".join(lines[: ends[0]]), *("".join(lines[a:b]) for a, b in zip(starts, ends[1:], strict=True))]


def _joined(pieces: Sequence[str]) -> str:
    """The pieces as one file: a blank line between two of them, as many as there are where there are some."""
    text = ""
    for piece in pieces:
        if text and not text.endswith("\n"):
            text += "\n"
        text += piece if not text or text.endswith("\n\n") else f"\n{piece}"
    return text.rstrip("\n") + "\n" if text else ""


def _changed(piece: str, untrue: Untrue, judgement: Judgement, run: Run) -> list[str]:
    """The pieces that take the place of one that is not true."""
    if untrue.delete:
        return []
    if untrue.expired:
        before = f"accepted until {untrue.known.until}; the reason was: {untrue.known.reason}"
        piece = _edited(piece, reason=f"{UNWRITTEN}: {before}", until=None)
    if untrue.wrong is Wrong.EXPIRED:
        return [piece]
    changes: list[dict[str, str]] = [{"test": test} for test in _still(untrue, judgement, run)]
    for complaint in untrue.otherwise:
        before = f"it says something else now; the reason was: {untrue.known.reason}"
        changes.append({"test": complaint.row.test, "message": complaint.pattern, "reason": f"{UNWRITTEN}: {before}"})
    first, *others = (_edited(piece, **change) for change in changes)
    return [first, *(re.sub(r"\A(\s*#[^\n]*\n)+", "", other) for other in others)]


def _still(untrue: Untrue, judgement: Judgement, run: Run) -> list[str]:
    """The tests of which the entry is true, or may be: it happened there, or nothing is known of them."""
    happens = {complaint.row.test for complaint, known in judgement.accepted if known is untrue.known}
    unknown = {*judgement.lost, *(row.test for row in judgement.open)}
    planned = dict.fromkeys((*run.facts.planned, *(row.test for row in run.rows)))
    return [test for test in planned if test in happens | unknown and untrue.known.names(test)]


def _edited(piece: str, **values: str | None) -> str:
    """The entry with other values; a key whose value is None is taken out."""
    document = tomlkit.parse(piece)
    entry: Any = document["known"][0]  # a piece holds one entry, under one header
    for key, value in values.items():
        if value is not None:
            entry[key] = value
        elif key in entry:
            del entry[key]
    return tomlkit.dumps(document)


def _entry(complaint: Complaint) -> str:
    """A new entry, as it would be written by hand."""
    entry = tomlkit.document()
    for key, value in (
        ("test", complaint.row.test),
        ("message", complaint.pattern),
        ("reason", f"{UNWRITTEN}: why is this accepted?"),
    ):
        entry[key] = value
    return f"[[known]]\n{tomlkit.dumps(entry)}"

"""What a CI shows at the lines of a change: GitHub's workflow commands, one for each thing that is told.

`::error file=suites/tcp/test_closing.py,line=40,title=FAIL rfc9293:SHLD-3::expected …` stands in the output of the job.
File and line are those of the test. A deviation is a warning unless the run is strict.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.report.visible import one_line, visible
from harness.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.report.causes import Cause
    from harness.report.model import Run, Told

LIMIT = 10  # of each kind: GitHub shows no more for one step
_NAMED = 5  # lost tests that are named


def render(run: Run) -> str:
    """The commands, a line each; "" where nothing is to be told."""
    kinds: dict[str, list[str]] = {"error": [], "warning": []}
    for cause in run.causes:
        kind = "warning" if cause.verdict is Verdict.DEVIATION and not run.facts.strict else "error"
        place = {name: value for name, value in _at(cause).items() if value}
        message = "\n".join(filter(None, (str(cause), cause.status, cause.said, f"explains {cause.explains}")))
        kinds[kind].append(_command(kind, {**place, "title": f"{cause.label.upper()} {cause.title}"}, message))
    for told in run.told:
        if told.known:
            continue
        kind = "warning" if told.verdict is Verdict.DEVIATION and not run.facts.strict else "error"
        kinds[kind].append(_command(kind, _place(told), _message(told)))
    if run.lost:
        named = ", ".join(run.lost[:_NAMED]) + (", …" if len(run.lost) > _NAMED else "")
        lost = _command("error", {"title": "LOST"}, f"{len(run.lost)} planned and never reported: {named}")
        kinds["error"] = [*kinds["error"][: LIMIT - 1], lost]
    return "".join(f"{line}\n" for lines in kinds.values() for line in lines[:LIMIT])


def _at(cause: Cause) -> dict[str, str]:
    """The line of the subject that crashed, where its traceback tells it; else that of the test."""
    trace = cause.first.process.trace if cause.first.process is not None else None
    if cause.places and trace is not None:
        return {"file": trace.file, "line": str(trace.line or "")}
    return {"file": cause.first.nodeid.partition("::")[0], "line": str(cause.first.line or "")}


def _place(told: Told) -> dict[str, str]:
    place = {"file": told.first.nodeid.partition("::")[0], "line": str(told.first.line or "")}
    title = f"{told.verdict.value.upper()} {told.requirement or told.behaviour}"
    return {name: value for name, value in (*place.items(), ("title", title)) if value}


def _message(told: Told) -> str:
    return "\n".join(_lines(told))


def _lines(told: Told) -> Iterator[str]:
    yield told.behaviour
    if told.expected:
        yield f"expected {told.expected}"
    yield f"{'actual' if told.expected else 'reason'} {told.actuals[0]}"
    if told.first.again:
        yield f"again: {told.first.again}"


def _command(kind: str, place: dict[str, str], message: str) -> str:
    properties = ",".join(f"{name}={_property(value)}" for name, value in place.items())
    return f"::{kind} {properties}::{_data(visible(message))}"


def _data(text: str) -> str:
    """The escapes of GitHub's runner: without them a subject could give commands of its own."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(one_line(text)).replace(":", "%3A").replace(",", "%2C")

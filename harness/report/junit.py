"""JUnit XML, for the pipelines that read nothing else.

pytest's own writer tells fail, error and inconclusive alike; here each is told apart: `failure` is the subject's
fault, `error` with its type is what could not be judged (inconclusive), what was lost, and what broke in the harness;
`skipped` is not applicable. A deviation passes with a property, and under strict it is a failure. A known deviation
passes with its reason as a property, whatever its verdict. Where the finding follows from a cause, such as a crash, the
message begins with it and a property has it, so that a pipeline can count by it.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from typing import TYPE_CHECKING

from harness.report.visible import one_line, visible
from harness.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.record.result import Result
    from harness.report.model import Run

_LOST = "planned and never reported"


def render(run: Run, *, strict: bool | None = None) -> str:
    """The run as a JUnit document; `strict` unless given is as the run was made."""
    strict = run.facts.strict if strict is None else strict
    suites: dict[str, list[ET.Element]] = {}
    for row in run.rows:
        suites.setdefault(row.group, []).append(_case(row, strict, str(run.cause_of.get(row.test, ""))))
    for test in run.lost:
        suites.setdefault(test.partition("::")[0], []).append(_lost(test))

    root = ET.Element("testsuites", name="sockspec")
    link = run.facts.link
    for group, cases in suites.items():
        suite = ET.SubElement(root, "testsuite", {"name": one_line(group), **_totals(cases)})
        if link:
            properties = ET.SubElement(suite, "properties")
            for name, key in (("link", "name"), ("link-seed", "seed")):
                ET.SubElement(properties, "property", name=name, value=one_line(str(link.get(key, ""))))
        suite.extend(cases)
    root.attrib.update(_totals(case for cases in suites.values() for case in cases))
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(row: Result, strict: bool, cause: str) -> ET.Element:
    case = _testcase(row.test, row.seconds)
    properties = ET.SubElement(case, "properties")
    for name, value in (*_properties(row), ("cause", cause)):
        if value:
            ET.SubElement(properties, "property", name=name, value=one_line(value))
    message = one_line(f"cause: {cause}; {_message(row)}" if cause else _message(row))
    if row.known:
        ET.SubElement(case, "system-out").text = visible(_body(row))
    elif row.verdict is Verdict.FAIL or (strict and row.verdict is Verdict.DEVIATION):
        failure = ET.SubElement(case, "failure", type=row.verdict.value, message=message)
        failure.text = visible(_body(row))
    elif row.verdict in (Verdict.INCONCLUSIVE, Verdict.ERROR):
        error = ET.SubElement(case, "error", type=row.verdict.value, message=message)
        error.text = visible(_body(row))
    elif row.verdict is Verdict.NOT_APPLICABLE:
        ET.SubElement(case, "skipped", type=row.verdict.value, message=message)
    elif row.verdict is Verdict.DEVIATION:
        ET.SubElement(case, "system-out").text = visible(_body(row))
    return case


def _lost(test: str) -> ET.Element:
    case = _testcase(test, 0.0)
    ET.SubElement(case, "error", type="lost", message=_LOST)
    return case


def _testcase(test: str, seconds: float) -> ET.Element:
    group, _, name = test.partition("::")
    classname = one_line(group).replace("/", ".")
    return ET.Element("testcase", classname=classname, name=one_line(name or group), time=f"{seconds:.3f}")


def _properties(row: Result) -> tuple[tuple[str, str], ...]:
    acted = "; ".join(f"{rule}: {frames}" for rule, frames in (row.relay or {}).items())
    return (
        ("verdict", row.verdict.value),
        *(("requirement", requirement) for requirement in row.covers),
        ("level", row.level.value if row.level else ""),
        ("subject", row.subject),
        ("profile", row.profile),
        ("known deviation", row.known),
        ("evidence", row.evidence),
        ("relay", acted),
    )


def _message(row: Result) -> str:
    """The finding that made the verdict, in one line; where none did, the reason."""
    for finding in row.findings:
        if finding.verdict is row.verdict and finding.expected:
            return f"expected {finding.expected}; actual {finding.actual}"
    return row.reason or row.verdict.value


def _body(row: Result) -> str:
    """All that the row tells a person."""
    told = [finding.text or str(finding) for finding in row.findings]
    told += [f"again: {row.again}"] if row.again else []
    return "\n\n".join(told)


def _totals(cases: Iterable[ET.Element]) -> dict[str, str]:
    """The attributes that count; counted from the elements, so that they cannot tell otherwise."""
    count: Counter[str] = Counter()
    seconds = 0.0
    for case in cases:
        count.update(["tests", *(child.tag for child in case)])
        seconds += float(case.attrib["time"])
    return {
        "tests": str(count["tests"]),
        "failures": str(count["failure"]),
        "errors": str(count["error"]),
        "skipped": str(count["skipped"]),
        "time": f"{seconds:.3f}",
    }

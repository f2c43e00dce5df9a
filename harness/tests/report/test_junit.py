"""JUnit documents: well formed whatever a subject says, with counts that are those of the elements."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from harness.report import junit
from harness.tests.report import samples
from harness.verdict import Verdict

if TYPE_CHECKING:
    from harness.report.model import Run

RUNS = {
    "calm": samples.calm(),
    "mixed": samples.mixed(),
    "hostile": samples.hostile(),
    "killed": samples.killed(),
    "failing": samples.failing(20),
    "empty": samples.run([]),
}

# What the common readers agree on: element → its attributes, and the elements that it may hold in this order.
ATTRIBUTES = {
    "testsuites": {"name", "tests", "failures", "errors", "skipped", "time"},
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time"},
    "testcase": {"name", "classname", "time"},
    "properties": set(),
    "property": {"name", "value"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
    "skipped": {"type", "message"},
    "system-out": set(),
}
CHILDREN = {
    "testsuites": ["testsuite"],
    "testsuite": ["properties", "testcase"],
    "testcase": ["properties", "failure", "error", "skipped", "system-out"],
    "properties": ["property"],
}


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_a_document_is_as_readers_expect(run: Run, strict: bool) -> None:
    """Elements, their order, their attributes and all counts are right; there is a case for each test."""
    root = ET.fromstring(junit.render(run, strict=strict).encode())

    for element in root.iter():
        assert set(element.attrib) == ATTRIBUTES[element.tag]
        places = [CHILDREN[element.tag].index(child.tag) for child in element]
        assert places == sorted(places)
    for suite in root.iter():
        if suite.tag in ("testsuites", "testsuite"):
            found = Counter(element.tag for element in suite.iter())
            counted = {name: int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")}
            assert counted == {
                "tests": found["testcase"],
                "failures": found["failure"],
                "errors": found["error"],
                "skipped": found["skipped"],
            }
    assert int(root.attrib["tests"]) == len(run.rows) + len(run.lost)


@pytest.mark.parametrize(
    ("verdict", "strict", "element"),
    [
        (Verdict.PASS, True, None),
        (Verdict.FAIL, False, "failure"),
        (Verdict.DEVIATION, False, None),
        (Verdict.DEVIATION, True, "failure"),
        (Verdict.INCONCLUSIVE, False, "error"),
        (Verdict.ERROR, False, "error"),
        (Verdict.NOT_APPLICABLE, False, "skipped"),
    ],
)
def test_verdicts_are_told_apart(verdict: Verdict, strict: bool, element: str | None) -> None:
    """Each verdict has its element, whose type is its name; it is a property always."""
    run = samples.run([samples.row("g", "b", verdict, reason="the reason", covers=("d:one", "d:two"))])

    case = next(ET.fromstring(junit.render(run, strict=strict).encode()).iter("testcase"))

    answers = [(child.tag, child.attrib["type"], child.attrib["message"]) for child in case if "type" in child.attrib]
    assert answers == ([(element, verdict.value, "the reason")] if element else [])
    properties = [(entry.attrib["name"], entry.attrib["value"]) for entry in case.iter("property")]
    assert properties == [
        ("verdict", verdict.value),
        ("requirement", "d:one"),
        ("requirement", "d:two"),
        ("subject", "echo"),
        ("profile", "echo"),
    ]


def test_a_lost_test_is_an_error_of_its_own_type() -> None:
    """What never reported is not passed over."""
    root = ET.fromstring(junit.render(samples.killed()).encode())

    errors = [error.attrib["type"] for error in root.iter("error")]
    assert errors == ["lost", "lost"]


def test_the_run_says_whether_it_is_strict() -> None:
    """Without a word from the caller a deviation is judged as the run was."""
    run = samples.mixed()
    assert junit.render(run) == junit.render(run, strict=False) != junit.render(run, strict=True)


def test_every_character_comes_through_or_is_made_visible() -> None:
    """No character that a subject prints makes the document unreadable, or is lost."""
    text = "".join(map(chr, range(0x3000))) + "\ud800\udfff\ufffe\uffff\U0001f600"
    run = samples.run([samples.row("g", "b", Verdict.ERROR, reason=text)])

    error = next(ET.fromstring(junit.render(run).encode("utf-8")).iter("error"))

    message = error.attrib["message"]
    assert all(f"\\x{code:02x}" in message for code in (0, 1, 0x1B, 0x7F, 0x9B))
    assert all(escape in message for escape in ("\\n", "\\t", "\\r", "\\ud800", "\\ufffe", "\\u202e", "<=>"))
    assert "\U0001f600" in message

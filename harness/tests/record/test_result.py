"""A row goes to JSON and back whole, refuses another format, and passes over what a later version adds."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from harness.record.process import ProcessRecord
from harness.record.result import Result, UnknownFormat, without_repetition
from harness.subject.stacktrace import StackTrace
from harness.tests.record.schema import faults, load_schema
from harness.verdict import Finding, Level, Verdict

FULL = Result(
    test="tcp/closing::close_with_unread_data_sends_rst[v6-echo_asyncio]",
    nodeid="suites/tcp/test_closing.py::test_close_with_unread_data_sends_rst[v6-echo_asyncio]",
    group="tcp/closing",
    verdict=Verdict.DEVIATION,
    subject="echo_asyncio",
    profile="echo",
    family="v6",
    covers=("rfc9293:SHLD-3", "rfc9293:MUST-20"),
    level=Level.SHOULD,
    purpose="Octets that were never read are lost; RST tells the peer so.",
    findings=(Finding(Verdict.DEVIATION, "rfc9293:SHLD-3", "got RST", "got FIN", "several\nlines"),),
    reason="",
    seconds=0.25,
    evidence="evidence/tcp.closing-1234",
    again="pytest x",
    certificate={"holds": True, "frames": 12, "drops": 0, "text": "whole"},
    worker="gw1",
    process=ProcessRecord(
        "exit 1",
        ended=True,
        last="RuntimeError: out of cheese",
        trace=StackTrace("Python", "RuntimeError", "out of cheese", "/srv/echo.py", 8, "serve"),
        clients=3,
        closed=1,
    ),
)
BARE = Result(test="a::b", nodeid="a.py::b", group="a", verdict=Verdict.NOT_APPLICABLE, reason="no IPv6 here")


@pytest.mark.parametrize("result", [FULL, BARE], ids=["full", "bare"])
def test_a_row_survives_json(result: Result) -> None:
    """What is read is what was written."""
    assert Result.from_record(json.loads(json.dumps(result.as_record()))) == result


@pytest.mark.parametrize("result", [FULL, BARE], ids=["full", "bare"])
def test_a_row_is_as_the_schema_says(result: Result) -> None:
    """Each row that the code writes fits the schema that others read it by."""
    assert faults(json.loads(json.dumps(result.as_record())), load_schema("result")) == []


@pytest.mark.parametrize("change", [{"format": 2}, {"verdict": "passed"}, {"level": "must"}, {"seconds": "0.1"}])
def test_the_schema_tells_a_wrong_row(change: dict[str, object]) -> None:
    """The check can fail."""
    assert len(faults(FULL.as_record() | change, load_schema("result"))) == 1


def test_the_schema_names_every_field() -> None:
    """A field that is added to the row must be added to the schema."""
    schema = load_schema("result")

    assert set(FULL.as_record()) == set(schema["properties"]) == set(schema["required"])


@pytest.mark.parametrize("found", [2, 0, "1", None])
def test_another_format_is_refused(found: object) -> None:
    """A row of a format that is not known is never half understood."""
    with pytest.raises(UnknownFormat, match=f"format {found!r}, this version reads format 1"):
        Result.from_record(FULL.as_record() | {"format": found})


def test_keys_of_a_later_version_are_passed_over() -> None:
    """An addition does not make the row unreadable, neither in the row nor in a finding."""
    record = FULL.as_record() | {"mood": "good"}
    record["findings"][0]["colour"] = "blue"

    assert Result.from_record(record) == FULL


def test_a_row_without_a_process_is_read() -> None:
    """One that was written before there was anything to say of it, and one with what a later version has to say."""
    old, later = FULL.as_record(), FULL.as_record()
    del old["process"]
    later["process"] |= {"core": "core.17"}
    later["process"]["trace"] |= {"column": 5}

    assert Result.from_record(old) == replace(FULL, process=None)
    assert Result.from_record(later) == FULL


@pytest.mark.parametrize(
    ("test", "family", "subject", "behaviour"),
    [
        ("g::b", "", "", "g::b"),
        ("g::b[v6]", "v6", "echo", "g::b"),
        ("g::b[v6-echo]", "v6", "echo", "g::b"),
        ("g::b[echo-v6]", "v6", "echo", "g::b"),
        ("g::b[v6-1460-echo]", "v6", "echo", "g::b[1460]"),
        ("g::b[v6-echo-of-v6]", "v6", "echo-of", "g::b[v6]"),
        ("g::b[v4-./my-server {port}]", "v4", "./my-server {port}", "g::b"),
        ("g::b[one]", "", "echo", "g::b[one]"),
    ],
)
def test_a_behaviour_is_the_id_without_family_and_subject(test: str, family: str, subject: str, behaviour: str) -> None:
    """Rows of one behaviour can be told together, whatever the order of the variant's parts."""
    result = Result(test, "", "g", Verdict.PASS, subject=subject, family=family)

    assert result.behaviour == behaviour


@pytest.mark.parametrize(
    ("test", "repetition", "expected"),
    [
        ("a::x[v4-echo-r12]", 12, "a::x[v4-echo]"),
        ("a::x[r1]", 1, "a::x"),
        ("a::x[v4-r2]", 0, "a::x[v4-r2]"),
        ("a::x[v4-r2-r3]", 3, "a::x[v4-r2]"),
    ],
    ids=["a variant", "no other variant", "a variant of that name", "both"],
)
def test_a_test_without_its_repetition(test: str, repetition: int, expected: str) -> None:
    assert without_repetition(test, repetition) == expected

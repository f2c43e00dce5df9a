"""The checks: our own files pass them, and each check sees what it is for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harness.spec.catalogue import FOLDER, HOUSE, load, read
from harness.spec.lint import complaints, copied, main
from harness.tests.spec.tables import files, table

if TYPE_CHECKING:
    from pathlib import Path


def test_our_catalogue_has_no_fault() -> None:
    """Law: form, vocabulary and words of all files beside the catalogue."""
    assert complaints(read(FOLDER)) == []


def test_our_catalogue_loads_whole() -> None:
    """Nothing is lost between the tables and the catalogue."""
    tables = [table for file in read(FOLDER).values() for table in file["requirement"]]

    assert [made.id for made in load()] == [table["id"] for table in tables]


def test_every_requirement_can_be_read_somewhere() -> None:
    """Law: only the profiles of this house are not online."""
    assert {made.document.key for made in load() if not made.url} == {"house"}


def test_our_readings_bind_nobody_to_an_rfc() -> None:
    """Law: what a document does not spell out is marked so only where this house sets the level."""
    assert {made.document.key for made in load() if made.section == HOUSE} <= {"rfc862", "rfc864"}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"id": "rfc862:echo"}, "the id is neither document:section/slug nor document:SERIES-n"),
        ({"id": "rfc862:tcp/Echo"}, "the id is neither document:section/slug nor document:SERIES-n"),
        ({"id": "rfc863:tcp/echo"}, "no document 'rfc863' in this file"),
        ({"level": "shall"}, "level 'shall' is none of must, must-not, should, should-not, may, documented"),
        ({"observable": "inside"}, "observable 'inside' is none of wire, api, both, not-observable"),
        ({"observable": "not-observable"}, "observable_reason goes with not-observable, and only with it"),
        ({"observable_reason": "it is inside"}, "observable_reason goes with not-observable, and only with it"),
        (
            {"observable": "not-observable", "observable_reason": "it is inside", "untested": "It is inside."},
            "untested does not go with not-observable, which has a reason of its own",
        ),
        ({"vantage": []}, "nobody can probe it: vantage is empty"),
        ({"vantage": ["moon"]}, "vantage 'moon' is none of client-socket, raw-peer, server-side-api"),
        ({"title": None}, "title is missing"),
        ({"probe": " "}, "probe is missing"),
        ({"needs": None}, "needs is missing"),
        ({"severity": "high"}, "severity is no field"),
        ({"note": ""}, "note is empty"),
        ({"title": "One two three four five six seven eight nine"}, "the title has 9 words, at most 8"),
        ({"title": "A title."}, "the title ends in a full stop"),
        ({"summary": "No stop"}, "the summary does not end in a full stop"),
        ({"summary": "One. Two. Three."}, "the summary has more than 2 sentences"),
        ({"probe": "One line.\nAnother."}, "the probe is longer than one line"),
        ({"title": "One byte comes back"}, "the title says 'byte'; our word is octet"),
        ({"summary": "All bytes come back."}, "the summary says 'bytes'; our word is octet"),
        (
            {"summary": "A packet carries data."},
            "the summary says 'packet'; our word is segment, datagram, or IP packet",
        ),
        ({"summary": "The SUT answers."}, "the summary says 'SUT'; our word is subject"),
    ],
)
def test_each_fault_is_told(changes: dict[str, Any], complaint: str) -> None:
    """One fault, one line: file, id, what."""
    faulty = table(**changes)

    # The good one beside it cites the document.
    assert complaints(files(faulty, table(id="rfc862:tcp/good"))) == [f"one.toml: {faulty['id']}: {complaint}"]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"id": "rfc862:MUST-7"},
        {"id": "rfc862:4.1.3.4/echo-2"},
        {"summary": "It holds e.g. one of IP packets, 3.6.1 says. And no more."},
        {"observable": "not-observable", "observable_reason": "it is inside"},
        {"needs": ["raw", "netns", "time>60s"], "note": "Look twice."},
    ],
)
def test_what_is_right_is_left_alone(changes: dict[str, Any]) -> None:
    """No check cries wolf."""
    assert complaints(files(table(**changes))) == []


def test_bytes_is_a_type_in_python() -> None:
    """And a byte is still an octet."""
    python = {"key": "python"}

    assert complaints(files(table(id="python:recv/type", title="recv returns bytes"), **python)) == []
    assert complaints(files(table(id="python:recv/type", title="recv returns a byte"), **python)) != []


@pytest.mark.parametrize(
    ("number", "level", "right"),
    [
        ("MUST-20", "must", True),
        ("MUST-9", "must-not", True),
        ("SHLD-3", "should", True),
        ("REC-1", "should", True),
        ("MAY-1", "may", True),
        ("SHLD-3", "must", False),
        ("MAY-1", "documented", False),
        ("WISH-1", "may", False),
    ],
)
def test_numbers_of_rfc_9293_tell_the_level(number: str, level: str, right: bool) -> None:
    """A SHOULD is not a MUST."""
    found = complaints(files(table(id=f"rfc9293:{number}", level=level), key="rfc9293"))

    assert (found == []) is right


def test_an_id_is_taken_once_over_all_files() -> None:
    """Both places can be found from the one that is told."""
    twice = files(table()) | {"two.toml": files(table())["one.toml"]}

    assert complaints(twice) == ["two.toml: rfc862:tcp/echo: the id is taken"]


def test_documents_are_checked() -> None:
    """Each has all its fields, and somebody cites it."""
    assert complaints(files(table(), url=None, pages=3)) == [
        "one.toml: document rfc862: url is missing",
        "one.toml: document rfc862: pages is no field",
    ]
    assert complaints(files()) == ["one.toml: document rfc862: no requirement cites it"]


def test_a_copied_sentence_is_told() -> None:
    """Seven words in a row, whatever stands between them."""
    summary = "The host sends back all that it was sent."
    text = "In short:\n   the host (any) sends back\n   all that it was sent, unless it is asleep."

    assert copied(files(table(summary=summary)), text) == [
        "rfc862:tcp/echo: 'sends back all that it was sent' is copied"
    ]
    assert copied(files(table(summary=summary)), "The host is asleep; it sends nothing back at all.") == []


def test_main_prints_what_is_copied(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command says what is amiss, and by its exit status that something is."""
    text = tmp_path / "document.txt"
    text.write_text(next(iter(load())).summary)

    assert main([]) == 0
    assert main([str(text)]) == 1
    assert capsys.readouterr().out.endswith("is copied\n")

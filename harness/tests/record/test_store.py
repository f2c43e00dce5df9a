"""The run folder keeps what was written: torn lines, killed runs, full disks."""

from __future__ import annotations

import errno
import json
import resource
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness.record.disk import RecordError, writing
from harness.record.facts import RequirementText, RunFacts
from harness.record.store import FACTS, RESULTS, Store, load
from harness.tests.record.schema import faults, load_schema
from harness.tests.record.test_result import BARE, FULL

if TYPE_CHECKING:
    from pathlib import Path

PLANNED = RunFacts(
    subjects=("echo_asyncio",),
    command=("sockspec", "check"),
    seed=7,
    environment={"system": "Linux", "load": [0.5]},
    started=100.0,
    planned=(FULL.test, BARE.test),
    requirements={"rfc9293:SHLD-3": RequirementText("SHOULD", "3.6", "Reset", "A close with unread data.")},
)


def test_a_run_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Start, rows and end come back whole."""
    with Store(tmp_path / "run") as store:
        store.begin(PLANNED)
        store.append(FULL)
        store.append(BARE)
        store.end(exit_code=0, ended=103.5)

    record = load(tmp_path / "run")

    assert record.facts == replace(PLANNED, exit_code=0, ended=103.5)
    assert record.facts.seconds == 3.5
    assert (record.results, record.notes) == ((FULL, BARE), ())


def test_a_row_is_there_before_the_run_ends(tmp_path: Path) -> None:
    """A run that is killed keeps each row, and shows that it has no end."""
    store = Store(tmp_path)
    store.begin(PLANNED)
    store.append(FULL)

    record = load(tmp_path)

    store.close()
    assert (record.facts, record.results) == (PLANNED, (FULL,))


def test_facts_are_replaced_at_once(tmp_path: Path) -> None:
    """Who reads while the end is written has the old facts whole."""
    with Store(tmp_path) as store:
        store.begin(PLANNED)
        with (tmp_path / FACTS).open("rb") as reader:
            store.end(exit_code=0, ended=101.0)
            seen = RunFacts.from_record(json.load(reader))

    assert seen == PLANNED


def test_run_json_is_as_the_schema_says(tmp_path: Path) -> None:
    """At the start and at the end the facts fit the schema, which names each of them."""
    schema = load_schema("run")
    with Store(tmp_path) as store:
        store.begin(PLANNED)
        first = json.loads((tmp_path / FACTS).read_bytes())
        store.end(exit_code=6, ended=101.0)
    last = json.loads((tmp_path / FACTS).read_bytes())

    assert (faults(first, schema), faults(last, schema)) == ([], [])
    assert set(last) == set(schema["properties"]) == set(schema["required"])


def test_a_line_torn_anywhere_costs_that_line_only(tmp_path: Path) -> None:
    """However much of the last line is missing, the rows before it are read and the loss is told."""
    with Store(tmp_path) as store:
        store.begin(PLANNED)
        store.append(FULL)
        whole = (tmp_path / RESULTS).read_bytes()
        store.append(BARE)
    both = (tmp_path / RESULTS).read_bytes()

    for cut in range(len(whole) + 1, len(both) - 1):
        (tmp_path / RESULTS).write_bytes(both[:cut])
        record = load(tmp_path)
        assert record.results == (FULL,)
        assert record.notes == (f"the last line of {RESULTS} is not whole and was left out: its test counts as lost",)


def test_rubbish_between_rows_is_told_by_its_line(tmp_path: Path) -> None:
    """A line that is no row does not cost the rows around it."""
    line = json.dumps(FULL.as_record())
    (tmp_path / RESULTS).write_text(f'{line}\n{{"format": 1}}\n[]\n{line}\n')

    record = load(tmp_path)

    assert record.results == (FULL, FULL)
    assert [note.partition(" of ")[0] for note in record.notes[1:]] == ["line 2", "line 3"]


def test_octets_that_are_not_utf8_survive(tmp_path: Path) -> None:
    """A lone surrogate, as Python reads such an octet, is written as JSON and read back."""
    odd = replace(BARE, reason="name \udcff and \u2028 line")
    with Store(tmp_path) as store:
        store.append(odd)

    assert load(tmp_path).results == (odd,)
    (tmp_path / RESULTS).read_bytes().decode("utf-8")


def test_a_folder_without_run_json_is_read(tmp_path: Path) -> None:
    """The rows alone are still a record, and what is missing is told."""
    with Store(tmp_path) as store:
        store.append(FULL)

    record = load(tmp_path)

    assert record.results == (FULL,)
    assert record.notes == (f"{FACTS} is missing: what was planned is not known",)


@pytest.mark.parametrize("content", ["", "[]", "{", '"run"'])
def test_a_run_json_that_is_not_readable_is_told(tmp_path: Path, content: str) -> None:
    """Whatever stands there, the rows are read."""
    with Store(tmp_path) as store:
        store.append(FULL)
    (tmp_path / FACTS).write_text(content)

    record = load(tmp_path)

    assert record.results == (FULL,)
    assert record.notes[0].startswith(f"{FACTS} is not readable, so what was planned is not known")


def test_another_format_is_refused_with_its_place(tmp_path: Path) -> None:
    """A record of a later version is not read by halves, be it the facts or a row."""
    (tmp_path / RESULTS).write_text(json.dumps(FULL.as_record() | {"format": 9}) + "\n")
    with pytest.raises(RecordError, match=r"results\.jsonl:1: the record has format 9.*version that wrote it"):
        load(tmp_path)

    (tmp_path / FACTS).write_text('{"format": 9}')
    with pytest.raises(RecordError, match=r"run\.json: the record has format 9"):
        load(tmp_path)


def test_a_folder_without_a_run_is_told(tmp_path: Path) -> None:
    """Loading the wrong folder says so."""
    with pytest.raises(RecordError, match="holds no run"):
        load(tmp_path / "nowhere")


def test_a_run_is_never_written_over_another(tmp_path: Path) -> None:
    """Two runs in one folder would be one wrong record."""
    Store(tmp_path).close()

    with pytest.raises(RecordError, match="holds a run already; give another folder"):
        Store(tmp_path)


def test_a_path_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    """The message has the path, the system's reason and the remedy."""
    (tmp_path / "file").write_text("")

    with pytest.raises(RecordError) as refused:
        Store(tmp_path / "file" / "run")

    assert str(refused.value) == (
        f"cannot write {tmp_path}/file/run (Not a directory); a part of the path is a file: give another folder"
    )


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "the disk is full: free some space or give another folder"),
        (errno.EROFS, "the file system is read-only: give another folder"),
        (errno.ENOBUFS, "give another folder"),
    ],
)
def test_each_refusal_has_a_remedy(tmp_path: Path, number: int, remedy: str) -> None:
    """Whatever the system answers, the reader is told what to do."""
    with pytest.raises(RecordError) as refused, writing(tmp_path):
        raise OSError(number, "as the system says")

    assert str(refused.value).endswith(f"; {remedy}")
    assert "\n" not in str(refused.value)


def test_a_file_that_may_not_grow_loses_nothing(tmp_path: Path) -> None:
    """The row that did not fit is taken back whole; those before it, and the next that fits, are kept."""
    long = replace(FULL, reason="x" * 10_000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Store(tmp_path) as store:
        store.begin(PLANNED)
        store.append(FULL)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
        try:
            with pytest.raises(RecordError, match="a file may not grow further"):
                store.append(long)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        store.append(BARE)

    record = load(tmp_path)

    assert (record.results, record.notes) == ((FULL, BARE), ())


def test_facts_that_cannot_be_written_leave_the_old_ones(tmp_path: Path) -> None:
    """The end of a run on a full disk does not cost its beginning, and leaves no file beside."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Store(tmp_path) as store:
        store.begin(PLANNED)
        resource.setrlimit(resource.RLIMIT_FSIZE, (16, hard))
        try:
            with pytest.raises(RecordError, match="may not grow further"):
                store.end(exit_code=0, ended=101.0)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert load(tmp_path).facts == PLANNED
    assert sorted(file.name for file in tmp_path.iterdir()) == [RESULTS, FACTS]

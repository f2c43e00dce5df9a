"""From the files of a run to its reports, whole or killed."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness.record import evidence
from harness.record.disk import RecordError
from harness.record.store import RESULTS, Store
from harness.report.model import Exit
from harness.report.publish import publish
from harness.tests.report import samples
from harness.tests.report.golden import TEMPLATES

if TYPE_CHECKING:
    from pathlib import Path


def record(folder: Path, *, ended: bool) -> None:
    """The mixed sample as a run folder."""
    run = samples.mixed()
    with Store(folder) as store:
        store.begin(replace(run.facts, ended=None, exit_code=None))
        for row in run.rows:
            path = evidence.write(folder, row.test, wire=b"octets", segments=samples.SEGMENTS, finding="text")
            store.append(replace(row, evidence=path))
        if ended:
            store.end(exit_code=1, ended=1_760_000_041.2)


def test_reports_come_from_the_files_alone(tmp_path: Path) -> None:
    """A run on disk has its page and its JUnit document, with the evidence shown and linked."""
    record(tmp_path, ended=True)

    published = publish(tmp_path, TEMPLATES)

    page = published.index.read_text(encoding="utf-8")
    assert "<mark>  &gt; #9" in page
    assert f"./{published.run.told[0].first.evidence}/wire.pcapng" in page
    assert ET.parse(published.junit).getroot().attrib["tests"] == str(len(published.run.rows) + 1)
    assert published.run.exit is Exit.MISSED


def test_a_killed_run_is_reported(tmp_path: Path) -> None:
    """Without its end and with a torn line, the reports tell what is known and that it is not all."""
    record(tmp_path, ended=False)
    rows = tmp_path / RESULTS
    rows.write_bytes(rows.read_bytes()[:-20])

    published = publish(tmp_path, TEMPLATES)

    page = published.index.read_text(encoding="utf-8")
    assert "The end of this run was not recorded" in page
    assert "the last line of results.jsonl is not whole" in page
    assert len(published.run.lost) == 2
    assert published.run.exit is Exit.INTERRUPTED


def test_publishing_twice_gives_the_same(tmp_path: Path) -> None:
    """Reports are a function of the record."""
    record(tmp_path, ended=True)

    first, again = (publish(tmp_path, TEMPLATES).index.read_bytes() for _ in range(2))

    assert first == again


def test_a_folder_without_a_run_is_told(tmp_path: Path) -> None:
    """Nothing is rendered of nothing."""
    with pytest.raises(RecordError, match="holds no run"):
        publish(tmp_path, TEMPLATES)

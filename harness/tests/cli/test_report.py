"""`report` and `merge` on recorded samples, and the formats that a run is wanted in."""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli import main
from harness.record import evidence
from harness.record.store import Store, load
from harness.report.model import Exit, Run
from harness.tests.gate.runs import FAIL, record, row
from harness.tests.gate.test_shards import divided

WHOLE = record([row("a::x", FAIL, "reset"), *(row(f"a::y[{number}]") for number in range(6))], suite="s")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in an empty folder, and in no job of a CI."""
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)


def shards() -> list[str]:
    """The sample in two shards on disk, each test with its evidence."""
    folders = []
    for one in divided(WHOLE, 2):
        folder = Path(f"out-{one.facts.shard[0]}")
        with Store(folder) as store:
            store.begin(one.facts)
            for each in one.results:
                store.append(replace(each, evidence=evidence.write(folder, each.test, segments=each.test)))
        folders.append(str(folder))
    return folders


def test_shards_become_one_run(capsys: pytest.CaptureFixture[str]) -> None:
    """A whole folder: rows, evidence, reports and the exit code."""
    assert main(["merge", *shards(), "--report", "whole", "--tap", "a/run.tap"]) == Exit.MISSED

    merged = load(Path("whole"))
    assert {each.test for each in merged.results} == set(merged.facts.planned) == set(WHOLE.facts.planned)
    for each in merged.results:
        assert (Path("whole") / each.evidence / evidence.SEGMENTS).read_text() == f"{each.test}\n"
    assert ET.parse("whole/junit.xml").getroot().attrib["tests"] == "7"
    assert Path("whole/index.html").exists()
    assert Path("a/run.tap").read_text().startswith("TAP version 13\n1..7\n")
    assert "6 pass · 1 fail" in capsys.readouterr().out


def test_a_missing_shard_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """And makes the whole an open one, were all the rest right."""
    first, second = shards()
    passing = first if all(each.verdict is not FAIL for each in load(Path(first)).results) else second

    assert main(["merge", passing, "--report", "whole"]) == Exit.OPEN
    out = capsys.readouterr().out
    number = "2" if passing == first else "1"
    assert out.endswith(f"shard {number}/2 is missing; judge it and merge again\n")
    assert f"planned and never reported: shard {number}/2::all its tests" in out


def test_shards_of_different_subjects_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """In one line, and nothing is written."""
    first, second = shards()
    facts = json.loads(Path(second, "run.json").read_text())
    Path(second, "run.json").write_text(json.dumps(facts | {"subjects": ["other"]}))

    assert main(["merge", first, second, "--report", "whole"]) == Exit.USAGE
    assert capsys.readouterr().err == (
        "sockspec: out-1 and out-2 have different subjects: echo and other; merge shards of one run only\n"
    )
    assert not Path("whole").exists()


def test_a_killed_run_is_rendered_again(capsys: pytest.CaptureFixture[str]) -> None:
    """From its files alone, with what it had, and as what it is."""
    folder, _ = shards()
    facts = json.loads(Path(folder, "run.json").read_text())
    Path(folder, "run.json").write_text(json.dumps(facts | {"exit_code": None, "ended": None}))

    assert main(["report", folder, "--markdown", "run.md"]) == Exit.INTERRUPTED
    assert "exit    2  the run was interrupted" in capsys.readouterr().out
    assert "The end of this run was not recorded" in Path(folder, "index.html").read_text()
    assert Path("run.md").read_text().startswith("## sockspec: the run was interrupted\n")


def test_each_format_comes_from_the_record() -> None:
    """Asked for by its option, and the rows as they are."""
    folder, _ = shards()
    words = [f"--{name}=out/run.{name}" for name in ("json", "junit", "tap", "markdown")]

    main(["report", folder, *words])

    assert Path("out/run.json").read_bytes() == Path(folder, "results.jsonl").read_bytes()
    assert Path("out/run.junit").read_bytes() == Path(folder, "junit.xml").read_bytes()
    tests = len(Run.of(load(Path(folder))).rows)
    assert f"\n1..{tests}\n" in Path("out/run.tap").read_text()
    assert "| subject | group |" in Path("out/run.markdown").read_text()


def test_a_format_that_cannot_be_written_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """In one line with the remedy."""
    folder, _ = shards()
    Path("file").write_text("")

    assert main(["report", folder, "--tap", "file/run.tap"]) == Exit.USAGE
    assert capsys.readouterr().err.startswith("sockspec: cannot write file/run.tap (")


def test_a_job_of_github_gets_summary_and_annotations(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without being asked for: the summary is added to what is there, the commands go to the output."""
    Path("summary.md").write_text("# what came before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")

    main(["merge", *shards(), "--report", "whole"])

    summary = Path("summary.md").read_text()
    assert summary.startswith("# what came before\n## sockspec: required behaviour is missed\n")
    commands = [line for line in capsys.readouterr().out.splitlines() if line.startswith("::")]
    assert [line.partition(",")[0] for line in commands] == ["::error file=suites/test_a"]


def test_elsewhere_there_are_none(capsys: pytest.CaptureFixture[str]) -> None:
    """A person is not given commands to read."""
    main(["merge", *shards(), "--report", "whole"])

    assert "::error" not in capsys.readouterr().out


def test_a_run_that_is_elsewhere_is_not_written_over(capsys: pytest.CaptureFixture[str]) -> None:
    """A merge goes into a folder of its own."""
    first, second = shards()

    assert main(["merge", first, second, "--report", first]) == Exit.USAGE
    assert "holds a run already; give another folder" in capsys.readouterr().err


def test_a_record_without_evidence_is_merged() -> None:
    """Evidence may have been left behind on the other machine."""
    folders = shards()
    shutil.rmtree(Path(folders[0], evidence.FOLDER))

    assert main(["merge", *folders, "--report", "whole"]) == Exit.MISSED

"""The commands that compare runs, on recorded samples: what they print, write and answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.cli import main
from harness.record.store import RunRecord, Store
from harness.report.model import Exit
from harness.tests.gate.runs import FAIL, INCONCLUSIVE, record, row

if TYPE_CHECKING:
    from collections.abc import Callable

KNOWN = '[[known]]\ntest = "a::x"\nreason = "until the rewrite"\n'
FAILS = record([row("a::x", FAIL, "reset"), row("a::y")])


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run in an empty folder."""
    monkeypatch.chdir(tmp_path)


def stored(one: RunRecord, name: str) -> str:
    """The record on disk."""
    with Store(Path(name)) as store:
        store.begin(one.facts)
        for each in one.results:
            store.append(each)
    return name


@pytest.mark.parametrize(
    ("one", "known", "code", "told"),
    [
        (FAILS, KNOWN, Exit.HOLDS, "known.toml:1  1 finding  a::x: until the rewrite"),
        (FAILS, "", Exit.MISSED, "new:\n  fail  a::x: expected 5 octets; actual reset"),
        (record([row("a::x")]), KNOWN, Exit.MISSED, "  known.toml:1-3  delete  a::x: no longer happens"),
        (record([row("a::x", INCONCLUSIVE)]), KNOWN, Exit.OPEN, "inconclusive  a::x: it is inconclusive"),
        (record([row("a::y")], lost=["a::x"]), KNOWN, Exit.OPEN, "planned and never reported:\n  a::x"),
    ],
)
def test_the_gate_answers(
    one: RunRecord, known: str, code: Exit, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its exit code, and in words that name the line of the baseline."""
    Path("known.toml").write_text(known)

    assert main(["gate", stored(one, "run"), "--baseline", "known.toml"]) == code
    out, err = capsys.readouterr()
    assert told in out
    assert err == ""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["gate", "run", "--baseline", "none.toml"],
            ("none.toml: No such file or directory; `sockspec baseline update RUN --baseline none.toml` makes one"),
        ),
        (
            ["gate", "run", "--baseline", "bad.toml"],
            "bad.toml:2: the entry has no 'reason'; add reason = \"…\", why it",
        ),
        (["gate", "run", "--baseline", "octets.toml"], "octets.toml: octet 2 is not UTF-8; save the file as UTF-8"),
        (
            ["gate", "nowhere", "--baseline", "known.toml"],
            "nowhere holds no run: neither run.json nor results.jsonl is",
        ),
        (
            ["diff", "run", "nowhere"],
            "nowhere holds no run: neither run.json nor results.jsonl is there; give the folder",
        ),
        (["merge", "run"], "run is no shard; give the folders of runs made with --shard"),
        (["report", "nowhere"], "nowhere holds no run: neither run.json nor results.jsonl is there; give the folder"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A usage error, with the remedy."""
    stored(FAILS, "run")
    Path("known.toml").write_text(KNOWN)
    Path("bad.toml").write_text('\n[[known]]\ntest = "a"\n')
    Path("octets.toml").write_bytes(b"# \xff")

    assert main(words) == Exit.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"sockspec: {told}")
    assert err.count("\n") == 1


def test_a_baseline_is_made_and_then_waits_for_its_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    """From nothing to a gate that accepts."""
    folder = stored(FAILS, "run")

    assert main(["baseline", "update", folder, "--baseline", "new.toml"]) == Exit.HOLDS
    assert capsys.readouterr().out == (
        "new.toml:4: write why a::x is accepted\nnew.toml: changed; 1 reason to be written\n"
    )
    assert main(["gate", folder, "--baseline", "new.toml"]) == Exit.USAGE
    assert capsys.readouterr().err.startswith(
        "sockspec: new.toml:4: the reason of a::x is still to be written; say why"
    )

    path = Path("new.toml")
    path.write_text(path.read_text().replace("TO BE WRITTEN: why is this accepted?", "until the rewrite"))
    assert main(["gate", folder, "--baseline", "new.toml"]) == Exit.HOLDS
    assert main(["baseline", "update", folder, "--baseline", "new.toml"]) == Exit.HOLDS
    assert capsys.readouterr().out.endswith("new.toml: as it was; 0 reasons to be written\n")


def test_a_difference_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """1 where something is newly failing."""
    words = ["diff", stored(record([row("a::x"), row("a::y")]), "before"), stored(FAILS, "after")]

    assert main(words) == Exit.MISSED
    assert capsys.readouterr().out == (
        "newly failing:\n  pass → fail  a::x: expected 5 octets; actual reset\n\n"
        "1 newly failing\n\nexit    1  something is newly failing\n"
    )


WRONG: dict[str, Callable[[], list[str]]] = {
    "no file": lambda: ["gate", "run"],
    "no run": lambda: ["gate", "--baseline", "known.toml"],
    "another action": lambda: ["baseline", "delete", "run", "--baseline", "known.toml"],
    "one run": lambda: ["diff", "run"],
    "no shard": lambda: ["merge"],
}


@pytest.mark.parametrize("case", WRONG)
def test_words_that_are_missing_are_told(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In one line that names the help."""
    with pytest.raises(SystemExit) as end:
        main(WRONG[case]())

    assert end.value.code == Exit.USAGE
    err = capsys.readouterr().err
    assert err.startswith("sockspec: ")
    assert err.rstrip().endswith(f"see sockspec {WRONG[case]()[0]} --help")
    assert err.count("\n") == 1

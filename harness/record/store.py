"""The run folder: `run.json`, `results.jsonl` and the evidence, written as the run goes and read back by every report.

Only the controller of a run writes here (evidence apart), one row as soon as a test is judged: what was judged before a
run was killed stays judged. A reader keeps all whole rows, leaves out what is torn and says so; the tests of torn rows
then count as lost, since they were planned and never reported.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from harness.record.disk import Lines, RecordError, write_whole, writing
from harness.record.facts import RunFacts
from harness.record.result import Result, UnknownFormat

if TYPE_CHECKING:
    from types import TracebackType

RESULTS = "results.jsonl"
FACTS = "run.json"


@dataclass(frozen=True)
class RunRecord:
    """All that a run folder says, evidence apart."""

    folder: Path
    facts: RunFacts
    results: tuple[Result, ...]  # in the order in which they were reported
    notes: tuple[str, ...] = ()  # what could not be read, one line each


def new_folder(now: float, process: int) -> Path:
    """Where a run goes that was not told where: by its start, in seconds since the epoch, and by who writes it."""
    return Path("reports", "runs", f"{datetime.fromtimestamp(now):%Y%m%d-%H%M%S}-{process}")


class Store:
    """A run folder that is being written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._facts = RunFacts()
        if (folder / RESULTS).exists() or (folder / FACTS).exists():
            raise RecordError(f"{folder} holds a run already; give another folder or remove it")
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        self._rows = Lines(folder / RESULTS)

    def begin(self, facts: RunFacts) -> None:
        """Writes what is known and planned before the first test."""
        self._facts = facts
        self._write_facts()

    def append(self, result: Result) -> None:
        """Adds one row; it survives the end of this process."""
        self._rows.append(json.dumps(result.as_record(), ensure_ascii=False, default=str))

    def end(self, exit_code: int, ended: float) -> None:
        """Writes how the run ended: `ended` is in seconds since the epoch."""
        self._facts = replace(self._facts, exit_code=exit_code, ended=ended)
        self._write_facts()

    def close(self) -> None:
        """Lets go of the files; what was written stays."""
        self._rows.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write_facts(self) -> None:
        text = json.dumps(self._facts.as_record(), ensure_ascii=False, indent=2, default=str)
        write_whole(self.folder / FACTS, text.encode("utf-8", "backslashreplace") + b"\n")


def load(folder: Path) -> RunRecord:
    """The record in `folder`, of an ended run or of one that was killed; raises `RecordError` when there is none."""
    facts, lacking = _load_facts(folder / FACTS)
    results, torn = _load_results(folder / RESULTS)
    if lacking and not (folder / RESULTS).is_file():
        raise RecordError(f"{folder} holds no run: neither {FACTS} nor {RESULTS} is there; give the folder of a run")
    return RunRecord(folder, facts, results, (*lacking, *torn))


def _load_facts(path: Path) -> tuple[RunFacts, tuple[str, ...]]:
    try:
        record = json.loads(path.read_bytes())
        return RunFacts.from_record(record), ()
    except UnknownFormat as unknown:
        raise RecordError(f"{path}: {unknown}; read it with the version that wrote it") from unknown
    except FileNotFoundError:
        return RunFacts(harness_version=""), (f"{FACTS} is missing: what was planned is not known",)
    except (ValueError, TypeError, AttributeError) as broken:
        note = f"{FACTS} is not readable, so what was planned is not known: {broken}"
        return RunFacts(harness_version=""), (note,)
    except OSError as refused:
        raise RecordError(f"cannot read {path} ({refused.strerror}); change its mode or copy the folder") from refused


def _load_results(path: Path) -> tuple[tuple[Result, ...], tuple[str, ...]]:
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return (), (f"{RESULTS} is missing: no test was reported",)
    except OSError as refused:
        raise RecordError(f"cannot read {path} ({refused.strerror}); change its mode or copy the folder") from refused
    results: list[Result] = []
    notes: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            results.append(Result.from_record(json.loads(line)))
        except UnknownFormat as unknown:
            raise RecordError(f"{path}:{number}: {unknown}; read it with the version that wrote it") from unknown
        except (ValueError, TypeError, KeyError, AttributeError):
            place = "the last line" if number == len(lines) else f"line {number}"
            notes.append(f"{place} of {RESULTS} is not whole and was left out: its test counts as lost")
    return tuple(results), tuple(notes)

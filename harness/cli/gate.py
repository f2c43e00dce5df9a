"""`sockspec gate`, `sockspec baseline update` and `sockspec diff`: what a run says beside what is known."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness import budget
from harness.cli.words import command
from harness.gate import baseline, difference, judgement, page
from harness.gate.baseline import BaselineError
from harness.gate.update import updated
from harness.record.disk import write_whole
from harness.record.store import load
from harness.report.model import Exit, Run

if TYPE_CHECKING:
    import argparse
    import datetime as calendar


def offer(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the words of the three commands."""
    gate = command(
        commands,
        "gate",
        brief="compare a run with the deviations that are known",
        description="Tell what a run has missed beyond the known deviations of a baseline (docs/gate.md).",
        examples=(
            "sockspec gate reports/runs/20261120-110714-17022 --baseline known.toml",
            "sockspec gate out --baseline known.toml      after sockspec check … --report out",
        ),
    )
    gate.add_argument("folder", metavar="RUN", help="the folder of a run")
    gate.add_argument("--baseline", metavar="FILE", required=True, help="the known deviations, as TOML")
    gate.set_defaults(run=run_gate)

    known = command(
        commands,
        "baseline",
        brief="bring the known deviations up to date",
        description="Change a baseline so that it is true of a run; reasons are left for you to write.",
        examples=("sockspec baseline update out --baseline known.toml     then write the reasons",),
    )
    known.add_argument("action", choices=["update"], help="what to do with the baseline")
    known.add_argument("folder", metavar="RUN", help="the folder of a run")
    known.add_argument(
        "--baseline", metavar="FILE", required=True, help="the known deviations; made if it is not there"
    )
    known.set_defaults(run=run_baseline)

    diff = command(
        commands,
        "diff",
        brief="tell what has changed between two runs",
        description="Tell which tests answer otherwise than before. Exit code 1 when something is newly failing.",
        examples=("sockspec diff reports/runs/20261119-110714-17022 reports/runs/20261120-110714-17022",),
    )
    diff.add_argument("before", metavar="A", help="the folder of the earlier run")
    diff.add_argument("after", metavar="B", help="the folder of the later run")
    diff.set_defaults(run=run_diff)


def run_gate(chosen: argparse.Namespace) -> int:
    """Judge the run by the baseline."""
    path = Path(chosen.baseline)
    known = baseline.parse(_read(path), str(path))
    judged = judgement.judge(Run.of(load(Path(chosen.folder))), known, today())
    sys.stdout.write(page.judgement(judged, str(path), chosen.folder))
    return judged.exit


def run_baseline(chosen: argparse.Namespace) -> int:
    """Write the baseline that is true of the run, and tell what a person has to do."""
    path = Path(chosen.baseline)
    before = _read(path) if path.exists() else ""
    run = Run.of(load(Path(chosen.folder)))
    judged = judgement.judge(run, baseline.parse(before, str(path), unwritten=True), today())
    after = updated(before, judged, run)
    if after != before:
        write_whole(path, after.encode())
    unwritten = [one for one in baseline.parse(after, str(path), unwritten=True).known if one.unwritten]
    reasons = f"{len(unwritten)} reason{'' if len(unwritten) == 1 else 's'}"
    for one in unwritten:
        print(f"{path}:{one.places['reason']}: write why {one.test} is accepted")
    print(f"{path}: {'changed' if after != before else 'as it was'}; {reasons} to be written")
    return Exit.HOLDS


def run_diff(chosen: argparse.Namespace) -> int:
    """Tell what has changed."""
    compared = difference.compare(Run.of(load(Path(chosen.before))), Run.of(load(Path(chosen.after))))
    sys.stdout.write(page.comparison(compared))
    return compared.exit


def today() -> calendar.date:
    """The day, by universal time: the same for a developer and for CI."""
    return datetime.fromtimestamp(budget.wall_clock(), UTC).date()


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except OSError as refused:
        raise BaselineError(
            f"{path}: {refused.strerror}; `sockspec baseline update RUN --baseline {path}` makes one"
        ) from None
    except UnicodeDecodeError as error:
        raise BaselineError(f"{path}: octet {error.start} is not UTF-8; save the file as UTF-8") from None

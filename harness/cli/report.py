"""`sockspec report` and `sockspec merge`: the reports of runs that are over, be they killed or in parts."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness import budget, bundle
from harness.cli import outputs
from harness.cli.words import command
from harness.gate import page, shards
from harness.record import evidence
from harness.record.disk import writing
from harness.record.store import Store, load, new_folder
from harness.report import terminal
from harness.report.publish import publish

if TYPE_CHECKING:
    import argparse

    from harness.record.store import RunRecord


def offer(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the words of both commands."""
    again = command(
        commands,
        "report",
        brief="render the reports of a run again",
        description="Render the reports of a run from its record, and answer with its exit code.",
        examples=(
            "sockspec report reports/runs/20261120-110714-17022      after it was killed",
            "sockspec report reports/runs/20261120-110714-17022 --markdown summary.md",
        ),
    )
    again.add_argument("folder", metavar="RUN", help="the folder of a run")
    outputs.offer(again)
    again.set_defaults(run=run_report)

    merge = command(
        commands,
        "merge",
        brief="join the shards of a run",
        description="Join the folders of runs made with --shard into the folder of the whole run.",
        examples=(
            "sockspec check --shard 1/2 --report one",
            "sockspec check --shard 2/2 --report two",
            "sockspec merge one two --report whole",
        ),
    )
    merge.add_argument("folders", metavar="RUN", nargs="+", help="the folders of the shards")
    merge.add_argument("--report", metavar="DIR", help="where the whole goes (default: a new folder in reports/runs)")
    outputs.offer(merge)
    merge.set_defaults(run=run_merge)


def run_report(chosen: argparse.Namespace) -> int:
    """Render the run and print its summary."""
    return _told(chosen, Path(chosen.folder))


def run_merge(chosen: argparse.Namespace) -> int:
    """Write the whole run, render it, and tell what it lacks."""
    folder = Path(chosen.report) if chosen.report else new_folder(budget.wall_clock(), os.getpid())
    whole = shards.join([load(Path(one)) for one in chosen.folders], folder)
    _write(whole.record, [Path(one) for one in chosen.folders])
    code = _told(chosen, folder)
    sys.stdout.write(page.joined(whole))
    return code


def _write(whole: RunRecord, folders: list[Path]) -> None:
    """The folder of the whole: the rows of all shards with the evidence that they name."""
    with Store(whole.folder) as store:
        store.begin(whole.facts)
        for one in folders:
            if (one / evidence.FOLDER).is_dir():
                with writing(whole.folder / evidence.FOLDER):
                    # Links are copied as links, and shown by no report: a record may come from somebody else.
                    shutil.copytree(one / evidence.FOLDER, whole.folder / evidence.FOLDER, True, dirs_exist_ok=True)
        for row in whole.results:
            store.append(row)


def _told(chosen: argparse.Namespace, folder: Path) -> int:
    """Render, print the summary, write what else is wanted, and answer as the run did."""
    published = publish(folder, bundle.root() / "reports" / "templates")
    colour, width = terminal.look(sys.stdout, os.environ)
    sys.stdout.write(terminal.render(published.run, colour=colour, width=width, report=str(published.index)))
    outputs.write(chosen, folder, os.environ)
    return published.run.exit

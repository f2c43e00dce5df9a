"""What a run is wanted as besides its folder: the options for it, and the files that they ask for.

In a job of GitHub's the summary of the step and the annotations are written without being asked for: the variables
`GITHUB_STEP_SUMMARY` and `GITHUB_ACTIONS` say that somebody reads them.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from harness.record.disk import write_whole, writing
from harness.record.store import RESULTS, load
from harness.report import junit, markdown, tap, workflow
from harness.report.model import Run

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping


def offer(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--json", metavar="FILE", help="write the rows of results.jsonl there too")
    parser.add_argument("--junit", metavar="FILE", help="write the JUnit XML there too")
    parser.add_argument("--tap", metavar="FILE", help="write TAP 13 there")
    parser.add_argument("--markdown", metavar="FILE", help="write a summary in Markdown there")


def write(chosen: argparse.Namespace, folder: Path, environment: Mapping[str, str]) -> None:
    """Write what was asked for of the run in `folder`; raises `RecordError` where the disk refuses."""
    run = Run.of(load(folder))
    for name, render in (("junit", junit.render), ("tap", tap.render), ("markdown", markdown.render)):
        wanted = getattr(chosen, name)
        if wanted:
            _put(Path(wanted), render(run))
    if chosen.json:
        with writing(Path(chosen.json)):
            Path(chosen.json).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / RESULTS, chosen.json)
    if summary := environment.get("GITHUB_STEP_SUMMARY"):
        with writing(Path(summary)), Path(summary).open("a", encoding="utf-8") as file:
            file.write(markdown.render(run))
    if environment.get("GITHUB_ACTIONS") == "true":
        sys.stdout.write(workflow.render(run))


def _put(path: Path, text: str) -> None:
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.encode())

"""From a run folder to its reports: reads the record, renders, writes beside it.

The only module of the reports that touches files; it works on the files alone, so a killed run and one that another
machine made are rendered as any other.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.record import evidence
from harness.record.disk import write_whole
from harness.record.store import load
from harness.report import html, junit
from harness.report.model import Run

if TYPE_CHECKING:
    from pathlib import Path

INDEX = "index.html"
JUNIT = "junit.xml"


@dataclass(frozen=True)
class Published:
    """A run, and where its reports lie."""

    run: Run
    index: Path
    junit: Path


def publish(folder: Path, templates: Path) -> Published:
    """Renders the run in `folder` with the design in `templates`; raises `RecordError` where the disk refuses."""
    run = Run.of(load(folder))
    look = functools.lru_cache(maxsize=64)(functools.partial(evidence.read, folder))
    index, xml = folder / INDEX, folder / JUNIT
    write_whole(index, html.render(run, look, templates).encode())
    write_whole(xml, junit.render(run).encode())
    return Published(run, index, xml)

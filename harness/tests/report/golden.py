"""The golden files: what each report makes of the samples, kept as text so that a reviewer sees each change.

`python -m harness.tests.report.golden` writes them anew.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from harness.record.evidence import Shown
from harness.report import html, junit, markdown, tap, terminal, workflow
from harness.tests.report import samples

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.report.model import Run

FOLDER = Path(__file__).with_name("golden")
TEMPLATES = Path(__file__).parents[3] / "reports" / "templates"


def page(run: Run) -> str:
    """The HTML report with the same listing and output for each finding."""
    return html.render(run, lambda _: Shown(samples.SEGMENTS, samples.SUBJECT), TEMPLATES)


def reviewed(run: Run) -> str:
    """The page without its packs: which octets a compressor makes is not ours to say."""
    return re.sub(r'(class="pack">)[^<]*', r"\1", page(run))


RENDERINGS: dict[str, Callable[[], str]] = {
    "calm.txt": lambda: terminal.render(samples.calm()),
    "mixed.txt": lambda: terminal.render(samples.mixed(), width=100),
    "mixed_narrow_colour.txt": lambda: terminal.render(samples.mixed(), width=50, colour=True),
    "killed.txt": lambda: terminal.render(samples.killed()),
    "hostile.txt": lambda: terminal.render(samples.hostile()),
    "failing.txt": lambda: terminal.render(samples.failing(200), limit=2, report="index.html"),
    "crashed.txt": lambda: terminal.render(samples.crashed(), width=100),
    "crashed.xml": lambda: junit.render(samples.crashed()),
    "crashed.tap": lambda: tap.render(samples.crashed()),
    "crashed.md": lambda: markdown.render(samples.crashed()),
    "crashed.commands": lambda: workflow.render(samples.crashed()),
    "crashed.html": lambda: reviewed(samples.crashed()),
    "mixed.xml": lambda: junit.render(samples.mixed()),
    "mixed_strict.xml": lambda: junit.render(samples.mixed(), strict=True),
    "hostile.xml": lambda: junit.render(samples.hostile()),
    "mixed.tap": lambda: tap.render(samples.mixed()),
    "hostile.tap": lambda: tap.render(samples.hostile()),
    "killed.tap": lambda: tap.render(samples.killed()),
    "mixed.md": lambda: markdown.render(samples.mixed()),
    "hostile.md": lambda: markdown.render(samples.hostile()),
    "mixed.commands": lambda: workflow.render(samples.mixed()),
    "hostile.commands": lambda: workflow.render(samples.hostile()),
    "mixed.html": lambda: reviewed(samples.mixed()),
    "hostile.html": lambda: reviewed(samples.hostile()),
    "killed.html": lambda: reviewed(samples.killed()),
}


def main() -> None:
    """Writes each golden file."""
    FOLDER.mkdir(exist_ok=True)
    for name, rendering in RENDERINGS.items():
        (FOLDER / name).write_text(rendering(), encoding="utf-8")


if __name__ == "__main__":
    main()

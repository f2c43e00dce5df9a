"""Renews the pictures of the tutorial: `python -m harness.tests.report.screenshots`.

The server of the tutorial is judged as the page says, and the report of that run is opened in a browser. So the
pictures show what a reader will see, and are made anew by one command when report or page have changed.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from harness.tests.docs.pages import ROOT, blocks
from harness.tests.report.browser import browser

if TYPE_CHECKING:
    from playwright.sync_api import FloatRect, Locator, ViewportSize

PAGE = "docs/tutorial.md"
IMAGES = ROOT / "docs" / "images"
CELL = "survives_a_client_that_resets[connect]"

_WINDOW: ViewportSize = {"width": 1120, "height": 800}  # CSS pixels


def judged(folder: Path) -> Path:
    """The first server of the tutorial, judged in `folder`; the page of its report."""
    server = next(block for block in blocks(PAGE, (ROOT / PAGE).read_text("utf-8")) if block.file == "myserver.py")
    (folder / server.file).write_text(server.text)
    words = ["check", "--serve", "python3 myserver.py {host} {port}", "--profile", "echo", "--report", "first"]
    subprocess.run([sys.executable, "-m", "harness", *words], cwd=folder, stdout=subprocess.DEVNULL, check=False)
    return folder / "first" / "index.html"


def above(below: Locator) -> FloatRect:
    """The part of the page above an element, whose place is told from the top of the window: so the page is there."""
    below.page.evaluate("scrollTo({top: 0, behavior: 'instant'})")
    box = below.bounding_box()
    assert box is not None, f"{below} is not shown"
    return {"x": 0, "y": 0, "width": _WINDOW["width"], "height": box["y"]}


def main() -> None:
    """Judge, open, and write the three pictures."""
    with tempfile.TemporaryDirectory() as folder, browser() as started:
        page = started.new_page(viewport=_WINDOW, color_scheme="light")
        page.goto(judged(Path(folder)).as_uri())
        page.screenshot(
            path=IMAGES / "summary.png", full_page=True, clip=above(page.locator("section[aria-labelledby=matrix]"))
        )

        page.get_by_label("hide what is calm").check()
        page.locator("section[aria-labelledby=matrix] details", has_text="services/echo").screenshot(
            path=IMAGES / "matrix.png"
        )

        page.locator("tr", has_text=CELL).locator("a.verdict.v-fail").first.click()
        flows = page.locator("#sheet details.flow")
        flows.first.wait_for()
        for flow in flows.all():  # folds the first, which is a control, and opens the others
            flow.locator("summary").first.click()
        # Whether the kernel still accepts the last client is a race with the dying server: one flow more, or less.
        behind = page.locator("#sheet details.flow ~ :not(.flow)").first
        page.screenshot(path=IMAGES / "ladder.png", full_page=True, clip=above(behind))


if __name__ == "__main__":
    main()

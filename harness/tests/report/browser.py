"""A report as a browser shows it: the Chromium that is installed, without a window and without a network."""

from __future__ import annotations

import contextlib
import shutil
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from harness.capture import pcapng
from harness.probe.calls import Call
from harness.record import evidence
from harness.record.store import Store
from harness.record.talks import Talk
from harness.report.publish import publish
from harness.tests.report import samples
from harness.tests.report.golden import TEMPLATES
from harness.tests.wire.craft import FAR, NEAR, half_close
from harness.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATH = next(filter(None, map(shutil.which, NAMES)), "")


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """The browser, started and ended."""
    with sync_playwright() as playwright:
        # Without its sandbox: that needs namespaces which root does not get, and the page is ours.
        started = playwright.chromium.launch(executable_path=PATH, chromium_sandbox=False)
        try:
            yield started
        finally:
            started.close()


def recorded(folder: Path) -> Path:
    """The mixed sample with a capture and calls for each test, on disk and published; its page."""
    run = samples.mixed()
    frames = tuple(half_close().frames)
    calls = (Call(frames[0].time_ns, "connect()"), Call(frames[3].time_ns, "send()", octets=5))
    with Store(folder) as store:
        store.begin(run.facts)
        for row in run.rows:
            cited = {10: "got FIN"} if row.verdict is Verdict.FAIL else {}
            path = evidence.write(
                folder,
                row.test,
                wire=pcapng.write(pcapng.Capture(frames, comments=cited)),
                segments=samples.SEGMENTS,
                finding=row.findings[0].text if row.findings else "",
                talks=[Talk("tcp", NEAR, FAR, calls)],
            )
            store.append(row.__class__(**{**row.__dict__, "evidence": path}))
        store.end(exit_code=1, ended=1_760_000_041.2)
    return publish(folder, TEMPLATES).index

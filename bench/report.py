"""How long does the report of a large run take to make, and to open?

5,000 rows with 40 segments each, every capture and list of calls on disk: the time to render from the files, the size
of the page, and how long Chromium takes until its first page is laid out, and until the page of a test is shown.
Chromium is left out where none is installed.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from bench.machine import Figure, table
from harness.budget import Stopwatch
from harness.capture import pcapng
from harness.probe.calls import Call
from harness.record import evidence
from harness.record.store import Store
from harness.record.talks import Talk
from harness.report.publish import publish
from harness.tests.report import browser, samples
from harness.tests.report.golden import TEMPLATES
from harness.tests.wire.craft import FAR, NEAR
from harness.tests.wire.craft import Talk as Played

_ROWS = 5000
_EXCHANGES = 8  # of four segments each, with handshake and close 40 segments
_OPENINGS = 5


def _played() -> Played:
    played = Played().handshake()
    for number in range(_EXCHANGES):
        at = 1 + 5 * number
        played.sent("PSH ACK", at, at, b"hello").got("ACK", at, at + 5)
        played.got("PSH ACK", at, at + 5, b"hello").sent("ACK", at + 5, at + 5)
    at = 1 + 5 * _EXCHANGES
    played.sent("FIN ACK", at, at).got("ACK", at, at + 1).got("FIN ACK", at, at + 1).sent("ACK", at + 1, at + 1)
    return played.sent("ACK", at + 1, at + 1)


def _record(folder: Path) -> None:
    run = samples.failing(_ROWS // 6 + 1)
    frames = tuple(_played().frames)
    wire = pcapng.write(pcapng.Capture(frames, comments={38: "got FIN"}))
    calls = tuple(Call(frame.time_ns, "send()", octets=5) for frame in frames[3::4])
    talk = Talk("tcp", NEAR, FAR, calls)
    with Store(folder) as store:
        store.begin(run.facts)
        for row in run.rows[:_ROWS]:
            path = evidence.write(folder, row.test, wire=wire, segments=samples.SEGMENTS, talks=[talk])
            store.append(replace(row, evidence=path))
        store.end(exit_code=1, ended=1_760_000_041.2)


def _opened(page: Path) -> tuple[list[float], list[float]]:
    """Seconds until the summary is laid out, and from there until the page of a test is shown."""
    first, sheets = [], []
    with browser.browser() as started:
        for number in range(_OPENINGS):
            tab = started.new_page()
            watch = Stopwatch()
            tab.goto(page.as_uri())
            tab.evaluate("document.body.getBoundingClientRect().height")
            first.append(watch.seconds)
            watch = Stopwatch()
            tab.evaluate(f"location.hash = '#test-{number * 900}'")
            tab.locator("#sheet svg.ladder").first.wait_for()
            sheets.append(watch.seconds)
            tab.close()
    return first, sheets


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        _record(Path(folder) / "run")
        watch = Stopwatch()
        published = publish(Path(folder) / "run", TEMPLATES)
        rendered = watch.seconds
        size = published.index.stat().st_size
        frames = len(_played().frames)
        rows = [Figure(f"{_ROWS} rows, {_ROWS * frames} segments, rendered", (rendered,), "s", "≤ 20")]
        if browser.PATH:
            first, sheets = _opened(published.index)
            rows.append(Figure("first page laid out", tuple(first), "s", "≤ 2"))
            rows.append(Figure("page of a test shown", tuple(sheets), "s"))
        table("report", rows)
        print(f"size of the page: {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()

"""One line that grows while a run goes on: how many tests are judged, how many of them are not as they should be."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TextIO

from harness.budget import Stopwatch
from harness.verdict import Verdict

if TYPE_CHECKING:
    from harness.record.result import Result

_EVERY = 5.0  # seconds between two lines where the output is no terminal


class Progress:
    """Prints to `out` if `wanted`: on a terminal one line that is rewritten, elsewhere a line now and then."""

    def __init__(self, out: TextIO, wanted: bool) -> None:
        self._out = out
        self._wanted = wanted
        self._terminal = out.isatty()
        self._planned = 0
        self._counts: Counter[Verdict] = Counter()
        self._watch = Stopwatch()
        self._said = 0.0
        self._under_way = ""  # what one test that takes long says of itself

    def begin(self, planned: int) -> None:
        """So many tests are planned."""
        self._planned = planned
        self._watch = Stopwatch()

    def step(self, result: Result) -> None:
        """One more is judged."""
        self._counts[result.verdict] += 1
        self._show()

    def tell(self, words: str) -> None:
        """A test that takes long says how far it is."""
        self._under_way = words
        self._show()

    def _show(self) -> None:
        if not self._wanted:
            return
        if self._terminal:
            self._out.write(f"\r\x1b[K{self.line()}")
        elif self._watch.seconds - self._said >= _EVERY:
            self._said = self._watch.seconds
            self._out.write(self.line() + "\n")
        self._out.flush()

    def end(self) -> None:
        """Leave the line behind."""
        if self._wanted and self._terminal and self._planned:
            self._out.write("\r\x1b[K")
            self._out.flush()

    def line(self) -> str:
        """How far it is: `37 of 84 judged, 1 fail, 7 s`."""
        calm = {Verdict.PASS, Verdict.NOT_APPLICABLE}
        complaints = [f"{count} {verdict}" for verdict, count in self._counts.items() if verdict not in calm]
        judged = f"{self._counts.total()} of {self._planned} judged"
        soak = self._under_way if self._counts.total() < self._planned else ""
        return ", ".join(filter(None, (judged, *complaints, soak, f"{self._watch.seconds:.0f} s")))

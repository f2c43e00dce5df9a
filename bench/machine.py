"""What every benchmark shares: the machine named, an action repeated, and the table in which medians are told.

A figure without the machine and its load says nothing, so `table` prints both above every table, after the runs.
"""

from __future__ import annotations

import os
import platform
import re
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.budget import Stopwatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_DIGITS = 3  # that count


@dataclass(frozen=True)
class Figure:
    """One thing measured several times."""

    what: str
    values: tuple[float, ...]
    unit: str
    goal: str = ""  # as the table shows it: "≤ 15"

    @property
    def median(self) -> float:
        """Half of the values are lower."""
        return statistics.median(self.values)

    def cells(self) -> tuple[str, ...]:
        """The figure as a line of the table."""
        low, high = min(self.values), max(self.values)
        return (
            self.what,
            f"{readable(self.median)} {self.unit}",
            f"{readable(low)} … {readable(high)}",
            str(len(self.values)),
            f"{self.goal} {self.unit}" if self.goal else "",
        )


def repeated(action: Callable[[], object], times: int, *, before: int = 2) -> tuple[float, ...]:
    """Seconds that each of `times` runs of `action` took, after `before` runs that do not count."""
    for _ in range(before):
        action()
    return tuple(timed(action) for _ in range(times))


def timed(action: Callable[[], object]) -> float:
    """Seconds that `action` takes."""
    watch = Stopwatch()
    action()
    return watch.seconds


def milliseconds(seconds: Iterable[float]) -> tuple[float, ...]:
    """The same times in milliseconds."""
    return tuple(1000 * one for one in seconds)


def readable(number: float) -> str:
    """Three digits that count: 0.0123, 1.23, 123, 123,000."""
    if number == 0:
        return "0"
    rounded = float(f"{number:.{_DIGITS - 1}e}")
    return f"{rounded:,.0f}" if abs(rounded) >= 100 else f"{rounded:.{_DIGITS}g}"


def machine() -> str:
    """This machine as far as it matters for speed, with its load over the last minute."""
    model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return ", ".join(
        (
            model[1] if model else platform.machine(),
            f"{os.cpu_count()} cores",
            f"{platform.system()} {platform.release()}",
            f"Python {platform.python_version()}",
            f"load {os.getloadavg()[0]:.2f}",
        )
    )


def table(title: str, figures: Iterable[Figure]) -> None:
    """Print the figures as a table in Markdown, the machine above it."""
    print(f"{title}: {machine()}\n")
    columns(("what", "median", "lowest … highest", "runs", "goal"), [figure.cells() for figure in figures])


def columns(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print rows of cells as a table in Markdown, its columns aligned."""
    widths = [max(len(row[place]) for row in (head, *rows)) for place in range(len(head))]
    for row in (head, tuple("-" * width for width in widths), *rows):
        print("| " + " | ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) + " |")
    print()

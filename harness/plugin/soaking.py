"""`--soak SECONDS`: a test that takes the fixture `soak` goes on for so long; without the option it is left out.

Not in a proof, where a mutant breaks what governs the test: there it goes on for as long as such mutants need.

How far it is, the test tells the controller as it tells what it came to: by a report, which pytest-xdist carries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.plugin.asking import broken, covers_of
from harness.plugin.options import settings_of
from harness.probe.soak import Soak

if TYPE_CHECKING:
    from collections.abc import Callable

_MORE = 120  # seconds for what comes before and behind the soak, until the net below all budgets catches the test
WHEN = "soak"
_IN_A_PROOF = 7.0  # seconds: more than the five after which mutants do wrong


@pytest.fixture
def soak(request: pytest.FixtureRequest) -> Soak:
    """The time of the soak."""
    seconds = settings_of(request.config).soak or _IN_A_PROOF
    tell = telling(request.node)
    return Soak(seconds, lambda over: tell(f"soak {over:.0f} of {seconds:g} s"))


def telling(item: pytest.Item) -> Callable[[str], None]:
    """How a test that takes long says in words how far it is."""

    def tell(words: str) -> None:
        # A phase of our own, which nobody counts but the ledger.
        report = pytest.TestReport(item.nodeid, item.location, {}, "passed", None, WHEN)  # type: ignore[arg-type]
        report.__dict__["sockspec_soak"] = words
        item.ihook.pytest_runtest_logreport(report=report)

    return tell


def is_soak(item: pytest.Item) -> bool:
    """Whether a test goes on for the time of the soak."""
    return "soak" in getattr(item, "fixturenames", ())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave soaks out where nobody asked for them, else give them their time."""
    seconds = settings_of(config).soak
    soaks = [item for item in items if is_soak(item)]
    for item in soaks:
        item.add_marker(pytest.mark.timeout((seconds or _IN_A_PROOF) + _MORE))
    wanted = set(soaks if seconds else filter(_is_proved, soaks) if config.option.mutants else ())
    if len(wanted) < len(soaks):
        config.hook.pytest_deselected(items=[item for item in soaks if item not in wanted])
        items[:] = [item for item in items if item in wanted or not is_soak(item)]


def _is_proved(item: pytest.Item) -> bool:
    """Whether a mutant breaks the requirement that governs this test."""
    return covers_of(getattr(item, "function", None))[:1] in {(requirement,) for requirement in broken().values()}

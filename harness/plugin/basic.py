"""The basic exchange: a subject that fails it gets one finding, and no test waits in vain for what it does not do.

The first start asks it (`harness.plugin.preflight`), before any test is planned; the finding, with capture and ladder,
is that of `suites/services/test_basic_exchange.py`. All tests that need the exchange are not applicable then. What a
test needs it says with `@needs(…)`, or its module with `NEEDS`: "nothing" of a subject that has started, "accepting"
clients, or else the whole exchange.

Where that test is not part of the run, because one was asked for by its name, each is run as if nothing were known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.plugin.asking import covers_of
from harness.plugin.fixtures import probing
from harness.plugin.options import settings_of
from harness.plugin.selection import is_judged, manner_of_test, place_of_test
from harness.probe.first_exchange import FIRST, FirstExchange
from harness.subject.patience import IDLE, Pace
from harness.verdict import NotApplicable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.capture.recording import Wire
    from harness.lab.near import Near
    from harness.plugin.fixtures import Judged
    from harness.subject.manner import Course, Manner

EXCHANGE = "house:any/basic-exchange"
NOTHING, ACCEPTING = "nothing", "accepting"

_asked_key = pytest.StashKey[frozenset[str]]()  # the places whose basic exchange has its finding in this run


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Take down of whom the basic exchange is asked, before a shard is cut off: another one has the finding then."""
    config.stash[_asked_key] = frozenset(place_of_test(item) for item in items if asks_exchange(item))


@pytest.fixture
def first_exchange(
    subject: Judged, near: Near, _course: Course, _recorded: Wire | None, request: pytest.FixtureRequest
) -> Iterator[FirstExchange]:
    """One ordinary exchange with the subject, for which there is more patience than later."""
    link = settings_of(request.config).link
    pace = Pace.after(FIRST) if link is None else Pace.over(link)
    with probing(near, pace, _course, _recorded, request) as probe:
        yield FirstExchange(subject, probe, manner_of_test(request.node))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave a test out that needs what the subject has not done in its first exchange."""
    if not is_judged(item.nodeid) or "program" not in getattr(item, "fixturenames", ()) or asks_exchange(item):
        return
    place = place_of_test(item)
    manner = settings_of(item.config).manners.get(place)
    if manner is None or place not in item.config.stash.get(_asked_key, frozenset()):
        return
    if why := why_not(manner, needs_of(item)):
        raise NotApplicable(why)


def why_not(manner: Manner, needs: str) -> str:
    """Why a test cannot be tried that needs this of a subject with this manner; empty if it can."""
    if needs == NOTHING:
        return ""
    if manner.fails and not (needs == ACCEPTING and manner.accepts):
        return f"the basic exchange fails: {manner.fails}"
    if manner.seconds >= IDLE:
        return f"needs a server that serves a client within {IDLE:g} s: the basic exchange took {manner.seconds:.1f} s"
    return ""


def needs_of(item: pytest.Item) -> str:
    """What a test needs of its subject, in its own word or that of its module; empty for the whole exchange."""
    function, module = getattr(item, "function", None), getattr(item, "module", None)
    found: str = getattr(function, "__dict__", {}).get("needs", "") or getattr(module, "NEEDS", "")
    return found


def asks_exchange(item: pytest.Item) -> bool:
    """Whether a test is the one whose finding a failing basic exchange is."""
    return EXCHANGE in covers_of(getattr(item, "function", None))[:1]

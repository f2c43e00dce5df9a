"""`--explore SECONDS`: the tests that take the fixture `explore` look for sequences that break the subject for so long.

Without the option they are left out, as the soak is. What is found goes into the evidence with the script that shows it
again, `repro.py`.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from harness.explore.bench import Maker
from harness.explore.exploration import Exploration
from harness.plugin.fixtures import environment, subject_key, talkers_key, wire_key
from harness.plugin.options import place_of, settings_of
from harness.plugin.soaking import telling
from harness.verdict import NotApplicable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.capture.recording import Wire
    from harness.lab.handle import Lab
    from harness.subject.inventory import Program
    from harness.subject.process import Subject

_MORE = 300  # seconds for what comes behind the search: to confirm, to shorten, to show again

exploration_key = pytest.StashKey[Exploration]()


@pytest.fixture
def explore(
    lab_process: Lab | str, program: Program | None, family: str, request: pytest.FixtureRequest
) -> Iterator[Exploration]:
    """The exploration of the subject: how long it may take, and all that it needs."""
    settings = settings_of(request.config)
    if program is None:
        raise NotApplicable("needs a server that can be started afresh: start the subject with --serve")
    if isinstance(lab_process, str):
        raise NotApplicable(lab_process)
    offer = place_of(program if settings.implementations else None, family)
    if reason := settings.absent.get(offer) or program.absent:
        raise NotApplicable(reason)
    stash = request.node.stash
    talkers = stash.setdefault(talkers_key, [])

    def recorded(subject: Subject, wire: Wire) -> None:
        stash[subject_key], stash[wire_key] = subject, wire

    tell = telling(request.node)
    with contextlib.ExitStack() as keep:
        maker = Maker(lab_process, program, family, environment(), recorded, talkers.append)
        exploration = Exploration(settings.explore, settings.explore_seed, maker, tell, keep)
        stash[exploration_key] = exploration
        yield exploration
    lab_process.ask("clear")


def is_exploration(item: pytest.Item) -> bool:
    """Whether a test explores."""
    return "explore" in getattr(item, "fixturenames", ())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave explorations out where nobody asked for them, else give them their time."""
    seconds = settings_of(config).explore
    explorations = [item for item in items if is_exploration(item)]
    for item in explorations:
        item.add_marker(pytest.mark.timeout(seconds + _MORE))
    if explorations and not seconds:
        config.hook.pytest_deselected(items=explorations)
        items[:] = [item for item in items if not is_exploration(item)]

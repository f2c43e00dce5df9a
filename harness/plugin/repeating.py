"""`--repeat N`: every test N times, each time against a fresh subject, so that a verdict which differs is seen.

A repetition is one more variant, the last and innermost: `…[v4-echo_asyncio-r3]`. The runs of one test lie next to each
other, so that nothing else differs between them but what nobody has told to differ.
"""

from __future__ import annotations

import pytest

from harness.plugin.options import settings_of
from harness.plugin.selection import is_judged

_NAME = "repetition"


@pytest.fixture
def repetition(request: pytest.FixtureRequest) -> int:
    """Which repetition this is, from 1; 0 where nothing is repeated."""
    number: int = getattr(request, "param", 0)
    return number


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Multiply a test of a suite by the repetitions that are wanted."""
    repeat = settings_of(metafunc.config).repeat
    if repeat > 1 and is_judged(metafunc.definition.nodeid):
        metafunc.fixturenames.append(_NAME)
        numbers = range(1, repeat + 1)
        metafunc.parametrize(_NAME, numbers, ids=[f"r{number}" for number in numbers], indirect=True)


def repetition_of(item: pytest.Item) -> int:
    """Which repetition of its test an item is, from 1; 0 where nothing is repeated."""
    number: int = item.callspec.params.get(_NAME, 0) if hasattr(item, "callspec") else 0
    return number

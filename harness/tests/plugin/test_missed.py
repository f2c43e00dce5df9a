"""A relay that has missed frames: what a test saw over it is inconclusive, be it a pass or a fail."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from harness.plugin.fixtures import pytest_pyfunc_call, relay_key
from harness.verdict import Inconclusive

if TYPE_CHECKING:
    from collections.abc import Generator


class Missing:
    """A relay that has missed frames."""

    def claim_whole(self) -> None:
        raise Inconclusive("missed")


def called(relay: object = None) -> Generator[None, object, object]:
    """The hook around a test that is about to run."""
    item: Any = SimpleNamespace(stash=pytest.Stash())
    if relay is not None:
        item.stash[relay_key] = cast("Any", relay)
    around = pytest_pyfunc_call(item)
    next(around)
    return around


def test_a_test_without_a_relay_answers_as_it_does() -> None:
    with pytest.raises(StopIteration) as passed:
        called().send(True)
    assert passed.value.value is True
    with pytest.raises(AssertionError, match="own"):
        called().throw(AssertionError("own"))


def test_neither_a_pass_nor_a_fail_stands_when_frames_were_missed() -> None:
    with pytest.raises(Inconclusive, match="missed"):
        called(Missing()).send(True)
    with pytest.raises(Inconclusive, match="missed") as told:
        called(Missing()).throw(AssertionError("own"))
    assert isinstance(told.value.__context__, AssertionError)

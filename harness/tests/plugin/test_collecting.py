"""The garbage collector rests while tests are collected, and works behind that."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from harness.plugin.collecting import pytest_collection

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def thawed() -> Iterator[None]:
    """What a test leaves frozen is not kept from the collector."""
    gc.unfreeze()
    yield
    gc.unfreeze()
    gc.enable()


@pytest.mark.usefixtures("thawed")
def test_what_is_collected_is_left_alone_from_then_on() -> None:
    """While tests are collected nothing is looked through, afterwards only what is new."""
    hook = pytest_collection()
    next(hook)
    assert not gc.isenabled()

    with pytest.raises(StopIteration) as end:
        hook.send("collected")

    assert end.value.value == "collected"
    assert gc.isenabled()
    assert gc.get_freeze_count() > 1000


@pytest.mark.usefixtures("thawed")
def test_a_collection_that_fails_ends_the_rest() -> None:
    """Whatever stops it, garbage is collected again."""
    hook = pytest_collection()
    next(hook)

    with pytest.raises(KeyboardInterrupt):
        hook.throw(KeyboardInterrupt())

    assert gc.isenabled()


@pytest.mark.usefixtures("thawed")
def test_who_has_switched_the_collector_off_keeps_it_so() -> None:
    """It is not for us to switch it on."""
    gc.disable()
    hook = pytest_collection()
    next(hook)

    with pytest.raises(StopIteration):
        hook.send(None)

    assert not gc.isenabled()
    assert gc.get_freeze_count() == 0

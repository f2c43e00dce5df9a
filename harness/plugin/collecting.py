"""What is collected lives until the end of the run, so Python need not look through it for garbage again and again.

Some thousand tests are half a million objects. To look through them costs each worker a third of a second while it
collects them, and as much when pytest ends.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """Let the garbage collector rest meanwhile, and leave to itself what is there then."""
    if not gc.isenabled():
        return (yield)
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()

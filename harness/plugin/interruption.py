"""SIGTERM ends a run as Ctrl-C does: what was judged is rendered, and the exit code says that it was interrupted.

A CI that cancels a job sends it, and a run that dies of it at once leaves rows without a report. It is heard once: a
second one, while reports are written, would cost them.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, NoReturn

import pytest

from harness.plugin.ledger import is_worker

if TYPE_CHECKING:
    from types import FrameType


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Listen, in the process that keeps the record."""
    if not is_worker(session.config):
        signal.signal(signal.SIGTERM, _interrupt)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Nothing is left to be rendered."""
    if not is_worker(config):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _interrupt(number: int, _: FrameType | None) -> NoReturn:
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt

"""Keeps a run in one process, whatever its `-n` says: where one test runs, workers cost more than they give.

Loaded with `-p` by the runs of test_blocks.py; it comes behind pytest-xdist's own hook and takes back what that chose.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_cmdline_main(config: pytest.Config) -> None:
    """No workers."""
    config.option.numprocesses, config.option.tx, config.option.dist = 0, [], "no"

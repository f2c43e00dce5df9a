"""The sandbox as a fixture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.tests.plugin.sandbox import Sandbox

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """A checkout whose suites are the test's own."""
    return Sandbox(tmp_path)

"""One lab process for all tests of the harness that need one; where the machine refuses it, they are skipped.

It takes the place of the plugin's fixture of the same name: `lab`, `near`, `wire` and `probe` are those of the suites.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.lab.handle import Lab, LabUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

# In commands `python3` is then this interpreter, not a version manager's shim that runs twenty shells first.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


@pytest.fixture(scope="session")
def lab_process() -> Iterator[Lab]:
    """The lab process of this test process."""
    try:
        lab = Lab()
    except LabUnavailable as reason:
        pytest.skip(str(reason))
    with lab:
        yield lab


@pytest.fixture(params=["v4", "v6"])
def family(request: pytest.FixtureRequest) -> str:
    """The IP family: a test that asks for it runs once over each."""
    chosen: str = request.param
    return chosen

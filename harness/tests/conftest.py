"""One lab process for all tests of the harness that need one; where the machine refuses it, they are skipped.

It takes the place of the plugin's fixture of the same name: `lab`, `near`, `wire` and `probe` are those of the suites.

Of several workers one gets all tests of a module that makes something once for all of them, a run or a browser: they
come one behind the other, so it is made once. (`--dist loadgroup` would do that, if it worked with pytest 9.2.)
"""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from harness.lab.handle import Lab, LabUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xdist.remote import Producer

# The same examples in every run, and as long for each as a loaded machine takes.
settings.register_profile("sockspec", deadline=None, derandomize=True, database=None)
settings.load_profile("sockspec")

# In commands `python3` is then this interpreter, not a version manager's shim that runs twenty shells first.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Who gets which test next."""
    return _Together(config, log)


class _Together(LoadScopeScheduling):  # type: ignore[misc] # without types here
    """Each test alone, as `--dist load` has it, but for those of modules that share."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return file if _shares(self.config.rootpath / file) else nodeid


@cache
def _shares(module: Path) -> bool:
    return '@pytest.fixture(scope="module")' in module.read_text("utf-8")


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

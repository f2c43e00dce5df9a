"""One lab process for all tests of the harness that need one; where the machine refuses it, they are skipped.

It takes the place of the plugin's fixture of the same name: `lab`, `near`, `wire` and `probe` are those of the suites.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.lab.handle import Lab, LabUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator


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

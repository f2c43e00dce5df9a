"""The first start: how many tests run at a time is decided by what it has shown."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.plugin.options import Settings, absent_key, manners_key
from harness.plugin.preflight import Seen, take_down
from harness.subject.inventory import from_command
from harness.subject.manner import Manner

MINE = from_command("./mine {port}", "echo")
QUICK, SLOW = Manner(seconds=0.01), Manner(seconds=1.0)


@pytest.mark.parametrize(
    ("manner", "chosen", "number"),
    [
        pytest.param(QUICK, 6, 6, id="a quick one"),
        pytest.param(SLOW, 6, 12, id="a slow one"),
        pytest.param(Manner(seconds=1.0, rests=False), 6, 6, id="a slow one that uses the processor meanwhile"),
        pytest.param(SLOW, 0, 0, id="where all run in one process"),
        pytest.param(SLOW, None, None, id="where nothing is said"),
    ],
)
def test_more_tests_of_a_slow_server_run_at_a_time(manner: Manner, chosen: int | None, number: int | None) -> None:
    """They wait, and use no processor meanwhile."""
    option = SimpleNamespace(numprocesses=chosen, sockspec_slow_workers=12)
    config: Any = SimpleNamespace(option=option, stash=pytest.Stash())

    take_down(config, Settings((MINE,), given=True), {MINE: Seen({"v6": "no IPv6"}, {"v4": manner})})

    assert option.numprocesses == number
    assert config.stash[manners_key] == {"v4": manner}
    assert config.stash[absent_key] == {"v6": "no IPv6"}

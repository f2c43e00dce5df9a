"""`--shard 2/5`: of all that was chosen, the tests of one shard; after everything else has chosen."""

from __future__ import annotations

import pytest

from harness.plugin import naming
from harness.plugin.options import settings_of
from harness.plugin.selection import is_judged


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of the other shards."""
    shard = settings_of(config).shard
    if shard is None:
        return
    others = [item for item in items if is_judged(item.nodeid) and not shard.holds(naming.stable_id(item.nodeid))]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in set(others)]

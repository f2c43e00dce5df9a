"""hypothesis drives: a seed draws the same plans again, nothing is written, and only who explores loads it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from harness.explore.actions import Reset
from harness.explore.contracts import contract
from harness.explore.machine import Over, drive
from harness.explore.plans import in_order, possible
from harness.explore.shorter import fewest

if TYPE_CHECKING:
    from pathlib import Path

    from harness.explore.actions import Action


def drawn(seed: int, number: int = 30) -> list[tuple[Action, ...]]:
    plans: list[tuple[Action, ...]] = []

    def fails(plan: tuple[Action, ...]) -> bool:
        if len(plans) == number:
            raise Over
        plans.append(plan)
        return False

    drive(contract("echo"), link=True, seed=seed, fails=fails)
    return plans


def test_a_seed_draws_the_same_plans_again() -> None:
    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)


def test_a_failing_plan_is_made_short() -> None:
    """A server that fails when its second client resets: what hypothesis leaves, the other way makes shorter still."""
    echo = contract("echo")
    failed: list[tuple[Action, ...]] = []

    def fails(plan: tuple[Action, ...]) -> bool:
        plan = in_order(possible(plan, echo, link=True))
        bad = any(isinstance(action, Reset) and action.client == 2 for action in plan)
        failed.extend([plan] if bad else [])
        return bad

    drive(echo, link=True, seed=7, fails=fails)
    drawn_first, shortened = failed[0], min(failed, key=len)
    fewest(shortened, fails)

    assert len(shortened) <= len(drawn_first)
    assert [str(action) for action in min(failed, key=len)] == ["connect(1)", "connect(2)", "reset(2)"]


def test_nothing_is_written(tmp_path: Path) -> None:
    """Neither a database nor what hypothesis knows of source files."""
    program = (
        "from harness.tests.explore.test_machine import drawn\n"
        "import harness.plugin.options\n"
        "assert len(drawn(7, 100)) == 100"
    )

    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stderr, list(tmp_path.iterdir())) == (0, "", [])


def test_who_does_not_explore_does_not_load_hypothesis() -> None:
    """It takes a third of a second."""
    program = (
        "import sys, harness.suite, harness.plugin.exploring, harness.cli.check\nassert 'hypothesis' not in sys.modules"
    )

    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stderr) == (0, "")

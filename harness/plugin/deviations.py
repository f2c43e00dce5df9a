"""Known deviations of the kernel: `fixtures/deviations.toml`, applied to the tests of the kernel. In the worker.

It is about the kernel as it is: a wrong runtime or a wrong stack is to be rejected whatever is known of the right one,
and of a server of the user's nothing is known here (`sockspec gate` is for that).
"""

from __future__ import annotations

import datetime
import functools
from typing import TYPE_CHECKING

from harness import budget, bundle
from harness.gate import baseline
from harness.gate.condition import facts_of
from harness.gate.deviations import weighed
from harness.record import environment

if TYPE_CHECKING:
    from harness.gate.baseline import Baseline
    from harness.record.result import Result

FILE = "fixtures/deviations.toml"


def of_the_kernel(row: Result) -> Result:
    """The row of a test of the kernel, with what is known of that."""
    known = _known()
    if not any(one.names(row.test) for one in known.known):
        return row
    today = datetime.datetime.fromtimestamp(budget.wall_clock(), datetime.UTC).date()
    return weighed(row, known, facts_of(row, environment.facts()), today)


@functools.cache
def _known() -> Baseline:
    return baseline.parse((bundle.root() / FILE).read_text("utf-8"), FILE)

"""The control: what must work before a claim says anything.

A test of what a reset does to a server first shows that the server serves. If it does not, the test has learned nothing
about resets: it is inconclusive, and the fail is told by the test whose purpose that is.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from harness.verdict import Inconclusive, Mismatch

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def control() -> Iterator[None]:
    """What fails within the block makes the test inconclusive, not failed."""
    try:
        yield
    except Mismatch as missed:
        raise Inconclusive(f"the control failed: expected {missed.expected}; {missed.actual}") from missed

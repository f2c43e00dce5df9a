"""Work in many equal parts, done by all processors of the machine."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LEAST = 4  # parts: fewer are done before another process has begun


def spread(work: Callable[[int], str], parts: int) -> Iterator[str]:
    """What `work` returns for each part, from 0 on, in their order.

    Forks of this process do it, which inherit whatever it needs. They would inherit the locks of other threads too, and
    wait for them for ever; so a process that has threads works alone.
    """
    hands = min(len(os.sched_getaffinity(0)), parts)
    if hands < 2 or parts < _LEAST or len(os.listdir("/proc/self/task")) > 1:
        yield from map(work, range(parts))
        return
    gc.freeze()  # what is there already need not be looked through, and so not be copied, in each fork
    try:
        with ProcessPoolExecutor(hands, multiprocessing.get_context("fork"), _begin, (work,)) as crew:
            yield from crew.map(_do, range(parts))
    finally:
        gc.unfreeze()


_work: Callable[[int], str] = str  # in a fork: what it was begun for


def _begin(work: Callable[[int], str]) -> None:
    global _work
    _work = work
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits for us, and ends us


def _do(part: int) -> str:
    return _work(part)

"""Servers of which no two can run at a time: a lock, a data folder, a socket in the file system that both would need.

Every worker has a network of its own and the files of all. So where a server does not become ready while another
worker runs it, it is tried again when no other does. If it starts then, that is what was in its way: its tests are run
one at a time from there on, and the run tells so. If it does not, no other was to blame, and the test says what came of
it.

Workers hold a shared lock on the folder of the run as long as their server runs, and an exclusive one where it has to
be alone; a note in the folder tells the others that it has. Where there is one worker nothing of this happens.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
from pathlib import Path
from typing import TYPE_CHECKING

from harness.budget import Deadline
from harness.subject.beginning import NotReady
from harness.verdict import Inconclusive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

    from harness.subject.process import Subject

NOTE = "one-at-a-time.txt"  # in the folder of the run: what the server said when it was started beside another
_WAIT = 90.0  # seconds for the others to have their turn; a test may take no more than 120
_MOMENT = 0.02  # seconds between two looks whether it is ours


def others(config: pytest.Config) -> Path | None:
    """The folder that the workers of this run have in common; None where there is but one worker, or none."""
    told = getattr(config, "workerinput", {})
    folder = Path(told.get("sockspec_folder", ""))
    return folder if told.get("workercount", 1) > 1 and folder.is_dir() else None


@contextlib.contextmanager
def started(folder: Path | None, begin: Callable[[], Subject]) -> Iterator[Subject]:
    """What `begin` starts, beside those that other workers run or, if it cannot be, alone; closed at the end."""
    with contextlib.ExitStack() as held:
        if folder is None:
            yield held.enter_context(contextlib.closing(begin()))
            return
        place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        held.callback(os.close, place)  # and with it goes the lock
        alone = (folder / NOTE).exists()
        _take(place, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield held.enter_context(contextlib.closing(_begun(folder, place, begin, alone=alone)))


def told(folder: Path) -> str:
    """Why servers were run one at a time, in a line; "" if they were not."""
    with contextlib.suppress(OSError):
        return (folder / NOTE).read_text("utf-8").partition("\n")[0]
    return ""


def _begun(folder: Path, place: int, begin: Callable[[], Subject], *, alone: bool) -> Subject:
    try:
        return begin()
    except NotReady as refused:
        if alone or refused.usage:
            raise
        fcntl.flock(place, fcntl.LOCK_UN)  # two that ask for more at once would wait for each other
        _take(place, fcntl.LOCK_EX)
        subject = begin()
        why = f"a second one does not start while another runs ({refused.in_a_line}), so its tests ran one at a time"
        (folder / NOTE).write_text(f"{subject.name!r}: {why}\n\n{refused}\n", "utf-8")
        return subject


def _take(place: int, kind: int) -> None:
    deadline = Deadline(_WAIT)
    while not deadline.over:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(place, kind | fcntl.LOCK_NB)
            return
        select.select([], [], [], _MOMENT)  # flock(2) waits without a limit, and reports nothing meanwhile
    raise Inconclusive(f"another worker runs this server, of which one runs at a time, and had not ended in {deadline}")

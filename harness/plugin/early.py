"""Who listens before it is ready: a proxy before its backend, a database that reads its log first.

Each test would find it unable to serve, and blame it. So at the first start it is asked one exchange, and where
that fails, again for some seconds. One that succeeds later may be a matter of time, or of the tries: a server that
answers nobody until a second client comes is wrong. What tells them apart is a fresh start that is left alone for as
long, and asked once.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from harness.budget import RESPONSE, Deadline, Stopwatch
from harness.probe import beside
from harness.subject.process import start

if TYPE_CHECKING:
    from harness.lab.handle import Lab
    from harness.subject.process import Subject

_SECONDS = 5.0  # for an exchange to succeed
_PAUSE = 0.1  # seconds between two tries
_MORE = 2.0  # seconds longer than that took, for the one that is left alone: the machine may be busier now


def why_early(lab: Lab, subject: Subject, failed: str) -> str | None:
    """Why a subject whose first exchange has `failed` is taken for one that listens too early; "" where it is not.

    None where it answers nobody, or none but who comes second. It may be started anew, in namespaces of its own.
    """
    if subject.program.ready is not None or beside.why_never(subject.profile):
        return ""
    ask = beside.asker(lab)
    watch, deadline = Stopwatch(), Deadline(_SECONDS)
    while ask(subject, deadline.left):
        if deadline.over or subject.wait_end(deadline.slice(_PAUSE)) is not None:
            return None
    took = watch.seconds
    lab.ask("build")
    with contextlib.closing(start(lab, subject.program, subject.family, dict(os.environ))) as anew:
        alone = Deadline(took + _MORE)
        if anew.wait_end(alone.left) is not None or ask(anew, RESPONSE):
            return None
    return (
        f"{subject.name!r} listens before it is ready: its first exchange fails ({failed}), {took:.1f} s later one"
        " succeeds; each start is given the time for that, as with --ready answered"
    )

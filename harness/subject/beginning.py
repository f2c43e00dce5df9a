"""How a subject begins: started, it becomes ready within some seconds, or it is said why it did not."""

from __future__ import annotations

import json
import os
import select
from typing import TYPE_CHECKING, Any

from harness.budget import Deadline, Stopwatch
from harness.lab.ends import FAR
from harness.subject import readiness
from harness.subject.inventory import PORT
from harness.subject.outcome import in_a_line, outcome
from harness.subject.state import PROTOCOLS, waiting
from harness.wire.segment import Endpoint

if TYPE_CHECKING:
    from harness.lab.handle import Lab
    from harness.subject.process import Subject

_SECOND_THOUGHTS = 1.0  # seconds for a program that listens elsewhere to open the socket that was asked for too
_LONG = 30.0  # seconds that a program may take to become ready while it is busy
_MOMENT = 0.2  # seconds between two looks at whether it is
_SOONEST, _LATEST = 0.001, 0.1  # seconds between two looks at whether a socket waits for clients
_RARER = 0.15  # of the time that it has taken so far, between these


class NotReady(Exception):  # noqa: N818 - a fact about the subject
    """The subject cannot be judged: the message quotes its command, its exit status and its stderr.

    `usage` tells whether the command line is at fault (no such program, listens elsewhere) and not the program.
    """

    def __init__(self, what: str, command: list[str], told: dict[str, Any] | None, *, usage: bool = False) -> None:
        self.what = what
        self.usage = usage
        self.in_a_line = f"{what}: {in_a_line(told)}" if told is not None else what
        lines = [what, f"  command: {' '.join(command)}"]
        if told is not None:
            lines += [f"  {line}" for line in outcome(told)]
        super().__init__("\n".join(lines))


class _Beginning:
    """How long a program may take to become ready: some seconds, and as many again while it is busy doing so.

    One that imports much may wait for a processor longer than it works. In all it may take `_LONG`.
    """

    def __init__(self, subject: Subject, seconds: float) -> None:
        self._subject = subject
        self._seconds = seconds
        self._since = Stopwatch()
        self.deadline = Deadline(seconds)

    @property
    def lasted(self) -> float:
        """How long it has gone on, in seconds."""
        return self._since.seconds

    def has_ended(self) -> bool:
        """Whether it had its time. Of one that is busy when its deadline is over, the deadline is set anew."""
        if not self.deadline.over:
            return False
        if self.lasted > _LONG:
            return True
        before = self._subject.look()
        select.select([], [], [], _MOMENT)
        if self._subject.look().still_since(before):
            return True
        self.deadline = Deadline(self._seconds)
        return False


def announced(subject: Subject, ready: int, seconds: float) -> Endpoint:
    """Wait until one of our own programs has written to the descriptor `ready` where it serves."""
    beginning = _Beginning(subject, seconds)
    said = b""
    while not said.endswith(b"\n"):
        if not select.select([ready], [], [], beginning.deadline.left)[0]:
            if not beginning.has_ended():
                continue
            raise NotReady(
                f"{subject.name} did not report ready within {beginning.deadline}", subject.command, subject.told()
            )
        octets = os.read(ready, 4096)
        if not octets:
            subject.wait_end(1.0)
            raise NotReady(f"{subject.name} ended before it was ready", subject.command, subject.told())
        said += octets
    place = json.loads(said)
    return Endpoint(place["host"], place["port"])


def seen(lab: Lab, subject: Subject, seconds: float) -> Endpoint:
    """Wait until a program has a socket that waits for clients where it was told to."""
    program = subject.program
    beginning = _Beginning(subject, seconds)
    told_port = PORT if program.takes_port else None
    told_host = FAR.address(subject.family) if program.takes_host else None
    elsewhere: Deadline | None = None
    while True:
        found = waiting_sockets(lab, subject.transport)
        place = readiness.choose(found, subject.family, host=told_host, port=told_port)
        if place is not None:
            return place
        if found and elsewhere is None:
            elsewhere = Deadline(_SECOND_THOUGHTS)
        if beginning.has_ended() or (elsewhere is not None and elsewhere.over):
            raise _not_found(lab, subject, found, beginning.deadline, told_host, told_port)
        # To look costs the processor that a program needs to begin: so the longer it takes, the rarer we do.
        pause = min(max(_SOONEST, beginning.lasted * _RARER), _LATEST)
        # A program that goes to the background leaves its first process: as long as any is there, we wait.
        if subject.wait_end(beginning.deadline.slice(pause)) is not None:
            if not lab.ask("activity")["processes"]:
                told = subject.told()
                hint = (
                    ""
                    if told["exit"] != 0
                    else f", and without an error: its input is at an end (stdin is {os.devnull})"
                )
                raise NotReady(f"{program.name!r} ended before it was ready{hint}", subject.command, told)
            select.select([], [], [], beginning.deadline.slice(pause))  # those that are left tell no event


def waiting_sockets(lab: Lab, transport: str) -> tuple[readiness.Listening, ...]:
    """Where clients are waited for at the far end, whoever does."""
    answer = lab.ask("sockets", protocol=PROTOCOLS[transport], states=waiting(transport))
    return readiness.listening(answer["sockets"])


def _not_found(
    lab: Lab,
    subject: Subject,
    found: tuple[readiness.Listening, ...],
    deadline: Deadline,
    host: str | None,
    port: int | None,
) -> NotReady:
    other = "udp" if subject.transport == "tcp" else "tcp"
    if not found:
        what = f"{subject.name!r} has no {_in_words(subject.transport)} after {deadline}"
        if elsewhere := waiting_sockets(lab, other):
            what += f", but a {_in_words(other)}, on {_listed(elsewhere)}: does it speak {subject.profile}?"
        return NotReady(what, subject.command, subject.told())
    wanted = Endpoint(host or FAR.address(subject.family), port) if port else host or FAR.address(subject.family)
    untold = [word for word, told in (("{host}", host), ("{port}", port)) if told is None]
    remedy = f"; give it {' and '.join(untold)} in its command" if untold else " as its command says"
    what = f"{subject.name!r} listens on {_listed(found)}, not on {wanted}{remedy}"
    return NotReady(what, subject.command, subject.told(), usage=True)


def _in_words(transport: str) -> str:
    return "TCP socket in LISTEN" if transport == "tcp" else "UDP socket bound to a port"


def _listed(places: tuple[readiness.Listening, ...]) -> str:
    return ", ".join(str(place) for place in places)

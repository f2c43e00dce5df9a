"""How a subject begins: started, it becomes ready within some seconds, or it is said why it did not."""

from __future__ import annotations

import json
import os
import select
from typing import TYPE_CHECKING, Any, TypeAlias

from harness.budget import Deadline, Stopwatch
from harness.lab.ends import FAR
from harness.subject import readiness
from harness.subject.inventory import PORT
from harness.subject.outcome import in_a_line, last_words, outcome
from harness.subject.patience import Patience
from harness.subject.readiness import ANSWERED
from harness.subject.state import PROTOCOLS, waiting
from harness.wire.segment import Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.lab.handle import Lab
    from harness.subject.process import Subject

# Has a subject answer one exchange within so many seconds: why it did not, "" if it did.
Ask: TypeAlias = "Callable[[Subject, float], str]"

_SECOND_THOUGHTS = 1.0  # seconds for a program that listens elsewhere to open the socket that was asked for too
_LONG = 30.0  # seconds that a program may take to become ready while it is busy
_MOMENT = 0.2  # seconds between two looks at whether it is
_AT_REST = 0.1  # seconds of idleness after which all its processes have begun
_HELPERS = 2.0  # seconds that other processes of it get to begin
_HELPERS_WORK = 0.5  # seconds of processor time after which they are not waited for
_SOONEST, _LATEST = 0.001, 0.1  # seconds between two looks at whether a socket waits for clients
_RARER = 0.15  # of the time that it has taken so far, between these


class NotReady(Exception):  # noqa: N818 - a fact about the subject
    """The subject cannot be judged: the message quotes its command, its exit status and its stderr.

    `last_words` are the last lines of its stderr, in one. `usage` tells whether the command line is at fault (no such
    program, listens elsewhere) and not the program, `possible` what the reader may have overlooked.
    """

    def __init__(
        self,
        what: str,
        command: list[str],
        told: dict[str, Any] | None,
        *,
        usage: bool = False,
        possible: tuple[str, ...] = (),
    ) -> None:
        self.what = what
        self.usage = usage
        self.last_words = last_words(told) if told is not None else ""
        self.in_a_line = f"{what}: {in_a_line(told)}" if told is not None else what
        lines = [what, f"  command: {' '.join(command)}"]
        if told is not None:
            lines += [f"  {line}" for line in outcome(told)]
        lines += [f"  possible: {one}" for one in possible]
        super().__init__("\n".join(lines))


class Beginning:
    """How long a program may take to become ready: some seconds, and as many again while it is busy doing so.

    One that imports much may wait for a processor longer than it works. In all it may take `_LONG`; where the user has
    said how long, just as long as that.
    """

    def __init__(self, subject: Subject, seconds: float, *, exactly: bool = False) -> None:
        self._subject = subject
        self._seconds = seconds
        self._exactly = exactly
        self._since = Stopwatch()
        self.deadline = Deadline(seconds)

    @property
    def lasted(self) -> float:
        """How long it has gone on, in seconds."""
        return self._since.seconds

    @property
    def pause(self) -> float:
        """Seconds until the next look: each costs the processor that a program needs, so later they are rarer."""
        return self.deadline.slice(min(max(_SOONEST, self.lasted * _RARER), _LATEST))

    def has_ended(self) -> bool:
        """Whether it had its time. Of one that is busy when its deadline is over, the deadline is set anew."""
        if not self.deadline.over:
            return False
        if self._exactly or self.lasted > _LONG:
            return True
        before = self._subject.look()
        select.select([], [], [], _MOMENT)
        if self._subject.look().still_since(before):
            return True
        self.deadline = Deadline(self._seconds)
        return False


def become_ready(lab: Lab, subject: Subject, descriptors: list[int], ask: Ask | None, seconds: float) -> None:
    """Wait until a program that was started listens, which is its address from then on, and is ready as the user says.

    One of ours tells where it listens on the second of its `descriptors`.
    """
    ready = subject.program.ready
    exactly = ready.seconds if ready is not None else None
    beginning = Beginning(subject, exactly or seconds, exactly=exactly is not None)
    if subject.program.ours:
        subject.address = announced(subject, descriptors[1], beginning)
        return
    subject.address = seen(lab, subject, beginning)
    if ready is None:
        _let_helpers_begin(lab, subject)
    if ready is not None and ready.text:
        heard(lab, subject, ready.text, beginning)
    if ready is not None and ready.answered:
        if ask is None:
            raise TypeError("a subject that is ready when it answers needs somebody who asks it")
        answered(subject, ask, beginning)


def _let_helpers_begin(lab: Lab, subject: Subject) -> None:
    """Wait until one that has helpers, or is busy and may be about to start them, is at rest for a moment.

    Of several processes one listens, and what it needs of the others, a backend, may still be about to begin.
    """
    seen = lab.ask("activity")
    if seen["processes"] > 1 or seen["running"]:
        Patience(subject).at_rest(_AT_REST, _HELPERS, work=_HELPERS_WORK)


def announced(subject: Subject, ready: int, beginning: Beginning) -> Endpoint:
    """Wait until one of our own programs has written to the descriptor `ready` where it serves."""
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


def seen(lab: Lab, subject: Subject, beginning: Beginning) -> Endpoint:
    """Wait until a program has a socket that waits for clients where it was told to."""
    program = subject.program
    told_port = PORT if program.takes_port else None
    told_host = FAR.address(subject.family) if program.takes_host else None
    elsewhere: Deadline | None = None
    while True:
        found = waiting_sockets(lab, subject.transport)
        place = readiness.choose(found, subject.family, host=told_host, port=told_port)
        if place is not None:
            return place
        if elsewhere is None and any(not one.is_a_helpers(told_host, told_port) for one in found):
            elsewhere = Deadline(_SECOND_THOUGHTS)
        if beginning.has_ended() or (elsewhere is not None and elsewhere.over):
            raise _not_found(lab, subject, found, beginning.deadline, told_host, told_port)
        pause = beginning.pause
        # A program that goes to the background leaves its first process: as long as any is there, we wait.
        if subject.wait_end(pause) is not None:
            if not lab.ask("activity")["processes"]:
                told = subject.told()
                hint = (
                    ""
                    if told["exit"] != 0
                    else f", and without an error: its input is at an end (stdin is {os.devnull})"
                )
                raise NotReady(f"{program.name!r} ended before it was ready{hint}", subject.command, told)
            select.select([], [], [], pause)  # those that are left tell no event


def heard(lab: Lab, subject: Subject, text: str, beginning: Beginning) -> None:
    """Wait until a program that listens has printed a text."""
    while not lab.ask("said", pid=subject.pid)["said"]:
        if subject.wait_end(beginning.pause) is not None:
            if lab.ask("said", pid=subject.pid)["said"]:
                return  # what becomes of one that ends now is for the tests to see
            what = f"{subject.name!r} ended before it had printed {text!r} (--ready)"
            raise NotReady(what, subject.command, subject.told())
        if beginning.has_ended():
            what = f"{subject.name!r} listens on {subject.address}, but has not printed {text!r} (--ready)"
            raise NotReady(
                f"{what} within {beginning.deadline}",
                subject.command,
                subject.told(),
                possible=(
                    "the text is written in another way",
                    "what it prints waits in a buffer, because its output is no terminal: have it flush that",
                    "it takes longer than that: see --ready-budget",
                ),
            )


def answered(subject: Subject, ask: Ask, beginning: Beginning) -> None:
    """Wait until a program that listens answers: ask it again and again."""
    tries = 0
    while why := ask(subject, beginning.deadline.left):
        tries += 1
        if subject.wait_end(beginning.pause) is not None:
            what = f"{subject.name!r} ended before it had answered (--ready {ANSWERED}): {why}"
            raise NotReady(what, subject.command, subject.told())
        if beginning.has_ended():
            often = "once" if tries == 1 else f"{tries} times"
            what = f"{subject.name!r} listens on {subject.address}, but has answered nobody (--ready {ANSWERED})"
            raise NotReady(
                f"{what} within {beginning.deadline}; asked {often}, at last: {why}",
                subject.command,
                subject.told(),
                possible=(
                    "what it needs is not there: its backend, its data",
                    f"it speaks something else than {subject.profile}",
                    "it takes longer than that: see --ready-budget",
                ),
            )


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

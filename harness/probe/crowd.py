"""A crowd: many clients of one subject, all connected before the first of them speaks.

They come in waves that the queue of the listener has room for, the next when all of the last are accepted: a SYN that
finds no room waits a second for its retransmission, and a thousand of them tell of the kernel, not of the program.
Then all speak and one poll() hears them all. What came of each is a value, for a test to judge.

How many can come, limits decide before the subject does: the descriptors that we may open, and those that it may.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.budget import Deadline
from harness.payload import count, quote
from harness.subject.answer import Hearing
from harness.subject.protocol import Exactly
from harness.verdict import Mismatch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.probe.client import Client
    from harness.probe.probe import Attempt, Probe
    from harness.subject.process import Subject
    from harness.subject.protocol import Exchange, Matching

_WAVE = 128  # clients at most that come at a time
_RESERVE = (
    24  # descriptors that a program may need for itself: with 1000 clients that leaves 1024, as limits mostly are
)
_BUDGET = 40.0  # seconds for all of them together: a server that takes its time for each would never be done
_COMES_TO_REST = 2.0  # seconds that a subject gets for it when nobody has got an answer any more
_SEEING_OUT = 20.0  # seconds in which those who had to wait have their turn, when others leave


@dataclass
class Member:
    """One client of a crowd: what it has still to say and to hear, and what came of it."""

    number: int  # from 1, in the order in which they came
    client: Client
    exchanges: list[Exchange]  # those still to be made; the first of them is under way
    to_end: bool  # whether the last answer reaches up to the server's end of stream
    unasked: Matching | None = None  # what the server may say at any time
    _hearing: Hearing = field(init=False)

    def __post_init__(self) -> None:
        """Begin with the first answer."""
        self._hearing = Hearing(self.unasked)

    def __str__(self) -> str:
        return f"client {self.number}"

    @property
    def came(self) -> bytes:
        """What has come of the answer that is under way; octets that nobody asked for, when all are made."""
        return self._hearing.came

    @property
    def settled(self) -> bool:
        """Whether nothing more is to be heard."""
        return not self.exchanges or self.client.ended is not None

    @property
    def strange(self) -> str:
        """Octets that it is not owed, in words; empty if there are none."""
        owed = self.exchanges[0].answer if self.exchanges else Exactly(b"")
        if not self.came or not isinstance(owed, Exactly) or owed.octets.startswith(self.came):
            return ""
        return f"{self} got {quote(self.came)}" + (f" where {owed} is its own" if owed.octets else " beyond its answer")

    @property
    def lack(self) -> str:
        """What it is owed and did not get, in words; empty if it got all."""
        if not self.exchanges:
            return ""
        if self._reads_to_end and self.exchanges[0].answer.whole(self.came):
            return f"{self} got an answer of {count(len(self.came))}, and not the end of the stream (FIN) behind it"
        got = f"{count(len(self.came))} of its answer" if self.came else "no answer"
        return f"{self} got {got}" + (f", then {self.client.ended}" if self.client.ended else "")

    def speak(self) -> None:
        """Say the first of what there is to say."""
        if self.exchanges and self.exchanges[0].send:
            with contextlib.suppress(Mismatch):  # the connection is broken: how it ended tells more
                self.client.send_all(self.exchanges[0].send)

    def hear(self) -> None:
        """Take in what has come, and go on behind each answer that is whole."""
        fresh = self.client.take_in()
        while fresh:
            size = self._at_most_one_answer(len(fresh))
            self._hearing.take(fresh[:size])
            fresh = fresh[size:]
            self._go_on()
        if self.client.ended is not None:
            self._go_on()

    def _at_most_one_answer(self, size: int) -> int:
        """How many of so many octets to look at together, so that no end of an answer lies within.

        A thousand answers of a hundred thousand octets, octet by octet, take minutes.
        """
        if self.unasked is not None:
            return 1
        if not self.exchanges or self._reads_to_end:
            return size
        owed = self.exchanges[0].answer
        if not isinstance(owed, Exactly):
            return 1  # it ends where it matches for the first time
        missing = len(owed.octets) - len(self.came)
        return missing if missing > 0 else size

    @property
    def _reads_to_end(self) -> bool:
        """Whether all that comes now belongs to one answer, which the end of the stream will end."""
        return self.to_end and len(self.exchanges) == 1

    def _go_on(self) -> None:
        if not self.exchanges or (self._reads_to_end and self.client.ended is None):
            return
        if (answer := self.exchanges[0].answer).whole(self.came):
            values = answer.taken(self.came)
            self.exchanges = [exchange.of(values) if values else exchange for exchange in self.exchanges[1:]]
            self._hearing = Hearing(self.unasked)
            self.speak()


class Crowd:
    """The clients that have come, and why no more of them did."""

    def __init__(self, subject: Subject, probe: Probe, first: Member) -> None:
        """Begin with one that the subject serves already."""
        self._subject = subject
        self._probe = probe
        self.first = first
        self.members = [first]
        self.asked = 1  # how many were to come, as far as the limits of open files allow
        self.bounds = ""  # which limit keeps further ones away that is not the subject's choice
        self.refusal = ""  # what the subject did instead of accepting one more
        self._deadline = Deadline(_BUDGET)

    def gather(self, size: int, member: Callable[[int, Client], Member]) -> None:
        """Connect until there are `size`, or as many as the limits and the subject let in."""
        self.asked, self.bounds = _room(size, self._subject.spare_descriptors())
        while len(self.members) < self.asked and not self.refusal:
            waiting, backlog = self._subject.queue()
            wave = min(_WAVE, max(1, backlog - waiting), self.asked - len(self.members))
            attempts = [self._probe.begin_connect(self._subject) for _ in range(wave)]
            waited = self._probe.until(self._subject, self._accepted(attempts))
            for attempt in attempts:
                client = attempt.outcome() if attempt.decided else f"no answer to our SYN: {waited.reason}"
                if isinstance(client, str):
                    self.refusal = self.refusal or f"client {len(self.members) + 1} was not connected: {client}"
                else:
                    self.members.append(member(len(self.members) + 1, client))
            if not waited.came or self._deadline.over:
                self._leave_waiting(waited.reason or f"{self._deadline} were over")
        if self.refusal and self._subject.spare_descriptors() < _RESERVE:
            self.asked = len(self.members)
            self.bounds = "the subject's limit of open files (RLIMIT_NOFILE) allows no more"

    def _leave_waiting(self, why: str) -> None:
        """Let those who are in the queue of the listener, the last ones, stay there and say nothing."""
        left = min(self._subject.queue()[0], len(self.members) - 1)
        accepted = len(self.members) - left
        self.refusal = self.refusal or f"{accepted} accepted, {left} left in the queue: {why}"
        del self.members[accepted:]

    def _accepted(self, attempts: Sequence[Attempt]) -> Callable[[float], bool]:
        def accepted(seconds: float) -> bool:
            if all(attempt.decided for attempt in attempts) and not self._subject.queue()[0]:
                return True
            select.select([], [], [], seconds)
            return False

        return accepted

    def speak(self) -> str:
        """Have all speak, and hear them until each has what it is owed; why nothing more came, empty if all came."""
        poll = select.poll()
        places = {member.client.socket.fileno(): member for member in self.members}
        for place, member in places.items():
            poll.register(place, select.POLLIN)
            member.speak()
        open_ones = {place for place, member in places.items() if member.exchanges}

        def heard(seconds: float) -> bool:
            ready = poll.poll(seconds * 1000 if open_ones else 0)
            for place, _ in ready:
                member = places[place]
                member.hear()
                if member.settled:
                    open_ones.discard(place)
                if member.client.ended is not None:
                    poll.unregister(place)
            return bool(ready) or not open_ones

        waited = self._probe.until(self._subject, heard)
        while open_ones and waited.came and not self._deadline.over:
            waited = self._probe.until(self._subject, heard)
        self._probe.at_rest(self._subject)  # who got an answer may get a stranger's behind it
        heard(0.0)
        return waited.reason or (f"{self._deadline} were over" if open_ones else "")

    def forgotten(self) -> list[Member]:
        """Those that the subject has accepted and never serves: let the others leave, and tell who has no answer then.

        A server with a number of workers may accept more clients than these can serve, and have the others wait until
        some have left. Of one that is still at work, or has ended, nobody is forgotten.
        """
        places = {member.client.socket.fileno(): member for member in self._unanswered()}
        poll = select.poll()
        for place in places:
            poll.register(place, select.POLLIN)
        leaving = [member for member in self.members if member not in places.values()]
        deadline = Deadline(_SEEING_OUT)

        def heard(seconds: float) -> bool:
            ready = poll.poll(seconds * 1000)
            for place, _ in ready:
                places[place].hear()
                if places[place].settled:
                    poll.unregister(place)
                    leaving.append(places.pop(place))
            return bool(ready)

        while places and not deadline.over:
            while leaving:
                leaving.pop().client.close()
            if not self._probe.until(self._subject, heard).came:
                break
        rests = not deadline.over and self._probe.at_rest(self._subject, seconds=_COMES_TO_REST)
        return list(places.values()) if rests and not self._subject.ended else []

    def _unanswered(self) -> list[Member]:
        """Those that are accepted and connected, and lack an answer."""
        lacking = [member for member in self.members if member.lack and member.client.ended is None]
        accepted = self._subject.accepted() if lacking else frozenset()
        return [member for member in lacking if member.client.near.port in accepted]


def _room(size: int, theirs: int) -> tuple[int, str]:
    """How many clients of `size` the limits of open files leave room for, and which of them decides; "" for neither."""
    ours = _raise_own_limit(size)
    if min(ours, theirs - _RESERVE) >= size:
        return size, ""
    whose = "our" if ours < theirs - _RESERVE else "the subject's"
    return max(1, min(ours, theirs - _RESERVE)), f"{whose} limit of open files (RLIMIT_NOFILE) allows no more"


def _raise_own_limit(wanted: int) -> int:
    """Let this process open `wanted` descriptors more, if the hard limit allows it; how many it may open.

    The limit stays raised: to take it back would leave no room for the files of the report. Subjects are children of
    the lab process and keep the limit that the user has.
    """
    used = len(os.listdir("/proc/self/fd")) + _RESERVE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if soft != unlimited and soft < used + wanted:
        soft = used + wanted if hard == unlimited else min(hard, used + wanted)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == unlimited else min(wanted, soft - used)

"""Plays a sequence to a subject, and compares what comes with what the model says is owed.

It stops at the first thing that is amiss: then what was played up to there is the failing sequence, its last action the
one at which the server was seen to be wrong.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from harness.explore.actions import Close, Connect, DropNext, HalfClose, Read, Reset, Send, Wait, client_of
from harness.explore.model import SURVIVES, Amiss, Due, DueDatagrams, Heard, amiss, amiss_datagrams
from harness.probe.client import Client
from harness.probe.datagram import DatagramClient
from harness.probe.ending import Ending
from harness.subject.outcome import in_a_line
from harness.verdict import Broken, Mismatch
from harness.wire.pattern import got, sent

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.explore.actions import Action
    from harness.explore.bench import Bench
    from harness.explore.contracts import Contract
    from harness.lab.faults import Fault

_EXIT = 0  # the status of a one-shot server that has served


@dataclass(frozen=True)
class Missed:
    """A sequence at whose end something was amiss."""

    played: tuple[Action, ...]
    client: int  # at whose side it was seen; 0 where the subject itself was looked at
    amiss: Amiss
    due: Due | DueDatagrams | None  # None where the client was not let in, or the subject itself is amiss
    said: tuple[bytes, ...] = ()  # by the client
    came: tuple[int, ...] = ()  # how much who acted had got behind each action: octets, or datagrams

    @property
    def size(self) -> tuple[int, int]:
        """How long the sequence is: actions, then octets that are sent."""
        return len(self.played), sum(len(action.octets) for action in self.played if isinstance(action, Send))


class _Stop(Exception):  # noqa: N818 - how a fault that nothing met is lifted without waiting for it
    """The fault is lifted."""


@dataclass
class _Place:
    """One client as it is played."""

    talker: Client | DatagramClient
    heard: Heard = field(default_factory=Heard)
    ended: Ending | None = None


class Player:
    """One life of a subject, and what was played to it so far."""

    def __init__(self, bench: Bench, contract: Contract, *, careful: bool = False) -> None:
        """Play to the subject on `bench`; `careful` gives it time to do more than it owes, when it has done that."""
        self._bench = bench
        self._careful = careful
        self._contract = contract
        self._places: dict[int, _Place] = {}  # who is there, in the order in which they came
        self._faults = contextlib.ExitStack()
        self._fault: Fault | None = None
        self._usual: bytes | None = None
        self._latest = 0  # who came last
        self._served = False  # whether anybody got what he was owed
        self._reset = False  # whether anybody reset

    def play(self, actions: Iterable[Action], *, stay: bool = False) -> Missed | None:
        """Play a sequence from its first client to its last; what was amiss, None if nothing was.

        Whoever is there at its end goes then, unless he shall `stay` until the probe goes.
        """
        played: list[Action] = []
        came: list[int] = []
        self._places.clear()
        try:
            for action in actions:
                action = self._in_its_words(action)
                played.append(action)
                missed = self._done(action)
                came.append(self._got(client_of(action)))
                if missed is not None:
                    return replace(missed, played=tuple(played), came=tuple(came))
            missed = self._at_the_end(tuple(played))
            return replace(missed, came=tuple(came)) if missed else None
        finally:
            self._lift()
            if not stay:
                self._bench.probe.forget()

    def _in_its_words(self, action: Action) -> Action:
        """The action with what this client says, where each says something of its own."""
        if not isinstance(action, Send) or action.client not in self._places:
            return action
        before = len(self._places[action.client].heard.stream)
        return replace(action, octets=self._contract.in_its_words(action.client, before, action.octets))

    def _done(self, action: Action) -> Missed | None:
        client = client_of(action)
        if client and not isinstance(action, Connect) and client not in self._places:
            return None  # it was never let in, out of its turn
        match action:
            case Connect():
                return self._connect(client)
            case Send(_, octets):
                return self._send(client, octets)
            case Read(_, size):
                return self._read(client, size)
            case HalfClose():
                place = self._tcp(client)
                place.half_close()
                self._tell(client, half_closed=True)
            case Reset():
                self._tcp(client).reset()
                self._reset = True
                del self._places[client]
            case Close():
                self._places.pop(client).talker.close()
            case Wait():
                self._bench.probe.let_settle(self._bench.subject)
                return self._look_round()
            case DropNext():
                self._drop(sent=action.sent)
        return None

    # -- the actions --------------------------------------------------------------------------------------------------

    def _connect(self, client: int) -> Missed | None:
        probe, subject = self._bench.probe, self._bench.subject
        if self._contract.transport == "udp":
            self._places[client] = _Place(probe.datagrams(subject), Heard(client=client))
            return None
        turn, self._latest = not self._places, client
        connected = probe.try_connect(subject)
        if isinstance(connected, Client):
            self._places[client] = _Place(connected, Heard(client=client))
            return None
        if not turn:
            return None  # a queue may be full as long as somebody is served
        requirement = SURVIVES if self._served else self._contract.accepts
        return Missed((), client, Amiss(requirement, "the connection is accepted", connected), None)

    def _send(self, client: int, octets: bytes) -> Missed | None:
        place = self._places[client]
        if isinstance(place.talker, DatagramClient):
            place.talker.send(octets)
            self._tell(client, said=(*place.heard.said, octets))
            return None
        try:
            taken = place.talker.send_some(octets)
        except Mismatch:  # it was reset, and what had come before lies there still
            came = b""
            while octets := place.talker.take_in():
                came += octets
            place.talker.ended = Ending.RESET  # which recv() tells no more when send() has told it
            return self._look(client, came)
        self._tell(client, said=(*place.heard.said, octets[:taken]))
        return None

    def _read(self, client: int, size: int) -> Missed | None:
        place = self._places[client]
        self._tell(client, turn=self._turn(client), wanted=place.heard.wanted + size, usual=self._usual)
        if isinstance(place.talker, DatagramClient):
            return self._receive(client, place.talker)
        why = ""
        while True:
            if (missed := self._look(client, place.talker.take_in(), why)) is not None:
                return missed
            due = self._contract.due(place.heard)
            if due.satisfied(place.heard.came, place.ended):
                break
            why = place.talker.wait_for_more()
        if self._careful and place.ended is None:
            self._bench.probe.let_settle(self._bench.subject)
            if (missed := self._look(client, place.talker.take_in())) is not None:
                return missed
        if place.heard.turn:
            self._note(place)
            return self._accepted(client)
        return None

    def _note(self, place: _Place) -> None:
        """Take note of what holds for those who come later."""
        self._served = self._served or bool(place.heard.came) or place.ended is Ending.EOF
        if len(place.heard.said) == 1 and place.heard.came and place.ended is Ending.EOF:
            self._usual = self._usual or place.heard.came

    def _accepted(self, client: int) -> Missed | None:
        """Claim, where nothing else is known of a service, that the client was taken from the listener's queue."""
        # Others may wait there for their turn, be it that they have gone meanwhile.
        if self._contract.profile != "tcp" or len(self._places) > 1 or client != self._latest:
            return None
        subject = self._bench.subject

        def queued() -> str:
            number = subject.queue()[0]
            return f"{number} in the listener's queue" if number else ""

        try:
            self._bench.probe.expect_soon(subject, "who has connected is accepted", queued)
        except Mismatch as waits:
            requirement = SURVIVES if self._served else self._contract.accepts
            return Missed((), client, Amiss(requirement, waits.expected, waits.actual), None)
        self._served = True
        return None

    def _receive(self, client: int, talker: DatagramClient) -> Missed | None:
        place = self._places[client]
        waiting = talker.waiting()
        settled = not self._careful
        while True:
            for datagram in waiting:
                due = self._contract.due_datagrams(place.heard)
                if datagram.source != talker.far:
                    wrong = Amiss(due.ids.source, f"an answer from {talker.far}", str(datagram))
                    return Missed((), client, wrong, due, place.heard.said)
                self._tell(client, datagrams=(*place.heard.datagrams, datagram.octets))
            due = self._contract.due_datagrams(place.heard)
            wrong_one = amiss_datagrams(due, place.heard.datagrams)
            if wrong_one is not None:
                return Missed((), client, wrong_one, due, place.heard.said)
            if not due.left(place.heard.datagrams)[0]:
                if not settled:
                    self._bench.probe.let_settle(self._bench.subject)
                    settled, waiting = True, talker.waiting()
                    continue
                self._served = self._served or bool(place.heard.datagrams)
                return None
            came = talker.receive()
            if came is None:
                missing = amiss_datagrams(due, place.heard.datagrams, why="nothing more came")
                if missing is None:
                    raise Broken("of datagrams that are still owed none is missing")
                missing = self._blamed(missing, place)
                return Missed((), client, missing, due, place.heard.said)
            waiting = [came]

    def _look_round(self) -> Missed | None:
        """Look what has come for anybody, without waiting."""
        for client, place in self._places.items():
            if isinstance(place.talker, Client):
                missed = self._look(client, place.talker.take_in())
            else:
                datagrams = tuple(one.octets for one in place.talker.waiting())
                self._tell(client, datagrams=(*place.heard.datagrams, *datagrams))
                due = self._contract.due_datagrams(place.heard)
                wrong = amiss_datagrams(due, place.heard.datagrams)
                missed = Missed((), client, wrong, due, place.heard.said) if wrong else None
            if missed is not None:
                return missed
        return None

    def _look(self, client: int, came: bytes, why: str = "") -> Missed | None:
        place = self._places[client]
        talker = self._tcp(client)
        place.ended = talker.ended or place.ended
        self._tell(client, came=place.heard.came + came)
        due = self._contract.due(place.heard)
        wrong = amiss(due, place.heard.came, place.ended, why=why)
        if wrong is None:
            return None
        return Missed((), client, self._blamed(wrong, place) if why else wrong, due, place.heard.said)

    def _blamed(self, wrong: Amiss, place: _Place) -> Amiss:
        """Where others were served before, and now nothing at all comes of an open connection: it did not survive."""
        heard = place.heard
        nothing = not heard.came and not heard.datagrams and not heard.half_closed and place.ended is None
        return replace(wrong, requirement=SURVIVES) if nothing and self._served else wrong

    def _at_the_end(self, played: tuple[Action, ...]) -> Missed | None:
        subject = self._bench.subject
        if self._contract.one_client:
            return self._exits(played)
        if subject.ended and not subject.may_end:
            wrong = Amiss(SURVIVES, "the subject goes on serving", in_a_line(subject.told()))
            return Missed(played, 0, wrong, None)
        if self._contract.transport == "udp" and not any(
            listening.port == subject.address.port for listening in subject.listeners()
        ):
            wrong = Amiss(SURVIVES, "the subject goes on receiving", f"nobody receives on {subject.address}")
            return Missed(played, 0, wrong, None)
        return None

    def _exits(self, played: tuple[Action, ...]) -> Missed | None:
        if not any(isinstance(action, Connect) for action in played):
            return None
        try:
            # After a reset any status will do, but no signal.
            self._bench.probe.expect_exit(self._bench.subject, None if self._reset else _EXIT)
        except Mismatch as missed:
            wrong = Amiss("house:one-shot/exits-zero", missed.expected, missed.actual)
            return Missed(played, 0, wrong, None)
        return None

    # -- the link -----------------------------------------------------------------------------------------------------

    def _drop(self, *, sent: bool) -> None:
        self._lift()
        if self._bench.link is not None:
            pattern = _SENT if sent else _GOT
            self._fault = self._faults.enter_context(self._bench.link.drop(pattern, times=1))

    def _lift(self) -> None:
        """Lift the fault that is set; one that nothing has met goes without being waited for."""
        if self._fault is None:
            return
        acted, self._fault = self._fault.hits > 0, None
        if acted:
            self._faults.close()
            return
        stop = _Stop()
        with contextlib.suppress(_Stop):
            self._faults.__exit__(_Stop, stop, None)

    # -- within -------------------------------------------------------------------------------------------------------

    def _tcp(self, client: int) -> Client:
        talker = self._places[client].talker
        if not isinstance(talker, Client):
            raise Broken("only over TCP a plan half-closes, resets or ends")
        return talker

    def _got(self, client: int) -> int:
        heard = self._places[client].heard if client in self._places else Heard()
        return len(heard.came) or len(heard.datagrams)

    def _turn(self, client: int) -> bool:
        return self._contract.transport == "udp" or next(iter(self._places)) == client

    def _tell(self, client: int, **news: object) -> None:
        place = self._places[client]
        place.heard = replace(place.heard, **news)  # type: ignore[arg-type] # the fields of Heard, by their names


_SENT, _GOT = sent.data(), got.data()

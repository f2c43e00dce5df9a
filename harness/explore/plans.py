"""Plans: which actions are possible one behind the other, and what a sequence ends with. Pure.

A plan is made of drafts: what is done, by which of the clients that are there, and with which octets. What is not
possible then is left out. So a draft can be taken away without making nonsense of those behind it, which is what makes
a failing sequence short.

How much clients may leave unread, how many may wait for each other and what is never said too early is kept here, so
that no correct server is brought into a corner: one whose send() waits, or that serves one client at a time with a
short queue behind it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from harness.explore.actions import Close, Connect, DropNext, HalfClose, Read, Reset, Send, Wait, client_of
from harness.explore.contracts import asked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harness.explore.actions import Action
    from harness.explore.contracts import Contract

_CLIENTS = 3  # at a time: the queue of a listener may be as short
_UNREAD = 16 * 1024  # octets that a client may have sent since it last read: they have room in the kernels
_ASKED = 4  # datagrams that a client may have sent since it last read
_SIZES = (1, 1000, 20_000)  # octets to read of a stream without end
HELLO = b"hello\r\n"

# What is drawn, the simplest first; how often it stands here is how often it comes.
KINDS = (
    *(("connect",) * 3 + ("send",) * 5 + ("read",) * 3),
    *("half-close", "half-close", "reset", "close", "other"),
)


class Draft(NamedTuple):
    """One action before it is known who is there."""

    kind: str
    which: int
    what: int


@dataclass
class _Seat:
    """One client that is there."""

    said: int = 0  # octets in all
    unread: int = 0  # of those, sent since it read
    sends: int = 0  # how many send() since it read
    half_closed: bool = False
    heard: bool = False  # whether it has read in its turn


class Seats:
    """Who is there, as far as it decides what is possible."""

    def __init__(self, contract: Contract, *, link: bool) -> None:
        self._contract = contract
        self._faults = link and contract.lossy
        self.there: dict[int, _Seat] = {}
        self.met = 0  # clients so far
        self._behind = 0  # those who came since the first of those who are there did

    def resolve(self, draft: Draft) -> Action:
        """What a draft means now: where nobody is there, somebody comes."""
        if draft.kind == "connect":
            return Connect(self.met + 1)
        if draft.kind == "other":  # what takes its time comes seldom
            return Wait() if draft.what % 4 > 1 else DropNext(sent=not draft.what % 2)
        if not self.there:
            return Connect(self.met + 1)
        client = list(self.there)[draft.which % len(self.there)]
        match draft.kind:
            case "send":
                return Send(client, self._words(client, draft.what))
            case "read":
                return Read(client, _SIZES[draft.what % len(_SIZES)] if self._contract.endless else 0)
            case "half-close":
                return HalfClose(client)
            case "reset":
                return Reset(client)
        return Close(client)

    def _words(self, client: int, what: int) -> bytes:
        protocol, words = self._contract.protocol, self._contract.words
        if protocol is None or protocol.transport == "udp":
            return words[what % len(words)]
        said, number = self.there[client].said, asked(protocol, self.there[client].said)
        before = sum(len(protocol.exchanges[one % len(protocol.exchanges)].send) for one in range(number))
        rest = protocol.exchanges[number % len(protocol.exchanges)].send[said - before :]
        return rest if what % 2 == 0 else rest[: (len(rest) + 1) // 2]

    def admits(self, action: Action) -> bool:
        """Whether it is possible now."""
        contract = self._contract
        if isinstance(action, Connect):
            full = len(self.there) >= _CLIENTS or self._behind >= _CLIENTS
            return action.client not in self.there and not full and not (contract.one_client and self.met)
        if isinstance(action, DropNext):
            return self._faults
        if isinstance(action, Wait):
            return bool(self.there)
        if (seat := self.there.get(client_of(action))) is None:
            return False
        if isinstance(action, Send):
            return self._may_say(seat, action.octets)
        if isinstance(action, HalfClose):
            return contract.transport == "tcp" and not seat.half_closed
        return not isinstance(action, Reset) or contract.transport == "tcp"

    def _may_say(self, seat: _Seat, octets: bytes) -> bool:
        contract = self._contract
        if seat.half_closed or seat.unread + len(octets) > _UNREAD or (contract.greets and not seat.heard):
            return False
        if contract.transport == "udp":
            return seat.sends < (_ASKED if contract.protocol is None else 1)
        protocol = contract.protocol
        if protocol is None:
            return True
        number = asked(protocol, seat.said)
        rest = seat.said - sum(len(protocol.exchanges[one % len(protocol.exchanges)].send) for one in range(number))
        if number >= len(protocol.exchanges) and not protocol.repeatable:
            return False
        if protocol.requests is not None and number >= protocol.requests:
            return False
        return bool(rest) or protocol.pipelining or not seat.unread

    def take(self, action: Action) -> None:
        """It is done."""
        client = client_of(action)
        match action:
            case Connect():
                self._behind = self._behind + 1 if self.there else 0
                self.there[client] = _Seat()
                self.met = max(self.met + 1, client)
            case Send(_, octets):
                seat = self.there[client]
                seat.said += len(octets)
                seat.unread += len(octets)
                seat.sends += 1
            case Read():
                seat = self.there[client]
                if client == next(iter(self.there)) or self._contract.transport == "udp":
                    seat.unread, seat.sends, seat.heard = 0, 0, True
            case HalfClose():
                self.there[client].half_closed = True
            case Close() | Reset():
                first = next(iter(self.there))
                del self.there[client]
                if client == first:
                    self._behind = max(0, len(self.there) - 1)


def planned(drafts: Iterable[Draft], contract: Contract, *, link: bool) -> tuple[Action, ...]:
    """What a list of drafts means for this contract; losses only where there is a `link` to lose on."""
    return tuple(_walk(drafts, contract, link=link))


def _walk(drafts: Iterable[Draft], contract: Contract, *, link: bool) -> Iterator[Action]:
    seats = Seats(contract, link=link)
    for draft in drafts:
        action = seats.resolve(draft)
        if seats.admits(action):
            seats.take(action)
            yield action


def possible(actions: Iterable[Action], contract: Contract, *, link: bool) -> tuple[Action, ...]:
    """Those of the actions that are possible when others have been left out."""
    seats = Seats(contract, link=link)
    kept = []
    for action in actions:
        if seats.admits(action):
            seats.take(action)
            kept.append(action)
    return tuple(kept)


def ended(plan: tuple[Action, ...], contract: Contract) -> tuple[Action, ...]:
    """The plan, and how it ends: everyone gets what he is owed and goes, then somebody else is served as ever."""
    seats = Seats(contract, link=True)
    for action in plan:
        seats.take(action)
    end: list[Action] = []
    for client, seat in seats.there.items():
        end += _leaving(client, contract, half_closed=seat.half_closed)
    if not contract.one_client:
        end += session(seats.met + 1, contract)
    return (*plan, *end)


def session(client: int, contract: Contract) -> tuple[Action, ...]:
    """An ordinary client, from its connect to its end."""
    if contract.protocol is not None:
        steps: list[Action] = [Connect(client), *([Read(client)] if contract.greets else [])]
        for exchange in contract.protocol.exchanges:
            steps += [Send(client, exchange.send), Read(client)]
        return (*steps, Close(client))
    speaks = contract.profile in {"echo", "discard", "request-reply"} or contract.transport == "udp"
    words = b"" if contract.profile == "udp-time" else HELLO
    first: list[Action] = [Connect(client), *([Send(client, words)] if speaks else [])]
    return (*first, *_leaving(client, contract, half_closed=False))


def _leaving(client: int, contract: Contract, *, half_closed: bool) -> list[Action]:
    read = Read(client, 1 if contract.endless else 0)
    if contract.transport == "udp" or contract.closing == "close" or half_closed:
        return [read, Close(client)]
    return [read, HalfClose(client), read, Close(client)]


def renumbered(actions: Iterable[Action], by: int) -> tuple[Action, ...]:
    """The same, done by clients with numbers that are higher by so many."""
    return tuple(
        action if isinstance(action, Wait | DropNext) else replace(action, client=action.client + by)
        for action in actions
    )


def in_order(actions: Iterable[Action]) -> tuple[Action, ...]:
    """The same, with clients numbered from 1 in the order in which they connect."""
    names: dict[int, int] = {}
    result: list[Action] = []
    for action in actions:
        if isinstance(action, Connect):
            names[action.client] = len(names) + 1
        result.append(
            action
            if isinstance(action, Wait | DropNext)
            else replace(action, client=names.get(action.client, action.client))
        )
    return tuple(result)

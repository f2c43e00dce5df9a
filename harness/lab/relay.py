"""The relay: a link cut in two, and a forwarder between that hands each frame on unless a rule decides otherwise.

    with link.drop(got.FIN, times=1):
    with link.delay(got.data(), by=0.05), link.lossy(0.05, seed=7):

It runs in a thread of the test process, on two packet sockets of the middle namespace that the lab handed over; so a
rule is an ordinary Python value, and its hits can be read. Frames keep their order in each direction but for those that
a rule makes late. The thread waits for the next frame or for the next one that is due, whichever comes first.

The markers of a fence are nobody's frames: no rule speaks of them, and they do not count. They pass behind all that
came before them and behind all that is late in their direction, so a fence proves that everything has arrived which
was sent before it, except what a rule holds. They go on through the queue of the processor that they name, as they
came: a frame that the relay had sent on another processor may not come behind its fence.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self, TypeAlias, TypedDict, Unpack, assert_never

from harness import budget
from harness.lab.acts import Log
from harness.lab.chance import Chance
from harness.lab.corrupted import corrupted
from harness.lab.fates import (
    REORDERED_WITHIN,
    Corrupt,
    Delay,
    Drop,
    Duplicate,
    Hold,
    Narrow,
    Reorder,
)
from harness.lab.faults import Fault, Met, Replay, deciding
from harness.lab.fence import PROTOCOL, Marker
from harness.lab.inlet import inlets
from harness.lab.late import Late
from harness.lab.narrowed import narrowed
from harness.lab.onlooker import Onlooker
from harness.verdict import Inconclusive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from harness.lab.acts import Act, Deed
    from harness.lab.fates import Fate
    from harness.lab.faults import About
    from harness.lab.handle import Answer
    from harness.lab.inlet import Inlet
    from harness.lab.late import Waiting
    from harness.lab.stack import Rule
    from harness.wire.pattern import Sender

_BATCH: Final = 64  # frames of one side, before the other side and the clock are looked at
_MARKER: Final = bytes([PROTOCOL])

Setting: TypeAlias = "contextlib.AbstractContextManager[Fault]"


@dataclass
class _Way:
    """One direction: frames come in at one socket and go on at the other."""

    sent: bool  # from the probe to the subject
    source: Inlet
    toward: socket.socket
    place: int = 0  # of the last frame that came
    late: Late = field(default_factory=Late)


class Often(TypedDict, total=False):
    """How often a rule acts on the frames that it speaks of; where nothing is said, on each."""

    times: int  # so often at most
    chance: float  # from 0 to 1; the same frames meet the same fate for the same seed
    seed: int
    may_miss: bool  # a block in which it never acted is as good as any


class Relay:
    """What a suite knows as `link`. A context manager: leaving it stops the forwarder.

    Each rule is a context manager too, and holds within its block. It speaks of a pattern, of all that one side sends
    (`got`, `sent`) or, where nothing is said, of anything. `times` is how often it may act at most; `chance` makes it
    act at random, the same way for the same `seed`. It yields the fault, whose `hits` count. A block in which the rule
    never acted ends Inconclusive, unless the rule `may_miss`.
    """

    def __init__(
        self,
        near: socket.socket,
        far: socket.socket,
        empty: Callable[[], Answer | None],
        rule: Rule | None = None,
        weather: Iterable[Fault] = (),
    ) -> None:
        """Forward between two packet sockets, as the lab has made them: what comes in at `near` the probe has sent.

        `empty` sends a fence of number 0 round, so that no frame from before a fault is on its way when it begins.
        The `rule` of a wrong stack is asked first, and faults decide over what it lets pass. The `weather` is rules
        that hold all the time; they are asked behind those of the test.
        """
        self._rule = rule
        self._empty = empty
        from_near, from_far = inlets(near, far)
        self._near, self._far = _Way(True, from_near, far), _Way(False, from_far, near)
        self._woken, self._wake = socket.socketpair()
        self._onlooker = Onlooker()
        self._weather = tuple(weather)
        self._ask([])
        self._held: list[tuple[Fault, Deed]] = []
        self._log = Log()
        self._lock = threading.Lock()
        self._back: set[int] = set()  # processors through whose queues the fence of number 0 has come back
        self._came_back = threading.Condition(self._lock)
        self._refused = 0
        self._broken: BaseException | None = None  # what ended the forwarder early
        self.forwarder = threading.Thread(target=self._run, name="relay", daemon=True)

    def __enter__(self) -> Self:
        self.forwarder.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._wake.send(b"x")
        self.forwarder.join()
        for end in (self._near.source, self._far.source, self._woken, self._wake):
            end.close()
        if kind is None and self._broken is not None:
            raise self._broken

    @property
    def log(self) -> tuple[Act, ...]:
        """What was done to which frame up to now: one act for each frame on which a rule decided, in this order."""
        with self._lock:
            return self._log.acts()

    @property
    def unlogged(self) -> int:
        """How many more acts there were than the log keeps, which is 100,000."""
        return self._log.left_out

    @property
    def lost(self) -> int:
        """How many frames the kernel threw away because they came faster than they could go on."""
        with self._lock:
            return self._near.source.lost + self._far.source.lost + self._refused

    def claim_whole(self) -> None:
        """Inconclusive if frames were lost: no rule has met them, and nobody at either end is to blame."""
        if lost := self.lost:
            raise Inconclusive(
                f"the relay of the link missed {lost} frames: they came faster than they could go on;"
                " a smaller burst or a less busy machine lets it keep up"
            )

    def fence(self) -> None:
        """Send a fence round: what either end had sent before has met the rules, and what the far end got is there."""
        with self._lock:
            self._back.clear()
        answer = self._empty()
        processors = set() if answer is None else set(answer["processors"])
        with self._came_back:
            if not self._came_back.wait_for(lambda: processors <= self._back, budget.RESPONSE):
                raise Inconclusive(f"a fence did not come back to the relay within {budget.RESPONSE:g} s")

    # -- rules

    def drop(self, about: About = None, **often: Unpack[Often]) -> Setting:
        """Frames get lost."""
        return self._under(_fault(about, Drop(), often))

    def duplicate(self, about: About = None, **often: Unpack[Often]) -> Setting:
        """Frames arrive twice."""
        return self._under(_fault(about, Duplicate(), often))

    def delay(self, about: About = None, *, by: float, **often: Unpack[Often]) -> Setting:
        """Frames arrive `by` seconds later, or up to a millisecond more; what comes behind may overtake them.

        Those that are delayed by the same time keep their order. They are late also when the block has ended. A fence
        waits for them, so a delay is far less than the 5 s that a fence may take.
        """
        return self._under(_fault(about, Delay(by), often))

    def reorder(self, about: About = None, *, within: float = REORDERED_WITHIN, **often: Unpack[Often]) -> Setting:
        """Frames go behind the next one of their direction; if none comes `within` so many seconds, they go on.

        The frame that overtakes is not reordered itself, or the two would be in order again.
        """
        return self._under(_fault(about, Reorder(within), often))

    def corrupt(self, about: About = None, *, bit: int = -1, mended: bool = False, **often: Unpack[Often]) -> Setting:
        """Frames arrive with one bit turned round, numbered as `Corrupt` tells: -1 is the last of the data.

        The checksum does not fit any more, so who gets such a frame must discard it; `mended`, it fits.
        """
        return self._under(_fault(about, Corrupt(bit, mended), often))

    def hold(self, about: About = None, **often: Unpack[Often]) -> Setting:
        """Frames wait; they go on, in their order, when the block ends or at `fault.release()`, and before any other.

        A fence does not wait for them.
        """
        return self._under(_fault(about, Hold(), often))

    def partition(self, only: Sender | None = None, *, may_miss: bool = False) -> Setting:
        """Nothing passes, or nothing of what one side sends: `link.partition(got)`."""
        return self._under(Fault(only, Drop(), may_miss=may_miss))

    def lossy(self, chance: float, *, seed: int, only: Sender | None = None, may_miss: bool = False) -> Setting:
        """Any frame may get lost, or any of those that one side sends."""
        return self._under(Fault(only, Drop(), chance=Chance(chance, seed), may_miss=may_miss))

    def narrow(self, mtu: int, *, only: Sender | None = None, silent: bool = False, may_miss: bool = False) -> Setting:
        """IP packets of more than `mtu` octets do not pass, as at a router: see `Narrow`. IPv6 counts from 1280 on.

        The sender is told by ICMP from an address of the link's own, 10.9.0.254 or fd09::fe, unless it is `silent`.
        """
        return self._under(Fault(only, Narrow(mtu, silent), may_miss=may_miss))

    @contextlib.contextmanager
    def replay(self, acts: Iterable[Act]) -> Iterator[Replay]:
        """Within the block, frames meet the fate that a log has for those at their places, counted from its beginning.

        Inconclusive if at some of these places no frame has come.
        """
        replay = Replay(acts)
        with self._asking(replay, replay.faults):
            yield replay
            replay.wait()
        self.claim_whole()

    @contextlib.contextmanager
    def _under(self, fault: Fault) -> Iterator[Fault]:
        fault.let_go = self._lift
        with self._asking(fault, [fault]):
            yield fault
            if not fault.may_miss:
                fault.wait(at_least=1)  # a frame may still be on its way to the relay
        self.claim_whole()

    @contextlib.contextmanager
    def _asking(self, rule: Fault | Replay, faults: Iterable[Fault]) -> Iterator[None]:
        """Ask a rule within the block, and let go at its end of what its faults hold."""
        self.fence()
        with self._lock:
            self._ask([*self._set, rule])
        try:
            yield
        finally:
            with self._lock:
                self._ask([other for other in self._set if other is not rule])
            for fault in faults:
                self._lift(fault)

    def _ask(self, rules: list[Fault | Replay]) -> None:
        self._set = rules
        self._asked = (*rules, *self._weather)
        self._reading = any(rule.reads for rule in self._asked)

    def _lift(self, fault: Fault) -> None:
        """Let go of what the rule holds, in its order, before anything that comes after; it is asked no more."""
        with self._lock:
            self._ask([rule for rule in self._set if rule is not fault])
            let_go = [deed for holder, deed in self._held if holder is fault]
            self._held = [entry for entry in self._held if entry[0] is not fault]
            for deed in let_go:
                self._put(deed.met.octets, self._way(deed.met.sent), deed)

    # -- forwarding

    def _way(self, sent: bool) -> _Way:
        return self._near if sent else self._far

    def _run(self) -> None:
        try:
            self._go_on()
        except BaseException as broken:  # a thread has nobody to raise to
            self._broken = broken

    def _go_on(self) -> None:
        poll = select.poll()
        ways = {way.source.socket.fileno(): way for way in (self._near, self._far)}
        for descriptor in (*ways, self._woken.fileno()):
            poll.register(descriptor, select.POLLIN)
        while True:
            for descriptor, _ in poll.poll(self._patience()):
                if descriptor == self._woken.fileno():
                    return
                self._take(ways[descriptor])
            self._put_late()

    def _patience(self) -> float | None:
        """Milliseconds until the next frame is due; None: for ever."""
        due = [way.late.next_due for way in (self._near, self._far) if way.late.next_due is not None]
        return max(0.0, 1000 * (min(due) - budget.now())) if due else None

    def _take(self, way: _Way) -> None:
        """Deal with what has come in, as far as a batch goes."""
        for octets in way.source.take(_BATCH):
            if octets[23:24] == _MARKER and (marker := Marker.read(octets)) is not None:
                self._pass_marker(octets, marker, way)
            elif self._rule is None:
                self._forward(octets, way)
            else:
                for passing, onward in self._rule(octets, way.sent):
                    self._forward(passing, self._way(onward))

    def _pass_marker(self, octets: bytes, marker: Marker, way: _Way) -> None:
        with self._lock:
            if not way.late.mark(octets):
                self._send_on(marker.processor, octets, way.toward)
            if marker.back and not marker.nonce:
                self._back.add(marker.processor)
                self._came_back.notify_all()

    def _forward(self, octets: bytes, way: _Way) -> None:
        with self._lock:
            way.place += 1
            if (decided := self._decided(octets, way)) is None:
                self._put(octets, way)
            else:
                self._deal(*decided, way)

    def _decided(self, octets: bytes, way: _Way) -> tuple[Fault, Met] | None:
        """The rule that decides over a frame, and the frame as it is told in the log; None if it passes."""
        onlooker, asked = self._onlooker, self._asked
        if way.late.wants_another:
            asked = tuple(rule for rule in asked if not isinstance(rule, Fault) or not isinstance(rule.fate, Reorder))
        if self._reading:
            met = Met(way.sent, way.place, octets, onlooker.read(octets, sent=way.sent))
            fault = deciding(asked, met)
            return None if fault is None else (fault, met)
        fault = deciding(asked, Met(way.sent, way.place, octets))
        if fault is None:
            onlooker.glance(octets, sent=way.sent)
            return None
        return fault, Met(way.sent, way.place, octets, onlooker.read(octets, sent=way.sent))

    def _deal(self, fault: Fault, met: Met, way: _Way) -> None:
        """Let a frame meet the fate that a rule has for it."""
        deed = self._log.opened(met, fault)
        match fault.fate:
            case Drop():
                pass
            case Duplicate():
                self._put(met.octets, way, deed)
                self._put(met.octets, way, deed)
            case Hold():
                self._held.append((fault, deed))
            case Delay(by):
                way.late.add(deed, budget.now() + by)
            case Reorder(within):
                way.late.add_behind(deed, budget.now() + within)
            case Corrupt(bit, mended):
                self._put(corrupted(met.octets, bit, mended=mended), way, deed)
            case Narrow(mtu, silent):
                outcome = narrowed(met.octets, mtu, silent=silent)
                for piece in outcome.onward:
                    self._put(piece, way, deed)
                if outcome.back is not None:
                    self._put(outcome.back, self._way(not way.sent), deed)
            case other:
                assert_never(other)

    def _put(self, octets: bytes, way: _Way, deed: Deed | None = None) -> None:
        """Put a frame on the wire, and behind it what waited for that."""
        self._send(octets, way.toward)
        if deed is not None:
            deed.passes(octets, sent=way.sent)
        if way.late.wants_another:
            self._put_waiting(way.late.overtaken(), way)

    def _put_late(self) -> None:
        """Put on the wire what is due."""
        for way in (self._near, self._far):
            if way.late.waits:
                with self._lock:
                    self._put_waiting(way.late.due(budget.now()), way)

    def _put_waiting(self, waiting: Iterable[Waiting], way: _Way) -> None:
        for frame in waiting:
            if frame.deed is not None:
                self._put(frame.octets, way, frame.deed)
            elif (marker := Marker.read(frame.octets)) is not None:
                self._send_on(marker.processor, frame.octets, way.toward)

    def _send_on(self, processor: int, octets: bytes, toward: socket.socket) -> None:
        """Send a frame through the queue of one processor, if this thread may run there."""
        allowed = os.sched_getaffinity(0)
        if processor not in allowed:
            self._send(octets, toward)
            return
        os.sched_setaffinity(0, {processor})
        try:
            self._send(octets, toward)
        finally:
            os.sched_setaffinity(0, allowed)

    def _send(self, octets: bytes, toward: socket.socket) -> None:
        try:
            toward.send(octets)
        except OSError as refused:
            if refused.errno != errno.ENOBUFS:
                raise
            self._refused += 1  # the queue of the other end is full: it is lost, as a frame that found no room here


def _fault(about: About, fate: Fate, often: Often) -> Fault:
    likely = often.get("chance")
    chance = None if likely is None else Chance(likely, often.get("seed", 0))
    return Fault(about, fate, often.get("times"), chance, may_miss=often.get("may_miss", False))

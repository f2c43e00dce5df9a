"""The relay: a link cut in two, and a forwarder between that hands each frame on unless a fault decides otherwise.

It runs in a thread of the test process, on two packet sockets of the middle namespace that the lab handed over: so a
rule is an ordinary Python value, and its hits can be read. Frames keep their order in each direction; the markers of a
fence pass like any other frame, so a fence proves the relay empty too.
"""

from __future__ import annotations

import contextlib
import itertools
import select
import socket
import threading
from typing import TYPE_CHECKING, Self

from harness.lab.acts import Log
from harness.lab.fates import Drop, Duplicate, Hold
from harness.lab.faults import Fault, Met, deciding
from harness.lab.fence import Marker
from harness.wire.decode import decode
from harness.wire.flow import Flow, key_of
from harness.wire.frame import Frame
from harness.wire.segment import Datagram, IcmpError, Segment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.lab.acts import Act, Deed
    from harness.lab.stack import Rule
    from harness.wire.pattern import Pattern
    from harness.wire.segment import Packet
    from harness.wire.step import Step

_LARGEST = 1 << 17  # octets of a frame


class Relay:
    """What a suite knows as `link`. A context manager: leaving it stops the forwarder."""

    def __init__(
        self, near: socket.socket, far: socket.socket, empty: Callable[[], object], rule: Rule | None = None
    ) -> None:
        """Forward between two packet sockets: frames that come in at `near` are what the probe sent.

        `empty` sends a fence round, so that no frame from before a fault is still on its way when it begins to act.
        The `rule` of a wrong stack is asked first, and faults decide over what it lets pass.
        """
        self._rule = rule
        self._empty = empty
        self._ends = {near.fileno(): (near, far, True), far.fileno(): (far, near, False)}
        self._woken, self._wake = socket.socketpair()
        self._numbers = itertools.count(1)
        self._packets: list[Packet] = []  # what was seen so far: relative numbers need the beginning of the flow
        self._faults: list[Fault] = []
        self._held: list[tuple[Fault, socket.socket, Deed]] = []
        self._places = {True: 0, False: 0}  # frames that came from each side
        self._log = Log()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._wake.send(b"x")
        self._thread.join()
        for source, _toward, _sent in self._ends.values():
            source.close()
        self._woken.close()
        self._wake.close()

    @property
    def log(self) -> tuple[Act, ...]:
        """What was done to which frame up to now: one act for each frame on which a rule decided, in this order."""
        with self._lock:
            return self._log.acts()

    # -- faults
    # ---------------------------------------------------------------------------------------------------------

    def drop(self, pattern: Pattern, *, times: int | None = None) -> contextlib.AbstractContextManager[Fault]:
        """Within the block, frames that match get lost, `times` of them at most."""
        return self._under(Fault(pattern, Drop(), times))

    def duplicate(self, pattern: Pattern, *, times: int | None = None) -> contextlib.AbstractContextManager[Fault]:
        """Within the block, frames that match arrive twice."""
        return self._under(Fault(pattern, Duplicate(), times))

    def hold(self, pattern: Pattern, *, times: int | None = None) -> contextlib.AbstractContextManager[Fault]:
        """Within the block, frames that match wait; they go on, in their order, when it ends."""
        return self._under(Fault(pattern, Hold(), times))

    @contextlib.contextmanager
    def _under(self, fault: Fault) -> Iterator[Fault]:
        self._empty()
        fault.let_go = self._lift
        with self._lock:
            self._faults.append(fault)
        try:
            yield fault
            fault.wait(
                at_least=1
            )  # a frame may still be on its way to the relay; a rule that never acts proves nothing
        finally:
            self._lift(fault)

    def _lift(self, fault: Fault) -> None:
        """Let go of what the rule holds, in its order, before anything that comes after; it is asked no more."""
        with self._lock:
            if fault in self._faults:
                self._faults.remove(fault)
            waiting = [entry for entry in self._held if entry[0] is fault]
            self._held = [entry for entry in self._held if entry[0] is not fault]
            for _, toward, deed in waiting:
                toward.send(deed.met.octets)
                deed.passes(deed.met.octets, sent=deed.met.sent)

    # -- forwarding
    # -----------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        poll = select.poll()
        for descriptor in (*self._ends, self._woken.fileno()):
            poll.register(descriptor, select.POLLIN)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor == self._woken.fileno():
                    return
                source, toward, sent = self._ends[descriptor]
                octets = source.recv(_LARGEST)
                for passing, onward in [(octets, sent)] if self._rule is None else self._rule(octets, sent):
                    self._forward(passing, toward if onward is sent else source, onward)

    def _forward(self, octets: bytes, toward: socket.socket, sent: bool) -> None:
        if Marker.read(octets) is not None:
            toward.send(octets)
            return
        met = Met(sent, octets, self._place(octets, sent))
        with self._lock:
            self._places[sent] += 1
            fault = deciding(self._faults, met)
            if fault is None:
                toward.send(octets)
                return
            deed = self._log.opened(met, self._places[sent], fault)
            if isinstance(fault.fate, Hold):
                self._held.append((fault, toward, deed))
                return
            for _ in range({Drop: 0, Duplicate: 2}[type(fault.fate)]):
                toward.send(octets)
                deed.passes(octets, sent=sent)

    def _place(self, octets: bytes, sent: bool) -> Step | None:
        """The frame as a step of its flow, numbers relative; None if no rule is set or it belongs to no flow."""
        found = decode([Frame(next(self._numbers), 0, sent, octets, len(octets))])
        self._packets += found
        if not self._faults or not found or not isinstance(found[0], Segment | Datagram | IcmpError):
            return None
        packet = found[0]
        protocol = "udp" if isinstance(packet, Datagram) else "tcp"
        if isinstance(packet, IcmpError):
            near, far = packet.quoted_source, packet.quoted_destination
            near, far = (far, near) if sent else (near, far)
            protocol = "udp" if packet.protocol == "udp" else "tcp"
        else:
            near, far = (packet.source, packet.destination) if sent else (packet.destination, packet.source)
        own = [other for other in self._packets if key_of(other) == key_of(packet)]
        return Flow.assemble(own, near=near, far=far, protocol=protocol).steps[-1]

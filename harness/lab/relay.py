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

from harness.lab.faults import Fate, Fault, deciding
from harness.wire.decode import decode
from harness.wire.flow import Flow, key_of
from harness.wire.frame import Frame
from harness.wire.segment import Datagram, IcmpError, Segment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
        self._held: list[tuple[Fault, socket.socket, bytes]] = []
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

    # -- faults
    # ---------------------------------------------------------------------------------------------------------

    def drop(self, pattern: Pattern, *, times: int | None = None) -> contextlib.AbstractContextManager[Fault]:
        """Within the block, frames that match get lost, `times` of them at most."""
        return self._under(Fault(pattern, Fate.DROP, times))

    def duplicate(self, pattern: Pattern, *, times: int | None = None) -> contextlib.AbstractContextManager[Fault]:
        """Within the block, frames that match arrive twice."""
        return self._under(Fault(pattern, Fate.DUPLICATE, times))

    def hold(self, pattern: Pattern, *, times: int | None = None) -> contextlib.AbstractContextManager[Fault]:
        """Within the block, frames that match wait; they go on, in their order, when it ends."""
        return self._under(Fault(pattern, Fate.HOLD, times))

    @contextlib.contextmanager
    def _under(self, fault: Fault) -> Iterator[Fault]:
        self._empty()
        with self._lock:
            self._faults.append(fault)
        try:
            yield fault
            fault.wait(
                at_least=1
            )  # a frame may still be on its way to the relay; a rule that never acts proves nothing
        finally:
            self._release(fault)

    def _release(self, fault: Fault) -> None:
        with self._lock:
            self._faults.remove(fault)
            waiting = [(toward, octets) for owner, toward, octets in self._held if owner is fault]
            self._held = [entry for entry in self._held if entry[0] is not fault]
        for toward, octets in waiting:
            toward.send(octets)

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
        step = self._place(octets, sent)
        with self._lock:
            fault = deciding(self._faults, step) if step is not None else None
            if fault is not None and fault.fate is Fate.HOLD:
                self._held.append((fault, toward, octets))
        copies = 1 if fault is None else {Fate.DROP: 0, Fate.HOLD: 0, Fate.DUPLICATE: 2}[fault.fate]
        for _ in range(copies):
            toward.send(octets)

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

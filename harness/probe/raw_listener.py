"""A port of a raw peer in LISTEN: for clients, and whatever else connects, to be judged.

    listener = raw.listen(subject)
    subject.tell(f"connect {listener.address.host} {listener.address.port}")
    peer = listener.accept()                       # SYN, SYN ACK, ACK
    peer = listener.hear()                         # the SYN alone: what is answered, the test says
    peer.send("SYN ACK", ack=77)
    peer.expect(got.RST)

It hears by the tap who sends a SYN there; each that calls is a peer of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.budget import Deadline
from harness.verdict import Mismatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.capture.recording import Wire
    from harness.probe.raw_peer import RawPeer
    from harness.wire.segment import Endpoint


class RawListener:
    """One port, and who has called there so far."""

    def __init__(self, wire: Wire, address: Endpoint, peer: Callable[[Endpoint], RawPeer]) -> None:
        """Hear of callers by the tap of `wire`; `peer` makes the end of one that has called from there."""
        self.address = address
        self._wire = wire
        self._peer = peer
        self._known: set[Endpoint] = set()

    def hear(self, *, seconds: float | None = None) -> RawPeer:
        """The end for the next caller, whose SYN has come and is not answered; a claim that one calls."""
        deadline = Deadline(self._wire.response if seconds is None else seconds)
        while True:
            caller = next((far for far in self._wire.callers(self.address) if far not in self._known), None)
            if caller is not None:
                self._known.add(caller)
                return self._peer(caller)
            if deadline.over:
                raise Mismatch(f"a SYN to {self.address}", f"none came within {deadline}")
            self._wire.tap.wait(deadline.slice(0.05))

    def accept(self, options: bytes | None = None, *, seconds: float | None = None) -> RawPeer:
        """The end for the next caller, its handshake made; a claim that it is."""
        peer = self.hear(seconds=seconds)
        peer.accept(options)
        return peer

"""The states that both ends of a connection pass through, as far as a capture tells (RFC 9293 3.3.2).

What an end's kernel holds cannot be seen, only what it sent and what reached it. Every segment counts as received here:
where one was lost behind the tap, the end that it was for is one state further in this account than in truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from harness.wire.segment import ACK, FIN, RST, SYN, Segment

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.wire.step import Step

UNKNOWN: Final = ""  # the capture began in the middle
CLOSED: Final = "CLOSED"
LISTEN: Final = "LISTEN"
SYN_SENT: Final = "SYN-SENT"
SYN_RECEIVED: Final = "SYN-RECEIVED"
ESTABLISHED: Final = "ESTABLISHED"
FIN_WAIT_1: Final = "FIN-WAIT-1"
FIN_WAIT_2: Final = "FIN-WAIT-2"
CLOSING: Final = "CLOSING"
TIME_WAIT: Final = "TIME-WAIT"
CLOSE_WAIT: Final = "CLOSE-WAIT"
LAST_ACK: Final = "LAST-ACK"

_AFTER_OWN_FIN = {ESTABLISHED: FIN_WAIT_1, SYN_RECEIVED: FIN_WAIT_1, CLOSE_WAIT: LAST_ACK}
_AFTER_ITS_FIN = {ESTABLISHED: CLOSE_WAIT, SYN_RECEIVED: CLOSE_WAIT, FIN_WAIT_1: CLOSING, FIN_WAIT_2: TIME_WAIT}
_AFTER_ACK_OF_FIN = {FIN_WAIT_1: FIN_WAIT_2, CLOSING: TIME_WAIT, LAST_ACK: CLOSED}


class Change(NamedTuple):
    """What one segment changed: the new state of each end, "" where it stayed."""

    number: int  # of the frame
    near: str
    far: str


@dataclass
class _End:
    """One end while the segments go by."""

    state: str
    fin: int | None = None  # the sequence number behind its FIN, relative

    def sends(self, step: Step) -> None:
        """It put a segment on the wire."""
        if step.flags & RST:
            self.state = CLOSED
        elif step.flags & SYN:
            if self.state in (CLOSED, LISTEN, SYN_SENT):
                self.state = SYN_RECEIVED if step.flags & ACK else SYN_SENT
        elif step.flags & FIN:
            self._known()
            self.fin = step.end
            self.state = _AFTER_OWN_FIN.get(self.state, self.state)

    def receives(self, step: Step) -> None:
        """A segment came to it."""
        if step.flags & RST:
            self.state = CLOSED if self.state != LISTEN else LISTEN
            return
        if step.flags & SYN:
            if self.state == SYN_SENT:
                self.state = ESTABLISHED if step.flags & ACK else SYN_RECEIVED
            return
        self._known()
        if step.flags & ACK:
            if self.state == SYN_RECEIVED:
                self.state = ESTABLISHED
            if self.fin is not None and step.ack >= self.fin:
                self.state = _AFTER_ACK_OF_FIN.get(self.state, self.state)
        if step.flags & FIN:
            self.state = _AFTER_ITS_FIN.get(self.state, self.state)

    def _known(self) -> None:
        # A capture that began later shows neither SYN: whoever talks has a connection.
        if self.state == UNKNOWN:
            self.state = ESTABLISHED


def changes(steps: Iterable[Step]) -> tuple[Change, ...]:
    """The segments at which an end changed its state, in their order."""
    found: list[Change] = []
    near, far = _End(UNKNOWN), _End(UNKNOWN)
    begun = False
    for step in steps:
        if not isinstance(step.packet, Segment):
            continue
        if not begun:
            begun = True
            if step.flags & SYN and not step.flags & ACK:
                near.state, far.state = (CLOSED, LISTEN) if step.sent else (LISTEN, CLOSED)
        if step.packet.flags == ACK and {near.state, far.state} == {ESTABLISHED} and near.fin is far.fin is None:
            continue  # nothing to acknowledge but data: most of a long transfer
        before = near.state, far.state
        sender, receiver = (near, far) if step.sent else (far, near)
        sender.sends(step)
        receiver.receives(step)
        after = near.state, far.state
        if after != before:
            found.append(
                Change(step.number, *(new if new != old else "" for old, new in zip(before, after, strict=True)))
            )
    return tuple(found)


def closed(steps: Iterable[Step]) -> int | None:
    """The frame with which both ends had closed: what comes behind it belongs to no connection; None if they have not.

    An old ACK that another processor delivers late draws one from TIME-WAIT, and that a RST from the end which is gone.
    """
    near = far = UNKNOWN
    for change in changes(steps):
        near, far = change.near or near, change.far or far
        if {near, far} <= {CLOSED, TIME_WAIT}:
            return change.number
    return None


def repeated(steps: Iterable[Step]) -> frozenset[int]:
    """The frames that carry only sequence numbers that their sender had sent before: retransmissions and probes."""
    frames: set[int] = set()
    reached = {True: -1, False: -1}  # the highest number behind a segment of each sender
    for step in steps:
        packet = step.packet
        if not isinstance(packet, Segment) or packet.flags & RST:
            continue
        # Not `step.end`: this runs over every segment of a report.
        length = len(packet.data) + bool(packet.flags & SYN) + bool(packet.flags & FIN)
        if not length:
            continue
        end = step.seq + length
        if end <= reached[step.sent]:
            frames.add(packet.number)
        else:
            reached[step.sent] = end
    return frozenset(frames)

"""A great many octets over one connection, as fast as both ends go: more than 31 or 32 bits can count.

The octets are a block, sent again and again, so that what comes back is compared where it lies, and nothing is kept. No
capture could hold them either. The length of the block is a prime: octets that are lost where a counter turns over, at
a power of two, do not fit.
"""

from __future__ import annotations

import errno
import select
from typing import TYPE_CHECKING

from harness.budget import Deadline, Stopwatch
from harness.payload import count, octets
from harness.probe.ending import Ending

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.probe.client import Client
    from harness.subject.patience import Waited

    Until = Callable[[Callable[[float], bool]], Waited]

_BLOCK = 1_000_003  # octets
_BROKEN = {errno.ECONNRESET, errno.EPIPE}


class Volume:
    """What passes a connection in one direction or both; with `same`, what comes has to be what was sent."""

    def __init__(self, client: Client, *, sends: bool, receives: bool, same: bool = False) -> None:
        """Begin with nothing."""
        self.sent = self.received = 0
        self.wrong = ""  # how it ended, or what came that was not owed, in words
        self._socket = client.socket
        self._sends = sends
        self._receives = receives
        self._same = same
        self._twice = octets(_BLOCK) * 2
        self._text = memoryview(self._twice)
        self._room = bytearray(_BLOCK)
        self._watch = Stopwatch()

    def __str__(self) -> str:
        sent, received = (f"{number:,}" for number in (self.sent, self.received))
        return f"{sent} octets sent and {received} received, in {self._watch.seconds:.1f} s"

    @property
    def rate(self) -> float:
        """Octets of a second, of the direction of which fewer have come."""
        return self._least / max(self._watch.seconds, 1e-9)

    def reach(self, goal: int, until: Until, deadline: Deadline) -> bool:
        """Go on until so many octets have passed in all, or `deadline` is over; whether they have.

        `until` waits for what a socket needs, with patience: where nothing comes any more, `wrong` says so.
        """
        while not self.wrong and self._least < goal and not deadline.over:
            moved = self._send(goal)
            if not self.wrong:  # behind an error of send() recv() tells of an end
                moved += self._receive()
            if not moved and not self.wrong:
                waited = until(lambda seconds: self._ready(goal, seconds))
                self.wrong = waited.reason
        return self._least >= goal

    @property
    def _least(self) -> int:
        passed = [self.sent] * self._sends + [self.received] * self._receives
        return min(passed)

    def _ready(self, goal: int, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self._socket, select.POLLIN | (select.POLLOUT if self._sends and self.sent < goal else 0))
        return bool(poll.poll(seconds * 1000))

    def _send(self, goal: int) -> int:
        if not self._sends or self.sent >= goal:
            return 0
        start = self.sent % _BLOCK
        try:
            taken = self._socket.send(self._text[start : start + min(_BLOCK, goal - self.sent)])
        except BlockingIOError:
            return 0
        except OSError as error:
            self._broke(error)
            return 0
        self.sent += taken
        return taken

    def _receive(self) -> int:
        try:
            size = self._socket.recv_into(self._room)
        except BlockingIOError:
            return 0
        except OSError as error:
            self._broke(error)
            return 0
        start = self.received % _BLOCK
        if not size:
            self.wrong = str(Ending.EOF)
        elif self._same and self._twice[start : start + size] != self._room[:size]:
            self.wrong = f"other octets than those sent, within {count(size)} that came last"
        self.received += size
        return size

    def _broke(self, error: OSError) -> None:
        if error.errno not in _BROKEN:
            raise error
        self.wrong = str(Ending.RESET)

"""A subject that acts when the client waits for it: no process, no clock, and every message in full.

The two ends are a pair of sockets of this process. What one end sends the other has at once, so a wait is over before
it begins: either it came, or it never will.
"""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.probe.client import Client
from harness.subject.patience import Patience, Waited
from harness.wire.segment import Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.subject.look import Look

NEAR, FAR = Endpoint("10.9.0.1", 40000), Endpoint("10.9.0.2", 7)
GIVEN_UP = "the subject was idle for 2.0 s"


class Unseen:
    """A subject of which nothing is to be seen."""

    name = "acted"

    def look(self) -> Look | None:
        """Nothing."""


class AtOnce(Patience):
    """Has no time: what is not there when the subject has acted will not come."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__(Unseen(), act)

    def until(self, came: Callable[[float], bool]) -> Waited:
        """Let the subject act, then look once."""
        self.meanwhile()
        return Waited(True) if came(0.0) else Waited(False, GIVEN_UP)


def nothing() -> None:
    """What a silent subject does."""


class Acted:
    """A client and the other end of its connection."""

    def __init__(self, act: Callable[[socket.socket], object]) -> None:
        ours, self.theirs = socket.socketpair()
        ours.setblocking(False)
        self.theirs.setblocking(False)
        self.client = Client(ours, NEAR, FAR, AtOnce(lambda: act(self.theirs)))

    def reset(self) -> None:
        """Close with octets unread, which resets the connection, as it does over TCP."""
        self.client.socket.send(b"unread")
        self.theirs.close()


@contextmanager
def acted(act: Callable[[socket.socket], object] = lambda _: None) -> Iterator[Acted]:
    """A subject that does `act` with its end whenever the client waits."""
    pair = Acted(act)
    try:
        yield pair
    finally:
        pair.client.close()
        pair.theirs.close()


def echoing(changed: Callable[[bytes], bytes] = lambda octets: octets) -> Callable[[socket.socket], object]:
    """Sends back what is there, changed, and ends when the client has."""

    def act(theirs: socket.socket) -> None:
        if theirs.fileno() < 0:
            return
        try:
            octets = theirs.recv(1 << 20)
        except BlockingIOError:
            return
        if octets:
            theirs.send(changed(octets))
        else:
            theirs.close()

    return act

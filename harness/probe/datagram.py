"""The datagram client: our end of an exchange of UDP datagrams, through the kernel's sockets.

Its socket is not connected, so that an answer from a wrong address or port is seen and not filtered out.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, NamedTuple

from harness import budget
from harness.payload import count, first_difference, quote, said
from harness.probe.calls import Calls
from harness.verdict import Mismatch
from harness.wire.segment import Endpoint

if TYPE_CHECKING:
    import socket

    from harness.subject.patience import Patience

LARGEST_V4 = 65507  # octets: 65535 less the headers of IPv4 and UDP (RFC 768)
LARGEST_V6 = 65527  # octets: 65535 less the header of UDP (RFC 8200: the length field counts no IPv6 header)

_MANY = 1000  # datagrams: behind so many wrong ones the right one is not looked for
_SHOWN = 48  # octets of a datagram that a message quotes


class Received(NamedTuple):
    """A datagram that came, and from where."""

    octets: bytes
    source: Endpoint

    def __str__(self) -> str:
        return f"{_told(self.octets)} from {self.source}"


class DatagramClient:
    """One UDP socket that talks to a subject."""

    transport = "udp"

    def __init__(self, bound: socket.socket, far: Endpoint, patience: Patience) -> None:
        """Take over a bound, non-blocking socket; `far` is where the subject is asked."""
        self.socket = bound
        self.calls = Calls()
        address = bound.getsockname()
        self.near = Endpoint(address[0], address[1])
        self.far = far
        self._patience = patience
        self._why = ""

    def __str__(self) -> str:
        return f"{self.near} <-> {self.far}"

    def delivered(self) -> None:
        """Datagrams make no stream to account for."""

    def send(self, octets: bytes, to: Endpoint | None = None) -> None:
        """Send one datagram, to the subject unless told otherwise."""
        began = budget.wall_ns()
        self.socket.sendto(octets, to or self.far)
        self.calls.note("sendto()", octets=len(octets), began_ns=began)

    def receive(self) -> Received | None:
        """The next datagram that comes, from anywhere; None when nothing more will come."""
        self._patience.meanwhile()
        waited = self._patience.until(self._readable)
        self._why = waited.reason
        if not waited.came:
            return None
        return self._take()

    def answer(self, expected: str) -> Received:
        """The next datagram that comes; a claim that one does, of which `expected` says what it should be."""
        if (came := self.receive()) is None:
            raise Mismatch(expected, f"no datagram came; {self._why}" if self._why else "no datagram came")
        return came

    def waiting(self) -> list[Received]:
        """The datagrams that are here already."""
        found = []
        while self._readable(0.0):
            found.append(self._take())
        return found

    def expect(self, octets: bytes, source: Endpoint | None = None) -> None:
        """Claim that the next datagram carries exactly these octets and comes from where we asked (or `source`)."""
        if not isinstance(octets, bytes | bytearray | memoryview):
            raise TypeError(f"octets are expected, such as b'hello', not {octets!r}")
        wanted = source or self.far
        what = f"{_told(octets)} from {wanted}"
        answer = self.answer(what)
        difference = first_difference(octets, answer.octets)
        if difference is not None:
            details = [f"the server said {said(answer.octets)}"]
            raise Mismatch(what, f"a datagram from {answer.source} that {difference}", details=details)
        if answer.source != wanted:
            raise Mismatch(what, f"the right octets, but from {answer.source}")

    def expect_back(self, octets: bytes) -> None:
        """Claim that a datagram comes back as it was sent."""
        self.send(octets)
        self.expect(octets)

    def expect_nothing_before(self, fence: bytes) -> None:
        """Claim that nothing but the answer to `fence`, which is sent now and must be answered, comes next."""
        if extra := self.beside(fence):
            raise Mismatch("no further datagram", f"{len(extra)} more: {extra[0]}")

    def beside(self, fence: bytes) -> list[Received]:
        """What comes before or with the answer to `fence`, which is sent now; a claim that this is answered."""
        self.send(fence)
        found: list[Received] = []
        while len(found) < _MANY and (answer := self.receive()) is not None:
            if (answer.octets, answer.source) == (fence, self.far):
                return found + self.waiting()
            found.append(answer)
        came = f"{len(found)} others came, first {found[0]}" if found else "no datagram came"
        raise Mismatch(f"{_told(fence)} from {self.far}", f"{came}; {self._why}" if self._why else came)

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    def _take(self) -> Received:
        octets, address = self.socket.recvfrom(1 << 16)
        self.calls.note("recvfrom()", octets=len(octets))
        return Received(octets, Endpoint(address[0], address[1]))

    def _readable(self, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return any(events & select.POLLIN for _, events in poll.poll(seconds * 1000))


def _told(octets: bytes) -> str:
    if not octets:
        return "an empty datagram"
    shown = quote(octets) if len(octets) <= _SHOWN else f"{quote(octets[:_SHOWN])}…"
    return f"a datagram of {count(len(octets))}, {shown},"

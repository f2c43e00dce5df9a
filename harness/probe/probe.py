"""The probe: makes clients on the near side, and closes what a test left open."""

from __future__ import annotations

import contextlib
import errno
import select
import socket
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from harness.lab.link import NEAR
from harness.probe.client import Client
from harness.probe.datagram import DatagramClient
from harness.subject.patience import Patience, Watched
from harness.verdict import Mismatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.lab.near import Near
    from harness.wire.segment import Endpoint

Kind = TypeVar("Kind", Client, DatagramClient)


class Reached(Watched, Protocol):
    """What a probe needs to know of a subject."""

    family: str  # "v4" or "v6"
    address: Endpoint


class Probe:
    """Our active end in one test. A context manager: leaving it closes every client."""

    def __init__(
        self, near: Near, patience: Callable[[Watched], Patience], met: Callable[[Client | DatagramClient], None]
    ) -> None:
        """Make clients on the side `near`; `met` hears of each client, so that its flow can be found."""
        self._near = near
        self._patience = patience
        self._met = met
        self._clients: list[Client | DatagramClient] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self._clients:
            client.close()

    def connect(
        self, subject: Reached, *, receive_buffer: int | None = None, segment_size: int | None = None
    ) -> Client:
        """A client connected to the subject; a claim that the subject accepts.

        `receive_buffer` (octets, SO_RCVBUF) makes our window small, `segment_size` (octets, TCP_MAXSEG) our segments.
        """
        client = self.try_connect(subject, receive_buffer=receive_buffer, segment_size=segment_size)
        if isinstance(client, str):
            raise Mismatch("the connection is accepted", client)
        return client

    def try_connect(
        self, subject: Reached, *, receive_buffer: int | None = None, segment_size: int | None = None
    ) -> Client | str:
        """A connected client, or in words why there is none: "refused (RST)", or no answer."""
        connection = self._socket(subject, socket.SOCK_STREAM)
        if receive_buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if segment_size is not None:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment_size)
        patience = self._patience(subject)
        error = connection.connect_ex(subject.address)
        if error == errno.EINPROGRESS:
            waited = patience.until(lambda seconds: _writable(connection, seconds))
            if not waited.came:
                connection.close()
                return f"no answer to our SYN: {waited.reason}"
            error = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error in {errno.ECONNREFUSED, errno.ECONNRESET}:
            connection.close()
            return "refused (RST)"
        if error:
            connection.close()
            raise OSError(error, f"connect to {subject.address}")
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            client = Client(connection, patience)
        except OSError:  # accepted and reset before we could ask for the name
            connection.close()
            return "accepted, then reset (RST) at once"
        return self._keep(client)

    def begin_connect(self, subject: Reached) -> socket.socket:
        """A non-blocking socket whose handshake has begun, for tests of what a full queue does to it."""
        connection = self._socket(subject, socket.SOCK_STREAM)
        connection.connect_ex(subject.address)
        return connection

    def datagrams(self, subject: Reached, to: Endpoint | None = None) -> DatagramClient:
        """A UDP client with a port of its own that asks the subject, at `to` if it has several addresses."""
        bound = self._socket(subject, socket.SOCK_DGRAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        near = NEAR.address(subject.family)
        with contextlib.suppress(OSError):  # on this host's loopback the lab's address does not exist
            bound.bind((near, 0))
        if bound.getsockname()[1] == 0:
            bound.bind(("127.0.0.1" if subject.family == "v4" else "::1", 0))
        return self._keep(DatagramClient(bound, to or subject.address, self._patience(subject)))

    def _keep(self, client: Kind) -> Kind:
        self._clients.append(client)
        self._met(client)
        return client

    def _socket(self, subject: Reached, kind: int) -> socket.socket:
        family = socket.AF_INET if subject.family == "v4" else socket.AF_INET6
        made = self._near.socket(family, kind)
        made.setblocking(False)
        return made


def _writable(connection: socket.socket, seconds: float) -> bool:
    poll = select.poll()
    poll.register(connection, select.POLLOUT)
    return bool(poll.poll(seconds * 1000))

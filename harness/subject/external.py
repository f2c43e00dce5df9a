"""A subject that runs already, somewhere: `tcp://host:port` or `udp://host:port`.

Nothing is known of its process, so what asks for one is not applicable to it.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit

from harness.verdict import NotApplicable
from harness.wire.segment import Endpoint

if TYPE_CHECKING:
    import contextlib
    import signal

    from harness.subject.look import Look
    from harness.subject.state import State

_ASKED = 0.5  # seconds for whoever refuses to do so


class External:
    """A running subject at one address."""

    managed = False
    own_tcp = False  # as far as we know

    def __init__(self, text: str, profile: str, transport: str, family: str, address: Endpoint) -> None:
        self.name = text
        self.profile = profile
        self.transport = transport
        self.family = family
        self.address = address
        self.ended = False

    def look(self) -> Look | None:
        """Nothing can be seen of it."""
        return None

    def told(self) -> None:
        """Nothing was heard of it."""

    def close(self) -> None:
        """It goes on running."""

    def wait_end(self, seconds: float = 0.0) -> NoReturn:
        """Not applicable: its process is not ours to watch."""
        self._refuse("whose end can be seen")

    def signal(self, number: signal.Signals) -> NoReturn:
        """Not applicable: its process is not ours to signal."""
        self._refuse(f"that can be sent {number.name}")

    def kill(self) -> NoReturn:
        """Not applicable: its processes are not ours to end."""
        self._refuse("that can be killed")

    def terminate(self) -> NoReturn:
        """Not applicable: its process is not ours to end."""
        self._refuse("that can be terminated")

    def restart(self, seconds: float = 0.0) -> NoReturn:
        """Not applicable: it was not started here."""
        self._refuse("that can be started again")

    def start_short_of_descriptors(self, spare: int) -> NoReturn:
        """Not applicable: its process is not ours to limit."""
        self._refuse("whose descriptors can be limited")

    def without_time_wait(self) -> contextlib.AbstractContextManager[None]:
        """Not applicable: its kernel serves others, too."""
        self._refuse("with a network namespace of its own")

    def spare_descriptors(self) -> NoReturn:
        """Not applicable: how many files its processes may open is not ours to see."""
        self._refuse("whose descriptors can be counted")

    def sysctl(self, name: str, value: str) -> NoReturn:
        """Not applicable: its kernel serves others, too."""
        self._refuse("with a network namespace of its own")

    def paused(self, *, children_first: bool = False) -> contextlib.AbstractContextManager[None]:
        """Not applicable: its process is not ours to hold still."""
        self._refuse("that can be paused")

    def stop_and_continue(self) -> NoReturn:
        """Not applicable: its process is not ours to hold still."""
        self._refuse("that can be paused")

    def sockets(self, *states: State, side: str = "far", listening: bool = False) -> NoReturn:
        """Not applicable: its sockets are not ours to look at."""
        self._refuse("whose sockets can be seen")

    def accepted(self) -> NoReturn:
        """Not applicable: whom it has accepted is not ours to see."""
        self._refuse("whose sockets can be seen")

    def unread(self) -> NoReturn:
        """Not applicable: what waits for it is not ours to see."""
        self._refuse("whose sockets can be seen")

    def queue(self) -> NoReturn:
        """Not applicable: who waits to be accepted is not ours to see."""
        self._refuse("whose sockets can be seen")

    def calls(self) -> NoReturn:
        """Not applicable: its system calls are not ours to note."""
        self._refuse("whose system calls can be seen")

    def addresses(self) -> NoReturn:
        """Not applicable: to what it is bound is not ours to see."""
        self._refuse("whose addresses can be seen")

    def resources(self) -> NoReturn:
        """Not applicable: its process is not ours to look into."""
        self._refuse("whose resources can be seen")

    def footprint(self) -> NoReturn:
        """Not applicable: its processes are not ours to look into."""
        self._refuse("whose resources can be seen")

    def waits_for_time(self) -> NoReturn:
        """Not applicable: its threads are not ours to look into."""
        self._refuse("whose system calls can be seen")

    def listeners(self) -> NoReturn:
        """Not applicable: where it waits for clients is not ours to see."""
        self._refuse("whose addresses can be seen")

    def _refuse(self, ability: str) -> NoReturn:
        raise NotApplicable(f"needs a subject {ability}: start it with --serve")


def parse(text: str) -> tuple[str, str, int]:
    """Transport, host and port of `tcp://host:port`; ValueError with the remedy when it is not of that form."""
    parts = urlsplit(text)
    example = "write for example tcp://127.0.0.1:7 or udp://[::1]:7"
    if parts.scheme not in {"tcp", "udp"}:
        raise ValueError(f"{text!r} begins with neither tcp:// nor udp://; {example}")
    try:
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}; {example}") from None
    if not parts.hostname or not port or parts.path or parts.query:
        raise ValueError(f"{text!r} does not name a host and a port; {example}")
    return parts.scheme, parts.hostname, port


def resolve(host: str, port: int, transport: str) -> dict[str, Endpoint]:
    """The first address of each family that `host` has: {"v4": …, "v6": …}; ValueError when it has none."""
    kind = socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM
    try:
        found = socket.getaddrinfo(host, port, type=kind)
    except OSError as error:
        raise ValueError(f"{host!r} has no address: {error.strerror}") from None
    places: dict[str, Endpoint] = {}
    for family, _, _, _, address in found:
        if family in {socket.AF_INET, socket.AF_INET6}:
            places.setdefault("v4" if family == socket.AF_INET else "v6", Endpoint(str(address[0]), port))
    return places


def absent(text: str) -> str:
    """Why nobody can be asked at an address that `parse` takes, in one line with the remedy; "" where somebody may be.

    One client that connects and leaves, or one empty datagram, each to the first address of each family. Who refuses it
    at all of them is not there; who says nothing may have reasons.
    """
    transport, host, port = parse(text)
    places = resolve(host, port, transport)
    refused = [error for place in places.values() if (error := _refused(place, transport))]
    if len(refused) < len(places):
        return ""
    return f"nobody is at {text}: {refused[0]}; start the server first, or give --serve with its command"


def _refused(place: Endpoint, transport: str) -> str:
    family = socket.AF_INET6 if ":" in place.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM) as client:
        client.settimeout(_ASKED)
        try:
            client.connect((place.host, place.port))
            if transport == "udp":
                client.send(b"")
                client.recv(1)  # an answer, or the ICMP error that tells of a closed port
        except TimeoutError:
            return ""
        except OSError as error:
            return error.strerror or str(error)
    return ""

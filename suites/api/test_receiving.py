"""What recv() and its kin return, and what they leave."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from harness.suite import covers

if TYPE_CHECKING:
    from harness.suite import Probe, Runtime


@covers("posix:recv/msg-peek-leaves-data")
def test_peeked_octets_are_there_for_the_next_recv(runtime: Runtime, probe: Probe) -> None:
    """What recv(MSG_PEEK) returned is returned again by the next recv()."""
    connection, client = runtime.connected(probe)
    client.send_all(b"twice")

    assert connection.recv(100, socket.MSG_PEEK) == b"twice"
    assert connection.recv(100) == b"twice"

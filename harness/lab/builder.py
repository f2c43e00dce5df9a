"""The builder: makes the ground on which the next test will stand while the current one runs.

To build namespaces, link and ring takes some 25 ms, most of it waiting for the kernel; a test would wait with it. The
outer lab process has nothing else to do, so it has one ground ready at any time and hands it over when it is asked: its
descriptors are all that there is of it, and what is not asked for goes away with the process.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass

from harness.lab import fence, kernel, packet
from harness.lab.ends import FAR, MIDDLE, NEAR
from harness.lab.link import Wiring

PLAIN, RELAYED = b"plain", b"relayed"
_COURTESY = 10  # added to our niceness: what a test waits for now goes before what the next one will need
_ANSWER = 4096  # octets
_DESCRIPTORS = 8


@dataclass(frozen=True)
class Ground:
    """What one test stands on, by descriptors; who holds it closes it."""

    near: int  # network namespaces
    far: int
    near_marker: int  # sockets of the fence
    far_marker: int
    tap: int  # a packet socket of the near end with its ring, bound to nothing
    far_tap: int | None = None  # the same of the far end, where a relay is between
    relay: tuple[int, ...] = ()  # packet sockets for both halves of a link, unbound: a relay forwards between them

    def descriptors(self) -> list[int]:
        """All of them, in the order in which they are handed over."""
        far_tap = [] if self.far_tap is None else [self.far_tap]
        return [self.near, self.far, self.near_marker, self.far_marker, self.tap, *far_tap, *self.relay]

    def close(self) -> None:
        """Let it go; the kernel takes interfaces and sockets with it."""
        for descriptor in self.descriptors():
            os.close(descriptor)


def make(*, relayed: bool = False) -> Ground:
    """Build a ground; OSError when the kernel refuses. The caller's process is moved about."""
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        wiring = Wiring(relayed=relayed)
        with kernel.inside(wiring.near, home):
            near = fence.marker_socket(NEAR.v4[0], FAR.v4[0])
            tap = packet.with_ring(packet.unbound())
        with kernel.inside(wiring.far, home):
            far = fence.marker_socket(FAR.v4[0], NEAR.v4[0])
            far_tap = packet.with_ring(packet.unbound()).detach() if relayed else None
        relay: list[int] = []
        if relayed:
            with kernel.inside(wiring.middle, home):
                relay = [packet.unbound().detach() for _ in MIDDLE]
            os.close(wiring.middle)
    finally:
        kernel.setns(home)
        os.close(home)
    return Ground(wiring.near, wiring.far, near.detach(), far.detach(), tap.detach(), far_tap, tuple(relay))


def serve(channel: socket.socket) -> None:
    """Hand over a ground for each request, until the other end of the channel is gone."""
    os.nice(_COURTESY)
    spare = {PLAIN: _attempt(relayed=False)}  # of each kind that was asked for, one
    while request := channel.recv(_ANSWER):
        ground = spare.pop(request, None) or _attempt(relayed=request == RELAYED)
        if isinstance(ground, Ground):
            socket.send_fds(channel, [b"{}"], ground.descriptors())
            ground.close()
        else:
            channel.send(json.dumps({"errno": ground.errno or 0, "text": str(ground)}).encode())
        spare[request] = _attempt(relayed=request == RELAYED)


def _attempt(*, relayed: bool) -> Ground | OSError:
    try:
        return make(relayed=relayed)
    except OSError as refused:
        return refused


def ask(channel: socket.socket, *, relayed: bool) -> Ground:
    """Take a ground over from the builder at the other end; OSError when it could not build one.

    SystemExit when the builder is gone: a lab without one is of no use.
    """
    try:
        channel.send(RELAYED if relayed else PLAIN)
        answer, descriptors, _, _ = socket.recv_fds(channel, _ANSWER, _DESCRIPTORS)
    except ConnectionError:
        answer, descriptors = b"", []
    if not answer:
        raise SystemExit("the builder of the lab has ended")
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)  # recv_fds takes them as they come
    if not descriptors:
        refused = json.loads(answer)
        raise OSError(refused["errno"], refused["text"])
    near, far, near_marker, far_marker, tap, *rest = descriptors
    return Ground(near, far, near_marker, far_marker, tap, rest[0] if rest else None, tuple(rest[1:]))

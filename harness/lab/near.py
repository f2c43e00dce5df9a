"""The near side: where the probe's sockets are made, where the tap sits, and how a fence goes round.

In a lab that is the near end of the link. For a subject that runs already, it is this host: then the tap needs the
right to open a packet socket and a loopback address to watch, because only there no other machine can hold frames back.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING, Protocol

from harness.lab import fence, packet
from harness.lab.ends import FAR, NEAR

if TYPE_CHECKING:
    from socket import socket as Socket  # noqa: N812 - the method `socket` below takes the name

    from harness.lab.handle import Lab


class Near(Protocol):
    """What a probe and a tap need of the side they stand on."""

    @property
    def interface(self) -> str:
        """Where the tap sits."""

    @property
    def loopback(self) -> bool:
        """Whether each frame shows twice there."""

    @property
    def port(self) -> int | None:
        """The only one to look at, where others talk too; None: every frame is the test's own."""

    def socket(self, family: int, kind: int, protocol: int = 0) -> Socket:
        """A socket of this side."""

    def tap(self) -> Socket:
        """A packet socket of this side with its ring, bound to nothing; how it is laid out, `slots` and `slot` say."""

    @property
    def far_interface(self) -> str:
        """Where the subject's end of the link is, if there is a relay between; "" if frames arrive as they left."""

    def far_tap(self) -> Socket:
        """The same of the subject's end."""

    @property
    def slots(self) -> int:
        """How many slots the ring of a tap has."""

    @property
    def slot(self) -> int:
        """Octets of a slot."""

    def fence(self, nonce: int) -> list[int]:
        """Send a fence round; return the processors whose markers the tap will see come back."""

    def close(self) -> None:
        """Let go of what the fence needed."""


class LabNear:
    """The near end of a lab's link."""

    interface = NEAR.name
    loopback = False
    port = None
    slots, slot = packet.SLOTS, packet.SLOT

    def __init__(self, lab: Lab, *, relayed: bool = False) -> None:
        """Stand at the link that `lab` has built; `relayed` says that it has a relay between."""
        self._lab = lab
        self.far_interface = FAR.name if relayed else ""

    def socket(self, family: int, kind: int, protocol: int = 0) -> Socket:
        """A socket in the near namespace."""
        return self._lab.socket("near", family, kind, protocol)

    def tap(self) -> Socket:
        """The packet socket that was built with the link."""
        return socket.socket(fileno=self._lab.ask("tap").descriptors[0])

    def far_tap(self) -> Socket:
        """The packet socket at the far end that was built with the relay."""
        return socket.socket(fileno=self._lab.ask("tap", side="far").descriptors[0])

    def fence(self, nonce: int) -> list[int]:
        """Send a fence round the link."""
        processors: list[int] = self._lab.ask("fence", nonce=nonce)["processors"]
        return processors

    def close(self) -> None:
        """Nothing: the lab owns it all."""


class HostNear:
    """This host, with a tap on its loopback interface."""

    interface = "lo"
    far_interface = ""
    loopback = True
    slots, slot = 256, 1 << 17  # a frame on a loopback interface has up to 65,550 octets

    def __init__(self, port: int) -> None:
        """Open the fence's sockets, to look at what goes to and from `port`; PermissionError when this user may not."""
        self.port: int | None = port
        self._here = fence.marker_socket("127.0.0.1", "127.0.0.1")
        self._there = fence.marker_socket("127.0.0.1", "127.0.0.1")

    def socket(self, family: int, kind: int, protocol: int = 0) -> Socket:
        """A socket of this host."""
        return socket.socket(family, kind, protocol)

    def tap(self) -> Socket:
        """A packet socket of this host."""
        return packet.with_ring(packet.unbound(), slots=self.slots, slot=self.slot)

    def far_tap(self) -> Socket:
        """None: there is no relay on this host."""
        raise LookupError("both ends are on one interface")

    def fence(self, nonce: int) -> list[int]:
        """Send a fence round the loopback interface."""
        return fence.pass_round(nonce, self._here, self._there, budget=5.0)

    def close(self) -> None:
        """Close the fence's sockets."""
        self._here.close()
        self._there.close()


def is_loopback(host: str) -> bool:
    """Whether a numeric address is this host's loopback."""
    return ipaddress.ip_address(host).is_loopback

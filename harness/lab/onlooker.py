"""What the relay knows of the flows that pass: enough to number any frame, at little cost while nobody asks.

A rule asks for a step, and that takes reading the frame. While no rule asks, only segments with SYN, FIN or RST are
read: they tell where connections begin and end, and relative numbers need no more. Of all others the last of each
direction of a flow is kept unread, because whether a reset is believed depends on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from harness.wire.decode import Decoder
from harness.wire.following import Follower
from harness.wire.frame import Frame
from harness.wire.segment import FIN, RST, SYN

if TYPE_CHECKING:
    from harness.wire.step import Step

_BEGINS_OR_ENDS: Final = SYN | FIN | RST
_TCP: Final = b"\x06"
# Where to look in a frame without VLAN tags. One with IPv4 options is read at once.
_PLAIN_IPV4: Final = b"\x08\x00\x45"
_IPV6: Final = b"\x86\xdd"


class Onlooker:
    """Sees every frame once, in the order in which they pass."""

    def __init__(self) -> None:
        """Begin before anything has passed."""
        self._decoder = Decoder()
        self._follower = Follower()
        self._last: dict[bytes, tuple[bytes, bool]] = {}  # by addresses and ports, as they stand in the frame

    def read(self, octets: bytes, *, sent: bool) -> Step | None:
        """The frame as a step, numbers relative; a datagram in fragments with the one that completes it.

        None if the frame belongs to no flow.
        """
        packet = self._decoder.read(Frame(0, 0, sent, octets, len(octets)))
        return None if packet is None else self._follower.step(packet, sent=sent)

    def glance(self, octets: bytes, *, sent: bool) -> None:
        """See that it passes; read it only if a connection may begin or end with it."""
        if octets[12:15] == _PLAIN_IPV4:
            protocol, ends, flags = octets[23:24], octets[26:38], octets[47:48]
        elif octets[12:14] == _IPV6:
            protocol, ends, flags = octets[20:21], octets[22:58], octets[67:68]
        else:
            self.read(octets, sent=sent)
            return
        if protocol != _TCP or not flags:
            return
        if not flags[0] & _BEGINS_OR_ENDS:
            self._last[ends] = (octets, sent)
            return
        if flags[0] & RST:
            self._catch_up(ends)
        self.read(octets, sent=sent)

    def _catch_up(self, ends: bytes) -> None:
        """Read the last frame of each direction, of the other first: the one resets what both have said."""
        size = (len(ends) - 4) // 2
        source, destination, ports = ends[:size], ends[size : 2 * size], ends[2 * size :]
        for key in (destination + source + ports[2:] + ports[:2], ends):
            if (seen := self._last.pop(key, None)) is not None:
                self.read(seen[0], sent=seen[1])

"""The ring as a scapy socket: `sniff(opened_socket=ScapySocket(tap))` and all else of scapy works on what was captured.

One of two modules that import scapy, and only for those who ask: a verdict never waits for a dissection, which takes a
hundred times as long as our own decoder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scapy.data import MTU
from scapy.layers.l2 import Ether
from scapy.supersocket import SuperSocket

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scapy.packet import Packet

    from harness.capture.both_ends import BothEnds
    from harness.capture.ring import Tap
    from harness.wire.frame import Frame


class ScapySocket(SuperSocket):  # type: ignore[misc] # scapy is untyped here
    """Gives the frames of a tap to scapy, from the first one on, each once; it sends nothing."""

    desc = "reads the frames that a sockspec tap has captured"

    def __init__(self, tap: Tap | BothEnds) -> None:
        """Read from `tap`, which goes on belonging to its owner."""
        self._tap = tap
        self._given = 0
        self.ins = self.outs = tap
        self.promisc = True
        self.closed = False

    def fileno(self) -> int:
        """The descriptor that is readable when a frame has arrived."""
        return self._tap.fileno()

    def recv_raw(self, x: int = MTU) -> tuple[Any, bytes | None, float | None]:
        """The next frame: scapy's class for it, its octets, and the kernel's time in seconds."""
        self._tap.collect()
        if self._given >= len(self._tap.frames):
            return None, None, None
        frame = self._tap.frames[self._given]
        self._given += 1
        return Ether, frame.octets[:x], frame.time_ns / 1e9

    def send(self, x: Packet) -> int:
        """Refused: a tap listens."""
        raise OSError("a tap sends nothing")

    def close(self) -> None:
        """Stop reading; the tap stays open."""
        self.closed = True

    @staticmethod
    def select(sockets: list[Any], remain: float | None = None) -> list[Any]:
        """Those of the sockets that have a frame to give, waiting up to `remain` seconds for one."""
        ready = [one for one in sockets if isinstance(one, ScapySocket) and one._waiting()]
        if ready or not sockets:
            return ready
        return list(SuperSocket.select(sockets, remain))

    def _waiting(self) -> bool:
        self._tap.collect()
        return self._given < len(self._tap.frames)


def packets(frames: Iterable[Frame]) -> list[Packet]:
    """The frames, of a flow or of a whole capture, as scapy packets with the kernel's times."""
    made = []
    for frame in frames:
        packet = Ether(frame.octets)
        packet.time = frame.time_ns / 1e9
        packet.wirelen = frame.size
        made.append(packet)
    return made

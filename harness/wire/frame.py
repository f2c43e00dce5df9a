"""A frame: what the tap saw, before anybody says what it means."""

from __future__ import annotations

from typing import NamedTuple


class Frame(NamedTuple):
    """One Ethernet frame with its time; any octets, however senseless, can be shown as one."""

    number: int  # place in the capture, from 1, as Wireshark counts
    time_ns: int  # the kernel's time, nanoseconds since the epoch
    sent: bool  # the probe put it there
    octets: bytes  # as captured, from the Ethernet header on
    size: int  # octets on the wire; more than len(octets) if the capture cut it
    far: bool = False  # seen at the subject's end of a link that has a relay between

    @property
    def cut(self) -> bool:
        """Whether the capture kept less than was on the wire."""
        return self.size > len(self.octets)

    def __str__(self) -> str:
        kept = f"{len(self.octets)} of {self.size}" if self.cut else f"{self.size}"
        return f"#{self.number} {'sent' if self.sent else 'got'} frame ({kept} octets)"

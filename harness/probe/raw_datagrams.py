"""A UDP port without a kernel, which sends what it is told: a wrong length or checksum, or parts of a datagram."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.probe import craft
from harness.probe.raw_end import RawEnd

if TYPE_CHECKING:
    from collections.abc import Sequence


class RawDatagrams(RawEnd):
    """One UDP port of that address."""

    transport = "udp"

    def send(
        self,
        data: bytes,
        *,
        length: int | None = None,
        checksum: int | None = None,
        fragments: Sequence[slice] | None = None,
    ) -> None:
        """Put one datagram on the wire, or `fragments` of it; length and checksum are right unless they are said."""
        built = craft.datagram(self.near, self.far, data, length=length, checksum=checksum)
        self._send(craft.UDP, built, fragments)

    def carry(self, protocol: int, payload: bytes) -> None:
        """Put a packet of this protocol, in place of UDP, on the wire."""
        self._send(protocol, payload, None)

    def checksum_of(self, data: bytes) -> int:
        """The checksum of a datagram with this data."""
        return int.from_bytes(craft.datagram(self.near, self.far, data)[6:8], "big")

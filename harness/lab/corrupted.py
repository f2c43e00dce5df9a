"""A frame with one bit turned round (see `harness.lab.fates.Corrupt` for how bits are numbered)."""

from __future__ import annotations

from harness.wire.checksum import with_right_checksums
from harness.wire.network import IPV4, IPV6, Unreadable, ethernet, ipv4, ipv6


def has_bit(octets: bytes, bit: int) -> bool:
    """Whether what IP carries in this frame is so long."""
    return _place(octets, bit) is not None


def corrupted(octets: bytes, bit: int, *, mended: bool = False) -> bytes:
    """The frame with this bit turned round, and with right checksums if it is `mended`; ValueError if it has none."""
    place = _place(octets, bit)
    if place is None:
        raise ValueError(f"a frame of {len(octets)} octets carries no bit {bit}")
    changed = bytearray(octets)
    changed[place // 8] ^= 0x80 >> place % 8
    return with_right_checksums(bytes(changed)) if mended else bytes(changed)


def _place(octets: bytes, bit: int) -> int | None:
    """The place of the bit in the frame, in bits; None if it has no such bit or is no IP packet."""
    try:
        ethertype, start = ethernet(octets)
        if ethertype not in (IPV4, IPV6):
            return None
        carried = (ipv4 if ethertype == IPV4 else ipv6)(octets, start)
    except Unreadable:
        return None
    first, behind = 8 * carried.start, 8 * min(carried.end, len(octets))
    place = (first if bit >= 0 else behind) + bit
    return place if first <= place < behind else None

"""From frames to segments: how many a second, beside scapy's dissection of a part of the same frames.

The frames are those of a bulk transfer: full segments one way, bare acknowledgments the other, over IPv4 and IPv6.
"""

from __future__ import annotations

import struct
from functools import partial

from scapy.layers.inet import IP, TCP  # scapy dissects only the layers that are loaded
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from bench.machine import Figure, repeated, table
from harness.wire.decode import decode
from harness.wire.flow import Flow
from harness.wire.frame import Frame
from harness.wire.segment import Endpoint, Segment

COUNT = 200_000
_SAMPLE = 5_000  # for scapy
_ETHERNET = bytes.fromhex("020000000002 020000000001")
_TIMESTAMPS = bytes.fromhex("0101080a 00000001 00000002")
_MSS = 1448  # octets of data in a full segment with timestamps
NEAR, FAR = Endpoint("10.9.0.1", 40000), Endpoint("10.9.0.2", 7)


def main() -> None:
    """Print the table."""
    figures = []
    for family, goal in (("v4", "≥ 200,000"), ("v6", "")):
        transfer = frames(COUNT, family)
        decoded = decode(transfer)
        if len(decoded) != COUNT or not all(isinstance(packet, Segment) for packet in decoded):
            raise RuntimeError("not every frame became a segment")
        rates = _rates(COUNT, repeated(partial(decode, transfer), 5, before=1))
        figures.append(Figure(f"decode, IP{family}", rates, "segments/s", goal))
    transfer = frames(COUNT, "v4")
    packets = decode(transfer)
    rates = _rates(COUNT, repeated(lambda: Flow.assemble(packets, near=NEAR, far=FAR, protocol="tcp"), 5, before=1))
    figures.append(Figure("flow assembled from decoded segments, IPv4", rates, "segments/s"))
    for family in ("v4", "v6"):
        sample = frames(_SAMPLE, family)
        layer = IP if family == "v4" else IPv6
        rates = _rates(_SAMPLE, repeated(partial(_scapy, sample, layer), 5, before=1))
        figures.append(Figure(f"peer: scapy, IP{family}", rates, "segments/s"))
    table("decode", figures)


def _scapy(sample: list[Frame], layer: type[IP | IPv6]) -> None:
    for frame in sample:
        Ether(frame.octets)[layer][TCP].seq  # noqa: B018 - what is asked for is dissected


def _rates(count: int, seconds: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(count / one for one in seconds)


def frames(count: int, family: str) -> list[Frame]:
    """A bulk transfer of `count` frames, every third an acknowledgment that comes back."""
    made: list[Frame] = []
    seq = 1
    data = bytes(range(256)) * 6
    for number in range(1, count + 1):
        sent = number % 3 != 0
        payload = data[:_MSS] if sent else b""
        ports = (NEAR.port, FAR.port) if sent else (FAR.port, NEAR.port)
        numbers = (seq & 0xFFFFFFFF, 1) if sent else (1, seq & 0xFFFFFFFF)
        header = struct.pack("!HHIIBBHHH", *ports, *numbers, 8 << 4, 0x10, 502, 0, 0) + _TIMESTAMPS
        octets = _ETHERNET + _ip(family, header + payload, sent=sent)
        made.append(Frame(number, 1_700_000_000_000_000_000 + number * 1000, sent, octets, len(octets)))
        seq += len(payload)
    return made


def _ip(family: str, segment: bytes, *, sent: bool) -> bytes:
    ends = (1, 2) if sent else (2, 1)
    if family == "v6":
        addresses = b"".join(bytes.fromhex("fd09") + bytes(13) + bytes([end]) for end in ends)
        return b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, len(segment), 6, 64) + addresses + segment
    addresses = b"".join(bytes([10, 9, 0, end]) for end in ends)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 1, 0x4000, 64, 6, 0)
    return b"\x08\x00" + head + addresses + segment


if __name__ == "__main__":
    main()

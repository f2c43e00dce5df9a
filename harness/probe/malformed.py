"""Packets with one fault in them, and all else as scapy's fuzz() draws it: the same seed draws the same packet.

The fault is one for which a receiver discards what it got, whatever else stands there; so nothing that is drawn makes
it right. What a test says of the packet (its ends, its place in a stream) is not drawn.
"""

from __future__ import annotations

import random
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from harness.wire.segment import SYN
from harness.wire.seqnum import advance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.probe.raw_datagrams import RawDatagrams
    from harness.probe.raw_end import RawEnd
    from harness.probe.raw_peer import RawPeer

CUT: Final = "header cut short"
OFFSET_SHORT: Final = "data offset below 5"
OFFSET_LONG: Final = "data offset beyond the segment"
CHECKSUM: Final = "wrong checksum"
HEADER_FAULTS: Final = (CUT, OFFSET_SHORT, OFFSET_LONG, CHECKSUM)

OPTION_FAULTS: Final = (
    "option of length 0",
    "option of length 1",
    "option beyond the header",
    "option of a wrong size",
)

LENGTH_SHORT: Final = "length below 8"
LENGTH_LONG: Final = "length beyond the packet"
DATAGRAM_FAULTS: Final = (CUT, LENGTH_SHORT, LENGTH_LONG, CHECKSUM)

_SIZES: Final = {2: 4, 3: 3, 4: 2, 8: 10}  # of MSS, window scale, SACK-permitted, timestamps
_KINDS: Final = (*_SIZES, 5, 34, 253)  # and of SACK, Fast Open, one that nobody knows
_DATA: Final = 32  # octets at most; with a header of 20 it ends before the longest data offset does


def segment(fault: str, peer: RawPeer, seed: int, *, in_place: bool = False) -> bytes:
    """An IP packet with a TCP segment from `peer` that has one of `HEADER_FAULTS` or `OPTION_FAULTS`.

    Flags and numbers are drawn, but every other one to a listener is a SYN; `in_place` it stands where the peer's next
    segment would, and every other one carries data.
    """
    with _drawing(seed):
        said: dict[str, Any] = {"sport": peer.near.port, "dport": peer.far.port}
        if in_place:
            said |= {"seq": advance(peer.iss, peer.snd_nxt), "ack": advance(peer.irs, peer.rcv_nxt)}
            said["flags"] = random.randrange(0x200) & ~SYN  # with which a listing of the flow would begin anew
        if seed % 2:
            said["flags"] = "PA" if in_place else "S"
        data = random.randbytes(random.randrange(1, _DATA))
        if fault in OPTION_FAULTS:
            options = _options(fault)
            return _packet(peer, said | {"options": [], "dataofs": 5 + len(options) // 4}, options + data)
        if fault == OFFSET_SHORT:
            return _packet(peer, said | {"dataofs": random.randrange(5)}, data)
        if fault == OFFSET_LONG:
            return _packet(peer, said | {"options": [], "dataofs": random.randrange(14, 16)}, data[: 4 * 8])
        return _spoiled(fault, _packet(peer, said, data), peer, at=16, header=20)


def datagram(fault: str, end: RawDatagrams, seed: int) -> bytes:
    """An IP packet with a UDP datagram from `end` that has one of `DATAGRAM_FAULTS`."""
    from harness.capture.scapy_layers import UDP, Raw, fuzz

    with _drawing(seed):
        data = random.randbytes(random.randrange(1, _DATA))
        said: dict[str, Any] = {"sport": end.near.port, "dport": end.far.port}
        if fault == LENGTH_SHORT:
            said["len"] = random.randrange(1, 8)  # 0 stands for that of the packet, over IPv6 (RFC 2675 4)
        if fault == LENGTH_LONG:
            said["len"] = random.randrange(8 + len(data) + 1, 0x10000)
        return _spoiled(fault, bytes(_ip(end) / fuzz(UDP(**said)) / Raw(data)), end, at=6, header=8)


@contextmanager
def _drawing(seed: int) -> Iterator[None]:
    """Have scapy, which draws from the one generator of Python's, draw what this seed says."""
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)


def _ip(end: RawEnd) -> Any:
    from harness.capture.scapy_layers import IP, IPv6

    return (IPv6 if ":" in end.near.host else IP)(src=end.near.host, dst=end.far.host)


def _packet(peer: RawPeer, said: dict[str, Any], data: bytes) -> bytes:
    from harness.capture.scapy_layers import TCP, Raw, fuzz

    return bytes(_ip(peer) / fuzz(TCP(**said)) / Raw(data))


def _spoiled(fault: str, packet: bytes, end: RawEnd, *, at: int, header: int) -> bytes:
    """The packet with its transport header cut short, or with a wrong checksum in it; else as it is."""
    from harness.capture.scapy_layers import Raw

    start = 40 if ":" in end.near.host else 20
    octets = packet[start:]
    if fault == CUT:
        octets = octets[: random.randrange(4, header)]
    elif fault == CHECKSUM:
        # Any bits but all: 0 and 0xFFFF mean the same to a sum. And no 0, which over UDP says that there is none.
        wrong = (int.from_bytes(octets[at : at + 2], "big") ^ random.randrange(1, 0xFFFF)) or 1
        octets = octets[:at] + wrong.to_bytes(2, "big") + octets[at + 2 :]
    else:
        return packet
    whole = _ip(end)
    setattr(whole, "proto" if start == 20 else "nh", packet[9 if start == 20 else 6])
    return bytes(whole / Raw(octets))


def _options(fault: str) -> bytes:
    """Options of which the last is impossible, in whole words."""
    before = b"\x01" * random.randrange(4)
    kind = random.choice(_KINDS)
    if fault == "option of a wrong size":
        kind = random.choice((*_SIZES,))
        size = random.choice([size for size in range(2, 12) if size != _SIZES[kind]])
        octets = before + bytes([kind, size]) + random.randbytes(size - 2)
    else:
        size = {"option of length 0": 0, "option of length 1": 1}.get(fault, random.randrange(0x29, 0x100))
        octets = before + bytes([kind, size])
    return octets + b"\x01" * (-len(octets) % 4)

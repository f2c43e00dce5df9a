"""Octets for the tests of the wire: frames built with struct, from the numbers that a test cares about.

`Talk` plays a conversation in relative numbers between two ends, and keeps the frames.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass, field
from typing import Final

from harness.wire.decode import decode
from harness.wire.flow import Flow
from harness.wire.frame import Frame
from harness.wire.segment import Endpoint, Flags

NEAR: Final = Endpoint("10.9.0.1", 47732)
FAR: Final = Endpoint("10.9.0.2", 35171)
NEAR6: Final = Endpoint("fd09::1", 47732)
FAR6: Final = Endpoint("fd09::2", 35171)

MACS: Final = bytes.fromhex("0200000000020200000000 01".replace(" ", ""))
SYN_OPTIONS: Final = bytes.fromhex("020405b4 0402 01 030307 00".replace(" ", ""))  # mss 1460, SACK permitted, scale 7


def ethernet(payload: bytes, ethertype: int, *, macs: bytes = MACS, tags: bytes = b"") -> bytes:
    return macs + tags + ethertype.to_bytes(2, "big") + payload


def internet_sum(octets: bytes) -> int:
    """The Internet checksum as RFC 1071 4.1 writes it down: word by word, carries folded back."""
    total: int = sum(struct.unpack(f"!{(len(octets) + 1) // 2}H", octets + b"\x00" * (len(octets) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def address(host: str) -> bytes:
    return ipaddress.ip_address(host).packed


def ip(
    source: str,
    destination: str,
    protocol: int,
    payload: bytes,
    *,
    ident: int = 1,
    fragment: int = 0,
    options: bytes = b"",
) -> bytes:
    """An IPv4 or IPv6 packet; `fragment` is the raw IPv4 field, `options` those of IPv4."""
    near, far = address(source), address(destination)
    if len(near) == 16:
        return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + near + far + payload
    header = struct.pack(
        "!BBHHHBBH4s4s",
        0x40 | (5 + len(options) // 4),
        0,
        20 + len(options) + len(payload),
        ident,
        fragment,
        64,
        protocol,
        0,
        near,
        far,
    )
    header += options
    checksum = internet_sum(header)
    return header[:10] + checksum.to_bytes(2, "big") + header[12:] + payload


def in_frame(packet: bytes, **how: bytes) -> bytes:
    return ethernet(packet, 0x0800 if packet[0] >> 4 == 4 else 0x86DD, **how)


def with_checksum(source: Endpoint, destination: Endpoint, protocol: int, octets: bytes, at: int) -> bytes:
    """The octets with the right checksum at offset `at`."""
    pseudo = address(source.host) + address(destination.host) + struct.pack("!IHBB", len(octets), 0, 0, protocol)
    checksum = internet_sum(pseudo + octets) or (0xFFFF if protocol == 17 else 0)
    return octets[:at] + checksum.to_bytes(2, "big") + octets[at + 2 :]


def tcp(
    source: Endpoint,
    destination: Endpoint,
    flags: str,
    *,
    seq: int = 0,
    ack: int = 0,
    window: int = 512,
    urgent: int = 0,
    options: bytes = b"",
    data: bytes = b"",
) -> bytes:
    """A TCP segment with a right checksum; numbers are those on the wire."""
    options += b"\x00" * (-len(options) % 4)
    header = struct.pack(
        "!HHIIBBHHH",
        source.port,
        destination.port,
        seq & 0xFFFFFFFF,
        ack & 0xFFFFFFFF,
        (5 + len(options) // 4) << 4,
        Flags.named(flags) if flags else 0,
        window,
        0,
        urgent,
    )
    return with_checksum(source, destination, 6, header + options + data, 16)


def udp(source: Endpoint, destination: Endpoint, data: bytes) -> bytes:
    """A UDP datagram with a right checksum."""
    header = struct.pack("!HHHH", source.port, destination.port, 8 + len(data), 0)
    return with_checksum(source, destination, 17, header + data, 6)


def tcp_frame(source: Endpoint, destination: Endpoint, flags: str, **fields: object) -> bytes:
    return in_frame(ip(source.host, destination.host, 6, tcp(source, destination, flags, **fields)))  # type: ignore[arg-type]  # passed on as they are


def udp_frame(source: Endpoint, destination: Endpoint, data: bytes) -> bytes:
    return in_frame(ip(source.host, destination.host, 17, udp(source, destination, data)))


def icmp_frame(reporter: str, told: str, kind: int, code: int, quoted: bytes, *, rest: int = 0) -> bytes:
    """An ICMP or ICMPv6 message that quotes a packet."""
    body = struct.pack("!BBHI", kind, code, 0, rest) + quoted
    if ":" in reporter:
        body = with_checksum(Endpoint(reporter, 0), Endpoint(told, 0), 58, body, 2)
        return in_frame(ip(reporter, told, 58, body))
    body = body[:2] + internet_sum(body).to_bytes(2, "big") + body[4:]
    return in_frame(ip(reporter, told, 1, body))


def frame(octets: bytes, number: int = 1, *, sent: bool = False, time_ns: int = 0, size: int | None = None) -> Frame:
    return Frame(number, time_ns, sent, octets, len(octets) if size is None else size)


@dataclass
class Talk:
    """A conversation between two ends, in relative numbers; each frame comes 10 µs after the one before."""

    near: Endpoint = NEAR
    far: Endpoint = FAR
    near_initial: int = 1000
    far_initial: int = 0xFFFFFFFD  # wraps after two octets
    frames: list[Frame] = field(default_factory=list)

    def put(self, sent: bool, octets: bytes) -> Talk:
        number = len(self.frames) + 1
        time_ns = 1_700_000_000_000_000_000 + (number - 1) * 10_000
        self.frames.append(frame(octets, number, sent=sent, time_ns=time_ns))
        return self

    def sent(self, flags: str, seq: int = 0, ack: int = 0, data: bytes = b"", **fields: object) -> Talk:
        acked = self.far_initial + ack if "ACK" in flags else 0
        fields = {"seq": self.near_initial + seq, "ack": acked, "data": data, **fields}
        return self.put(True, tcp_frame(self.near, self.far, flags, **fields))

    def got(self, flags: str, seq: int = 0, ack: int = 0, data: bytes = b"", **fields: object) -> Talk:
        acked = self.near_initial + ack if "ACK" in flags else 0
        fields = {"seq": self.far_initial + seq, "ack": acked, "data": data, **fields}
        return self.put(False, tcp_frame(self.far, self.near, flags, **fields))

    def handshake(self) -> Talk:
        self.sent("SYN", options=SYN_OPTIONS, window=64240)
        self.got("SYN ACK", 0, 1, options=SYN_OPTIONS, window=65535)
        return self.sent("ACK", 1, 1, window=502)

    def sent_datagram(self, data: bytes) -> Talk:
        return self.put(True, udp_frame(self.near, self.far, data))

    def got_datagram(self, data: bytes) -> Talk:
        return self.put(False, udp_frame(self.far, self.near, data))

    def flow(self) -> Flow:
        return Flow.assemble(decode(self.frames), self.near, self.far, "tcp")

    def datagrams(self) -> Flow:
        return Flow.assemble(decode(self.frames), self.near, self.far, "udp")


def half_close() -> Talk:
    """The subject answers a half-close with its data and its own FIN; the probe never finishes after that."""
    return (
        Talk()
        .handshake()
        .sent("PSH ACK", 1, 1, b"hello", window=504)
        .got("ACK", 1, 6, window=512)
        .sent("FIN ACK", 6, 1, window=504)
        .got("PSH ACK", 1, 7, b"hello", window=512)
        .sent("ACK", 7, 6, window=504)
        .got("FIN ACK", 6, 7, window=512)
        .sent("ACK", 7, 7, window=504)
    )


def long_flow(rounds: int = 40) -> Talk:
    """A handshake and so many segments of ten octets, each acknowledged."""
    talk = Talk().handshake()
    for turn in range(rounds):
        talk.sent("PSH ACK", 1 + 10 * turn, 1, bytes(10), window=504)
        talk.got("ACK", 1, 11 + 10 * turn, window=512)
    return talk

"""Raw peers: ends of our own that no kernel has a part in, and what else a host puts on the wire.

Each has an idea of its own, and its module: `raw_peer` for TCP, `raw_listener` for who is to be called, `raw_datagrams`
for UDP, `raw_end` for the packets of them all. Here they get an address, a port, and the packet socket that they share.
"""

from __future__ import annotations

import itertools
import socket
from typing import TYPE_CHECKING, Self, SupportsBytes

from harness.lab import packet
from harness.lab.ends import FAR, NEAR, RAW
from harness.probe import craft
from harness.probe.raw_datagrams import RawDatagrams
from harness.probe.raw_listener import RawListener
from harness.probe.raw_peer import RawPeer
from harness.wire import icmp
from harness.wire.segment import Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.capture.recording import Wire
    from harness.lab.near import Near
    from harness.probe.probe import Reached
    from harness.wire.step import Step

_FIRST_PORT = 40001
_ISS = 1_000_000  # any number will do; a test that wants another says so


class Raw:
    """What a suite knows as `raw`: makes raw peers. A context manager: leaving it closes the socket that they share."""

    def __init__(self, near: Near, wire: Wire) -> None:
        """Stand on the side `near`, and hear by the tap of `wire`."""
        self._wire = wire
        self._ports = itertools.count(_FIRST_PORT)
        self._socket = near.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self._socket.bind((NEAR.name, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        packet.let_go(self._socket.close)

    def peer(
        self,
        subject: Reached,
        *,
        to: Endpoint | None = None,
        host: str | None = None,
        port: int | None = None,
        iss: int = _ISS,
    ) -> RawPeer:
        """An end that has sent nothing yet, toward the subject or to another place of its host.

        Its `host` is an address of our own, its `port` one that was never used in this test, unless they are said.
        """
        peer = RawPeer(self.put, self._wire, self._end(subject, host, port), to or subject.address, iss)
        self._wire.meet(peer)
        return peer

    def connect(self, subject: Reached, options: bytes | None = None, *, timestamps: bool = False) -> RawPeer:
        """An end that has made its handshake."""
        peer = self.peer(subject)
        peer.handshake(options, timestamps=timestamps)
        return peer

    def listen(
        self, subject: Reached, *, host: str | None = None, port: int | None = None, iss: int = _ISS
    ) -> RawListener:
        """A port of our own that waits for the subject to connect to it."""
        near = self._end(subject, host, port)

        def peer(far: Endpoint) -> RawPeer:
            return self.peer(subject, to=far, host=near.host, port=near.port, iss=iss)

        return RawListener(self._wire, near, peer)

    def datagrams(
        self, subject: Reached, *, to: Endpoint | None = None, host: str | None = None, port: int | None = None
    ) -> RawDatagrams:
        """The same for UDP: a port that talks to the subject or to another place of its host."""
        end = RawDatagrams(self.put, self._end(subject, host, port), to or subject.address)
        self._wire.meet(end)
        return end

    def complain(self, about: Step, kind: str, *, rest: int = 0, quoted: Callable[[bytes], bytes] = bytes) -> None:
        """Have the subject hear an ICMP error of this kind, in words, from an address of our own about what it sent.

        It quotes the packet as it was captured, or what `quoted` makes of that; `rest` is an MTU or a pointer. When
        this returns it has arrived, whatever the machine was doing meanwhile.
        """
        packet = self._wire.frame(about.number).octets[14:]
        v6 = packet[0] >> 4 == 6
        kinds = icmp.V6_KINDS if v6 else icmp.V4_KINDS
        number, code = next(numbers for numbers, words in kinds.items() if words == kind)
        source = about.packet.source.host
        # No longer than every link takes whole (RFC 1812 4.3.2.3, RFC 4443 2.4).
        body = quoted(packet)[: 1232 if v6 else 548]
        self.put(craft.icmp(RAW.address("v6" if v6 else "v4"), source, number, code, body, rest=rest))
        self._wire.pass_fence()

    def ask_echo(self, host: str, data: bytes, *, mark: int) -> None:
        """Send an ICMP echo request from an address of our own; `mark` is its identifier and sequence number in one."""
        v6 = ":" in host
        kind = 128 if v6 else 8  # RFC 4443 4.1, RFC 792
        self.put(craft.icmp(RAW.address("v6" if v6 else "v4"), host, kind, 0, data, rest=mark))

    def put(self, packet: bytes | SupportsBytes) -> None:
        """Put an IP packet on the wire: its octets, or layers of scapy's, `IP(dst=…) / fuzz(TCP(dport=…))`.

        What the layers do not say of stations and addresses is ours; lengths and checksums are as scapy builds them.
        """
        if isinstance(packet, bytes):
            self._socket.send(craft.frame(FAR.mac, RAW.mac, packet))
            return
        from harness.capture.scapy_socket import on_the_wire  # whoever has such layers has scapy

        hosts = [(RAW.address(family), FAR.address(family)) for family in ("v4", "v6")]
        self._socket.send(on_the_wire(packet, RAW.mac, FAR.mac, hosts))

    def _end(self, subject: Reached, host: str | None, port: int | None) -> Endpoint:
        return Endpoint(host or RAW.address(subject.family), next(self._ports) if port is None else port)

"""How long do a raw handshake and one exchange take?

The other end is an echo server on a kernel; an exchange is five octets there and back. The peer does the same with
scapy: packets made of its layers, each answer awaited as sr1() does, over a packet socket of the same namespace.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.sendrecv import sndrcv
from scapy.supersocket import SuperSocket

from bench.machine import Figure, milliseconds, table, timed
from harness.capture.recording import Wire
from harness.lab.ends import FAR, NEAR, RAW
from harness.lab.handle import Lab
from harness.lab.near import LabNear
from harness.probe.raw import Raw
from harness.subject.inventory import reference_servers
from harness.subject.process import Subject, start
from harness.wire.pattern import got

if TYPE_CHECKING:
    from collections.abc import Callable

_RUNS = 100
_SCAPY_RUNS = 20
_FRAME = 2048  # octets: no frame of the link is longer


class PacketSocket(SuperSocket):  # type: ignore[misc] # scapy is untyped here
    """A packet socket of the lab, for scapy to send and to hear by."""

    desc = "sends and hears frames in a lab"

    def __init__(self, opened: socket.socket) -> None:
        """Use a bound packet socket."""
        self.ins = self.outs = opened
        self.promisc = True

    def recv_raw(self, x: int = _FRAME) -> tuple[Any, bytes, float | None]:
        """The next frame."""
        return Ether, self.ins.recv(x), None


def main() -> None:
    """Print the table."""
    with Lab() as lab:
        figures = []
        for family in ("v4", "v6"):
            goal = "≤ 10" if family == "v4" else ""
            what = f"handshake and exchange, IP{family}"
            figures.append(Figure(what, milliseconds(_each(lab, family, _ours, _RUNS)), "ms", goal))
        for family in ("v4", "v6"):
            what = f"peer: the same with scapy's layers and sr1(), IP{family}"
            figures.append(Figure(what, milliseconds(_each(lab, family, _scapys, _SCAPY_RUNS)), "ms"))
        table("raw", figures)


def _each(lab: Lab, family: str, one: Callable[[Lab, Subject], float], times: int) -> tuple[float, ...]:
    """Seconds of each run, in a lab of its own, as a test has it; the first two do not count."""
    took = []
    for _ in range(times + 2):
        lab.ask("build")
        subject = start(lab, reference_servers()["echo_selectors"], family, dict(os.environ))
        took.append(one(lab, subject))
        subject.close()
    return tuple(took[2:])


def _ours(lab: Lab, subject: Subject) -> float:
    near = LabNear(lab)
    with Wire(near) as wire, Raw(near, wire) as raw:

        def exchange() -> None:
            peer = raw.connect(subject)
            peer.send("PSH ACK", b"hello")
            peer.expect(got.data(b"hello"))

        return timed(exchange)


def _scapys(lab: Lab, subject: Subject) -> float:
    with lab.socket("near", socket.AF_PACKET, socket.SOCK_RAW, 0) as opened:
        opened.bind((NEAR.name, 0x0003))  # ETH_P_ALL
        scapys = PacketSocket(opened)
        ip = (IP if subject.family == "v4" else IPv6)(src=RAW.address(subject.family), dst=subject.address.host)
        below = Ether(src=RAW.mac, dst=FAR.mac) / ip
        ports = {"sport": 40001, "dport": subject.address.port}

        def ask(segment: Any) -> Any:
            answered, _ = sndrcv(scapys, below / segment, timeout=5, verbose=0, threaded=False)
            return answered[0].answer[TCP]

        def exchange() -> None:
            answer = ask(TCP(**ports, flags="S", seq=1000, options=[("MSS", 1440)]))
            numbers = {"seq": 1001, "ack": answer.seq + 1}
            scapys.send(below / TCP(**ports, flags="A", **numbers))
            ask(TCP(**ports, flags="PA", **numbers) / b"hello")

        return timed(exchange)


if __name__ == "__main__":
    main()

"""How many frames a second pass the relay: without a rule, under a rule that asks for a pattern, under seeded chance.

A program at the near end puts the segments of a bulk transfer on the link, 1514 octets each, in bursts that have room
in the relay's buffer and as fast as plain Python can; a packet socket at the far end counts what arrives. A burst ends
when a fence has passed behind it, so the rate is that of the slowest on the way. Processors of a shared machine are
not ours alone: what the relay's thread takes of them is told too, as frames for each second of its processor time.

Peers: the same bursts over the link without a relay, which is as fast as its sender; and through the kernel's bridge
between the two halves in the relay's place, where there is one and we are root.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import socket
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pyroute2 import IPRoute

from bench import decode
from bench.machine import columns, machine, readable
from harness.budget import Stopwatch
from harness.lab.ends import FAR, NEAR
from harness.lab.handle import Lab
from harness.lab.relay import Relay
from harness.wire.checksum import with_right_checksums
from harness.wire.pattern import got, sent

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

BURST, BURSTS, ROUNDS = 4_000, 10, 3
_NOBODY = bytes.fromhex("02 00 00 00 00 77")  # a station that is not there: no kernel answers
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_ETH_P_ALL = 3
_SIOCGSKNS = 0x894C  # the network namespace of a socket


@dataclass(frozen=True)
class Outcome:
    """Some bursts, all of which the far end has seen or lost."""

    rate: float  # frames a second, of all on the way
    of_relay: float  # frames a second of its thread's processor time; 0 where there is no relay
    lost: int


def main() -> None:
    """Print the table."""
    transfer = decode.frames(BURST * BURSTS * 3 // 2 + 3, "v4")
    right = (with_right_checksums(_NOBODY + frame.octets[6:]) for frame in transfer if frame.sent)
    segments = list(itertools.islice(right, BURST * BURSTS))
    nothing = contextlib.nullcontext
    ways: dict[str, Callable[[Lab], Outcome]] = {
        "relay, no rule": lambda lab: _relayed(lab, segments, lambda _: nothing()),
        "relay, one pattern": lambda lab: _relayed(
            lab, segments, lambda link: link.drop(sent.data(b"x") | got.FIN, may_miss=True)
        ),
        "relay, lossy: 5 %": lambda lab: _relayed(lab, segments, lambda link: link.lossy(0.05, seed=7)),
        "relay, all delayed by 10 ms": lambda lab: _relayed(lab, segments, lambda link: link.delay(sent, by=0.01)),
        "peer: the link without a relay": lambda lab: _plain(lab, segments),
    }
    with Lab() as lab:
        if _bridges(lab):
            ways["peer: the kernel's bridge"] = lambda lab: _bridged(lab, segments)
        outcomes: dict[str, list[Outcome]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, way in ways.items():
                outcomes[name].append(way(lab))
    print(f"{BURST * BURSTS:,} frames of 1514 octets, {ROUNDS} times: {machine()}\n")
    head = ("way", "frames/s, median", "best", "frames per processor second, median", "best", "lost, worst", "goal")
    columns(head, [_row(name, found) for name, found in outcomes.items()])


def _row(name: str, found: list[Outcome]) -> tuple[str, ...]:
    rates = sorted(one.rate for one in found)
    of_relay = sorted(one.of_relay for one in found)
    told = (readable(of_relay[len(found) // 2]), readable(of_relay[-1])) if of_relay[-1] else ("", "")
    lost = max(one.lost for one in found)
    goal = "≥ 20,000 frames/s" if name.startswith("relay") else ""
    return name, readable(rates[len(found) // 2]), readable(rates[-1]), *told, f"{lost:,}", goal


def _relayed(lab: Lab, frames: list[bytes], rule: Callable[[Relay], AbstractContextManager[object]]) -> Outcome:
    near, far = (socket.socket(fileno=end) for end in lab.ask("build", relayed=True).descriptors)
    with Relay(near, far, lambda: lab.ask("fence", nonce=0)) as link:
        with rule(link):
            used = _processor_seconds(link.forwarder)
            rate, missing = _bursts(lab, frames)
            used = _processor_seconds(link.forwarder) - used
        dropped = sum(not act.passed for act in link.log)
        return Outcome(rate, len(frames) / used, missing - dropped)


def _plain(lab: Lab, frames: list[bytes]) -> Outcome:
    lab.ask("build")
    rate, missing = _bursts(lab, frames)
    return Outcome(rate, 0, missing)


def _bridged(lab: Lab, frames: list[bytes]) -> Outcome:
    near, far = (socket.socket(fileno=end) for end in lab.ask("build", relayed=True).descriptors)
    with near, far:
        _bridge(near)
        rate, missing = _bursts(lab, frames)
        return Outcome(rate, 0, missing)


def _bursts(lab: Lab, frames: list[bytes]) -> tuple[float, int]:
    """Frames a second, and how many did not arrive."""
    with _counting(lab) as arrived, _sender(lab, frames) as burst:
        lab.ask("fence", nonce=0)  # and whatever a link has to say at its beginning
        arrived()
        lab.ask("fence", nonce=1)
        markers = arrived()
        watch = Stopwatch()
        for number in range(BURSTS):
            burst(number * BURST, BURST)
            lab.ask("fence", nonce=2 + number)
        seconds = watch.seconds
        missing = len(frames) - (arrived() - BURSTS * markers)
        return len(frames) / seconds, max(0, missing)  # a bridge may have a word of its own to say


@contextlib.contextmanager
def _sender(lab: Lab, frames: list[bytes]) -> Iterator[Callable[[int, int], object]]:
    """What makes the sender send, and waits until it has sent."""
    packet = lab.socket("near", socket.AF_PACKET, socket.SOCK_RAW)
    packet.bind((NEAR.name, 0))
    words = [sys.executable, str(Path(__file__).with_name("programs") / "bursts.py"), str(packet.fileno())]
    with (
        packet,
        subprocess.Popen(
            [*words, str(len(frames))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[packet.fileno()],
        ) as program,
    ):
        assert program.stdin is not None
        assert program.stdout is not None
        given, told = program.stdin, program.stdout
        given.write(b"".join(itertools.chain.from_iterable((len(one).to_bytes(2, "big"), one) for one in frames)))
        given.flush()
        told.readline()

        def burst(first: int, number: int) -> None:
            given.write(b"%d %d\n" % (first, number))
            given.flush()
            told.readline()

        yield burst
        given.close()


@contextlib.contextmanager
def _counting(lab: Lab) -> Iterator[Callable[[], int]]:
    """How many frames have arrived at the far end since this was asked last; nobody reads them."""
    with lab.socket("far", socket.AF_PACKET, socket.SOCK_RAW) as packet:
        packet.bind((FAR.name, _ETH_P_ALL))

        def arrived() -> int:
            # Those for which the socket had no room count too.
            return int(struct.unpack("=II", packet.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))[0])

        arrived()
        yield arrived


def _processor_seconds(thread: threading.Thread) -> float:
    """What a thread of ours has taken of the processors up to now."""
    return int(Path(f"/proc/self/task/{thread.native_id}/schedstat").read_text().split()[0]) / 1e9


def _bridges(lab: Lab) -> bool:
    """Whether the kernel forwards between the halves of a link for us."""
    near, far = (socket.socket(fileno=end) for end in lab.ask("build", relayed=True).descriptors)
    with near, far:
        try:
            _bridge(near)
        except Exception as reason:
            print(f"no bridge here: {reason}\n")
            return False
        return True


def _bridge(end: socket.socket) -> None:
    """Join the two interfaces of the namespace of this socket."""
    namespace = fcntl.ioctl(end, _SIOCGSKNS)
    try:
        with IPRoute(netns=f"/proc/{os.getpid()}/fd/{namespace}") as ip:
            ip.link("add", ifname="bridge", kind="bridge")
            (bridge,) = ip.link_lookup(ifname="bridge")
            for name in ("mid0", "mid1"):
                (index,) = ip.link_lookup(ifname=name)
                ip.link("set", index=index, master=bridge)
            ip.link("set", index=bridge, state="up", arp=False)
    finally:
        os.close(namespace)


if __name__ == "__main__":
    main()

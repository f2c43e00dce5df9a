"""200,000 datagrams of 200 octets at full speed: who captures them all?

One or two plain Python programs at the far end send as fast as they can; each way of capturing gets the same load in
turn, and then again. Our tap watches the near end, the peers watch the far end, from which the datagrams come: the same
frames, so what is missing in a count was lost by who counted.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import signal
import socket
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.machine import columns, machine, readable
from harness.capture.ring import Tap
from harness.lab.ends import FAR, NEAR
from harness.lab.handle import Lab
from harness.lab.packet import SLOT, SLOTS, with_ring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

COUNT, SIZE = 200_000, 200
ROUNDS = 3
LAST_BLOCK = 1.5  # seconds: libpcap's ring hands over a block that is not full after 1 s
PORT = 9  # discard (RFC 863)
_PROGRAMS = Path(__file__).with_name("programs")


@dataclass(frozen=True)
class Outcome:
    """One flood, and what one way of capturing kept of it."""

    rate: float  # datagrams a second
    kept: int


@dataclass(frozen=True)
class Program:
    """A program of the lab whose standard input and output we hold."""

    pid: int
    ended: int
    stdin: int
    stdout: int

    @classmethod
    def started(cls, lab: Lab, *words: str) -> Program:
        """Start it at the far end and wait for its word that it is ready."""
        argv = [sys.executable, *words]
        answer = lab.ask("start", argv=argv, environment=dict(os.environ), talk=True)
        program = cls(answer["pid"], *answer.descriptors)
        program.line()
        return program

    def go(self) -> None:
        """Give it the line it waits for."""
        os.write(self.stdin, b"\n")

    def line(self) -> str:
        """The next line that it prints."""
        said = b""
        while not said.endswith(b"\n"):
            if not (octets := os.read(self.stdout, 4096)):
                raise RuntimeError(f"program {self.pid} ended without a word")
            said += octets
        return said.decode()

    def close(self) -> None:
        """Let go of its descriptors."""
        for descriptor in (self.ended, self.stdin, self.stdout):
            os.close(descriptor)


def main() -> None:
    """Print the table."""
    whole, room = 1 << 18, 512  # slots, octets: 128 MiB, in which the whole flood has room
    large = 16384  # slots: 32 MiB
    ways: dict[str, Callable[[Lab, int], Outcome]] = {
        f"{_memory(SLOTS * SLOT)} tap, read meanwhile": lambda lab, senders: _tap(lab, senders, SLOTS, SLOT),
        f"{_memory(large * SLOT)} tap, read meanwhile": lambda lab, senders: _tap(lab, senders, large, SLOT),
        f"{_memory(whole * room)} tap, read afterwards": lambda lab, senders: _tap(
            lab, senders, whole, room, afterwards=True
        ),
    }
    if shutil.which("tcpdump"):
        ways["tcpdump to a file (its 2 MiB)"] = _tcpdump
    ways["scapy's AsyncSniffer"] = _scapy

    rows = []
    with Lab() as lab:
        for senders in (1, 2):
            outcomes: dict[str, list[Outcome]] = {name: [] for name in ways}
            for _ in range(ROUNDS):
                for name, way in ways.items():
                    lab.ask("build")
                    outcomes[name].append(way(lab, senders))
            rows += [_row(name, senders, found) for name, found in outcomes.items()]
    print(f"{COUNT:,} datagrams of {SIZE} octets: {machine()}\n")
    head = ("captured by", "senders", "datagrams/s", "lost, median", "lost, worst", "kept")
    columns(head, rows)


def _row(name: str, senders: int, found: list[Outcome]) -> tuple[str, ...]:
    lost = [COUNT - one.kept for one in found]
    kept = 1 - statistics.median(lost) / COUNT
    rate = statistics.median(one.rate for one in found)
    return name, str(senders), readable(rate), f"{statistics.median(lost):,}", f"{max(lost):,}", f"{kept:.1%}"


def _memory(octets: int) -> str:
    return f"{octets >> 20} MiB"


@contextlib.contextmanager
def _flood(lab: Lab, senders: int) -> Iterator[Callable[[Callable[[], object]], float]]:
    """Senders that wait for the word; call what is given with what to do meanwhile, and have the rate."""
    sink = lab.socket("near", socket.AF_INET, socket.SOCK_DGRAM)  # or the kernel would answer with ICMP errors
    sink.bind((NEAR.v4[0], PORT))
    words = (str(_PROGRAMS / "flood.py"), NEAR.v4[0], str(PORT), str(COUNT // senders), str(SIZE))
    programs = [Program.started(lab, *words) for _ in range(senders)]

    def run(meanwhile: Callable[[], object]) -> float:
        for program in programs:
            program.go()
        waiting = {program.ended for program in programs}
        while waiting:
            meanwhile()
            waiting -= set(select.select(list(waiting), [], [], 0.001)[0])
        return COUNT / max(float(program.line()) for program in programs)

    yield run
    for program in programs:
        program.close()
    sink.close()


def _tap(lab: Lab, senders: int, slots: int, slot: int, *, afterwards: bool = False) -> Outcome:
    packet = with_ring(lab.socket("near", socket.AF_PACKET, socket.SOCK_RAW), slots=slots, slot=slot)
    with Tap(packet, NEAR.name, slots=slots, slot=slot) as tap, _flood(lab, senders) as flood:
        rate = flood((lambda: None) if afterwards else tap.collect)
        while tap.collect():
            pass
        return Outcome(rate, len(tap.frames))


def _tcpdump(lab: Lab, senders: int) -> Outcome:
    with tempfile.TemporaryDirectory() as folder, _flood(lab, senders) as flood:
        words = ["-i", FAR.name, "-n", "-w", f"{folder}/flood.pcap", "-Z", "root", "udp"]
        started = lab.ask("start", argv=["tcpdump", *words], environment=dict(os.environ))
        poll = select.poll()
        poll.register(started.descriptors[0], select.POLLIN)
        while "listening on" not in lab.ask("child", pid=started["pid"])["stderr"]:
            if poll.poll(1):
                raise RuntimeError(lab.ask("child", pid=started["pid"])["stderr"])
        rate = flood(lambda: None)
        poll.poll(LAST_BLOCK * 1000)
        lab.ask("signal", pid=started["pid"], number=int(signal.SIGINT))
        poll.poll(20_000)
        os.close(started.descriptors[0])
        told = lab.ask("child", pid=started["pid"])["stderr"]
        kept = re.search(r"(\d+) packets captured", told)
        if kept is None:
            raise RuntimeError(told)
        return Outcome(rate, int(kept[1]))


def _scapy(lab: Lab, senders: int) -> Outcome:
    sniffer = Program.started(lab, str(_PROGRAMS / "sniffer.py"), FAR.name)
    with _flood(lab, senders) as flood:
        rate = flood(lambda: None)
        sniffer.go()
        kept = int(sniffer.line())
    sniffer.close()
    return Outcome(rate, kept)


if __name__ == "__main__":
    main()

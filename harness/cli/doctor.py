"""`sockspec doctor`: what this machine lets us do, and the remedy for what it does not."""

from __future__ import annotations

import platform
import socket
from typing import TYPE_CHECKING

from harness import __version__, budget
from harness.budget import Stopwatch
from harness.capture.recording import Wire
from harness.cli.words import command
from harness.lab.handle import Lab, LabUnavailable
from harness.lab.near import HostNear, LabNear
from harness.report.model import Exit

if TYPE_CHECKING:
    import argparse


def offer(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command's words."""
    parser = command(commands, "doctor", brief="tell what this machine lets sockspec do", examples=("sockspec doctor",))
    parser.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    """Try everything a run needs; exit code 0 when a lab can be made."""
    print(f"sockspec {__version__}, {platform.system()} {platform.release()}, Python {platform.python_version()}")
    whole = lab()
    loopback()
    return Exit.HOLDS if whole else Exit.OPEN


def lab() -> bool:
    """Try tier 2: namespaces, link, capture."""
    try:
        with Lab() as made:
            for name in made.missing:
                print(f"  ✗ the lab does without {name}")
            watch = Stopwatch()
            made.ask("build")
            print(f"  ✓ lab: private namespaces and a link, built in {watch.seconds * 1000:.0f} ms")
            with Wire(LabNear(made)) as wire:
                certificate = wire.capture().certificate
            print(f"  {'✓' if certificate.holds else '✗'} capture: {certificate}")
            for family, host in ((socket.AF_INET, "10.9.0.2"), (socket.AF_INET6, "fd09::2")):
                _reach(made, family, host)
            return certificate.holds
    except LabUnavailable as reason:
        print(f"  ✗ {reason}")
        print("    without a lab only running servers can be judged (tcp://host:port), on sockets alone")
        return False


def _reach(made: Lab, family: socket.AddressFamily, host: str) -> None:
    with made.socket("near", family, socket.SOCK_DGRAM) as near, made.socket("far", family, socket.SOCK_DGRAM) as far:
        far.bind((host, 7))
        far.settimeout(budget.RESPONSE)
        near.sendto(b"", (host, 7))
        far.recvfrom(1)
    print(f"  ✓ {'IPv4' if family == socket.AF_INET else 'IPv6'} works on the link, low ports too")


def loopback() -> None:
    """Try tier 1: a capture on this host's loopback, for servers that run already."""
    try:
        near = HostNear(port=7)
    except PermissionError:
        print("  · running servers (tcp://host:port) are judged without a capture; with one as root")
        return
    with Wire(near) as wire:
        print(f"  ✓ capture on loopback for running servers: {wire.capture().certificate}")
    near.close()

"""How long a lab takes: the link of one test, built and taken down, and the lab process, once a worker.

The peer beside us is what a shell script would do: `ip` in namespaces of its own, with offloads left on, neighbours not
fixed and no fence. It runs as a program of the lab, so that it leaves nothing behind.

Beside them, what a look at a waiting subject needs each time: the sockets of a namespace, listed by us and by pyroute2,
here, where the table of connections is the machine's own.
"""

from __future__ import annotations

import os
import select
import shutil
import socket
import subprocess
import sys

from pyroute2 import DiagSocket

from bench.machine import Figure, milliseconds, repeated, table
from harness.lab import sockdiag
from harness.lab.handle import Lab

_ALL = 0xFFF  # every state
_SCRIPT = """
set -e
unshare --net sleep 60 & near=$!
unshare --net sleep 60 & far=$!
until [ "$(readlink /proc/$near/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do :; done
until [ "$(readlink /proc/$far/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do :; done
ip link add near9 type veth peer name far9
ip link set near9 netns $near
ip link set far9 netns $far
nsenter -t $near -n sh -c 'ip addr add 10.8.0.1/24 dev near9
  ip -6 addr add fd08::1/64 dev near9 nodad; ip link set near9 up'
nsenter -t $far -n sh -c 'ip addr add 10.8.0.2/24 dev far9
  ip -6 addr add fd08::2/64 dev far9 nodad; ip link set far9 up; ip link set lo up'
kill $near $far
"""


_BUILDING = 0.06  # seconds in which the lab builds the ground of the next test


def main() -> None:
    """Print the table."""
    figures = [Figure("lab process started and ended", milliseconds(repeated(_process, 20)), "ms")]
    with Lab() as lab:
        figures += [
            Figure("ground taken over and taken down", milliseconds(_spaced(lab, 100)), "ms", "≤ 15"),
            Figure(
                "… back to back, as fast as grounds are built", milliseconds(repeated(lambda: _link(lab), 100)), "ms"
            ),
            Figure("… with a relay", milliseconds(repeated(lambda: _link(lab, relayed=True), 100)), "ms"),
        ]
        if all(shutil.which(tool) for tool in ("ip", "unshare", "nsenter")):
            lab.ask("build")
            times = repeated(lambda: _run(lab, ["sh", "-c", _SCRIPT]), 20)
            figures.append(Figure("peer: the same with `ip` from a shell", milliseconds(times), "ms"))
    listing = sockdiag.Listing()
    with DiagSocket() as peer:
        peer.bind()
        figures += [
            Figure("sockets of the machine listed", milliseconds(repeated(lambda: _listed(listing), 200)), "ms"),
            Figure("peer: the same by pyroute2", milliseconds(repeated(lambda: _listed_by(peer), 200)), "ms"),
        ]
    figures += [
        Figure(
            "interpreter with what a lab process needs",
            milliseconds(repeated(lambda: _import("harness.lab.process"), 20)),
            "ms",
        ),
        Figure("peer: with pyroute2", milliseconds(repeated(lambda: _import("pyroute2"), 20)), "ms"),
    ]
    table("lab", figures)


def _listed(listing: sockdiag.Listing) -> None:
    listing.sockets(socket.AF_INET, socket.IPPROTO_TCP, _ALL)


def _listed_by(peer: DiagSocket) -> None:
    list(peer.get_sock_stats(family=socket.AF_INET, states=_ALL, protocol=socket.IPPROTO_TCP))


def _import(module: str) -> None:
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True)


def _process() -> None:
    Lab().close()


def _link(lab: Lab, *, relayed: bool = False) -> None:
    for descriptor in lab.ask("build", relayed=relayed).descriptors:
        os.close(descriptor)
    lab.ask("clear")


def _spaced(lab: Lab, times: int) -> tuple[float, ...]:
    """Seconds for a build and a clear, each when the next ground is ready, as it is after a test."""
    took: list[float] = []
    for _ in range(times):
        select.select([], [], [], _BUILDING)
        took += repeated(lambda: _link(lab), 1, before=0)
    return tuple(took)


def _run(lab: Lab, argv: list[str]) -> None:
    """Run a program of the lab to its end; RuntimeError with its stderr when it does not exit 0."""
    started = lab.ask("start", argv=argv, environment=dict(os.environ))
    ended = started.descriptors[0]
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    poll.poll(20_000)
    os.close(ended)
    told = lab.ask("child", pid=started["pid"]).values
    if told["exit"] != 0:
        raise RuntimeError(f"{argv[0]} {told}")


if __name__ == "__main__":
    main()

"""A bench: one life of a subject, with a probe before it, in namespaces of its own.

To begin afresh is to build it all anew: what an earlier sequence has left behind, be it a descriptor, a TIME-WAIT or a
listener that will not go, is left behind there.
"""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.capture.recording import Wire
from harness.lab.near import LabNear
from harness.lab.relay import Relay
from harness.probe.beside import asker
from harness.probe.probe import Probe
from harness.subject.patience import IDLE, Pace, Patience
from harness.subject.process import start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.lab.handle import Lab
    from harness.probe.client import Client
    from harness.probe.datagram import DatagramClient
    from harness.probe.probe import Attempt
    from harness.subject.inventory import Program
    from harness.subject.patience import Watched
    from harness.subject.process import Subject


@dataclass(frozen=True)
class Bench:
    """What a sequence is played on."""

    subject: Subject
    probe: Probe
    link: Relay | None  # for faults
    lab: Lab


@dataclass(frozen=True)
class Maker:
    """Makes benches for one program."""

    lab: Lab
    program: Program
    family: str
    environment: dict[str, str]
    recorded: Callable[[Subject, Wire], None]  # hears of a subject whose wire is recorded
    met: Callable[[Attempt | Client | DatagramClient], None]  # hears of each client of a bench that is recorded

    @contextlib.contextmanager
    def bench(self, *, link: bool, recorded: bool = False, idle: float = IDLE) -> Iterator[Bench]:
        """A fresh subject; `idle` is how many seconds of idleness are taken for its last word."""
        with contextlib.ExitStack() as stack:
            built = self.lab.ask("build", relayed=link)
            relay = None
            if link:
                near, far = (socket.socket(fileno=end) for end in built.descriptors)
                relay = stack.enter_context(Relay(near, far, lambda: self.lab.ask("fence", nonce=0)))
            side = LabNear(self.lab)
            wire = stack.enter_context(Wire(side)) if recorded else None
            subject = start(self.lab, self.program, self.family, self.environment, ask=asker(self.lab))
            stack.callback(subject.close)

            def patience(watched: Watched) -> Patience:
                return Patience(watched, wire.tap.collect if wire is not None else _nothing, pace=Pace.after(idle))

            def met(talker: Attempt | Client | DatagramClient) -> None:
                if wire is not None:
                    wire.meet(talker)
                    self.met(talker)

            probe = stack.enter_context(Probe(side, patience, met))
            if wire is not None:
                self.recorded(subject, wire)
            yield Bench(subject, probe, relay, self.lab)


def _nothing() -> None:
    """Nobody records."""

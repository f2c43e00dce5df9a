"""An exchange from beside the subject: has one that listens answered a client, before any test?

The client stands beside the subject, in the namespace of the far end. So nothing of it passes the link, whatever faults
that has, and no capture sees it; and when it has gone, no socket tells of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.budget import RESPONSE, Deadline
from harness.probe.probe import Probe
from harness.probe.session import Session, ordinary, says_something
from harness.subject.patience import Patience
from harness.verdict import Mismatch, NotApplicable

if TYPE_CHECKING:
    from socket import socket

    from harness.lab.handle import Lab
    from harness.probe.client import Client
    from harness.probe.datagram import DatagramClient
    from harness.probe.probe import Attempt
    from harness.subject.beginning import Ask
    from harness.subject.patience import Watched
    from harness.subject.process import Subject

_LEAVES = 2.0  # seconds for the subject to let go of the connection
_MOMENT = 0.005  # seconds between two looks whether it has


def why_never(profile: str) -> str:
    """Why no server of this profile can be asked before it is judged, "" if one can."""
    if profile == "one-shot":
        return "it serves one client, and that would be this one"
    if not says_something(ordinary(profile)):
        return f"a server of the profile {profile!r} answers nothing"
    return ""


def asker(lab: Lab) -> Ask:
    """Who asks the subjects of this lab one ordinary session."""

    def ask(subject: Subject, seconds: float) -> str:
        def patience(watched: Watched) -> Patience:
            return Patience(watched, seconds=min(RESPONSE, max(seconds, 0.1)))

        with subject.without_time_wait(), Probe(_Beside(lab), patience, _unrecorded) as probe:
            try:
                Session(subject, probe, ordinary(subject.profile)).serve()
            except Mismatch as missed:
                return f"expected {missed.expected}; {missed.actual}"
            except (NotApplicable, OSError) as refused:
                return str(refused)
            probe.forget()
            _let_go(subject)
        return ""

    return ask


class _Beside:
    """The side on which the subject is."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket:
        """A socket in the far namespace."""
        return self._lab.socket("far", family, kind, protocol)


def _let_go(subject: Subject) -> None:
    """Wait a while until neither end has a connection any more; of one that keeps it, the tests tell."""
    if subject.transport == "udp":
        return
    deadline = Deadline(_LEAVES)
    port = subject.address.port
    while not deadline.over and any(port in (one["local"][1], one["remote"][1]) for one in subject.sockets()):
        if subject.wait_end(_MOMENT) is not None:
            return


def _unrecorded(_: Attempt | Client | DatagramClient) -> None:
    """No flow of it is recorded."""

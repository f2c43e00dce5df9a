"""The one import for suites: the words in which a test says what must hold.

Beside the fixtures (`subject`, `serve`, `probe`, `raw`, `wire`, `link`) this is all that a suite needs of the harness.
"""

from __future__ import annotations

import contextlib
import errno
import os
import typing
from typing import TYPE_CHECKING, TypeVar

from harness.analysis.daytime import ahead_of_clock, tells_the_day
from harness.analysis.time_protocol import ahead
from harness.budget import Deadline, wall_clock
from harness.capture.recording import FourTuple, Wire
from harness.explore.exploration import Exploration
from harness.lab.relay import Relay as Link
from harness.payload import TEXTS, KiB, MiB, octets, quote
from harness.probe import malformed, option
from harness.probe.client import Client
from harness.probe.control import control
from harness.probe.conversation import Conversation, DatagramConversation
from harness.probe.datagram import LARGEST_V4, LARGEST_V6, DatagramClient, Received
from harness.probe.ending import Ending, Leaving
from harness.probe.first_exchange import FirstExchange
from harness.probe.moves import brought_to, states
from harness.probe.probe import Attempt, Probe
from harness.probe.raw import Raw
from harness.probe.raw_listener import RawListener
from harness.probe.raw_peer import RawPeer
from harness.probe.session import SERVICES, UDP_SERVICES, Session
from harness.probe.soak import Soak
from harness.probe.volume import Volume
from harness.spec.catalogue import load as catalogue
from harness.subject.answers import answered
from harness.subject.external import External
from harness.subject.process import Subject
from harness.subject.protocol import Answer, Exactly, Exchange, Protocol
from harness.subject.runtime import Runtime
from harness.subject.state import State
from harness.verdict import Inconclusive, Mismatch, NotApplicable
from harness.wire.checksum import checksum_fault
from harness.wire.flow import Flow
from harness.wire.pattern import Pattern, got, sent
from harness.wire.segment import Endpoint
from harness.wire.step import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "LARGEST_V4",
    "LARGEST_V6",
    "SERVICES",
    "TEXTS",
    "UDP_SERVICES",
    "Answer",
    "Attempt",
    "Client",
    "Conversation",
    "DatagramClient",
    "DatagramConversation",
    "Deadline",
    "Ending",
    "Endpoint",
    "Exactly",
    "Exchange",
    "Exploration",
    "External",
    "FirstExchange",
    "Flow",
    "FourTuple",
    "Inconclusive",
    "KiB",
    "Leaving",
    "Link",
    "MiB",
    "Mismatch",
    "NotApplicable",
    "Pattern",
    "Probe",
    "Protocol",
    "Raw",
    "RawListener",
    "RawPeer",
    "Received",
    "Runtime",
    "Serve",
    "Session",
    "Soak",
    "State",
    "Step",
    "Subject",
    "Volume",
    "Wire",
    "ahead",
    "ahead_of_clock",
    "brought_to",
    "checksum_fault",
    "control",
    "covers",
    "exact",
    "families",
    "got",
    "malformed",
    "needs",
    "octets",
    "option",
    "profiles",
    "quote",
    "raises",
    "requires",
    "sent",
    "states",
    "tells_the_day",
    "wall_clock",
]

Test = TypeVar("Test", bound="Callable[..., None]")


class Serve(typing.Protocol):
    """The fixture `serve`: starts the `told` server, which makes the socket calls that a test tells it to make."""

    def __call__(self, *, backlog: int = 5, somaxconn: int | None = None, slow_timers: bool = False) -> Subject:
        """A told server in LISTEN with this backlog, in a namespace with this net.core.somaxconn if it is given.

        With `slow_timers` its kernel sends nothing again within 5 s, where it can be told so: for tests in which
        nothing is acknowledged, and which no timer may disturb.
        """


def covers(*requirements: str) -> Callable[[Test], Test]:
    """Name the requirements that a test probes, by their ids in the catalogue; the first one governs the verdict."""

    def mark(test: Test) -> Test:
        test.__dict__["covers"] = requirements
        return test

    return mark


def families(*names: str) -> Callable[[Test], Test]:
    """Name the IP families ("v4", "v6") of a test that is about one of them, or about none."""

    def mark(test: Test) -> Test:
        test.__dict__["families"] = names
        return test

    return mark


def exact(test: Test) -> Test:
    """Say of a test that it claims of some segment that it did not come, or how many came.

    Or that one end leaves by RST: one that is lost is not sent again, so the subject waits for who has gone, or the
    client does. A close() sends RST, too, where something has come that was not read.
    It needs a link on which frames are no more than late, and with `wire` one on which they are not late either: a
    segment that is sent again, or overtaken, is answered by what is never seen else, as by the RST of an end that has
    gone meanwhile.
    """
    test.__dict__["exact"] = True
    return test


def needs(what: str) -> Callable[[Test], Test]:
    """Say of a test how little it needs of its subject: "nothing" but that it has started, or "accepting" clients.

    All others need that the basic exchange succeeds, and are not applicable where it fails. A whole module says it with
    `NEEDS`.
    """

    def mark(test: Test) -> Test:
        test.__dict__["needs"] = what
        return test

    return mark


def profiles(*names: str) -> Callable[[Test], Test]:
    """Name the profiles whose subjects a test judges, where that differs from the module's `PROFILES`."""

    def mark(test: Test) -> Test:
        test.__dict__["profiles"] = names
        return test

    return mark


@contextlib.contextmanager
def requires(requirement: str) -> Iterator[None]:
    """What is missed within the block is this requirement's, not that of the first one that the test covers.

    What is not applicable is missed by no requirement.
    """
    catalogue()[requirement]  # an id that is misspelt is told at once, not when something is missed
    try:
        yield
    except NotApplicable:
        raise
    except Exception as missed:
        missed.__dict__.setdefault("requirement", requirement)
        raise


@contextlib.contextmanager
def raises(*errors: int | type[BaseException]) -> Iterator[list[BaseException]]:
    """Claim that the block raises one of these, errors by errno or exceptions by class; the list then holds it.

    Another OSError of a call at the far end is the subject's doing. Any other exception is a mistake of the test, which
    passes as it is.
    """
    caught: list[BaseException] = []
    wanted = " or ".join(_named(error) for error in errors)
    try:
        yield caught
    except (Mismatch, Inconclusive):
        raise
    except Exception as error:
        number = error.errno if isinstance(error, OSError) else None
        if not any(number == one if isinstance(one, int) else isinstance(error, one) for one in errors):
            if not answered(error):
                raise
            raise Mismatch(f"it raises {wanted}", f"it raised {type(error).__name__}: {error}") from error
        caught.append(error)
    else:
        raise Mismatch(f"it raises {wanted}", "it raised nothing")


def _named(error: int | type[BaseException]) -> str:
    if isinstance(error, int):
        return f"{errno.errorcode.get(error, error)} ({os.strerror(error)})"
    return error.__name__

"""What a test of a suite gets: a lab of its own, the recorded wire, the subject and the probe.

Set-up order is lab, wire, subject, probe: the wire is recorded before the subject runs, and the subject runs before
anybody talks to it. Everything is made afresh for each test and gone after it; only the lab process lives longer.
"""

from __future__ import annotations

import contextlib
import functools
import os
import socket
from typing import TYPE_CHECKING, TypeAlias

import pytest

from harness.budget import RESPONSE, TIMERS
from harness.capture.recording import Wire
from harness.lab.handle import Lab, LabUnavailable
from harness.lab.near import HostNear, LabNear, is_loopback
from harness.lab.relay import Relay
from harness.lab.stack import stack
from harness.plugin import naming, turns
from harness.plugin.asking import slow_s
from harness.plugin.options import Settings, place_of, settings_of
from harness.plugin.repeating import repetition_of
from harness.plugin.selection import is_judged, manner_of_test, wrong_stack
from harness.plugin.soaking import is_soak
from harness.plugin.weather import fair_weather
from harness.probe.beside import asker
from harness.probe.client import Client
from harness.probe.datagram import DatagramClient
from harness.probe.probe import Attempt, Probe
from harness.probe.raw import Raw
from harness.probe.session import Session, ordinary
from harness.record.result import without_repetition
from harness.subject import external
from harness.subject.external import External
from harness.subject.inventory import runtime as runtime_program
from harness.subject.inventory import told_server
from harness.subject.manner import Course
from harness.subject.patience import CALM, Pace, Patience
from harness.subject.process import Subject, start
from harness.subject.protocol import Protocol, named
from harness.subject.runtime import Runtime, RuntimeProcess
from harness.verdict import NotApplicable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from socket import socket as Socket  # noqa: N812 - the method `socket` of `Uncaptured` takes the name

    from harness.lab.faults import Fault
    from harness.lab.near import Near
    from harness.subject.inventory import Program
    from harness.subject.patience import Watched
    from harness.suite import Serve

TALKS = 64  # clients of one test whose calls are kept
_SLOW_TIMER = 5_000_000  # microseconds: the machine may be busy for so long before a segment is sent again

_PROGRAMS = frozenset(("subject", "session"))  # who takes one of these judges a program, else a kernel is judged

Judged: TypeAlias = Subject | External
Talker: TypeAlias = Attempt | Client | DatagramClient

subject_key = pytest.StashKey[Judged]()
wire_key = pytest.StashKey[Wire]()
relay_key = pytest.StashKey[Relay]()
weather_key = pytest.StashKey[tuple["Fault", ...]]()
talkers_key = pytest.StashKey[list[Talker]]()


class Uncaptured:
    """The near side where nothing can be captured: sockets only (tier 0)."""

    interface = far_interface = ""
    loopback = False
    port = None
    slots = slot = 0

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def socket(self, family: int, kind: int, protocol: int = 0) -> Socket:
        """A socket of this host."""
        return socket.socket(family, kind, protocol)

    def tap(self) -> Socket:
        """Not applicable: there is nothing to open."""
        raise NotApplicable(self.reason)

    def far_tap(self) -> Socket:
        """Not applicable: there is nothing to open."""
        raise NotApplicable(self.reason)

    def fence(self, nonce: int) -> list[int]:
        """Not applicable: there is nothing to send a fence round."""
        raise NotApplicable(self.reason)

    def close(self) -> None:
        """Nothing is held."""


@pytest.fixture(scope="session")
def lab_process() -> Iterator[Lab | str]:
    """The lab process of this worker, or why there is none."""
    try:
        lab = Lab()
    except LabUnavailable as reason:
        yield str(reason)
        return
    with lab:
        yield lab


@pytest.fixture(scope="session")
def _settings(request: pytest.FixtureRequest) -> Settings:
    """What this run was told."""
    return settings_of(request.config)


@pytest.fixture
def lab(lab_process: Lab | str, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """Fresh namespaces joined by a link, for this test alone."""
    if isinstance(lab_process, str):
        raise NotApplicable(lab_process)
    wrong = stack(wrong_stack(request.node))
    settings = settings_of(request.config)
    if settings.link is not None and (why := fair_weather(request.node, settings.link)):
        raise NotApplicable(why)
    relayed = "link" in request.fixturenames or wrong.rule is not None or settings.link is not None
    built = lab_process.ask("build", relayed=relayed)
    for name, value in wrong.settings.items():
        lab_process.ask("sysctl", side="far", name=name, value=value)
    if not relayed:
        if is_soak(request.node):
            lab_process.ask("offload")
        yield lab_process
    else:
        near, far = (socket.socket(fileno=end) for end in built.descriptors)
        weather = request.node.stash[weather_key] = _weather(request)
        with Relay(near, far, lambda: lab_process.ask("fence", nonce=0), wrong.rule, weather) as relay:
            request.node.stash[relay_key] = relay
            yield lab_process
    lab_process.ask("clear")


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """What a test saw over a relay that has missed frames shows nothing, whatever it was."""
    try:
        return (yield)
    finally:
        relay = pyfuncitem.stash.get(relay_key, None)
        if relay is not None:
            relay.claim_whole()


@pytest.fixture
def link(_settings: Settings, request: pytest.FixtureRequest) -> Relay:
    """The link with a relay between, for faults."""
    if _settings.address:
        raise NotApplicable("needs a link of ours, on which frames can be lost: start the subject with --serve")
    request.getfixturevalue("lab")
    relay: Relay = request.node.stash[relay_key]
    return relay


@pytest.fixture
def near(_settings: Settings, request: pytest.FixtureRequest) -> Iterator[Near]:
    """The side on which the probe stands: the lab's near end, or this host for a subject that runs already."""
    side: Near
    if not _settings.address:
        side = LabNear(request.getfixturevalue("lab"), relayed=relay_key in request.node.stash)
    else:
        _, host, port = external.parse(_settings.address)
        places = external.resolve(host, port, "tcp")
        if all(is_loopback(place.host) for place in places.values()):
            try:
                side = HostNear(port)
            except PermissionError:
                side = Uncaptured("needs a capture: run as root, or start the subject with --serve")
        else:
            side = Uncaptured("needs a capture, which only a subject on this host's loopback or under --serve allows")
    yield side
    side.close()


@pytest.fixture
def wire(near: Near, request: pytest.FixtureRequest) -> Iterator[Wire]:
    """The recorded wire."""
    if isinstance(near, Uncaptured):
        raise NotApplicable(near.reason)
    kernel = _PROGRAMS.isdisjoint(request.fixturenames) and settings_of(request.config).link is None
    with Wire(near, response=TIMERS if kernel else RESPONSE) as wire:
        request.node.stash[wire_key] = wire
        yield wire


@pytest.fixture
def _recorded(near: Near, request: pytest.FixtureRequest) -> Wire | None:
    """The recorded wire if there is one: a test that asks nothing of the wire runs without, and a soak does."""
    if isinstance(near, Uncaptured) or is_soak(request.node):
        return None
    wire: Wire = request.getfixturevalue("wire")
    return wire


@pytest.fixture
def program(_settings: Settings, request: pytest.FixtureRequest) -> Program | None:
    """The program under judgment; None for a subject that runs already."""
    chosen: Program | None = getattr(request, "param", None)
    return chosen or next(iter(_settings.programs), None)


@pytest.fixture
def protocol(program: Program | None, _settings: Settings) -> Protocol:
    """What the subject is said to answer, where its profile is an own protocol."""
    return named(_settings.profile or (program.profile if program else ""))


@pytest.fixture
def subject(
    program: Program | None,
    family: str,
    _settings: Settings,
    _recorded: Wire | None,
    request: pytest.FixtureRequest,
) -> Iterator[Judged]:
    """The subject under judgment, ready."""
    offer = place_of(program if _settings.implementations else None, family)
    if reason := _settings.absent.get(offer) or (program.absent if program else ""):
        raise NotApplicable(reason)
    if program is None:
        transport, host, port = external.parse(_settings.address)
        place = external.resolve(host, port, transport).get(family)
        if place is None:
            raise NotApplicable(f"{host} has no address of IP{family}")
        request.node.stash[subject_key] = judged = External(
            _settings.address, _settings.profile, transport, family, place
        )
        yield judged
        judged.close()
        return
    lab: Lab = request.getfixturevalue("lab")
    begin = functools.partial(start, lab, program, family, environment(), ask=asker(lab))
    with turns.started(None if program.ours else turns.others(request.config), begin) as subject:
        request.node.stash[subject_key] = subject
        yield subject


@pytest.fixture
def wrong_runtime(request: pytest.FixtureRequest) -> Program | None:
    """The wrong runtime that makes the kernel's calls, or the wrong stack; None, but in a proof, for the right ones."""
    chosen: Program | None = getattr(request, "param", None)
    return chosen


@pytest.fixture
def runtime(
    lab: Lab, family: str, wrong_runtime: Program | None, _recorded: Wire | None, request: pytest.FixtureRequest
) -> Iterator[Runtime]:
    """A Python process at the far end, whose socket calls the test makes."""
    process = RuntimeProcess(lab, runtime_program(wrong_runtime), family, environment())
    request.node.stash[subject_key] = process
    yield Runtime(process)
    process.close()


@pytest.fixture
def serve(
    lab: Lab, family: str, wrong_runtime: Program | None, _recorded: Wire | None, request: pytest.FixtureRequest
) -> Iterator[Serve]:
    """Starts the told server, through which a test judges the kernel's TCP."""
    started: list[Subject] = []

    def serve(*, backlog: int = 5, somaxconn: int | None = None, slow_timers: bool = False) -> Subject:
        if somaxconn is not None:
            lab.ask("sysctl", side="far", name="net/core/somaxconn", value=str(somaxconn))
        if slow_timers:
            with contextlib.suppress(FileNotFoundError):  # since Linux 6.11
                lab.ask("sysctl", side="far", name="net/ipv4/tcp_rto_min_us", value=str(_SLOW_TIMER))
            lab.ask("sysctl", side="far", name="net/ipv4/tcp_early_retrans", value="0")  # no tail loss probe either
        told = start(lab, told_server(wrong_runtime), family, environment(), arguments=(str(backlog),))
        started.append(told)
        request.node.stash[subject_key] = told
        return told

    yield serve
    for told in started:
        told.close()


@pytest.fixture
def _course(request: pytest.FixtureRequest) -> Course:
    """What all waits of this test have in common: how long it may take in all."""
    item = request.node
    endless = is_soak(item) or not is_judged(item.nodeid)
    return Course(manner_of_test(item), slow_s(item), endless=endless)


@pytest.fixture
def probe(
    near: Near, _course: Course, _settings: Settings, _recorded: Wire | None, request: pytest.FixtureRequest
) -> Iterator[Probe]:
    """Our active end."""
    pace = CALM if _settings.link is None else Pace.over(_settings.link)
    pace = pace.longer(manner_of_test(request.node).sleeps)
    with probing(near, pace, _course, _recorded, request) as probe:
        yield probe


@contextlib.contextmanager
def probing(
    near: Near, pace: Pace, course: Course, recorded: Wire | None, request: pytest.FixtureRequest
) -> Iterator[Probe]:
    """A probe with this patience, whose clients are remembered and recorded."""

    def patience(watched: Watched) -> Patience:
        return Patience(watched, recorded.tap.collect if recorded is not None else _nothing, pace=pace, course=course)

    talkers: list[Talker] = request.node.stash.setdefault(talkers_key, [])

    def met(talker: Talker) -> None:
        talkers.append(talker)
        if recorded is not None:
            recorded.meet(talker)
        else:
            del talkers[:-TALKS]  # the last ones tell most, and hours of them would fill the memory

    with Probe(near, patience, met, course) as probe:
        yield probe


@pytest.fixture
def raw(near: Near, wire: Wire) -> Iterator[Raw]:
    """Our active end without a kernel: raw peers."""
    if near.loopback:
        raise NotApplicable("a raw peer needs a link of ours: start the subject with --serve")
    with Raw(near, wire) as raw:
        yield raw


@pytest.fixture
def session(subject: Judged, probe: Probe) -> Session:
    """Ordinary clients of the subject, as its profile has them."""
    return Session(subject, probe, ordinary(subject.profile))


def environment() -> dict[str, str]:
    """What a subject finds in its environment: what ours has, but for what pytest has put there."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}


def _weather(request: pytest.FixtureRequest) -> tuple[Fault, ...]:
    """What the link profile of this run has for this test."""
    settings = settings_of(request.config)
    if settings.link is None:
        return ()
    test = without_repetition(naming.stable_id(request.node.nodeid), repetition_of(request.node))
    return settings.link.weather(settings.link_seed, test)


def _nothing() -> None:
    """Nobody records."""

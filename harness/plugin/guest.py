"""The fixtures for somebody else's test suite: with sockspec installed, pytest has them.

    def test_goodbye(serve, probe, wire):
        server = serve("./myserver {host} {port}")
        client = probe.connect(server)
        client.half_close()
        client.expect_end()
        wire.flow(client).expect(sent.FIN, got.FIN)

`lab` are namespaces of its own for each test, `serve` starts a server in them, `probe` talks to it, `wire` is the
recorded link, `link` lets frames be lost; a test that takes `family` runs on IPv4 and on IPv6, any other on IPv4. The
process in which the tests run stays where it is: its own sockets, and those of tests that take no fixture from here,
reach what they always reached.

Where `harness.plugin` is loaded too, in sockspec's own suites, its fixtures go before these and the hooks here rest.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest

from harness.plugin.fixtures import (
    _course,
    _recorded,
    _settings,
    lab,
    lab_process,
    link,
    near,
    probe,
    raw,
    wire,
    wire_key,
)
from harness.plugin.options import ready_of
from harness.probe.beside import asker
from harness.record import evidence
from harness.subject.inventory import from_command
from harness.subject.process import Subject, start
from harness.subject.profile import PROFILES
from harness.verdict import Inconclusive, NotApplicable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    from harness.capture.recording import Wire
    from harness.lab.handle import Lab

__all__ = [
    "_course",
    "_recorded",
    "_settings",
    "family",
    "lab",
    "lab_process",
    "link",
    "near",
    "probe",
    "raw",
    "serve",
    "wire",
]

Starter: TypeAlias = "Callable[..., Subject]"
EVIDENCE = "--sockspec-evidence"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer to keep the captures of tests that fail."""
    group = parser.getgroup("sockspec")
    group.addoption(EVIDENCE, metavar="DIR", help="keep the captures of failed tests that take `wire` there")


@pytest.fixture
def family(request: pytest.FixtureRequest) -> str:
    """The IP family of the test: "v4", or both in turn for a test that names this fixture."""
    chosen: str = getattr(request, "param", "v4")
    return chosen


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that names `family` on both."""
    named = "family" in metafunc.definition._fixtureinfo.argnames
    if named and not _at_home(metafunc.config):
        metafunc.parametrize("family", ["v4", "v6"], indirect=True)


@pytest.fixture
def serve(lab: Lab, family: str, _recorded: Wire | None) -> Iterator[Starter]:
    """Starts a server in the lab: `serve("./myserver {host} {port}")`, or a list of words; ready when it returns.

    `profile` says over what it is spoken and whether the server may end by itself (see `sockspec list`), `ready` and
    `ready_budget` what `--ready` and `--ready-budget` of the command say, `environment` what it finds in its
    environment beside what the tests have.
    """
    started: list[Subject] = []

    def serve(
        command: str | Sequence[str],
        *,
        profile: str = "tcp",
        ready: str | None = None,
        ready_budget: float | None = None,
        **environment: str,
    ) -> Subject:
        if profile not in PROFILES:
            raise ValueError(f"profile {profile!r} is unknown; it is one of {', '.join(PROFILES)}")
        when = ready_of(ready, ready_budget, profile)
        if isinstance(command, str):
            program = from_command(command, profile, when)
        else:
            words = [str(word) for word in command]
            program = replace(from_command(shlex.join(words), profile, when), name=" ".join(words))
        subject = start(lab, program, family, {**os.environ, **environment}, ask=asker(lab))
        started.append(subject)
        return subject

    yield serve
    for subject in started:
        subject.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell pytest what it has no word for, and show the wire of a test that failed."""
    report = yield
    if _at_home(item.config):
        return report
    raised = call.excinfo.value if call.excinfo is not None else None
    if isinstance(raised, NotApplicable):
        report.outcome = "skipped"
        report.longrepr = (str(item.path), item.location[1] or 0, f"not applicable: {raised}")
    elif isinstance(raised, Inconclusive):
        report.longrepr = f"inconclusive, so neither right nor wrong: {raised}"
    elif call.when == "call" and raised is not None:
        _show(item, report)
    return report


def _at_home(config: pytest.Config) -> bool:
    return config.pluginmanager.hasplugin("harness.plugin")


def _show(item: pytest.Item, report: pytest.TestReport) -> None:
    """Add what passed on the wire to what pytest prints, and keep the capture where it is wanted."""
    wire = item.stash.get(wire_key, None)
    if wire is None:
        return
    capture = wire.capture()
    listing = "\n\n".join(flow.listing() for flow in capture.flows)
    report.sections.append((f"the wire ({capture.certificate})", listing))
    if folder := item.config.getoption(EVIDENCE):
        kept = Path(folder)
        path = evidence.write(kept, item.nodeid, wire=capture.as_pcapng(item.nodeid), segments=listing)
        report.sections.append(("the capture", str(kept / path / evidence.WIRE)))

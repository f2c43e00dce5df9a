"""A subject that brings its own TCP: it is given the wire, reached where no kernel is, and not taken for idle."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from harness.lab.ends import USERSPACE
from harness.subject.inventory import mutants, reference_servers
from harness.subject.process import Subject, start
from harness.suite import Ending, State, got
from harness.verdict import NotApplicable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.capture.recording import Wire
    from harness.lab.handle import Lab
    from harness.probe.probe import Probe
    from harness.probe.raw import Raw


@pytest.fixture
def echo(lab: Lab, wire: Wire, family: str) -> Iterator[Subject]:
    """The echo server in user space, with the wire recorded."""
    subject = start(lab, reference_servers()["echo_userspace"], family, dict(os.environ))
    yield subject
    subject.close()


def test_its_name_says_that_it_brings_its_own() -> None:
    """A server and its mutants, and nobody else."""
    everybody = reference_servers() | mutants()

    assert {name for name, program in everybody.items() if program.own_tcp} == {
        name for name in everybody if name.startswith("echo_userspace")
    }


def test_it_is_reached_where_no_kernel_is(echo: Subject, probe: Probe, family: str) -> None:
    """And serves there, from the handshake to the end."""
    assert echo.address.host == USERSPACE.address(family)
    client = probe.connect(echo)

    client.expect_back(b"hello", half_close=True)

    client.expect_end(Ending.EOF)


def test_what_it_waits_for_is_seen(echo: Subject, raw: Raw) -> None:
    """Octets that are not acknowledged are not those of an idle subject, though no kernel has them."""
    peer = raw.connect(echo)
    peer.acknowledges = False

    peer.send("PSH ACK", b"hello")
    peer.expect(got.data(b"hello"))
    assert echo.look().unsent == 5

    peer.acknowledge()
    peer.send("PSH ACK", b"!", seq=1000)
    peer.expect(got.bare_ack())  # of what came behind the acknowledgment
    assert echo.look().unsent == 0


def test_its_clients_are_told_that_it_ends(echo: Subject, probe: Probe) -> None:
    """No kernel does that in its stead."""
    client = probe.connect(echo)
    client.expect_back(b"hello")

    echo.signal(signal.SIGTERM)

    assert client.ending() is Ending.RESET
    assert echo.wait_end() is not None


@pytest.mark.parametrize(
    "ask",
    [
        lambda echo: echo.sockets(State.CLOSE_WAIT),
        lambda echo: echo.sockets(listening=True),
        lambda echo: echo.listeners(),
        lambda echo: echo.queue(),
        lambda echo: echo.spare_descriptors(),
        lambda echo: echo.start_short_of_descriptors(3),
        lambda echo: echo.terminate(),
        lambda echo: echo.paused().__enter__(),
    ],
    ids=["sockets", "listening", "listeners", "queue", "spare", "limit", "terminate", "paused"],
)
def test_what_only_a_kernel_could_tell_is_not_applicable(echo: Subject, ask: Callable[[Subject], Any]) -> None:
    """It would be told of nobody, and pass."""
    with pytest.raises(NotApplicable, match=r"own( TCP)?$"):
        ask(echo)


def test_it_stands_still_and_goes_on(echo: Subject, probe: Probe) -> None:
    """As by Ctrl-Z and fg: what came meanwhile lay in its packet socket."""
    client = probe.connect(echo)

    assert echo.stop_and_continue() == ""

    client.expect_back(b"still there?")

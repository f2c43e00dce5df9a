"""The probe: its clients stand at the near end, say why they are not connected, and are closed with it."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import pytest

from harness.lab.ends import FAR, NEAR
from harness.probe.client import Client
from harness.probe.ending import Ending
from harness.probe.probe import Probe
from harness.subject.inventory import from_command, reference_servers, told_server
from harness.subject.patience import Patience, Waited
from harness.subject.process import Subject, start
from harness.suite import got, sent
from harness.verdict import Mismatch
from harness.wire.segment import Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.capture.recording import Wire
    from harness.lab.handle import Lab


class OnceOnly(Patience):
    """Waits for a short time that is the same for all, and gives up."""

    def until(self, came: Callable[[float], bool]) -> Waited:
        """Wait for what is certain to come, or shortly for what is not."""
        return Waited(True) if came(0.3) else Waited(False, "the subject was idle for 2.0 s")


@pytest.fixture
def told(lab: Lab, wire: Wire, family: str) -> Iterator[Subject]:
    """A server that does what it is told, with the wire recorded."""
    subject = start(lab, told_server(), family, {})
    yield subject
    subject.close()


@pytest.fixture
def hasty(near: object, wire: Wire) -> Iterator[Probe]:
    """A probe without patience."""
    with Probe(near, OnceOnly, wire.meet) as probe:  # type: ignore[arg-type]  # the fixture is the plugin's
        yield probe


def test_a_client_stands_at_the_near_end(told: Subject, probe: Probe, wire: Wire, family: str) -> None:
    """Its flow is the wire's."""
    client = probe.connect(told)

    assert (client.near.host, client.far) == (NEAR.address(family), told.address)
    wire.flow(client).expect_only(sent.SYN, got.SYN, sent.bare_ack())


def test_buffers_and_segments_are_as_told(told: Subject, probe: Probe, wire: Wire) -> None:
    """A small window, and small segments."""
    client = probe.connect(told, receive_buffer=4096, segment_size=536)

    offered = wire.flow(client).expect(sent.SYN)
    assert offered.window < 4096
    wire.flow(client).expect(sent.SYN & sent.segment(mss=536))


def test_a_refused_connection(told: Subject, hasty: Probe) -> None:
    """A claim, or words."""
    told.tell("close-listener")

    assert hasty.try_connect(told) == "refused (RST)"
    with pytest.raises(Mismatch, match=r"^expected: the connection is accepted\nactual:   refused \(RST\)$"):
        hasty.connect(told)


def test_a_syn_that_is_not_answered(lab: Lab, hasty: Probe, told: Subject, family: str) -> None:
    """Nobody is at that address, so nothing comes."""
    told.address = Endpoint("10.9.0.77" if family == "v4" else "fd09::77", 7)
    # The neighbour is unknown and never asked for: the frame is lost, as on a wire without that host.
    outcome = hasty.try_connect(told)

    assert outcome == "no answer to our SYN: the subject was idle for 2.0 s"


def test_connections_are_closed_with_the_probe(told: Subject, near: object, wire: Wire) -> None:
    """Also those that never came to be."""
    with Probe(near, OnceOnly, wire.meet) as probe:  # type: ignore[arg-type]
        client = probe.connect(told)
        attempt = probe.begin_connect(told)
        datagrams = probe.datagrams(told)
        assert isinstance(attempt.outcome(), Client)

    assert [one.fileno() for one in (client.socket, datagrams.socket)] == [-1, -1]
    assert wire.wait_for(client, sent.FIN).flags
    assert wire.wait_for(attempt, sent.FIN).flags


def test_a_datagram_client_has_a_port_of_its_own(lab: Lab, told: Subject, probe: Probe, family: str) -> None:
    """It is bound at the near end, and told apart by its port."""
    first, second = probe.datagrams(told), probe.datagrams(told, Endpoint(FAR.address(family), 7))

    assert first.near.host == second.near.host == NEAR.address(family)
    assert 0 < first.near.port != second.near.port > 0
    assert (first.far, second.far) == (told.address, Endpoint(FAR.address(family), 7))


def test_a_datagram_client_never_has_the_port_of_the_subject(told: Subject, probe: Probe) -> None:
    """An echo server may leave its own port number unanswered, so another one is taken."""
    first = probe.datagrams(told)
    told.address = told.address._replace(port=first.near.port)
    first.close()

    assert probe.datagrams(told).near.port != told.address.port


def test_a_program_that_still_runs_has_not_ended(told: Subject, hasty: Probe) -> None:
    """It is told as what it is."""
    with pytest.raises(Mismatch, match=r"^expected: the server ends by itself\nactual:   it still runs; "):
        hasty.expect_exit(told)


def test_an_end_by_a_signal_is_no_exit(told: Subject, hasty: Probe) -> None:
    """Whichever status would do."""
    told.signal(signal.SIGKILL)
    told.wait_end()

    with pytest.raises(Mismatch, match=r"with an exit status\nactual:   killed by SIGKILL\nstatus: killed by SIGKILL"):
        hasty.expect_exit(told)


def test_another_exit_status_is_told(lab: Lab, wire: Wire, probe: Probe, family: str) -> None:
    """Any will do where none is named."""
    subject = start(lab, reference_servers()["one_shot_blocking"], family, {})
    probe.connect(subject).close()

    probe.expect_exit(subject)
    probe.expect_exit(subject, 0)
    with pytest.raises(Mismatch, match=r"with exit status 3\nactual:   exit 0"):
        probe.expect_exit(subject, 3)
    subject.close()


def test_it_settles_when_who_is_connected_was_accepted(told: Subject, probe: Probe) -> None:
    """The accept queue is empty then, and the program waits for us."""
    probe.connect(told)
    told.tell_later("accept")

    probe.let_settle(told)

    assert [listener["unread"] for listener in told.sockets(listening=True)] == [0]


def test_who_was_accepted_is_known(told: Subject, probe: Probe) -> None:
    """One that waits in the queue is known to the kernel alone."""
    first, _ = probe.connect(told), probe.connect(told)
    told.tell("accept")

    assert told.accepted() == {first.near.port}


def test_who_was_accepted_is_known_by_a_mapped_address_too(lab: Lab, probe: Probe) -> None:
    """A listener of IPv6 that takes IPv4 as well knows its clients as ::ffff:10.9.0.1."""
    both = "socket.create_server(('::', {port}), family=socket.AF_INET6, dualstack_ipv6=True)"
    code = f"import signal, socket; listener = {both}; client = listener.accept(); signal.pause()"
    subject = start(lab, from_command(f'{sys.executable} -c "{code}"', "tcp"), "v4", {})
    client = probe.connect(subject)

    probe.expect_soon(subject, "it is accepted", lambda: "" if subject.accepted() else "it is not")
    assert subject.accepted() == {client.near.port}
    subject.close()


def test_a_subject_that_does_nothing_has_no_unrest(told: Subject, probe: Probe) -> None:
    """It waits for a command."""
    assert probe.unrest(told) == ""


def test_a_client_meets_a_real_reset(told: Subject, probe: Probe, wire: Wire) -> None:
    """From the subject's kernel, when the program is killed with octets unread."""
    client = probe.connect(told)
    told.tell("accept")
    client.send_all(b"unread")
    wire.wait_for(client, got.acked(6))
    told.signal(signal.SIGKILL)

    assert client.ending() is Ending.RESET


def test_a_client_may_come_from_the_port_of_one_that_has_reset(told: Subject, probe: Probe, wire: Wire) -> None:
    """Each has a flow of its own, so that the capture of both is whole; asked for by its ends it is the last one's."""
    first = probe.connect(told)
    told.tell("accept")
    told.tell("send 66697273740a")
    first.expect(b"first\n")
    first.reset()
    told.tell("close")

    second = probe.connect(told, source=first.near)
    told.tell("accept")
    told.tell("send 7365636f6e64")
    second.expect(b"second")

    assert second.near == first.near
    assert [flow.stream(got) for flow in wire.capture().flows] == [b"first\n", b"second"]
    assert wire.flow(second).stream(got) == b"second"

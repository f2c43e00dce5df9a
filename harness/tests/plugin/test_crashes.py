"""A subject that ends while it is judged: its status, its words, and what a test may say of it then."""

from __future__ import annotations

import sys

import pytest

from harness.report.causes import Kind
from harness.report.model import Exit, Run
from harness.tests.plugin.sandbox import Ran, Sandbox

# What a client says decides how it ends: "slowly" gives up its sockets first, and works before it writes its traceback.
DIES = f"""\
#!{sys.executable}
import os, signal, socket, sys
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
while True:
    connection, _ = listener.accept()
    match connection.recv(100):
        case b"slowly":
            connection.close()
            listener.close()
            sum(range(20_000_000))
            raise RuntimeError("out of cheese")
        case b"at once":
            raise RuntimeError("out of bread")
        case b"signal":
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGPIPE)
        case words:
            connection.sendall(words)
            connection.close()
"""

SUITE = """
    PROFILES = ("echo",)

    def check_is_refused_then(subject, probe):
        probe.connect(subject).send_all(b"slowly")
        client = probe.connect(subject)
        client.expect_back(b"once")
        assert probe.connect(subject).ending() is Ending.EOF

    def check_passes_while_it_dies(subject, probe):
        probe.connect(subject).send_all(b"at once")

    @covers("house:any/rests")
    def check_rests(subject, probe):
        probe.connect(subject).send_all(b"at once")
        probe.expect_rest(subject, "it rests")

    @covers("house:any/rests")
    def check_rests_though_it_may_end(subject, probe):
        subject.may_end = True
        probe.connect(subject).send_all(b"at once")
        probe.expect_rest(subject, "it rests")

    def check_is_ended_by_a_signal(subject, probe):
        client = probe.connect(subject)
        client.send_all(b"signal")
        assert client.ending() is Ending.EOF

    def check_goes_on(subject, probe):
        client = probe.connect(subject)
        client.expect_back(b"hello")
        client.expect_end()
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """One run of all of them."""
    sandbox = Sandbox(tmp_path_factory.mktemp("checkout"))
    sandbox.suite(SUITE)
    sandbox.program("dies", DIES)
    return sandbox.check("--serve", "./dies {host} {port}", "--profile", "echo")


def found(ran: Ran, test: str) -> list[tuple[str, str]]:
    """What a test missed."""
    (row,) = [row for row in ran.record.results if f"::{test}[v4" in row.test]
    return [(finding.requirement, finding.actual.partition(" (at ")[0]) for finding in row.findings]


def test_a_process_that_is_ending_is_waited_for(ran: Ran) -> None:
    """Its sockets were gone long before it had ended; its status is never `still running` above a traceback."""
    assert found(ran, "is_refused_then")[-1] == ("house:any/survives", "exit 1; RuntimeError: out of cheese")
    (row,) = [row for row in ran.record.results if "is_refused_then[v4" in row.test]
    said = (ran.folder / row.evidence / "subject.txt").read_text()
    assert "\nended: exit 1\n" in said
    assert "RuntimeError: out of cheese" in said


def test_a_test_that_is_over_sooner_than_the_process_sees_it_end(ran: Ran) -> None:
    """It passed; the crash that it provoked came a moment later."""
    assert found(ran, "passes_while_it_dies") == [("house:any/survives", "exit 1; RuntimeError: out of bread")]


def test_of_a_process_that_has_crashed_nothing_else_is_claimed(ran: Ran) -> None:
    """It uses no processor, for it is not there: that is no finding about its rest."""
    assert found(ran, "rests") == [("house:any/survives", "exit 1; RuntimeError: out of bread")]


def test_where_it_may_end_the_claim_is_missed(ran: Ran) -> None:
    """Its end is what the requirement speaks of."""
    assert found(ran, "rests_though_it_may_end") == [
        ("house:any/rests", "it has ended: exit 1; RuntimeError: out of bread")
    ]


def test_the_row_keeps_what_became_of_the_process(ran: Ran) -> None:
    """From which the causes are told, by whoever reads the record."""
    rows = {row.test.partition("::")[2].partition("[")[0]: row.process for row in ran.record.results if row.process}

    dying, signalled, fine = (rows[name] for name in ("is_refused_then", "is_ended_by_a_signal", "goes_on"))
    assert dying.crashed
    assert dying.trace is not None
    assert (dying.trace.exception, dying.trace.line) == ("RuntimeError", 11)
    assert (signalled.status, signalled.trace, signalled.clients) == ("killed by SIGPIPE", None, 1)
    assert (fine.status, fine.ended, fine.clients, fine.closed) == ("still running", False, 1, 1)


def test_each_crash_is_one_cause(ran: Ran) -> None:
    """Three ways to end, three causes; on the terminal they come first."""
    run = Run.of(ran.record)

    assert ran.code == Exit.MISSED
    assert [cause.kind for cause in run.causes] == [Kind.CRASH] * 3
    assert "\n3 causes · 0 other findings\n" in ran.out, ran.out
    assert "CAUSE  RuntimeError: out of bread\n  at        dies:13\n" in ran.out


def test_why_a_family_is_not_served_is_told_with_its_stderr(ran: Ran) -> None:
    """In the reason of each test that is not applicable for it."""
    (reason,) = {row.reason for row in ran.record.results if row.family == "v6"}

    assert reason.startswith(
        "the subject does not serve IPv6: './dies {host} {port}' ended before it was ready (stderr: "
    )
    assert "Error: [Errno -9]" in reason
    assert reason.endswith("(at dies:3))")

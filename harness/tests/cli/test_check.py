"""`sockspec check` with a suite of the test's own: whom it judges, what it leaves where, and whom it cannot judge.

Subjects here are small, and right or wrong on purpose; what the real suites say of real servers is theirs to test.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from harness.report.model import Exit
from harness.tests.fixtures.running import SERVERS

if TYPE_CHECKING:
    from harness.tests.plugin.sandbox import Ran, Sandbox

pytestmark = pytest.mark.usefixtures("lab_process")

ECHO = """
    PROFILES = ("echo",)

    @covers("rfc862:tcp/octets-unchanged")
    def check_comes_back(subject, probe):
        probe.connect(subject).expect_back(b"once")

    @covers("rfc862:tcp/octets-unchanged")
    def check_is_upper_case(subject, probe):
        client = probe.connect(subject)
        client.send_all(b"once")
        client.expect(b"ONCE")

    @covers("rfc9293:MUST-12")
    def check_is_seen_on_the_wire(subject, probe, wire):
        client = probe.connect(subject)
        client.expect_back(b"once")
        wire.flow(client).expect(sent.SYN, got.SYN, sent.data(), got.data())

    @covers("rfc9293:MUST-12")
    def check_can_be_watched(subject, probe):
        assert subject.resources()["sockets"] >= 1
"""

SERVED = f"{sys.executable} {SERVERS / 'echo_blocking.py'} {{host}} {{port}}"


def _verdicts(ran: Ran, family: str) -> dict[str, str]:
    """The verdicts of one family, without its name."""
    ending = f"[{family}]"
    return {name.removesuffix(ending): verdict for name, verdict in ran.verdicts.items() if name.endswith(ending)}


def test_a_served_subject_is_judged_on_both_families(sandbox: Sandbox) -> None:
    sandbox.suite(ECHO)
    ran = sandbox.check("--serve", SERVED, "--profile", "echo", "-n", "2", "--json", "a/rows.jsonl", "--junit", "b.xml")
    expected = {"comes_back": "pass", "is_upper_case": "fail", "is_seen_on_the_wire": "pass", "can_be_watched": "pass"}
    assert _verdicts(ran, "v4") == _verdicts(ran, "v6") == expected
    assert ran.code == Exit.MISSED

    rows = [json.loads(line) for line in (sandbox.root / "a/rows.jsonl").read_text().splitlines()]
    assert {row["test"] for row in rows} == set(ran.record.facts.planned)
    assert (sandbox.root / "b.xml").read_bytes() == (ran.folder / "junit.xml").read_bytes()
    assert ran.counts == {"tests": 8, "failures": 2, "errors": 0, "skipped": 0}
    assert {row["subject"] for row in rows} == {SERVED}
    assert ran.evidence["is_upper_case[v4]"] == [
        "calls.json",
        "finding.txt",
        "segments.txt",
        "subject.txt",
        "wire.pcapng",
    ]
    assert ran.evidence["comes_back[v4]"] == ["calls.json", "segments.txt", "subject.txt", "wire.pcapng"]
    assert "nodes" not in ran.out + ran.err
    assert "2 findings" not in ran.out  # what both families miss is told once
    assert "1 finding, the worst first" in ran.out


def test_pytest_does_the_same(sandbox: Sandbox) -> None:
    sandbox.suite(ECHO)
    ran = sandbox.pytest("--serve", SERVED, "--profile", "echo", "--pcap", "failed", "-k", "v4")
    assert ran.verdicts == {
        "comes_back[v4]": "pass",
        "is_upper_case[v4]": "fail",
        "is_seen_on_the_wire[v4]": "pass",
        "can_be_watched[v4]": "pass",
    }
    assert ran.code == Exit.MISSED
    assert ran.evidence == {
        "is_upper_case[v4]": ["calls.json", "finding.txt", "segments.txt", "subject.txt", "wire.pcapng"]
    }


CRASHES = f"""\
#!{sys.executable}
import socket, sys
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
connection, _ = listener.accept()
connection.sendall(connection.recv(100))
raise RuntimeError("out of cheese")
"""


def test_a_crash_in_a_passing_test_is_a_fail_with_its_stderr(sandbox: Sandbox) -> None:
    sandbox.suite(
        """
        PROFILES = ("echo",)

        def check_comes_back(subject, probe):
            probe.connect(subject).expect_back(b"once")
            assert subject.wait_end() is not None
        """
    )
    sandbox.program("crashes", CRASHES)
    ran = sandbox.check("--serve", "./crashes {host} {port}", "--profile", "echo", "-k", "v4", "--pcap", "never")
    assert ran.code == Exit.MISSED, ran.out + ran.err
    (row,) = ran.record.results
    (finding,) = row.findings
    assert (finding.requirement, *finding.actual.split(" (at ")) == (
        "house:any/survives",
        "exit 1; RuntimeError: out of cheese",
        "crashes:6)",
    )
    assert "RuntimeError: out of cheese" in (ran.folder / row.evidence / "subject.txt").read_text()
    assert ran.evidence == {"comes_back[v4]": ["calls.json", "finding.txt", "segments.txt", "subject.txt"]}


# Serves, while it prints as fast as it can; `greedy` takes memory instead, until it has used up what it allowed itself.
HUNGRY = f"""\
#!{sys.executable}
import resource, socket, sys, threading
def flood():
    while True:
        sys.stdout.write("x" * 65536)
def serve(connection):
    while octets := connection.recv(65536):
        connection.sendall(octets)
        if "greedy" in sys.argv[0]:
            resource.setrlimit(resource.RLIMIT_AS, (1 << 29, 1 << 29))
            held = [bytearray(1 << 20) for _ in range(1 << 10)]
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
if "floods" in sys.argv[0]:
    threading.Thread(target=flood, daemon=True).start()
while True:
    serve(listener.accept()[0])
"""


def test_a_subject_that_floods_its_output_is_judged(sandbox: Sandbox) -> None:
    """It is kept from nothing; the evidence has the beginning of what it printed, the end, and how much lay between."""
    sandbox.suite(ECHO)
    sandbox.program("floods", HUNGRY)
    ran = sandbox.check("--serve", "./floods {host} {port}", "--profile", "echo", "-k", "comes_back and v4")
    assert (ran.code, ran.verdicts) == (Exit.HOLDS, {"comes_back[v4]": "pass"}), ran.out + ran.err
    (row,) = ran.record.results
    said = (ran.folder / row.evidence / "subject.txt").read_text()
    assert "octets left out" in said or "\nstdout, " in said, "how much is read while it runs is its own luck"
    assert len(said) < 200_000


def test_a_subject_that_eats_memory_is_told_with_its_end(sandbox: Sandbox) -> None:
    """What became of it is a finding, and the run goes on with a fresh one."""
    sandbox.suite(
        """
        PROFILES = ("echo",)

        def check_comes_back(subject, probe):
            probe.connect(subject).expect_back(b"once")
            assert subject.wait_end() is not None

        def check_serves_the_next_test(subject, probe):
            probe.connect(subject).expect_back(b"once")
            assert subject.wait_end() is not None
        """
    )
    sandbox.program("greedy", HUNGRY)
    ran = sandbox.check("--serve", "./greedy {host} {port}", "--profile", "echo", "-k", "v4")
    assert ran.verdicts == {"comes_back[v4]": "fail", "serves_the_next_test[v4]": "fail"}, ran.out + ran.err
    assert [row.findings[-1].actual for row in ran.record.results] == ["exit 1; MemoryError (at greedy:11)"] * 2


def test_the_end_of_a_one_shot_server_is_no_crash(sandbox: Sandbox) -> None:
    sandbox.suite(
        """
        PROFILES = ("one-shot",)

        def check_ends(subject, probe):
            probe.connect(subject).send_all(b"once")
            assert subject.wait_end() is not None
        """
    )
    ran = sandbox.check("--profile", "one-shot", "-k", "one_shot_blocking and v4")
    assert ran.code == Exit.HOLDS, ran.out + ran.err


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        (
            "./missing {port}",
            Exit.USAGE,
            "sockspec: './missing' cannot be started: No such file or directory\n  command: ./missing 7007\n",
        ),
        (
            "./notes.txt {port}",
            Exit.USAGE,
            "sockspec: './notes.txt' cannot be started: Permission denied\n  command: ./notes.txt 7007\n",
        ),
        (
            "./ends {host} {port}",
            Exit.BROKEN,
            (
                "sockspec: './ends {host} {port}' ended before it was ready\n"
                "  command: ./ends 10.9.0.2 7007\n"
                "  status: exit 3\n"
                "  stderr: no colour 10.9.0.2\n"
                "          and no cheese\n"
            ),
        ),
    ],
    ids=["missing", "not executable", "ends at once"],
)
def test_a_subject_that_cannot_be_judged_is_told_once(sandbox: Sandbox, command: str, code: int, told: str) -> None:
    sandbox.suite(ECHO)
    sandbox.program("ends", '#!/bin/sh\necho "no colour $1" >&2\necho "and no cheese" >&2\nexit 3\n')
    (sandbox.root / "notes.txt").write_text("")
    ran = sandbox.check("--serve", command, "--profile", "echo")
    assert (ran.code, ran.out, ran.err) == (code, "", told)
    assert not ran.folder.exists()


def test_a_subject_that_listens_elsewhere_is_told_where(sandbox: Sandbox) -> None:
    sandbox.suite(ECHO)
    sandbox.program(
        "elsewhere", f'#!{sys.executable}\nimport socket\nsocket.create_server(("10.9.0.2", 9999)).accept()\n'
    )
    ran = sandbox.check("--serve", "./elsewhere {host} {port}", "--profile", "echo")
    assert ran.code == Exit.USAGE
    first, command, status = ran.err.splitlines()
    assert first.startswith("sockspec: './elsewhere {host} {port}' listens on 10.9.0.2:9999, not on 10.9.0.2:7007")
    assert (command, status) == ("  command: ./elsewhere 10.9.0.2 7007", "  status: still running")
    assert not ran.folder.exists()


def test_which_of_several_ports_is_judged_is_told(sandbox: Sandbox) -> None:
    sandbox.suite(ECHO)
    sandbox.program(
        "several",
        f'#!{sys.executable}\nimport socket\nlisteners = [socket.create_server(("", port)) for port in (4369, 9999)]\n'
        "while client := listeners[0].accept()[0]:\n    client.sendall(client.recv(5))\n",
    )
    ran = sandbox.check("--serve", "./several", "--profile", "echo")
    expected = "sockspec: './several' waits on 0.0.0.0:4369, 0.0.0.0:9999; judged is 10.9.0.2:4369: a command with"
    assert ran.err.startswith(expected), ran.err

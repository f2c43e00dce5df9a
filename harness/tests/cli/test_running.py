"""Subjects that run already: `tcp://host:port` and `udp://host:port`, with the right to capture and without."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from harness.report.model import Exit
from harness.tests.cli.test_check import ECHO
from harness.tests.fixtures.running import SERVERS, running

if TYPE_CHECKING:
    from harness.tests.plugin.sandbox import Sandbox

_UDP = """
    PROFILES = ("udp-echo",)

    @covers("rfc862:udp/same-data")
    def check_comes_back(subject, probe, wire):
        client = probe.datagrams(subject)
        client.expect_back(b"once")
        wire.flow(client).expect(sent.datagram(b"once"), got.datagram(b"once"))
"""

_GONE = """
    PROFILES = ("echo",)

    @covers("rfc862:tcp/returns-every-octet")
    def check_comes_back(subject, probe):
        subject.address = subject.address._replace(port=1)  # nobody is there, as if it had ended
        probe.connect(subject)
"""

# Gives up CAP_NET_RAW (13) for good (PR_CAPBSET_DROP, 24), then becomes the command.
_WITHOUT_CAPTURE = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(24, 13, 0, 0, 0)
os.execv(sys.executable, [sys.executable, "-m", *sys.argv[1:]])
"""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may capture on lo")


@as_root
def test_a_running_server_is_judged_with_a_capture_on_loopback(sandbox: Sandbox) -> None:
    sandbox.suite(ECHO)
    with running(SERVERS / "echo_blocking.py", "127.0.0.1", "0") as server:
        ran = sandbox.check(f"tcp://127.0.0.1:{server.port}", "--profile", "echo")
    assert ran.verdicts == {
        "comes_back[v4]": "pass",
        "is_upper_case[v4]": "fail",
        "is_seen_on_the_wire[v4]": "pass",
        "can_be_watched[v4]": "not applicable",
        **dict.fromkeys([name for name in ran.verdicts if name.endswith("[v6]")], "not applicable"),
    }
    assert len(ran.verdicts) == 8
    assert ran.code == Exit.MISSED
    reasons = {row.reason for row in ran.record.results if row.test.endswith("can_be_watched[v4]")}
    assert reasons == {"needs a subject whose resources can be seen: start it with --serve"}


def test_without_the_right_to_capture_the_rest_is_judged(sandbox: Sandbox) -> None:
    sandbox.suite(ECHO)
    sandbox.program("without_capture.py", _WITHOUT_CAPTURE)
    with running(SERVERS / "echo_blocking.py", "127.0.0.1", "0") as server:
        words = ("check", f"tcp://127.0.0.1:{server.port}", "--profile=echo", "-n0", "-k", "v4 and not is_upper_case")
        ran = sandbox.run("without_capture", "harness", *words, f"--report={sandbox.report}")
    assert ran.verdicts == {
        "comes_back[v4]": "pass",
        "is_seen_on_the_wire[v4]": "not applicable",
        "can_be_watched[v4]": "not applicable",
    }
    assert ran.code == Exit.HOLDS
    reasons = {row.test: row.reason for row in ran.record.results}
    assert reasons["sample::is_seen_on_the_wire[v4]"].startswith("needs a capture: run as root")


@as_root
def test_a_running_udp_server_on_ipv6(sandbox: Sandbox) -> None:
    sandbox.suite(_UDP)
    with running(SERVERS / "udp_echo_blocking.py", "::1", "0") as server:
        ran = sandbox.check(f"udp://[::1]:{server.port}", "--profile", "udp-echo")
    assert ran.verdicts == {"comes_back[v4]": "not applicable", "comes_back[v6]": "pass"}
    assert ran.code == Exit.HOLDS


@pytest.mark.parametrize(("transport", "host"), [("tcp", "127.0.0.1"), ("udp", "127.0.0.1"), ("udp", "[::1]")])
def test_nobody_is_there(sandbox: Sandbox, transport: str, host: str) -> None:
    """One line and no report: as many fails as there are tests would say no more."""
    sandbox.suite(ECHO if transport == "tcp" else _UDP)
    with running(SERVERS / "echo_blocking.py", host.strip("[]"), "0") as server:
        address = f"{transport}://{host}:{server.port}"
    ran = sandbox.check(address, "--profile", "echo" if transport == "tcp" else "udp-echo")

    assert ran.code == Exit.BROKEN
    remedy = "start the server first, or give --serve with its command"
    assert ran.err == f"sockspec: nobody is at {address}: Connection refused; {remedy}\n"


def test_who_ends_meanwhile_is_missed(sandbox: Sandbox) -> None:
    """What was there at the beginning, and then refuses a client, has missed something."""
    sandbox.suite(_GONE)
    with running(SERVERS / "echo_blocking.py", "127.0.0.1", "0") as server:
        ran = sandbox.check(f"tcp://127.0.0.1:{server.port}", "--profile", "echo", "-k", "v4")

    assert ran.code == Exit.MISSED
    (finding,) = ran.record.results[0].findings
    assert (finding.expected, finding.actual) == ("the connection is accepted", "refused (RST)")

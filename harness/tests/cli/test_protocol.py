"""`sockspec check --profile FILE.toml` and `--profile SAMPLE`: from the file and a server of the user's to verdicts."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from harness.report.model import Exit
from harness.tests.plugin.sandbox import CHECKOUT

if TYPE_CHECKING:
    from harness.tests.plugin.sandbox import Ran, Sandbox

COUNTER_FILE = r"""
greeting = "counter\r\n"
closes = "server"

[[exchange]]
send = "NEXT\r\n"
expect-regex = '[0-9]+\r\n'

[[exchange]]
send-hex = "42 59 45 0d 0a"
expect = "bye\r\n"
"""

# Serves one client after the other; counts from nine, so that an answer has two digits sooner or later.
COUNTER = """\
import itertools, socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
numbers = itertools.count(9)
with socket.create_server((sys.argv[1], int(sys.argv[2])), family=family) as listener:
    while True:
        connection, _ = listener.accept()
        try:
            with connection, connection.makefile("rb") as lines:
                connection.sendall(b"counter\\r\\n")
                for line in lines:
                    connection.sendall(b"%d\\r\\n" % next(numbers) if line == b"NEXT\\r\\n" else b"bye\\r\\n")
                    if line != b"NEXT\\r\\n":
                        break
        except OSError:
            pass
"""

DOUBLER_FILE = """
transport = "udp"

[[exchange]]
send = "ab"
expect = "abab"
"""

DOUBLER = """\
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
server = socket.socket(family, socket.SOCK_DGRAM)
server.bind((sys.argv[1], int(sys.argv[2])))
while True:
    datagram, sender = server.recvfrom(65535)
    server.sendto(datagram * 2, sender)
"""

needs_lab = pytest.mark.usefixtures("lab_process")


@pytest.fixture
def checkout(sandbox: Sandbox) -> Sandbox:
    """A checkout with the suites of own protocols and nothing else."""
    for layer in ("services", "udp"):
        (sandbox.root / "suites" / layer).mkdir()
        place = f"suites/{layer}/test_protocol.py"
        (sandbox.root / place).symlink_to(CHECKOUT / place)
    return sandbox


def judge(checkout: Sandbox, server: str, profile: str, *words: str) -> Ran:
    """Judge a server in Python over IPv4."""
    (checkout.root / "server.py").write_text(server)
    command = f"{sys.executable} server.py {{host}} {{port}}"
    return checkout.check("--serve", command, "--profile", profile, "--pcap", "never", *words)


def counted(ran: Ran) -> dict[str, int]:
    """How many tests came to each verdict."""
    verdicts = list(ran.verdicts.values())
    return {verdict: verdicts.count(verdict) for verdict in sorted(set(verdicts))}


@needs_lab
def test_a_server_that_does_what_its_file_says(checkout: Sandbox) -> None:
    (checkout.root / "counter.toml").write_text(COUNTER_FILE)
    words = "answers_as or halves or speaks_first or fin_behind or nothing_before"
    ran = judge(checkout, COUNTER, "counter.toml", "-n", "2", "-k", f"v4 and ({words})")
    assert (ran.code, counted(ran)) == (Exit.HOLDS, {"not applicable": 1, "pass": 4}), ran.out + ran.err
    assert {row.profile for row in ran.record.results} == {"counter.toml"}


@needs_lab
def test_a_server_that_does_something_else(checkout: Sandbox) -> None:
    (checkout.root / "counter.toml").write_text(COUNTER_FILE.replace("[0-9]+", "[0-9]"))
    ran = judge(checkout, COUNTER, "counter.toml", "-k", "v4 and like_the_first")
    assert ran.code == Exit.MISSED, ran.out + ran.err
    (finding,) = ran.record.results[0].findings
    assert (finding.requirement, finding.expected) == (
        "house:protocol/repeats",
        r"the answer to 'NEXT\r\n': octets that match '[0-9]\r\n'",
    )
    assert finding.actual.startswith(r"'10\r\n' (4 octets); the subject was idle for ")
    assert finding.actual.endswith(
        r"the match stops at offset 1: after '[0-9]' the expression has '\r\n', but '0\r\n' came"
    )
    assert "sockspec check --serve" in ran.record.results[0].again
    assert "--profile counter.toml" in ran.record.results[0].again


@needs_lab
def test_datagrams(checkout: Sandbox) -> None:
    (checkout.root / "doubler.toml").write_text(DOUBLER_FILE)
    ran = judge(checkout, DOUBLER, "doubler.toml", "-k", "v4")
    # How many tests there are for it is not settled here: each suite that gains one would have to come by.
    assert (ran.code, set(counted(ran))) == (Exit.HOLDS, {"not applicable", "pass"}), ran.out + ran.err


@needs_lab
def test_the_http_server_of_python_speaks_the_sample(checkout: Sandbox) -> None:
    command = f"{sys.executable} -m http.server {{port}} --bind {{host}}"
    words = "octets or fin_behind or slow_reader"
    ran = checkout.check("--serve", command, "--profile", "http", "--pcap", "never", "-k", f"v4 and ({words})")
    assert (ran.code, counted(ran)) == (Exit.HOLDS, {"pass": 3}), ran.out + ran.err


@needs_lab
def test_a_sample_judges_the_reference_server_that_speaks_it(checkout: Sandbox) -> None:
    ran = checkout.check("--profile", "redis", "--pcap", "never", "-k", "v4 and answers_as_described")
    assert (ran.code, counted(ran)) == (Exit.HOLDS, {"pass": 1}), ran.out + ran.err
    assert [(row.profile, row.subject) for row in ran.record.results] == [("redis", "redis_selectors")]


def test_a_bad_file_ends_the_run_in_one_line(checkout: Sandbox) -> None:
    (checkout.root / "my.toml").write_text('closes = "client"\n\n[[exchange]]\nsend = "a"\nexpects = "b"\n')
    ran = checkout.check("--serve", "./server {port}", "--profile", "my.toml")
    keys = "name, send, send-hex, expect, expect-hex, expect-regex"
    line = f"ERROR: --profile my.toml:5: exchange 1: expects: expected one of the keys {keys}"
    assert (ran.code, ran.out, ran.err.strip()) == (Exit.USAGE, "", line)
    assert not ran.folder.exists()


def test_a_file_needs_a_server(checkout: Sandbox) -> None:
    (checkout.root / "counter.toml").write_text(COUNTER_FILE)
    ran = checkout.check("--profile", "counter.toml")
    line = "ERROR: no server of ours speaks counter.toml; give yours: --serve 'CMD {host} {port}'"
    assert (ran.code, ran.err.strip()) == (Exit.USAGE, line)


def test_transport_and_address_must_fit(checkout: Sandbox) -> None:
    ran = checkout.check("tcp://127.0.0.1:7", "--profile", "stun")
    line = "ERROR: tcp://127.0.0.1:7 is tcp, but the profile 'stun' is spoken over udp"
    assert (ran.code, ran.err.strip()) == (Exit.USAGE, line)

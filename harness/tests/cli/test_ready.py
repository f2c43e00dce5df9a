"""When a server may be judged: when it listens, says so, or answers; and the folder that it gets for its files."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from harness.report.model import Exit

if TYPE_CHECKING:
    from pathlib import Path

    from harness.tests.plugin.sandbox import Ran, Sandbox

pytestmark = pytest.mark.usefixtures("lab_process")

# Asked once, so that one which is not ready yet is found out.
SUITE = """
    PROFILES = ("echo",)

    @covers("rfc862:tcp/octets-unchanged")
    def check_comes_back(subject, probe, wire):
        assert subject.sockets() == [], "nobody was here"
        client = probe.connect(subject)
        client.expect_back(b"once")
        assert len(wire.capture().flows) == 1
        assert len({frame.number for frame in wire.capture().frames}) == len(wire.flow(client).steps)
"""

# Echoes, but turns everybody away until it is ready: `by time` some moment after its start, `by tries` when enough have
# come. Where a third word says `tells` it prints that it is ready, else nothing.
SERVER = f"""\
#!{sys.executable}
import socket, sys, threading, time
host, port, when, *tells = sys.argv[1:]
family = socket.AF_INET6 if ":" in host else socket.AF_INET
listener = socket.create_server((host, int(port)), family=family, backlog=100)
ready = threading.Event()
def become_ready():
    if tells:
        sys.stderr.write("10:00 ready to ser"); sys.stderr.flush()
        sys.stderr.write("ve, at last\\n"); sys.stderr.flush()
    ready.set()
if when != "tries":
    threading.Timer(float(when), become_ready).start()
came = 0
while True:
    connection, _ = listener.accept()
    came += 1
    with connection:
        if when == "tries":
            ready.set() if came > 1 else None
        if ready.is_set():
            while octets := connection.recv(100):
                connection.sendall(octets)
"""


def told(ran: Ran) -> list[str]:
    """What it tells the user, besides its progress on a machine that is busy."""
    return [line for line in ran.err.splitlines() if " judged, " not in line]


@pytest.fixture
def server(sandbox: Sandbox) -> Sandbox:
    """A checkout with the suite and the server."""
    sandbox.suite(SUITE)
    sandbox.program("server", SERVER)
    return sandbox


def test_a_server_that_answers_later_is_waited_for(server: Sandbox) -> None:
    """No capture has what it was asked for that, and no socket tells of it; `again` says how it was started."""
    ran = server.check("--serve", "./server {host} {port} 0.5", "--profile", "echo", "--ready", "answered")

    assert (ran.code, told(ran)) == (Exit.HOLDS, []), ran.out + ran.err
    assert ran.verdicts == {"comes_back[v4]": "pass", "comes_back[v6]": "pass"}
    assert {row.again.partition(" -k")[0] for row in ran.record.results} == {
        "sockspec check --serve './server {host} {port} 0.5' --ready 'answered' --profile echo"
    }


def test_a_server_that_says_when_it_is_ready_is_waited_for(server: Sandbox) -> None:
    """The text may stand anywhere in a line, on stdout or stderr, and come in two parts."""
    words = ("--serve", "./server {host} {port} 0.5 tells", "--profile", "echo", "--ready", "ready to serve")
    ran = server.check(*words, "--ready-budget", "20")

    assert (ran.code, told(ran)) == (Exit.HOLDS, []), ran.out + ran.err
    assert "--ready 'ready to serve' --ready-budget '20'" in ran.record.results[0].again


def test_a_server_that_listens_too_early_is_noticed(server: Sandbox) -> None:
    """It is told once, with what fails and what to write, and is given the time; workers know of it, too."""
    ran = server.check("--serve", "./server {host} {port} 1", "--profile", "echo", "-n", "2")

    assert ran.code == Exit.HOLDS, ran.out + ran.err
    (line,) = told(ran)
    assert line.startswith(
        "sockspec: './server {host} {port} 1' listens before it is ready: its first exchange fails ("
    )
    assert line.endswith("as with --ready answered")


def test_a_server_that_fails_its_first_client_is_not_excused(server: Sandbox) -> None:
    """Time does not help it: each client that comes first is turned away."""
    ran = server.check("--serve", "./server {host} {port} tries", "--profile", "echo", "-k", "v4")

    assert (ran.code, told(ran)) == (Exit.MISSED, []), ran.out + ran.err
    assert ran.verdicts == {"comes_back[v4]": "fail"}


@pytest.mark.parametrize(
    ("ready", "what", "possible"),
    [
        (
            "no such text",
            "has not printed 'no such text' (--ready) within 1 s",
            "possible: what it prints waits in a buffer, because its output is no terminal: have it flush that\n",
        ),
        (
            "answered",
            "has answered nobody (--ready answered) within 1 s; asked ",
            "possible: what it needs is not there: its backend, its data\n",
        ),
    ],
)
def test_a_server_that_does_not_become_ready_is_told_once(
    server: Sandbox, ready: str, what: str, possible: str
) -> None:
    """With the last lines of what it has printed, and what the reader may have overlooked; nothing is run."""
    serve = "./server {host} {port} 1000"
    ran = server.check("--serve", serve, "--profile", "echo", "--ready", ready, "--ready-budget", "1")

    assert (ran.code, ran.out) == (Exit.BROKEN, ""), ran.err
    assert ran.err.startswith(f"sockspec: {serve!r} listens on 10.9.0.2:7007, but {what}")
    assert "\n  status: still running\n" in ran.err
    assert possible in ran.err
    assert not ran.folder.exists()


def test_implementations_say_when_they_are_ready(server: Sandbox) -> None:
    """Each for itself, beside its command."""
    (server.root / "subjects.toml").write_text(
        '[late]\nserve = "./server {host} {port} 0.5 tells"\nprofiles = ["echo"]\nready = "at last"\n'
        '[later]\nserve.echo = "./server {host} {port} 0.5"\nready = "answered"\nready-budget = 20\n'
    )
    ran = server.run("harness", "matrix", "subjects.toml", "-k", "v4", "-n", "0", f"--report={server.report}")

    assert (ran.code, told(ran)) == (Exit.HOLDS, []), ran.out + ran.err
    assert ran.verdicts == {"comes_back[v4-late]": "pass", "comes_back[v4-later]": "pass"}


def test_a_server_gets_an_empty_folder_at_each_start(sandbox: Sandbox, tmp_path: Path) -> None:
    """And the address as it stands before a port; nothing of that is left on the machine."""
    sandbox.suite(
        """
        PROFILES = ("echo",)

        @covers("house:any/restart")
        def check_starts_again(subject, probe):
            assert os.path.basename(os.path.dirname(subject.command[1])).startswith("sockspec-")
            assert subject.command[2] == ("[fd09::2]" if subject.family == "v6" else "10.9.0.2") + ":7007"
            subject.kill()
            subject.wait_end()
            subject.restart()
            assert not os.path.exists(subject.command[1])
        """
    )
    sandbox.program(
        "writes",
        f"#!{sys.executable}\nimport os, socket, sys\nfolder, place = sys.argv[1:]\n"
        "assert os.listdir(folder) == []\nopen(folder + '/pid', 'x').close()\n"
        "host, _, port = place.rpartition(':')\n"
        "family = socket.AF_INET6 if '[' in host else socket.AF_INET\n"
        "socket.create_server((host.strip('[]'), int(port)), family=family).accept()\n",
    )
    ran = sandbox.check("--serve", "./writes {scratch} {address}:{port}", "--profile", "echo")

    assert (ran.code, told(ran)) == (Exit.HOLDS, []), ran.out + ran.err
    assert ran.verdicts == {"starts_again[v4]": "pass", "starts_again[v6]": "pass"}

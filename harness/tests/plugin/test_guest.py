"""Somebody else's test suite uses the fixtures, and its own sockets stay what they were."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from harness.capture import pcapng

if TYPE_CHECKING:
    from pathlib import Path

SERVER = """\
import socketserver, sys

class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while octets := self.request.recv(65536):
            self.request.sendall(octets)

class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    address_family = 10 if ":" in sys.argv[1] else 2

Server((sys.argv[1], int(sys.argv[2])), Echo).serve_forever()
"""
SUITE = """\
import os, socket, sys
import pytest
from harness.suite import got, sent

OWN_NETWORK = os.readlink("/proc/self/ns/net")
COMMAND = [sys.executable, "server.py", "{host}", "{port}"]

def test_own_sockets():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname()):
            listener.accept()[0].close()

def test_goodbye(serve, probe, wire):
    client = probe.connect(serve(COMMAND))
    client.expect_back(b"hello")
    client.half_close()
    client.expect_end()
    wire.flow(client).expect(sent.FIN, got.FIN)
    assert os.readlink("/proc/self/ns/net") == OWN_NETWORK
    test_own_sockets()

def test_family(serve, probe, family):
    server = serve(f"{sys.executable} server.py {{host}} {{port}}")
    assert (":" in server.address.host) == (family == "v6")
    probe.connect(server).expect_back(b"hello")

def test_lost_frame(serve, probe, wire, link):
    client = probe.connect(serve(COMMAND))
    with link.drop(sent.data(), times=1):
        client.expect_back(b"hello")
    assert len(wire.flow(client).pick(sent.data(b"hello"))) == 2

def test_lab(lab):
    with lab.socket("near", socket.AF_INET, socket.SOCK_STREAM) as ours:
        ours.bind(("10.9.0.1", 0))

def test_wrong(serve, probe, wire):
    client = probe.connect(serve(COMMAND))
    client.expect_back(b"hello")
    wire.flow(client).expect(got.RST)

def test_unknown_profile(serve):
    with pytest.raises(ValueError, match="profile 'ecco' is unknown; it is one of echo"):
        serve(COMMAND, profile="ecco")
"""


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Pytest in that folder, as its owner runs it: with the plugin found by its entry point, or named."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "harness.plugin.guest", "-p", "no:sockspec", "-q", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60.0,
        check=False,
    )


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A project with a server and its tests, which knows nothing else of us."""
    (tmp_path / "server.py").write_text(SERVER)
    (tmp_path / "test_server.py").write_text(SUITE)
    return tmp_path


def test_the_fixtures_serve_somebody_else(suite: Path) -> None:
    """Servers run in the lab, faults and families are there, and a failure shows the wire and keeps its capture."""
    ran = run(suite, "--sockspec-evidence=kept", "-p", "no:cacheprovider")

    assert re.search(r"^1 failed, 7 passed", ran.stdout, re.MULTILINE), ran.stdout + ran.stderr
    assert "FAILED test_server.py::test_wrong" in ran.stdout
    assert "the wire (whole: " in ran.stdout
    assert "sent  SYN" in ran.stdout
    (kept,) = (suite / "kept" / "evidence").glob("*/wire.pcapng")
    assert pcapng.read(kept.read_bytes()).comment == "test_server.py::test_wrong"
    assert sorted(path.name for path in suite.iterdir() if path.name != "__pycache__") == [
        "kept",
        "server.py",
        "test_server.py",
    ]


def test_its_words_do_not_disturb(suite: Path) -> None:
    """Of our options a stranger sees one, and of our fixtures those that the page names."""
    assert re.findall(r"^  --sockspec\S*", run(suite, "--help").stdout, re.MULTILINE) == ["  --sockspec-evidence=DIR"]
    shown = run(suite, "--fixtures").stdout
    ours = shown.partition("fixtures defined from harness.plugin")[2]
    names = set(re.findall(r"^(\w+)(?: \[\w+ scope\])? -- ", ours, re.MULTILINE))
    assert names >= {"lab", "link", "wire", "probe", "serve", "family", "raw"}
    assert not names & {"settings", "session", "subject", "program", "protocol", "runtime"}


def test_what_cannot_be_tried_is_skipped(suite: Path) -> None:
    """Where a lab cannot be made, tests that need one are skipped with the reason, and others run."""
    (suite / "conftest.py").write_text(
        "import pytest\n\n@pytest.fixture(scope='session')\ndef lab_process():\n    return 'no namespaces here'\n"
    )

    ran = run(suite, "-rs", "-p", "no:cacheprovider", "-k", "own_sockets or goodbye")

    assert "not applicable: no namespaces here" in ran.stdout
    assert re.search(r"^1 passed, 1 skipped", ran.stdout, re.MULTILINE), ran.stdout

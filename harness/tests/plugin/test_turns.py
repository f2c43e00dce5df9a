"""A server of which no two run at a time: in several workers its tests wait for each other, and the run tells why."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from harness.plugin.turns import NOTE

if TYPE_CHECKING:
    from harness.tests.plugin.sandbox import Sandbox

# Its lock is a file beside it, as that of many a data folder is.
LOCKED = f"""\
#!{sys.executable}
import fcntl, os, socketserver, sys
lock = open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "data.lock"), "w")
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit("data.lock is held by another process")
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while octets := self.request.recv(65536):
            self.request.sendall(octets)
class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    address_family = 10 if ":" in sys.argv[1] else 2
Server((sys.argv[1], int(sys.argv[2])), Echo).serve_forever()
"""
# The first look at it starts it twice, once for each family; then it starts no more.
TIRED = LOCKED.replace(
    "try:\n",
    'place = sys.argv[0] + ".started"\n'
    'open(place, "a").write("x")\n'
    'if os.path.getsize(place) > 2:\n    sys.exit("no licence left")\ntry:\n',
)
ECHO = """
    import select

    PROFILES = ("echo",)

    @pytest.mark.parametrize("number", range(3))
    def check_echo(subject, probe, number):
        client = probe.connect(subject)
        client.expect_back(b"hello")
        select.select([], [], [], 0.3)  # longer than the other worker needs to start it
        client.expect_back(b"hello again")
"""


def test_a_server_that_runs_once_at_a_time_is_judged_all_the_same(sandbox: Sandbox) -> None:
    """Every test passes, the note in the folder has what the server said, and one line tells of it."""
    sandbox.suite(ECHO)
    sandbox.program("locked", LOCKED)

    ran = sandbox.check("--serve", "./locked {host} {port}", "--profile", "echo", "-n", "2")

    assert set(ran.verdicts.values()) == {"pass"}, ran.out + ran.err
    assert (ran.code, len(ran.verdicts)) == (0, 6)
    why = (
        "sockspec: './locked {host} {port}': a second one does not start while another runs ('./locked {host} {port}'"
        " ended before it was ready: exit 1; data.lock is held by another process), so its tests ran one at a time\n"
    )
    assert why in ran.err
    assert "data.lock is held by another process" in (ran.folder / NOTE).read_text()


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_server_that_starts_no_more_is_told_as_such(sandbox: Sandbox, workers: str) -> None:
    """It is no error of ours: the rows, and the last line, say that it could not be started, and what it said."""
    sandbox.suite(ECHO)
    sandbox.program("tired", TIRED)

    ran = sandbox.check("--serve", "./tired {host} {port}", "--profile", "echo", "-n", workers)

    assert set(ran.verdicts.values()) == {"error"}, ran.out
    assert ran.code == 3
    assert "exit    3  the subject could not be started for every test" in ran.out
    assert "'./tired {host} {port}' ended before it was ready" in ran.out
    assert all("stderr: no licence left" in row.findings[0].text for row in ran.record.results)
    assert not (ran.folder / NOTE).exists()

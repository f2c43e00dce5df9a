"""The main job needs no privilege: `sockspec check` as an ordinary user, from the first start to the report."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from harness.record.store import load
from harness.report.model import Exit
from harness.tests.lab import unprivileged
from harness.verdict import Verdict

if TYPE_CHECKING:
    from pathlib import Path

# An echo server that tells who it is and what it may do.
SERVER = """
import os, socket, sys
with open("/proc/self/status") as status:
    capabilities = [line.split()[1] for line in status if line.startswith(("CapEff", "CapPrm", "CapAmb"))]
print("user", os.getuid(), "groups", os.getgroups(), "may do", *capabilities, flush=True)
socket.socket(type=socket.SOCK_DGRAM).bind(("", 7))
print("port 7 is bound", flush=True)
host, port = sys.argv[1:]
with socket.create_server((host, int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
    while True:
        connection, _ = listener.accept()
        with connection:
            while octets := connection.recv(65536):
                connection.sendall(octets)
"""


# Asked of the kernel itself: if it was the harness that was asked, a fault of its own would be passed over.
MAY_UNSHARE = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
sys.exit(libc.unshare(0x10000000 | 0x40000000) and os.strerror(ctypes.get_errno()))  # CLONE_NEWUSER, CLONE_NEWNET
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for the user; skipped where the machine gives no user namespace to an ordinary user."""
    asked = unprivileged.run([sys.executable, "-c", MAY_UNSHARE], tmp_path)
    if asked.returncode:
        pytest.skip(f"this machine gives an ordinary user no user and network namespaces: {asked.stderr.strip()}")
    return tmp_path


def test_a_user_without_privileges_judges_a_server(folder: Path) -> None:
    """Verdict pass, exit code 0, whole captures; the subject is that user, and has no capability."""
    server, report = folder / "server.py", folder / "report"
    server.write_text(SERVER)
    argv = [sys.executable, "-m", "harness", "check", "--serve", f"{sys.executable} {server} {{host}} {{port}}"]
    argv += ["--profile", "echo", "-k", "ends_with_fin", "-n", "2", "--report", str(report)]

    ran = unprivileged.run(argv, folder)

    assert ran.returncode == Exit.HOLDS, ran.stdout + ran.stderr
    rows = load(report).results
    assert {(row.family, row.verdict) for row in rows} == {("v4", Verdict.PASS), ("v6", Verdict.PASS)}
    assert [row.certificate and row.certificate["holds"] for row in rows] == [True, True]
    groups = os.getgroups() if os.getuid() else []
    who = f"user {unprivileged.user()} groups {groups} may do {' '.join(['0' * 16] * 3)}\n"
    for row in rows:
        account = (report / row.evidence / "subject.txt").read_text()
        assert who in account
        assert "port 7 is bound\n" in account

"""What a server of ours calls of its sockets is known, whatever its engine, and even when it was killed."""

from __future__ import annotations

import os
import signal
import socket
from typing import TYPE_CHECKING

import pytest

from harness.lab.ends import FAR
from harness.record.talks import subject_calls
from harness.subject.inventory import Program, reference_servers
from harness.subject.patience import Patience
from harness.subject.process import Subject, start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.lab.handle import Lab

FORKING = """
import os, socket, sys
from announce import announce
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
announce(listener.getsockname())
while True:
    connection, _ = listener.accept()
    if os.fork() == 0:
        while octets := connection.recv(100):
            connection.sendall(octets)
        os._exit(0)
    connection.close()
"""


@pytest.fixture
def started(lab: Lab) -> Iterator[list[Subject]]:
    """The subjects of a test, closed behind it."""
    subjects: list[Subject] = []
    yield subjects
    for subject in subjects:
        subject.close()


def exchange(lab: Lab, subject: Subject) -> int:
    """One exchange of five octets and its end; the port of our end."""
    with lab.socket("near", socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(10.0)
        client.connect((FAR.address("v4"), subject.address.port))
        client.sendall(b"hello")
        assert client.recv(5, socket.MSG_WAITALL) == b"hello"
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
        port: int = client.getsockname()[1]
        return port


@pytest.mark.parametrize("name", ["echo_asyncio", "echo_selectors", "echo_socketserver", "echo_threading"])
def test_calls_are_told_by_client(lab: Lab, started: list[Subject], name: str) -> None:
    """Each of two clients has the calls that were made for it."""
    subject = start(lab, reference_servers()[name], "v4", dict(os.environ))
    started.append(subject)

    ports = [exchange(lab, subject) for _ in range(2)]

    assert Patience(subject).at_rest(0.1)  # the end of stream comes before the last close()
    subject.signal(signal.SIGKILL)
    told = subject_calls(subject.calls())
    for port in ports:
        words = [str(call) for call in told[port]]
        assert words[0] == "accept()"
        assert "recv() = 5" in words
        assert words[-1] == "close()" or words[-2] == "close()"
        assert any(word in {"send() = 5", "sendall() = 5"} for word in words)


def test_forked_processes_tell_theirs(lab: Lab, started: list[Subject], tmp_path: Path) -> None:
    """What a child calls stands beside what its father called."""
    (tmp_path / "forking.py").write_text(FORKING)
    folder = reference_servers()["echo_asyncio"].words[0].rpartition("/")[0]
    (tmp_path / "announce.py").symlink_to(f"{folder}/announce.py")
    words = (str(tmp_path / "forking.py"), "{host}", "{port}")
    subject = start(lab, Program("forking", "echo", words, ours=True), "v4", dict(os.environ))
    started.append(subject)

    ports = [exchange(lab, subject) for _ in range(2)]

    told = subject_calls(subject.calls())
    for port in ports:
        assert {"accept()", "close()", "recv() = 5", "sendall() = 5"} <= {str(call) for call in told[port]}


def test_a_program_that_is_not_ours_tells_nothing(lab: Lab, started: list[Subject]) -> None:
    """It is started as the user would start it, and nothing is put into it."""
    program = Program("python", "echo", ("python3", reference_servers()["echo_threading"].words[0], "{host}", "{port}"))
    subject = start(lab, program, "v4", dict(os.environ))
    started.append(subject)
    exchange(lab, subject)

    assert subject.calls() == ""

"""A subject under way: held still, told, signalled, looked at, and heard when it ends."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from harness.budget import RESPONSE
from harness.lab.ends import NEAR
from harness.subject.answers import BadCommand, answered
from harness.subject.inventory import from_command, reference_servers, told_server
from harness.subject.look import Look
from harness.subject.patience import Patience
from harness.subject.process import Subject, start
from harness.verdict import Inconclusive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.lab.handle import Lab


@pytest.fixture
def echo(lab: Lab, family: str) -> Iterator[Subject]:
    """An echo server."""
    subject = start(lab, reference_servers()["echo_blocking"], family, {})
    yield subject
    subject.close()


@pytest.fixture
def told(lab: Lab) -> Iterator[Subject]:
    """The server that makes the calls it is told to make."""
    subject = start(lab, told_server(), "v4", {})
    yield subject
    subject.close()


def connected(lab: Lab, subject: Subject) -> socket.socket:
    client = lab.socket("near", socket.AF_INET6 if subject.family == "v6" else socket.AF_INET, socket.SOCK_STREAM)
    client.settimeout(RESPONSE)
    client.connect(subject.address)
    return client


def unread(subject: Subject) -> list[int]:
    """How many octets wait in each of its connections."""
    return [entry["unread"] for entry in subject.sockets() if entry["local"][1] == subject.address.port]


def test_a_paused_subject_reads_nothing(lab: Lab, echo: Subject) -> None:
    """Its kernel accepts, takes in and acknowledges; the program answers when it goes on."""
    with connected(lab, echo) as client:
        with echo.paused():
            client.sendall(b"meanwhile")
            lab.ask("fence", nonce=1)  # what was sent is there, and so is all that came of it

            assert select.select([client], [], [], 0)[0] == []
            with connected(lab, echo):
                assert sorted(unread(echo)) == [0, 9]
            assert echo.look().running == 0

        assert client.recv(100) == b"meanwhile"
    assert not echo.may_end


@pytest.mark.parametrize("first", ["", "os.setsid(); "], ids=["in_one_group", "in_groups_of_their_own"])
def test_every_thread_and_child_stands_still(lab: Lab, first: str) -> None:
    """A subject of several processes is paused as one, and goes on as one."""
    opens = "import os, socket; l = socket.socket(); l.bind(('', {port})); pid = os.fork()"
    runs = f"exec('if not pid: {first}l.listen()\\nwhile True: pass')"
    subject = start(lab, from_command(f'{sys.executable} -c "{opens}; {runs}"', "echo"), "v4", {})

    with subject.paused():
        before = subject.look()
        after = subject.look()

    assert before.running == after.running == 0
    assert before.ticks == after.ticks
    assert subject.look().running > 0
    subject.close()


def test_a_look_tells_a_busy_subject_from_a_resting_one(lab: Lab, told: Subject) -> None:
    """Threads that run, processor time, and octets that a kernel still has to deliver."""
    with told.paused():  # so that it cannot be caught at its last work
        assert told.look() == Look(0, told.look().ticks, 0, False)
    with connected(lab, told) as client:
        told.tell("accept")
        client.setblocking(False)
        taken = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                taken += client.send(bytes(1 << 16))

        assert 0 < told.look().unsent < taken


def test_what_a_subject_holds(lab: Lab, told: Subject) -> None:
    """A connection is one descriptor and one socket more, until it is closed."""
    told.tell("#0 sockname")  # answered when what it needed to begin with is closed
    before = told.resources()
    with connected(lab, told):
        told.tell("accept")
        during = told.resources()
        told.tell("close")
        after = told.resources()

    assert before.keys() == {"descriptors", "sockets", "threads", "memory"}
    assert (during["descriptors"], during["sockets"]) == (before["descriptors"] + 1, before["sockets"] + 1)
    assert (after["descriptors"], after["sockets"]) == (before["descriptors"], before["sockets"])
    assert before["threads"] == 1
    assert before["memory"] > 1 << 20


def test_its_connections_are_seen_from_both_sides(lab: Lab, told: Subject) -> None:
    """Listeners apart from connections."""
    listening = told.sockets(listening=True)
    assert [entry["local"] for entry in listening] == [list(told.address)]
    with connected(lab, told) as client:
        near = list(client.getsockname())

        assert [(entry["local"], entry["remote"]) for entry in told.sockets()] == [(list(told.address), near)]
        assert [(entry["local"], entry["remote"]) for entry in told.sockets(side="near")] == [
            (near, list(told.address))
        ]
        assert near[0] == NEAR.v4[0]


def test_a_signal_ends_it_and_the_test_answers_for_that(echo: Subject) -> None:
    """Then its end is no crash."""
    assert (echo.ended, echo.may_end) == (False, False)

    echo.signal(signal.SIGKILL)

    assert echo.wait_end() == {"ended": True, "exit": None, "signal": "SIGKILL", "stdout": "", "stderr": ""}
    assert (echo.ended, echo.may_end) == (True, True)
    assert echo.look().ended


def test_one_that_runs_is_not_waited_for_longer_than_said(echo: Subject) -> None:
    """The answer is None."""
    assert echo.wait_end(0.01) is None


def test_an_answer_is_a_value_or_an_error(told: Subject) -> None:
    """The call's own errno, as if it had been made here."""
    with pytest.raises(BlockingIOError) as caught:
        told.tell("accept-now")
    assert (caught.value.errno, answered(caught.value)) == (errno.EAGAIN, "the call")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("acept", "the told server cannot do 'acept': no command 'acept'; known are accept, "),
        ("read 5", "the told server cannot do 'read 5': no connection was accepted yet"),
        ("send-to nowhere.invalid 7 78 #0", "the told server cannot do 'send-to nowhere.invalid 7 78 #0': "),
        ("accept\naccept", "'accept\\\\naccept': a command is text on one line"),
        (b"accept", "b'accept': a command is text on one line"),
    ],
)
def test_a_bad_command_is_no_answer_of_a_call(told: Subject, line: str, says: str) -> None:
    """It says what was told, and what is wrong with it."""
    with pytest.raises(BadCommand, match=f"^{says}"):
        told.tell(line)


def test_only_the_told_server_is_told(echo: Subject, told: Subject) -> None:
    """And only as long as it is there, and about what it was asked."""
    with pytest.raises(BadCommand, match=r"^'accept': only the told server \(fixture `serve`\) can be told, not 'echo"):
        echo.tell("accept")
    with pytest.raises(BadCommand, match=r"^every command has been answered"):
        told.answer()
    told.tell("exit 3")
    assert told.wait_end()
    with pytest.raises(BadCommand, match=r"^'accept': the told server has ended: exit 3$"):
        told.tell("accept")


def test_a_call_that_waits_is_told_later(lab: Lab, told: Subject) -> None:
    """The test acts between the call and its answer."""
    told.tell_later("accept")
    with connected(lab, told) as client:
        assert told.answer()
        told.tell_later("read 5")
        client.sendall(b"hello")
        assert bytes.fromhex(told.answer()) == b"hello"


def test_a_silent_or_ended_told_server_is_no_verdict(told: Subject) -> None:
    """It is ours: what it does not say is inconclusive."""
    told.tell_later("accept")
    with pytest.raises(Inconclusive, match=r"^the told server did not answer within 0.01 s$"):
        told.answer(0.01)

    told.signal(signal.SIGKILL)
    with pytest.raises(Inconclusive, match=r"^the told server has ended: status: killed by SIGKILL$"):
        told.answer()


def test_closing_lets_go_of_every_descriptor(lab: Lab) -> None:
    """A subject for each test, thousands of tests."""
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        start(lab, told_server(), "v4", {}).close()

    assert len(os.listdir("/proc/self/fd")) == before


REAPS = """
import os, signal, socket, sys
def reap(*_):
    reaped = 0
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            reaped += 1
    except ChildProcessError:
        pass
    if reaped:
        print("ended together:", reaped, flush=True)
signal.signal(signal.SIGCHLD, reap)
listener = socket.create_server((sys.argv[1], int(sys.argv[2])))
for _ in range(3):
    if os.fork() == 0:
        listener.accept()
        os._exit(0)
while True:
    signal.pause()
"""


def test_children_that_go_on_first_have_ended_when_their_parent_looks(lab: Lab, tmp_path: Path) -> None:
    """Of three that end of what came in the block the parent finds all at its first look."""
    (tmp_path / "reaps.py").write_text(REAPS)
    command = f"{sys.executable} {tmp_path / 'reaps.py'} {{host}} {{port}}"
    subject = start(lab, from_command(command, "tcp"), "v4", {})
    Patience(subject).at_rest(0.1)

    with contextlib.ExitStack() as clients, subject.paused(children_first=True):
        for _ in range(3):
            clients.enter_context(connected(lab, subject))

    Patience(subject).at_rest(0.1)
    assert subject.told()["stdout"] == "ended together: 3\n"
    subject.close()

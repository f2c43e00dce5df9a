"""A runtime: calls made there, what comes back, and how it is told when one goes wrong."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

import pytest

from harness.lab.handle import Lab, LabUnavailable
from harness.subject.answers import answered
from harness.subject.inventory import runtime as program
from harness.subject.inventory import wrong_runtimes
from harness.subject.runtime import Runtime, RuntimeProcess
from harness.verdict import Mismatch

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    try:
        made = Lab()
    except LabUnavailable as reason:
        pytest.skip(str(reason))
    with made:
        made.ask("build")
        yield made


@pytest.fixture
def runtime(lab: Lab) -> Iterator[Runtime]:
    process = RuntimeProcess(lab, program(), "v4", {})
    yield Runtime(process)
    process.close()


def test_values_are_copied_and_sockets_stay(runtime: Runtime) -> None:
    ours, other = runtime.socketpair()
    buffer = bytearray(6)

    assert ours.send(b"\0octets") == 7
    assert other.recv_into(buffer, 3) == 3
    assert buffer == b"\0oc\0\0\0"
    assert runtime.select.select([ours, other], [], [], 0)[0] == [other]
    assert (ours.family, runtime.tcp().getsockname()) == (socket.AF_UNIX, ("0.0.0.0", 0))


def test_an_error_is_raised_here_as_it_was_there(runtime: Runtime) -> None:
    ours = runtime.udp()
    ours.setblocking(False)

    with pytest.raises(BlockingIOError) as caught:
        ours.recv(1)

    assert caught.value.errno == errno.EAGAIN
    assert answered(caught.value) == "socket.recv()"
    assert answered(ValueError("of our own")) == ""


def test_a_call_that_waits_can_be_begun(runtime: Runtime) -> None:
    ours, other = runtime.socketpair()
    pending = ours.begin.recv(10)
    pending.expect_waiting()

    other.send(b"at last")

    assert pending.result() == b"at last"
    done = ours.begin.send(b"at once")
    with pytest.raises(Mismatch) as caught:
        done.expect_waiting()
    assert (caught.value.expected, caught.value.actual) == ("socket.send() waits", "it returned 7")


def test_a_call_that_does_not_return_is_a_mismatch(runtime: Runtime) -> None:
    ours, _ = runtime.socketpair()

    with pytest.raises(Mismatch) as caught:
        ours.recv(1)

    assert caught.value.expected == "socket.recv() returns"
    assert "it still waits; the subject was idle" in caught.value.actual


def test_a_runtime_that_has_ended_is_a_mismatch(runtime: Runtime) -> None:
    with pytest.raises(Mismatch, match="the runtime goes on"):
        runtime.os._exit(3)


def test_a_function_runs_there(runtime: Runtime) -> None:
    def pid_and_sum(one: int, other: int) -> tuple[int, int]:
        return os.getpid(), one + other  # type: ignore[name-defined] # noqa: F821 - it is known there

    assert runtime.run(pid_and_sum, 1, 2) == (runtime.os.getpid(), 3)


def test_a_wrong_runtime_is_wrong_in_one_thing(lab: Lab) -> None:
    process = RuntimeProcess(lab, program(wrong_runtimes()["runtime_recv_ignores_peek"]), "v4", {})
    wrong = Runtime(process)
    ours, other = wrong.socketpair()
    other.send(b"once")

    assert ours.recv(10, socket.MSG_PEEK) == b"once"
    assert wrong.select.select([ours], [], [], 0)[0] == []
    process.close()

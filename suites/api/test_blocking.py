"""Blocking, non-blocking and timeouts, as Python has them (socket module: timeouts; fcntl(2))."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import signal
import socket
from typing import TYPE_CHECKING

from harness.suite import covers, families, raises, requires

if TYPE_CHECKING:
    from harness.suite import Probe, Runtime


@families("v4")
@covers(
    "python:timeout/settimeout-values", "python:timeout/setblocking-equivalence", "python:timeout/getblocking-meaning"
)
def test_timeouts_and_blocking_are_one_thing(runtime: Runtime) -> None:
    """None blocks, 0 does not, more is a timeout; setblocking() is a short way to say the first two."""
    ours = runtime.tcp()
    for value, blocking in ((None, True), (0, False), (1.5, True), (3, True)):
        ours.settimeout(value)
        assert ours.gettimeout() == value
        with requires("python:timeout/getblocking-meaning"):
            assert ours.getblocking() is blocking
    for wrong, error in ((-1, ValueError), (float("nan"), ValueError), ("1", TypeError)):
        with raises(error):
            ours.settimeout(wrong)
    with requires("python:timeout/setblocking-equivalence"):
        ours.setblocking(True)
        assert (ours.gettimeout(), ours.getblocking()) == (None, True)
        ours.setblocking(False)
        assert (ours.gettimeout(), ours.getblocking()) == (0.0, False)


@families("v4")
@covers("posix:nonblock/o-nonblock-is-per-open-file", "python:timeout/timeout-mode-is-non-blocking-underneath")
def test_o_nonblock_belongs_to_the_open_file(runtime: Runtime) -> None:
    """A duplicate shares the flag; a socket with a timeout has it set underneath."""
    ours = runtime.tcp()
    copy = ours.dup()

    def flag(one: object) -> int:
        return int(runtime.fcntl.fcntl(one, fcntl.F_GETFL)) & os.O_NONBLOCK

    for value, expected in ((None, 0), (0.0, os.O_NONBLOCK), (None, 0)):
        ours.settimeout(value)
        assert (flag(ours), flag(copy)) == (expected, expected)
    with requires("python:timeout/timeout-mode-is-non-blocking-underneath"):
        ours.settimeout(1.5)
        assert flag(ours) == os.O_NONBLOCK


@families("v4")
@covers("python:timeout/timeout-is-timeouterror-alias", "python:exc/error-hierarchy")
def test_a_timeout_is_a_timeouterror(runtime: Runtime) -> None:
    """The exception of a timeout says so, and has no errno; the module's errors are OSErrors."""

    def classes() -> list[bool]:
        return [
            socket.timeout is TimeoutError,
            socket.error is OSError,
            issubclass(socket.gaierror, OSError),
            issubclass(socket.herror, OSError),
        ]

    ours = runtime.udp()
    ours.settimeout(0.01)
    with raises(TimeoutError) as caught:
        ours.recv(1)
    assert (str(caught[0]), getattr(caught[0], "errno", None)) == ("timed out", None)
    same, *hierarchy = runtime.run(classes)
    assert same
    with requires("python:exc/error-hierarchy"):
        assert hierarchy == [True, True, True]


@families("v4")
@covers("posix:socket/sock-nonblock-and-sock-cloexec-atomic", "python:ctor/type-flags-cleared")
def test_flags_can_be_set_as_a_socket_is_made(runtime: Runtime) -> None:
    """SOCK_NONBLOCK and SOCK_CLOEXEC beside the type set flags of the descriptor, and do not show in the type."""

    def flags(kind: int) -> tuple[int, int]:
        number = socket.socket(socket.AF_INET, kind).detach()
        return fcntl.fcntl(number, fcntl.F_GETFL) & os.O_NONBLOCK, fcntl.fcntl(number, fcntl.F_GETFD)

    assert runtime.run(flags, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) == (os.O_NONBLOCK, fcntl.FD_CLOEXEC)
    assert runtime.run(flags, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) == (0, fcntl.FD_CLOEXEC)
    with requires("python:ctor/type-flags-cleared"):
        ours = runtime.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        assert (ours.type, ours.getblocking(), ours.gettimeout()) == (socket.SOCK_STREAM, False, 0.0)


@families("v4")
@covers("posix:err/calls-interrupted-by-signals-eintr")
def test_the_kernel_ends_a_waiting_call_for_a_signal(runtime: Runtime) -> None:
    """recv(2) is EINTR when a signal comes whose handler was not set with SA_RESTART."""

    def interrupted() -> int:
        libc = ctypes.CDLL(None, use_errno=True)
        ours, _other = socket.socketpair()
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.siginterrupt(signal.SIGALRM, True)
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.5)  # again: the first may come before the call
        libc.recv(ours.fileno(), ctypes.create_string_buffer(1), 1, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        return ctypes.get_errno()

    assert runtime.run(interrupted) == errno.EINTR


@covers("python:thread/gil-released-while-blocking")
def test_others_run_while_a_call_waits(runtime: Runtime, probe: Probe) -> None:
    """A call that waits in one thread leaves the interpreter to the others."""
    connection, client = runtime.connected(probe)
    pending = connection.begin.recv(10)
    pending.expect_waiting()

    other, _ = runtime.connected(probe)
    assert other.send(b"meanwhile") == 9

    pending.expect_no_answer()
    client.send_all(b"now")
    assert pending.result() == b"now"


@families("v4")
@covers("posix:err/eagain-may-equal-ewouldblock")
def test_eagain_and_ewouldblock_are_one_on_linux(runtime: Runtime) -> None:
    """A receive that would wait fails with the one number that both names have."""
    ours = runtime.udp()
    ours.setblocking(False)
    with raises(errno.EAGAIN) as caught:
        ours.recv(1)
    assert isinstance(caught[0], BlockingIOError)
    assert caught[0].errno == errno.EWOULDBLOCK

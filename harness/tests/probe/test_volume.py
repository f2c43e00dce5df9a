"""A great many octets over a pair of sockets, whose other end moves when it is waited for."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, cast

import pytest

from harness.budget import Deadline
from harness.payload import octets
from harness.probe import volume
from harness.probe.volume import Volume
from harness.subject.patience import Waited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.probe.client import Client

BLOCK = 1009  # octets


class Ends:
    """Both ends of a connection: a client's, and one that does `act` with its socket whenever it is waited for."""

    def __init__(self, act: Callable[[socket.socket], object]) -> None:
        self.socket, self.far = socket.socketpair()
        self.socket.setblocking(False)
        self._act = act

    def until(self, came: Callable[[float], bool]) -> Waited:
        """Have the other end act; what it does is there at once, or nothing comes."""
        self._act(self.far)
        return Waited(True) if came(0.0) else Waited(False, "the subject was idle for 2.0 s")

    def pass_on(self, *, sends: bool, receives: bool, same: bool, goal: int) -> tuple[bool, Volume]:
        """Whether the goal is reached, and how far it came."""
        passed = Volume(cast("Client", self), sends=sends, receives=receives, same=same)
        return passed.reach(goal, self.until, Deadline(10.0)), passed

    def close(self) -> None:
        self.socket.close()
        self.far.close()


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volume, "_BLOCK", BLOCK)


@pytest.fixture
def ends(request: pytest.FixtureRequest) -> Iterator[Ends]:
    made = Ends(request.param)
    yield made
    made.close()


def takes(far: socket.socket) -> bytes:
    return far.recv(1 << 20)


def echoes(far: socket.socket) -> None:
    far.send(takes(far))


def flips(far: socket.socket) -> None:
    came = takes(far)
    far.send(came[:10] + bytes([came[10] ^ 1]) + came[11:])


def sends_on(far: socket.socket) -> None:
    far.send(b"x" * 4000)


def ends_it(far: socket.socket) -> None:
    takes(far)
    far.shutdown(socket.SHUT_WR)


def does_nothing(_: socket.socket) -> None:
    """Neither reads nor sends."""


@pytest.mark.parametrize(
    ("ends", "sends", "receives", "same"),
    [(echoes, True, True, True), (takes, True, False, False), (sends_on, False, True, False)],
    indirect=["ends"],
    ids=["echo", "discard", "chargen"],
)
def test_all_octets_pass(ends: Ends, sends: bool, receives: bool, same: bool) -> None:
    """In one direction or in both, as the service has it; further with the next goal."""
    reached, passed = ends.pass_on(sends=sends, receives=receives, same=same, goal=20_000)

    assert (reached, passed.wrong) == (True, "")
    assert (passed.sent >= 20_000, passed.received >= 20_000) == (sends, receives)
    assert passed.rate > 0
    assert passed.reach(30_000, ends.until, Deadline(10.0))


@pytest.mark.parametrize(
    ("ends", "wrong"),
    [
        (flips, "other octets than those sent, within"),
        (ends_it, "end of stream (FIN)"),
        (does_nothing, "the subject was idle for 2.0 s"),
    ],
    indirect=["ends"],
    ids=["another octet", "the end", "nothing"],
)
def test_what_goes_wrong_is_said(ends: Ends, wrong: str) -> None:
    """And nothing is waited for then."""
    reached, passed = ends.pass_on(sends=True, receives=True, same=True, goal=1 << 30)

    assert not reached
    assert passed.wrong.startswith(wrong)


@pytest.mark.parametrize("ends", [ends_it], indirect=True, ids=["broken"])
def test_a_connection_that_is_broken_is_no_error_of_ours(ends: Ends) -> None:
    """A send() that fails with EPIPE or ECONNRESET is told as a reset."""
    ends.far.close()

    assert not (told := ends.pass_on(sends=True, receives=False, same=False, goal=1 << 30))[0]
    assert told[1].wrong == "reset (RST)"


@pytest.mark.parametrize("ends", [echoes], indirect=True, ids=["echo"])
def test_a_deadline_that_is_over_ends_it(ends: Ends) -> None:
    """Nothing is wrong then."""
    passed = Volume(cast("Client", ends), sends=True, receives=True, same=True)

    assert not passed.reach(1 << 30, ends.until, Deadline(0.0))
    assert passed.wrong == ""
    assert str(passed).startswith("0 octets sent and 0 received, in ")


def test_a_block_fits_no_counter_that_turns_over() -> None:
    """Octets that are lost where a power of two is reached do not fit those that follow."""
    block = len(octets(1_000_003))

    assert all(2**bits % block for bits in (31, 32))

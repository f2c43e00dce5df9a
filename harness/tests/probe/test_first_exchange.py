"""The first exchange: what it shows of a server, in its words and in how long it takes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from harness.lab.near import LabNear
from harness.probe.first_exchange import manner_of
from harness.subject.inventory import Program, mutants, reference_servers
from harness.subject.process import start

if TYPE_CHECKING:
    from pathlib import Path

    from harness.lab.handle import Lab
    from harness.subject.manner import Manner

SLOW = """
import socket, sys, time
with socket.create_server((sys.argv[1], int(sys.argv[2]))) as listener:
    while True:
        with listener.accept()[0] as connection:
            time.sleep(0.4)
            connection.sendall(b"hello\\r\\n")
"""


def seen(lab: Lab, program: Program) -> Manner:
    """How a program shows itself."""
    subject = start(lab, program, "v4", {})
    try:
        return manner_of(subject, LabNear(lab))
    finally:
        subject.close()


@pytest.mark.parametrize("name", ["echo_threading", "greeting_asyncio", "one_shot_blocking", "udp_echo_blocking"])
def test_a_right_server_shows_nothing_unusual(lab: Lab, name: str) -> None:
    """It answers, rests, and ends the stream."""
    manner = seen(lab, reference_servers()[name])

    assert (manner.fails, manner.accepts, manner.rests, manner.ends) == ("", True, True, True)


@pytest.mark.parametrize(
    ("name", "fails", "accepts"),
    [
        ("cheat_answers_nothing", "expected the answer to 'hello': 'hello'; no octet came; the subject was idle", True),
        ("cheat_closes_everything", "expected the answer to 'hello': 'hello'; no octet came, then ", True),
        ("tcp_never_accepts", "expected who has connected is accepted; 1 in the listener's queue", False),
        ("udp_echo_never_answers", "expected a datagram of 'hello'; no datagram came", True),
    ],
)
def test_one_that_does_not_answer_says_how_it_fails(lab: Lab, name: str, fails: str, accepts: bool) -> None:
    """In one line: what was expected, what came."""
    manner = seen(lab, mutants()[name])

    assert manner.fails.startswith(fails)
    assert "\n" not in manner.fails
    assert manner.accepts is accepts


def test_one_that_uses_the_processor_all_the_time_never_rests(lab: Lab) -> None:
    """Though it answers."""
    assert not seen(lab, mutants()["udp_time_polls"]).rests


def test_one_that_keeps_connections_ends_no_stream(lab: Lab) -> None:
    """Though it answers."""
    manner = seen(lab, mutants()["redis_never_closes"])

    assert (manner.fails, manner.ends) == ("", False)


def test_one_that_takes_long_for_each_client_is_a_slow_one(lab: Lab, tmp_path: Path) -> None:
    """What a machine was busy with once does not count: the shortest session does."""
    server = tmp_path / "slow.py"
    server.write_text(SLOW)

    manner = seen(lab, Program("slow", "greeting", (sys.executable, str(server), "{host}", "{port}")))

    assert manner.fails == ""
    assert manner.is_slow
    assert manner.words.startswith("one session of the server takes 0.")

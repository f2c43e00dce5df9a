"""Who waits for a time to come, by what the kernel says of a thread, and of programs that really wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.budget import RESPONSE, Deadline
from harness.lab.timed import is_timed
from harness.tests.lab.programs import speaking

if TYPE_CHECKING:
    from harness.lab.handle import Lab

ENDLESS = "0xffffffff"


@pytest.mark.parametrize(
    ("line", "machine", "timed"),
    [
        (f"232 0x4 0x7f 0x100 {ENDLESS} 0x0 0x8 0x7ffe 0x7f12", "x86_64", False),
        ("232 0x4 0x7f 0x100 0xffffffffffffffff 0x0 0x8 0x7ffe 0x7f12", "x86_64", False),
        ("232 0x4 0x7f 0x100 0x1f4 0x0 0x8 0x7ffe 0x7f12", "x86_64", True),
        ("232 0x4 0x7f 0x100 0x0 0x0 0x8 0x7ffe 0x7f12", "x86_64", True),
        (f"7 0x7f 0x1 {ENDLESS} 0x0 0x0 0x8 0x7ffe 0x7f12", "x86_64", False),
        ("7 0x7f 0x1 0x3e8 0x0 0x0 0x8 0x7ffe 0x7f12", "x86_64", True),
        ("270 0x4 0x7f 0x0 0x0 0x0 0x8 0x7ffe 0x7f12", "x86_64", False),
        ("270 0x4 0x7f 0x0 0x0 0x7ffe10 0x8 0x7ffe 0x7f12", "x86_64", True),
        ("202 0x7f 0x189 0x0 0x0 0x0 0xffffffff 0x7ffe 0x7f12", "x86_64", False),
        ("202 0x7f 0x189 0x0 0x7ffe10 0x0 0xffffffff 0x7ffe 0x7f12", "x86_64", True),
        ("230 0x1 0x1 0x7f 0x0 0x0 0x0 0x7ffe 0x7f12", "x86_64", True),
        ("43 0x3 0x7f 0x7f 0x80000 0x0 0x0 0x7ffe 0x7f12", "x86_64", False),  # accept()
        (f"22 0x4 0x7f 0x100 {ENDLESS} 0x0 0x8 0x7ffe 0x7f12", "aarch64", False),
        ("22 0x4 0x7f 0x100 0x1f4 0x0 0x8 0x7ffe 0x7f12", "aarch64", True),
        ("-1 0x7ffe 0x7f12", "x86_64", False),
        ("running", "x86_64", True),
        ("1 0x1", "unheard-of", True),
    ],
)
def test_what_a_thread_waits_for(line: str, machine: str, timed: bool) -> None:
    """A limit of time in the call, and what cannot be seen."""
    assert is_timed(line, machine) is timed


@pytest.mark.parametrize(
    ("waits", "timed"),
    [
        ("select.epoll().poll()", False),
        ("select.epoll().poll(1000)", True),
        ("select.select([sys.stdin], [], [])", False),
        ("select.select([sys.stdin], [], [], 1000)", True),
        ("select.poll().poll()", False),
        ("threading.Event().wait()", False),
        ("threading.Event().wait(1000)", True),
        ("time.sleep(1000)", True),
        ("socket.create_server(('', 0)).accept()", False),
    ],
)
def test_a_program_that_waits(lab: Lab, waits: str, timed: bool) -> None:
    """In one of its threads, while the others wait for something else."""
    text = f"""
import select, socket, sys, threading, time
threading.Thread(target=lambda: {waits}, daemon=True).start()
print("here", flush=True)
socket.socketpair()[0].recv(1)
"""
    with speaking(lab, text) as program:
        assert program.line() == "here"
        deadline = Deadline(RESPONSE)
        while lab.ask("waits_for_time")["waits"] is not timed and not deadline.over:
            pass  # it may be on its way there

        assert lab.ask("waits_for_time")["waits"] is timed

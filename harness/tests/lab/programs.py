"""Programs at the far end that speak with a test over their stdin and stdout: a line is the event to wait for."""

from __future__ import annotations

import os
import select
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from harness.budget import RESPONSE, Deadline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.lab.handle import Lab

ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONDONTWRITEBYTECODE": "1"}

# Leaves its parent and its session behind, as daemons do, holds out against SIGTERM, and tells when it is alone.
DAEMON = """
import os, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
while os.getppid() != 1:
    os.sched_yield()
print("daemon", os.getppid(), flush=True)
signal.pause()
"""


class Speaking:
    """A started program, and the pipes to it."""

    def __init__(self, lab: Lab, pid: int, descriptors: list[int]) -> None:
        self.pid = pid  # as the lab knows it
        self._lab = lab
        self._pidfd, self._stdin, self._stdout = descriptors
        self._said = b""

    def line(self) -> str:
        """The next line that it prints; its stderr is quoted if none comes."""
        deadline = Deadline(RESPONSE)
        while b"\n" not in self._said:
            readable = select.select([self._stdout], [], [], deadline.left)[0]
            octets = os.read(self._stdout, 1 << 16) if readable else b""
            assert octets, f"no line within {deadline}: {self.told()}"
            self._said += octets
        line, _, self._said = self._said.partition(b"\n")
        return line.decode()

    def tell(self, line: str) -> None:
        """Give it a line to read."""
        os.write(self._stdin, line.encode() + b"\n")

    def wait_end(self) -> None:
        """Wait until the process that was started has ended."""
        assert gone(self._pidfd), f"still running: {self.told()}"

    def told(self) -> dict[str, Any]:
        """What the lab knows of it."""
        return self._lab.ask("child", pid=self.pid).values

    def close(self) -> None:
        """Let go of the pipes; the lab ends the process."""
        for descriptor in (self._pidfd, self._stdin, self._stdout):
            os.close(descriptor)


@contextmanager
def speaking(lab: Lab, text: str, *arguments: str) -> Iterator[Speaking]:
    """The Python program `text`, started in an interpreter of its own as a user's program is."""
    argv = [sys.executable, "-c", text, *arguments]
    started = lab.ask("start", argv=argv, environment=ENVIRONMENT, talk=True)
    program = Speaking(lab, started["pid"], started.descriptors)
    try:
        yield program
    finally:
        program.close()


def gone(pidfd: int, seconds: float = RESPONSE) -> bool:
    """Whether the process behind the descriptor ends within `seconds`."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(seconds * 1000))

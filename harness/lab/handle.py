"""What a test process holds of its lab: ask, and get an answer or a socket.

Questions and answers carry a number. A question may be left before its answer has come: its budget is over, or the net
below a test that hangs (pytest-timeout) raises in the middle of it. Its answer still comes, and without a number the
next question would take it for its own, and each further one that of the question before.
"""

from __future__ import annotations

import array
import itertools
import json
import os
import select
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import Any, Self

from harness.budget import Deadline
from harness.lab.ends import HANDED_OVER, LARGEST_MESSAGE

_START = 20.0  # seconds for an interpreter to start on a loaded machine
_ANSWER = 40.0  # seconds for an answer: namespaces wait for those of others, and processes that spin are in the way


class LabUnavailable(Exception):  # noqa: N818 - a fact about the machine
    """This machine does not let this user make a lab; the message names what was refused and the remedy."""


class LabLost(Exception):  # noqa: N818 - a fact about the run
    """The lab process is gone or does not answer."""


@dataclass(frozen=True)
class Answer:
    """What an operation returned, and the descriptors that came with it."""

    values: dict[str, Any]
    descriptors: list[int]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


class Lab:
    """One lab process. A context manager: leaving it ends the process and all that it owns."""

    def __init__(self) -> None:
        """Start the lab process; LabUnavailable when the machine refuses the namespaces."""
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            # A fresh interpreter, not a fork: a user namespace cannot be taken in a process that has threads, and a
            # pytest-xdist worker has some before any of our code runs.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "harness.lab.process", str(theirs.fileno()), str(os.getpid())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        self._control.settimeout(_START)
        self._numbers = itertools.count(1)
        try:
            greeting = self._receive(Deadline(_START)).values
        except BaseException:
            self.close()
            raise
        if "refused" in greeting:
            self.close()
            raise LabUnavailable(_remedy(greeting["refused"]))
        self.missing: list[str] = greeting["ready"]["missing"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the lab process; return when it is gone."""
        self._control.close()
        try:
            self._process.wait(_START)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        """The outer lab process, as this process sees it."""
        return self._process.pid

    def ask(self, operation: str, **arguments: Any) -> Answer:
        """Have the lab process do one operation (see `harness.lab.process.Lab`); OSError when the kernel refused it."""
        number = next(self._numbers)
        try:
            self._control.send(json.dumps({"question": number, "operation": operation, **arguments}).encode())
            answer = self._answer_to(number)
        except (OSError, LabLost) as error:
            raise LabLost(f"the lab process did not answer {operation!r}: {error}") from error
        if refused := answer.values.get("refused"):
            raise (OSError(refused["errno"], refused["text"]) if refused["errno"] else RuntimeError(refused["text"]))
        return answer

    def _answer_to(self, number: int) -> Answer:
        deadline = Deadline(_ANSWER)
        handed_over: list[int] = []
        try:
            while True:
                answer = self._receive(deadline)
                if answer.values.pop("question") != number:
                    _close(answer.descriptors)  # of a question that was left
                elif answer.values == HANDED_OVER:
                    handed_over = answer.descriptors
                else:
                    return Answer(answer.values, handed_over)
        except BaseException:
            _close(handed_over)
            raise

    def _receive(self, deadline: Deadline) -> Answer:
        if not select.select([self._control], [], [], deadline.left)[0]:
            raise LabLost(f"no answer within {deadline}")
        message, ancillary, _, _ = self._control.recvmsg(LARGEST_MESSAGE, socket.CMSG_SPACE(8 * 4))
        if not message:
            raise LabLost("it has ended")
        descriptors = array.array("i")
        for level, kind, octets in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                descriptors.frombytes(octets[: len(octets) - len(octets) % descriptors.itemsize])
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        values = json.loads(message.decode())  # of octets it would look for the encoding first
        return Answer(values, descriptors.tolist())

    def socket(self, side: str, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A socket at one end of the link ("near" or "far"), usable here for the rest of its life."""
        answer = self.ask("socket", side=side, family=int(family), kind=int(kind), protocol=protocol)
        return socket.socket(fileno=answer.descriptors[0])


def _close(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _remedy(refused: dict[str, Any]) -> str:
    remedies = {
        1: "allow unprivileged user namespaces (Debian: sysctl kernel.unprivileged_userns_clone=1; Ubuntu 24.04:"
        " sysctl kernel.apparmor_restrict_unprivileged_userns=0) or run as root",
        28: "raise user.max_user_namespaces and user.max_net_namespaces (sysctl)",
    }
    return f"no lab on this machine: {refused['text']}; {remedies.get(refused['errno'], 'see sockspec doctor')}"

"""A subject: started, watched while it is judged, steered, and heard when it ends."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
from collections import deque
from typing import TYPE_CHECKING, Any

from harness import budget
from harness.budget import Deadline
from harness.lab.ends import FAR, USERSPACE
from harness.lab.link import TIME_WAITS
from harness.subject.answers import BadCommand, of_a_command
from harness.subject.beginning import NotReady, become_ready, waiting_sockets
from harness.subject.crash_reports import recognized
from harness.subject.inventory import KERNEL, PORT, Program
from harness.subject.look import Look
from harness.subject.outcome import in_a_line, outcome
from harness.subject.patience import Patience
from harness.subject.protocol import transport_of
from harness.subject.state import ALL, PROTOCOLS, State, mask, waiting
from harness.verdict import Inconclusive, Mismatch, NotApplicable
from harness.wire.segment import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.lab.handle import Lab
    from harness.subject.beginning import Ask
    from harness.subject.readiness import Listening

_DELIVERING = mask(*set(State) - {State.LISTEN, State.TIME_WAIT, State.CLOSED})  # in which octets may be unsent
_HOLDS = {"tcp": "listens", "udp": "receives"}
_REST = 0.1  # seconds of idleness after which it waits, and has dealt with a signal
_ENDS = 2.0  # seconds that it gets to end when it is asked to
_COMES_TO_REST = 2.0  # seconds that a subject gets for it: one that computes all the time never does
_SETTLES = 0.5  # seconds of processor time that one gets for it of which nothing says that it is about to end
_LAST_WORK = 2.0  # and of which something does: a report of a sanitizer, a core

_ENDS_OF_A_PAUSE: dict[Program, str] = {}  # how a program ended when it was first held still; "" if it went on


class Subject:
    """A managed subject, ready to be judged."""

    def __init__(
        self,
        lab: Lab,
        program: Program,
        family: str,
        environment: dict[str, str],
        arguments: tuple[str, ...] = (),
        ask: Ask | None = None,
    ) -> None:
        """Know what to start, and how; `start` does it. `ask` asks one that is ready when it answers."""
        self.program = program
        self.name = program.name
        self.profile = program.profile
        self.transport = "tcp" if program.profile in KERNEL else transport_of(program.profile)
        self.managed = True
        self.own_tcp = program.own_tcp
        self.may_end = self._ends_by_itself = program.profile in {"one-shot", "told"}  # set when a test has ended it
        self.starts = 0
        self.pid = 0
        self.command: list[str] = []
        self.address = Endpoint("", 0)
        self.family = family
        self._lab = lab
        self._environment = environment
        self._arguments = arguments
        self._ask = ask
        self._pidfd = -1
        self._descriptors: list[int] = []
        self._answers = bytearray()
        self._commands: deque[str] = deque()  # those whose answers are still to be taken
        self._has_heirs = True  # whether a process that goes on with its port stands for it
        self._is_told_to_end = False  # all its processes: then none that goes on may hide behind one that ended

    def start(self, port: int, seconds: float, *, descriptors: int = 0) -> None:
        """Start its process, on `port` where that is for us to choose; NotReady unless it is so within `seconds`.

        It may have so many `descriptors` open (RLIMIT_NOFILE), as many as the lab where that is 0.
        """
        ours, ready = self.program.ours, self.program.ready
        end = USERSPACE if self.own_tcp else FAR
        scratch = self._lab.ask("scratch")["path"] if self.program.takes_scratch else ""
        self.command = [*self.program.command(end.address(self.family), port, scratch), *self._arguments]
        self.program.make()
        how = {
            "warm": ours,
            "ready": ours,
            "talk": self.profile == "told",
            "wire": self.own_tcp,
            "awaited": ready.text if ready else "",
            "descriptors": descriptors,
        }
        try:
            started = self._lab.ask(
                "start", argv=self.command, environment=self._environment | dict(self.program.environment), **how
            )
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise NotReady(f"{self.command[0]!r} cannot be started: {reason}", self.command, None, usage=True) from None
        self.close()
        self.pid, self._descriptors, self._pidfd = started["pid"], started.descriptors, started.descriptors[0]
        self.starts += 1
        self._answers.clear()
        self._commands.clear()
        self._has_heirs, self._is_told_to_end = True, False
        self.address = Endpoint("", 0)
        become_ready(self._lab, self, self._descriptors, self._ask, seconds)

    def restart(self, seconds: float = budget.READY) -> None:
        """Start it again, once it has ended, with the same words; a claim that it becomes ready on the same port."""
        place = self.address
        expected = f"it starts again on {place}"
        if any(found.port == place.port for found in self.listeners()):
            raise Mismatch(expected, f"a process that it left behind still {_HOLDS[self.transport]} there")
        try:
            self.start(place.port if self.program.ours else PORT, seconds)
        except NotReady as refused:
            _, *details = str(refused).splitlines()
            raise Mismatch(expected, f"{refused.what}: {in_a_line(self.told())}", details=details) from refused
        if self.address.port != place.port and not self.program.takes_port:
            raise NotApplicable("needs a subject whose port is told: write {port} in its command")
        self.may_end = self._ends_by_itself

    def close(self) -> None:
        """Let go of the descriptors; the lab ends the process."""
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors = []

    # -- watching -----------------------------------------------------------------------------------------------------

    def look(self) -> Look:
        """How busy it is, now."""
        seen = self._lab.ask("activity", delivering=_DELIVERING)
        return Look(seen["running"], seen["ticks"], seen["unsent"], self.ended)

    def sockets(self, *states: State, side: str = "far", listening: bool = False) -> list[dict[str, Any]]:
        """The TCP sockets in its namespace: connections (in one of `states`, if any are named) or `listening` ones."""
        self._asks_the_kernel()
        if listening:
            states = (State.LISTEN,)
        return self._sockets(mask(*states) if states else ALL & ~mask(State.LISTEN), side)

    def accepted(self) -> frozenset[int]:
        """The ports of the clients whose connections its program has, both ends open.

        Before it accepts one the kernel gives that no inode. An address may be written in two ways (::ffff:10.9.0.1).
        """
        return frozenset(entry["remote"][1] for entry in self.sockets(State.ESTABLISHED) if entry["inode"])

    def unread(self) -> int:
        """What waits for it to be received at its port, of a subject over UDP: octets as the kernel counts them."""
        self._asks_the_kernel()
        entries = self._sockets(ALL, "far", socket.IPPROTO_UDP)
        return sum(entry["unread"] for entry in entries if entry["local"][1] == self.address.port)

    def _asks_the_kernel(self) -> None:
        if self.own_tcp:
            raise NotApplicable("needs a subject whose sockets the kernel knows: this one brings its own TCP")

    def _sockets(self, states: int, side: str, protocol: int = socket.IPPROTO_TCP) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self._lab.ask("sockets", protocol=protocol, states=states, side=side)["sockets"]
        return entries

    @property
    def ended(self) -> bool:
        """Whether it has ended; one that went to the background has not, it goes on in another process."""
        return self.wait_end(0.0) is not None

    def told(self) -> dict[str, Any]:
        """What has become of it and what it printed, as `harness.lab.children.Child.report` says."""
        return self.wait_end(0.0) or self._lab.ask("child", pid=self.pid).values

    def told_at_last(self) -> dict[str, Any]:
        """What has become of it, as `told` says, when it has nothing left to do: who is about to end is not running.

        A process that crashes closes its sockets, writes its traceback or its core, and only then has ended: what a
        client sees comes first. One that listens no more, or has written such a report, is waited for longest.
        """
        told = self.told()
        if told["ended"]:
            return told
        dying = recognized(told["stderr"]) is not None or not self._listens()
        Patience(self).at_rest(_REST, work=_LAST_WORK if dying else _SETTLES)
        return self.told()

    def _listens(self) -> bool:
        if self.own_tcp or not self.address.port:
            return True  # nothing is seen of it
        return any(place.port == self.address.port for place in waiting_sockets(self._lab, self.transport))

    def calls(self) -> str:
        """Its socket calls, as `harness.lab.witness` notes them; of a program that is not ours nothing is known."""
        return str(self._lab.ask("calls", pid=self.pid).values["text"])

    def wait_end(self, seconds: float = budget.RESPONSE) -> dict[str, Any] | None:
        """Wait up to `seconds` for it to end; what has become of it, None if it still runs."""
        deadline = Deadline(seconds)
        while select.select([self._pidfd], [], [], deadline.left)[0]:
            if not self._goes_on():
                return self._lab.ask("child", pid=self.pid).values
        return None

    def _goes_on(self) -> bool:
        """Whether the process that has ended leaves its listener to another, which is then watched in its place.

        One that ends with 0 has gone to the background; however else it ends is a crash, unless all were told to end: a
        shell ends of that at once, and the server that it has started may not.
        """
        if not self.address.port or not self._has_heirs:
            return False
        heir = self._lab.ask("follow", pid=self.pid, however=self._is_told_to_end, **self._place())
        if not heir["pid"]:
            return False
        os.close(self._pidfd)
        self._descriptors[0] = self._pidfd = heir.descriptors[0]
        self.pid = heir["pid"]
        return True

    def resources(self) -> dict[str, int]:
        """Open descriptors, sockets, threads and resident memory (octets) of its process."""
        return self._lab.ask("resources", pid=self.pid).values

    def footprint(self) -> dict[str, int]:
        """What all its processes hold together: descriptors, processes, threads, zombies, and memory in octets."""
        return self._lab.ask("footprint").values

    def waits_for_time(self) -> bool:
        """Whether one of its threads waits with a limit of time: else it gives nothing back until somebody comes."""
        waits: bool = self._lab.ask("waits_for_time")["waits"]
        return waits

    def spare_descriptors(self) -> int:
        """How many descriptors more each process that holds its port may open, by RLIMIT_NOFILE."""
        self._asks_the_kernel()
        spare: int = self._lab.ask("spare_descriptors", **self._place())["spare"]
        return spare

    def queue(self) -> tuple[int, int]:
        """Who is connected and not accepted yet, and for how many the queue of its listener has room (listen(2))."""
        queues = [entry for entry in self.sockets(listening=True) if entry["local"][1] == self.address.port]
        # Of a listener sock_diag(7) tells its backlog in the place of octets unsent. Of several the smallest counts.
        return sum(entry["unread"] for entry in queues), min((entry["unsent"] for entry in queues), default=0)

    def listeners(self) -> tuple[Listening, ...]:
        """Where it waits for clients, as it has bound its sockets."""
        self._asks_the_kernel()
        return waiting_sockets(self._lab, self.transport)

    def addresses(self) -> tuple[Endpoint, ...]:
        """Where it can be asked: at every address of its end if it is bound to all of them, else at its own alone."""
        everywhere = any(
            place.port == self.address.port and place.host in {"0.0.0.0", "::"} and place.reached_at(self.family)
            for place in self.listeners()
        )
        hosts = (FAR.v4 if self.family == "v4" else FAR.v6) if everywhere else (self.address.host,)
        return tuple(Endpoint(host, self.address.port) for host in hosts)

    # -- steering -----------------------------------------------------------------------------------------------------

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it and all of its process group; the test answers for what comes of it."""
        self._reach("signal", pid=self.pid, number=int(number))
        if number not in {signal.SIGSTOP, signal.SIGCONT}:
            self.may_end = self._is_told_to_end = True

    def _reach(self, operation: str, **arguments: Any) -> None:
        """Do something to its processes; a claim that there are any."""
        try:
            self._lab.ask(operation, **arguments)
        except ProcessLookupError:  # what the test did before has ended it
            raise Mismatch("the subject goes on serving", in_a_line(self.told())) from None

    def kill(self) -> None:
        """Send SIGKILL to all its processes, in whatever group: as a service manager does, or a lack of memory."""
        self.may_end = True
        self._has_heirs = False
        self._lab.ask("kill")

    def terminate(self) -> None:
        """Send SIGTERM to the process that listens, or to its supervisor, and to no other, as `kill PID` does."""
        self._asks_the_kernel()
        self.may_end = True
        self._has_heirs = False
        self._lab.ask("terminate", **self._place())

    def start_short_of_descriptors(self, spare: int) -> int:
        """End it, and start it where it may have open twice as many descriptors as now, and `spare`; how many are free.

        The limit is there before its first instruction: one that makes its tables by it when it starts would never
        know of a limit that is lowered later. Many a server reckons that half of what it may have is for clients. What
        needs more to start at all is given more. The test answers for what comes of it.
        """
        self._asks_the_kernel()
        needed: int = self._lab.ask("descriptors_needed")["needed"]
        refused = ""
        for limit in (2 * needed + more * spare for more in (1, 4, 16)):
            self._end()
            try:
                self.start(self.address.port if self.program.ours else PORT, budget.READY, descriptors=limit)
            except NotReady as reason:
                refused = reason.what
                continue
            self.may_end = True
            return self.spare_descriptors()
        raise NotApplicable(f"it does not start where it may have {limit} files open: {refused}")

    def _end(self) -> None:
        """End all its processes, asked first: one that is killed leaves the file with its pid, and may not start."""
        self.may_end = True
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself
            self._lab.ask("signal", pid=self.pid, number=int(signal.SIGTERM))
            self._is_told_to_end = True
        self.wait_end(_ENDS)
        self.kill()
        self.wait_end(budget.RESPONSE)

    def _place(self) -> dict[str, int]:
        states = waiting(self.transport)
        return {"protocol": PROTOCOLS[self.transport], "states": states, "port": self.address.port}

    @contextlib.contextmanager
    def without_time_wait(self) -> Iterator[None]:
        """Have its kernel forget each connection that ends in the block at once (RFC 9293: TIME-WAIT lasts 2 MSL)."""
        self.sysctl(TIME_WAITS[0], "0")
        try:
            yield
        finally:
            self.sysctl(*TIME_WAITS)

    def sysctl(self, name: str, value: str) -> None:
        """Set a network setting of its namespace, such as net/ipv4/tcp_abort_on_overflow."""
        self._lab.ask("sysctl", side="far", name=name, value=value)

    @contextlib.contextmanager
    def paused(self, *, children_first: bool = False) -> Iterator[None]:
        """Hold all its processes still for the block (SIGSTOP): what happens meanwhile is the kernel's doing alone.

        With `children_first` the one that answers for its port goes on when the others have done what they had to do:
        so all that end of the block have ended at one moment as it sees it, with a single SIGCHLD.

        Not applicable to a program that ends of being held still: it would be blamed for what we do meanwhile; nor to
        one that brings its own TCP, which would stand still, too.
        """
        if self.own_tcp:
            raise NotApplicable("needs a subject whose TCP goes on while it is held still: this one brings its own")
        if not self.program.ours:
            self._can_be_paused()
        self._reach("pause")
        try:
            yield
        finally:
            if children_first and self._lab.ask("resume_children", **self._place())["resumed"]:
                Patience(self).at_rest(_REST, _COMES_TO_REST)
            with contextlib.suppress(ProcessLookupError):  # ended, or just ending, by what the block did
                self._lab.ask("resume")

    def stop_and_continue(self) -> str:
        """Hold it still while it waits, as Ctrl-Z and fg do in a shell; how it ended of that, empty if it goes on."""
        Patience(self).at_rest(_REST, _COMES_TO_REST)  # only a call that waits is interrupted
        self._reach("pause")
        with contextlib.suppress(ProcessLookupError):
            self._lab.ask("resume")
        Patience(self).at_rest(_REST, _COMES_TO_REST)
        return in_a_line(self.told()) if self.ended else ""

    def _can_be_paused(self) -> None:
        """Try it once for each program. epoll_wait() fails with EINTR behind SIGCONT, handler or not (signal(7))."""
        if self.program not in _ENDS_OF_A_PAUSE:
            _ENDS_OF_A_PAUSE[self.program] = how = self.stop_and_continue()
            self.may_end = self.may_end or bool(how)
        if how := _ENDS_OF_A_PAUSE[self.program]:
            raise NotApplicable(f"it cannot be held still: it ends when it is stopped and continued ({how})")

    def tell(self, line: str, seconds: float = budget.RESPONSE) -> Any:
        """Have the `told` server make a socket call and wait for its answer; OSError when the call failed."""
        self.tell_later(line)
        return self.answer(seconds)

    def tell_later(self, line: str) -> None:
        """Give the `told` server a command whose answer is taken later with `answer`."""
        if self.profile != "told":
            raise BadCommand(f"{line!r}: only the told server (fixture `serve`) can be told, not {self.name!r}")
        if not isinstance(line, str) or "\n" in line:
            raise BadCommand(f"{line!r}: a command is text on one line")
        try:
            os.write(self._descriptors[-2], line.encode() + b"\n")
        except BrokenPipeError:
            raise BadCommand(f"{line!r}: the told server has ended: {in_a_line(self.told())}") from None
        self._commands.append(line)

    @property
    def has_answered(self) -> bool:
        """Whether the `told` server has answered what is still to be taken."""
        return b"\n" in self._answers or bool(select.select([self._descriptors[-1]], [], [], 0.0)[0])

    def answer(self, seconds: float = budget.RESPONSE) -> Any:
        """The next answer of the `told` server."""
        if not self._commands:
            raise BadCommand("every command has been answered: `tell_later` goes before `answer`")
        deadline = Deadline(seconds)
        stdout = self._descriptors[-1]
        while b"\n" not in self._answers:
            if not select.select([stdout], [], [], deadline.left)[0]:
                raise Inconclusive(f"the told server did not answer within {deadline}")
            if not (octets := os.read(stdout, 1 << 16)):
                told = self.wait_end(1.0) or self.told()
                raise Inconclusive(f"the told server has ended: {'; '.join(outcome(told))}")
            self._answers += octets
        line, _, rest = self._answers.partition(b"\n")
        self._answers[:] = rest
        return of_a_command(self._commands.popleft(), json.loads(line))


def start(
    lab: Lab,
    program: Program,
    family: str,
    environment: dict[str, str],
    *,
    arguments: tuple[str, ...] = (),
    seconds: float = budget.READY,
    ask: Ask | None = None,
) -> Subject:
    """Start a program at the far end and wait, up to `seconds`, until it is ready; NotReady when it does not become so.

    `family` is "v4" or "v6"; `arguments` are appended to the command; `ask` asks one that is ready when it answers.
    """
    subject = Subject(lab, program, family, environment, arguments, ask)
    try:
        subject.start(0 if program.ours else PORT, seconds)  # our own programs choose a port and tell which
    except BaseException:
        subject.close()
        raise
    return subject

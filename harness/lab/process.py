"""The lab process: owner of the namespaces and father of the subjects, one for each test process.

Two processes, in truth. The outer one takes the namespaces, forks, and builds the ground of each next test (see
`harness.lab.builder`); the inner one is pid 1 of its own pid namespace and does all the rest. When pid 1 ends, the
kernel ends everything below it; pid 1 ends when the test process closes the control socket, dies, or is killed: nothing
stays behind, whatever happens. (A process that has unshared its pid namespace cannot fork again once that pid 1 is
gone, hence one outer process for each lab.)

The test process asks over a socket that keeps message borders: one JSON object each way, with the number of the
question, and descriptors beside it. Every operation is short and never waits for a subject, so one at a time is enough.
What the operations are, the class `Lab` below says: a method is an operation, its arguments are the request, what it
returns is the answer.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import select
import signal
import socket
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.budget import Deadline
from harness.lab import builder, children, fence, kernel, packet, proc, sockdiag, witness
from harness.lab.ends import FAR, HANDED_OVER, LARGEST_MESSAGE, NEAR
from harness.lab.furnishing import PrivateRun, furnish
from harness.lab.link import offloads
from harness.lab.scratch import Scratch

if TYPE_CHECKING:
    from harness.lab.builder import Ground

_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_SYN_RECEIVED = 3  # TCP_SYN_RECV (linux/tcp.h)
_STANDSTILL = 20.0  # seconds: a process stops when it next runs, and on a loaded machine each has to wait for its turn


class Lab:
    """The operations. Each returns a JSON object, or a pair of it and the descriptors to hand over."""

    def __init__(self, builder: socket.socket, run: PrivateRun, scratch: Scratch) -> None:
        """Begin without a link: `build` takes one over from the builder at the other end of the channel."""
        self._run = run
        self._scratch = scratch
        self._home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._builder = builder
        self._ground: Ground | None = None
        self._markers: tuple[socket.socket, socket.socket] | None = None
        self._taps: dict[str, int] = {}  # of each side, until they are handed over
        self._listings: dict[str, sockdiag.Listing] = {}  # of each side, once it was asked for its sockets
        self.children = children.Children()

    def build(self, *, relayed: bool = False) -> tuple[dict[str, Any], list[int]]:
        """Take over fresh namespaces; hand over the two packet sockets of the relay, if one is wanted."""
        self.clear()
        ground = builder.ask(self._builder, relayed=relayed)
        self._ground = ground
        self._markers = (socket.socket(fileno=ground.near_marker), socket.socket(fileno=ground.far_marker))
        self._taps = {"near": ground.tap} | ({} if ground.far_tap is None else {"far": ground.far_tap})
        return {}, list(ground.relay)

    def clear(self) -> dict[str, Any]:
        """End every program, let the namespaces go, and forget what was written into /run and the scratch folders."""
        self.children.end_all()
        self._run.renew()
        self._scratch.clear()
        for marker in self._markers or ():
            marker.close()
        self._markers = None
        while self._taps:
            os.close(self._taps.popitem()[1])
        while self._listings:
            self._listings.popitem()[1].close()
        if self._ground is not None:
            os.close(self._ground.near)
            os.close(self._ground.far)
            self._ground = None
        return {}

    def tap(self, side: str = "near") -> tuple[dict[str, Any], list[int]]:
        """Hand over a packet socket of one end with its ring: the one that was built, or else a new one."""
        if side in self._taps:
            return {}, [self._taps.pop(side)]  # not a copy: closing the last one waits for a grace period of the kernel
        with self._at(side):
            return {}, [packet.with_ring(packet.unbound()).detach()]

    def socket(self, side: str, family: int, kind: int, protocol: int) -> tuple[dict[str, Any], list[int]]:
        """Make a socket at one end of the link and hand it over."""
        with self._at(side):
            return {}, [socket.socket(family, kind, protocol).detach()]

    def start(
        self,
        argv: list[str],
        environment: dict[str, str],
        *,
        warm: bool = False,
        ready: bool = False,
        talk: bool = False,
        wire: bool = False,
        awaited: str = "",
        descriptors: int = 0,
    ) -> tuple[dict[str, Any], list[int]]:
        """Start a program at the far end; hand over its pidfd, its `ready` pipe, and stdin and stdout to `talk`.

        Without `talk` it reads from the null device, and the lab keeps what it prints; whether the text that is
        `awaited` was among it tells `said`. One that brings its own TCP is given the `wire`, see `children.Pipes`. It
        may have so many `descriptors` open (RLIMIT_NOFILE), as many as the lab where that is 0.
        """
        closing: list[int] = []
        handed: list[int] = []
        outputs: dict[str, int] = {}
        owing = -1
        try:
            stderr, err_write = os.pipe()
            closing.append(err_write)
            outputs["stderr"] = stderr
            stdout, out_write = os.pipe()
            closing.append(out_write)
            ready_write = None
            if ready:
                ready_read, ready_write = os.pipe()
                closing.append(ready_write)
                handed.append(ready_read)
            if talk:
                stdin, in_write = os.pipe()
                handed += [in_write, stdout]
            else:
                stdin = os.open(os.devnull, os.O_RDONLY)
                outputs["stdout"] = stdout
            closing.append(stdin)
            pipes = children.Pipes(stdin, out_write, err_write, ready_write)
            if wire:
                owing = os.memfd_create("unsent")
                pipes = replace(pipes, wire=self._wire(), unsent=owing)
                closing.append(pipes.wire or 0)
            calls = witness.memory() if warm else None
            with self._at("far"):
                if calls is not None:
                    pid = children.fork_warm(argv[0], argv[1:], environment, pipes, calls, descriptors)
                else:
                    pid = children.execute(limited(argv, descriptors), environment, pipes)
        except BaseException:
            closing += [*handed, *outputs.values(), *([owing] if owing >= 0 else [])]
            raise
        finally:
            for descriptor in closing:
                os.close(descriptor)
        self.children.adopt(pid, outputs, calls, owing, awaited.encode())
        return {"pid": pid}, [os.pidfd_open(pid), *handed]

    def scratch(self) -> dict[str, str]:
        """Make an empty folder for one start of a program; its path."""
        return {"path": self._scratch.folder()}

    def said(self, pid: int) -> dict[str, bool]:
        """Whether a program has printed the text that is waited for."""
        self.children.listen()
        return {"said": self.children[pid].has_said}

    def child(self, pid: int) -> dict[str, Any]:
        """What has become of a program, with what it printed: of one that has ended, all that it did."""
        self.children.reap()
        self.children.listen()
        return self.children[pid].report()

    def calls(self, pid: int) -> dict[str, str]:
        """What a warm program has called of its sockets, as `witness` has it."""
        return {"text": self.children[pid].called()}

    def follow(
        self, pid: int, protocol: int, states: int, port: int, *, however: bool
    ) -> tuple[dict[str, Any], list[int]]:
        """Watch who goes on with the port of a program that ended, with 0 or `however`: pid and pidfd; 0 for nobody."""
        if self.child(pid)["exit"] != 0 and not however:
            return {"pid": 0}, []
        heirs = self._holders(protocol, states, port)
        if not heirs:
            return {"pid": 0}, []
        heir = heirs[0]
        try:
            pidfd = os.pidfd_open(heir)
        except ProcessLookupError:  # it has just ended as well, and its father has waited for it
            return {"pid": 0}, []
        self.children.succeed(pid, heir)
        return {"pid": heir}, [pidfd]

    def signal(self, pid: int, number: int) -> dict[str, Any]:
        """Send a signal to a program and all of its process group."""
        os.killpg(self.children[pid].group, number)
        return {}

    def kill(self) -> dict[str, Any]:
        """Kill every program, with all that it has started, in whatever process group."""
        with contextlib.suppress(ProcessLookupError):
            self.children.signal_all(signal.SIGKILL)
        return {}

    def terminate(self, protocol: int, states: int, port: int) -> dict[str, Any]:
        """Send SIGTERM to the first process that holds a port, or to whose worker it is; its pid, or 0 for nobody."""
        holders = self._holders(protocol, states, port)
        if not holders:
            return {"pid": 0}
        pid = children.supervisor(holders[0])
        os.kill(pid, signal.SIGTERM)
        return {"pid": pid}

    def waits_for_time(self) -> dict[str, bool]:
        """Whether a program waits with a limit of time, so that it may do something unasked."""
        return {"waits": children.waits_for_time()}

    def descriptors_needed(self) -> dict[str, int]:
        """The lowest limit of descriptors under which the programs could have open what they have."""
        return {"needed": children.descriptors_needed()}

    def spare_descriptors(self, protocol: int, states: int, port: int) -> dict[str, Any]:
        """How many descriptors more those who hold a port may open: of several, the one that may open fewest."""
        spare = []
        for pid in self._holders(protocol, states, port):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
                spare.append(children.spare_descriptors(pid))
        return {"spare": min(spare, default=0)}

    def pause(self) -> dict[str, Any]:
        """Stop every program, with all that it has started, in whatever process group; see that they stand still."""
        self.children.signal_all(signal.SIGSTOP)
        deadline = Deadline(_STANDSTILL)
        while not children.all_stopped():
            if deadline.over:
                raise TimeoutError(f"the programs did not stop within {deadline}")
            os.sched_yield()
        return {}

    def resume_children(self, protocol: int, states: int, port: int) -> dict[str, Any]:
        """Let all go on but who answers for a port, the first process that holds it; how many those are."""
        holders = self._holders(protocol, states, port)
        parent = children.supervisor(holders[0]) if holders else 0
        return {"resumed": children.resume_others(parent)}

    def resume(self) -> dict[str, Any]:
        """Let every program go on that was stopped; ProcessLookupError when there is none."""
        self.children.signal_all(signal.SIGCONT)
        return {}

    def activity(self, delivering: int = 0) -> dict[str, int]:
        """How busy the programs are, and how many octets are `unsent`: to be sent still, or to be acknowledged.

        They are counted in a TCP of the programs' own, and in the sockets of both ends whose states are in the mask
        `delivering`. Of an embryonic connection sock_diag(7) tells none; its SYN ACK is on the way, and counts one.
        """
        ends = ("near", "far") if delivering else ()
        entries = itertools.chain.from_iterable(self._listed(side, socket.IPPROTO_TCP, delivering) for side in ends)
        return children.activity() | {"unsent": self.children.unsent() + sum(map(_unsent, entries))}

    def resources(self, pid: int) -> dict[str, int]:
        """What one program holds."""
        return children.resources(pid)

    def footprint(self) -> dict[str, int]:
        """What all programs hold together."""
        return children.footprint()

    def sockets(self, protocol: int, states: int, side: str = "far") -> dict[str, Any]:
        """The sockets of one end, as `sockdiag` tells them."""
        return {"sockets": [entry._asdict() for entry in self._listed(side, protocol, states)]}

    def _listed(self, side: str, protocol: int, states: int) -> list[sockdiag.Socket]:
        if side not in self._listings:
            with self._at(side):
                self._listings[side] = sockdiag.Listing()
        return [entry for family in _FAMILIES for entry in self._listings[side].sockets(family, protocol, states)]

    def sysctl(self, side: str, name: str, value: str) -> dict[str, Any]:
        """Set a network sysctl of one end."""
        if not name.startswith("net/") or ".." in name:
            raise PermissionError(f"{name} is no setting of a network namespace")
        with self._at(side):
            proc.write(f"/proc/sys/{name}", value)
        return {}

    def offload(self) -> dict[str, Any]:
        """Let both ends send and receive segments as large as they like: faster, where nobody captures."""
        for side, end in (("near", NEAR), ("far", FAR)):
            with self._at(side):
                offloads(end.name, on=True)
        return {}

    def fence(self, nonce: int) -> dict[str, Any]:
        """Send the markers round; answer through which processors' queues they came back."""
        if self._markers is None:
            raise RuntimeError("there is no link yet")
        return {"processors": fence.pass_round(nonce, *self._markers, budget=5.0)}

    def _wire(self) -> int:
        with self._at("far"):
            return packet.wire(FAR.name).detach()

    def _holders(self, protocol: int, states: int, port: int) -> list[int]:
        entries = self._listed("far", protocol, states)
        return children.holders({entry.inode for entry in entries if entry.local[1] == port})

    def _at(self, side: str) -> Any:
        if self._ground is None:
            raise RuntimeError("there is no link yet")
        return kernel.inside({"near": self._ground.near, "far": self._ground.far}[side], self._home)


def limited(argv: list[str], descriptors: int) -> list[str]:
    """The words that start a program which may have so many descriptors open; the same words where that is 0.

    posix_spawn(3) sets no limits, and a fork of ours would be there before the program is: a shell puts it into force.
    """
    return ["/bin/sh", "-c", 'ulimit -n "$0" && exec "$@"', str(descriptors), *argv] if descriptors else argv


def _unsent(entry: sockdiag.Socket) -> int:
    return entry.unsent or int(entry.state == _SYN_RECEIVED)


def serve(control: socket.socket, building: socket.socket, run: PrivateRun, scratch: Scratch) -> None:
    """Answer requests until the test process closes its end of the control socket or is gone."""
    woken, wake = socket.socketpair()
    wake.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the test process, which then lets us go
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    lab = Lab(building, run, scratch)
    while True:
        outputs = lab.children.descriptors()
        poll = select.poll()
        for descriptor in (control.fileno(), woken.fileno(), *outputs):
            poll.register(descriptor, select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll()}
        if ready & set(outputs):
            lab.children.listen()
        if woken.fileno() in ready:
            woken.recv(4096)
            lab.children.reap()
        if control.fileno() in ready:
            request = control.recv(LARGEST_MESSAGE)
            if not request:
                return
            asked = json.loads(request.decode())
            number = {"question": asked.pop("question")}
            answer, descriptors = _answer(lab, asked)
            if descriptors:
                # First of all, so that nobody but the asker holds them when the answer is there: a listener that the
                # asker closes while a copy is left here goes on listening.
                socket.send_fds(control, [json.dumps(HANDED_OVER | number).encode()], descriptors)
                for descriptor in descriptors:
                    os.close(descriptor)
            control.send(json.dumps(answer | number).encode())


def _answer(lab: Lab, request: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
    try:
        result = getattr(lab, request.pop("operation"))(**request)
    except OSError as error:
        return {"refused": {"errno": error.errno or 0, "text": str(error)}}, []
    except Exception as error:  # the lab must outlive a bad request; the caller raises what is told here
        return {"refused": {"errno": 0, "text": f"{type(error).__name__}: {error}"}}, []
    return result if isinstance(result, tuple) else (result, [])


def enter_namespaces() -> None:
    """Take user (unless root), network and pid namespaces; the next fork is pid 1 of the new pid namespace."""
    if os.getuid():
        kernel.own_user_namespace()
    kernel.unshare(kernel.CLONE_NEWNET | kernel.CLONE_NEWPID)


def watch_over(pid: int, building: socket.socket, parent: int, scratch: Scratch) -> None:
    """Build for the inner process until it ends, or the test process does; then remove what the machine sees of it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    kernel.die_with_parent(parent, signal.SIGTERM)  # instead of SIGKILL: there is something left to do
    try:
        builder.serve(building)
    except SystemExit:
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    scratch.remove()


def main() -> None:
    """Run as `python -m harness.lab.process DESCRIPTOR PARENT`: the control socket, and the pid whose end is ours."""
    control, parent = socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2])
    control.set_inheritable(False)  # a subject must not speak for us
    try:
        enter_namespaces()
    except OSError as error:
        control.send(json.dumps({"refused": {"errno": error.errno, "text": str(error)}}).encode())
        return
    kernel.die_with_parent(parent, signal.SIGKILL)  # not before: new credentials make the kernel forget it
    kernel.gain_no_privileges()
    outer, scratch = os.getpid(), Scratch()
    building, asking = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if pid := os.fork():
        control.close()
        asking.close()
        watch_over(pid, building, parent, scratch)
        return
    building.close()
    kernel.die_with_parent(outer, signal.SIGKILL)
    run = PrivateRun()
    missing = furnish(run)
    control.send(json.dumps({"ready": {"missing": missing}}).encode())
    serve(control, asking, run, scratch)


if __name__ == "__main__":
    main()

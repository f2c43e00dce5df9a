"""A runtime: a Python process at the far end of the link whose calls a test makes as if they were its own.

    listener = runtime.socket(runtime.af, socket.SOCK_STREAM)
    listener.bind((runtime.host, 0))
    listener.listen(1)

`runtime.NAME(…)` is `socket.NAME(…)` there, `runtime.os`, `runtime.select` and the like are other modules of it. What
comes back is what the call returned: octets, numbers and addresses as copies, sockets and files as stand-ins whose
methods are calls there again. A bytearray among the arguments holds afterwards what the call left in it. An exception
is raised here as it was there; a test that lets an OSError pass fails, for the call was to return. Any other one is a
mistake of the test (`harness.subject.answers`).

A call that does not return when the process has had its time is a `Mismatch`. One that is meant to wait is begun:
`pending = connection.begin.recv(10)`, `pending.expect_waiting()` claims that it waits, and `pending.result()` takes its
answer. `runtime.run(function, …)` hands a whole function over, for scenes with signals, threads or children.

The calls of one test are few and small, so each is one pickle each way over two pipes, made by programs of this
repository at both ends. JSON was weighed and would need words of its own for octets, tuples, enums and exceptions.
"""

from __future__ import annotations

import enum
import inspect
import io
import os
import pickle
import select
import socket
import struct
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from harness.lab.ends import FAR, NEAR, RAW
from harness.subject.answers import from_there
from harness.subject.beginning import NotReady
from harness.subject.outcome import in_a_line
from harness.subject.patience import Patience
from harness.subject.process import Subject
from harness.verdict import Inconclusive, Mismatch
from harness.wire.segment import Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.lab.handle import Lab
    from harness.subject.inventory import Program

MODULES = ("errno", "fcntl", "gc", "os", "resource", "select", "signal", "sys", "threading", "time")  # beside socket
_VALUES = {"closed", "family", "mode", "name", "proto", "timeout", "type"}  # attributes that are no methods
_LARGEST = 1 << 20  # octets a pipe may be asked for at once


class RuntimeProcess(Subject):
    """The process of a runtime, and what is said to it and heard from it."""

    def __init__(self, lab: Lab, program: Program, family: str, environment: dict[str, str]) -> None:
        """Start it at the far end of the lab's link; NotReady when it cannot be started."""
        super().__init__(lab, program, family, environment)
        self.command = program.command(FAR.address(family), 0)
        try:
            started = lab.ask("start", argv=self.command, environment=environment, warm=True, talk=True)
        except OSError as error:
            raise NotReady(f"the runtime cannot be started: {error}", self.command, None) from None
        self.pid, self._descriptors = started["pid"], started.descriptors
        self._pidfd, self._hear, self._speak = self._descriptors
        self._numbers = 0
        self._heard = bytearray()
        self._returned: dict[int, tuple[Any, Any, list[bytes]]] = {}
        self._patience = Patience(self)

    def ask(self, verb: str, what: Any, words: str, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> int:
        """Send a request; its number, by which `take` finds the answer."""
        self._numbers += 1
        octets = io.BytesIO()
        _Outward(octets).dump((self._numbers, verb, what, words, arguments, keywords))
        view = memoryview(struct.pack("!I", octets.tell()) + octets.getvalue())
        while view:
            try:
                view = view[os.write(self._hear, view) :]
            except BrokenPipeError:
                raise Mismatch("the runtime goes on", in_a_line(self.wait_end(1.0) or self.told())) from None
        return self._numbers

    def take(self, number: int, call: str, arguments: tuple[Any, ...] = (), source: str = "") -> Any:
        """The answer to a request: its value, or its error raised; a claim that the call returns.

        `source` is the file of a function that the test has sent there.
        """
        waited = self._patience.until(lambda seconds: self.has_answer(number, seconds))
        if not waited.came:
            raise Mismatch(f"{call} returns", f"it still waits; {waited.reason}")
        value, error, buffers = self._returned.pop(number)
        for ours, theirs in zip(_buffers_in(arguments), buffers, strict=False):
            ours[:] = theirs
        if error is not None:
            raise from_there(error, call, source)
        return value

    def has_answer(self, number: int, seconds: float = 0.0) -> bool:
        """Whether the answer to a request is here, or comes within `seconds`."""
        while number not in self._returned:
            if not select.select([self._speak], [], [], seconds)[0]:
                return False
            octets = os.read(self._speak, _LARGEST)
            if not octets:
                raise Mismatch("the runtime goes on", in_a_line(self.wait_end(1.0) or self.told()))
            self._heard += octets
            self._sort()
        return True

    def _sort(self) -> None:
        while len(self._heard) >= 4:
            (size,) = struct.unpack_from("!I", self._heard)
            if len(self._heard) < 4 + size:
                return
            number, *answer = _Inward(io.BytesIO(bytes(self._heard[4 : 4 + size])), self).load()
            self._returned[number] = (answer[0], answer[1], answer[2])
            del self._heard[: 4 + size]


class RemoteCall:
    """A call there, to be made by (…): it is no value, so a test that compares it with one has made a mistake."""

    def __init__(self, process: RuntimeProcess, what: Remote | str, call: str, name: str) -> None:
        """Stand for the function or method `name` of `what`, in a message called `call`."""
        self._process = process
        self._what = what
        self._call = call
        self._name = name

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """Make the call, and return what it returned."""
        number = self._process.ask("call", self._what, self._name, arguments, keywords)
        return self._process.take(number, self._call, arguments)

    def __eq__(self, _: object) -> bool:
        raise self._no_value()

    def __bool__(self) -> bool:
        raise self._no_value()

    __hash__ = None  # type: ignore[assignment] # as of any value that can be compared

    def _no_value(self) -> TypeError:
        return TypeError(f"{self._call} of the runtime was not called: only its result is a value")


class Remote:
    """Stands for an object of the runtime: its methods are calls there."""

    def __init__(self, process: RuntimeProcess, number: int, kind: str) -> None:
        """Stand for the object with this number, of the type with this name."""
        self._process = process
        self._number = number
        self._kind = kind

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in _VALUES:
            return self._process.take(self._process.ask("get", self, name, (), {}), f"{self._kind}.{name}")
        return RemoteCall(self._process, self, f"{self._kind}.{name}()", name)

    @property
    def begin(self) -> Beginning:
        """The same methods, to be answered later."""
        return Beginning(self._process, self, self._kind)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Remote) and other._number == self._number

    def __hash__(self) -> int:
        return hash(self._number)

    def __repr__(self) -> str:
        return f"<{self._kind} of the runtime>"


class RemoteModule:
    """Stands for a module of the runtime."""

    def __init__(self, process: RuntimeProcess, name: str) -> None:
        """Stand for the module of this name."""
        self._process = process
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return RemoteCall(self._process, self._name, f"{self._name}.{name}()", name)


class Beginning:
    """The methods of an object, begun and answered later."""

    def __init__(self, process: RuntimeProcess, what: Remote | str, kind: str) -> None:
        """Begin the methods of `what`."""
        self._process = process
        self._what = what
        self._kind = kind

    def __getattr__(self, name: str) -> Callable[..., Pending]:
        def begin(*arguments: Any, **keywords: Any) -> Pending:
            number = self._process.ask("begin", self._what, name, arguments, keywords)
            return Pending(self._process, number, f"{self._kind}.{name}()", arguments)

        return begin


class Pending:
    """A call that was begun."""

    def __init__(self, process: RuntimeProcess, number: int, call: str, arguments: tuple[Any, ...]) -> None:
        """Stand for the request with this number."""
        self._process = process
        self._number = number
        self._call = call
        self._arguments = arguments

    @property
    def done(self) -> bool:
        """Whether it has returned."""
        return self._process.has_answer(self._number)

    def returns_within(self, seconds: float) -> bool:
        """Whether it has returned, or does so within `seconds`."""
        return self._process.has_answer(self._number, seconds)

    def result(self, seconds: float = 0.0) -> Any:
        """What it returned, or the error that it raised; a claim that it returns, after a timer of up to `seconds`."""
        if seconds:
            self.returns_within(seconds)
        return self._process.take(self._number, self._call, self._arguments)

    def expect_waiting(self) -> None:
        """Claim that it waits in the kernel; from then on, what the test does comes after the call."""

        def is_there(_: float) -> bool:
            return self.done or bool(self._ask("waits"))

        waited = Patience(self._process).until(is_there)
        if not waited.came:
            raise Inconclusive(f"whether {self._call} waits cannot be seen: {waited.reason}")
        self.expect_no_answer()

    def expect_no_answer(self) -> None:
        """Claim that it has not returned, although the runtime has since answered another request."""
        self._ask("waits")
        if self.done:
            try:
                actual = f"it returned {self.result()!r}"
            except Exception as error:  # whatever it raised is what we tell
                actual = f"it raised {type(error).__name__}: {error}"
            raise Mismatch(f"{self._call} waits", actual)

    def _ask(self, verb: str) -> Any:
        return self._process.take(self._process.ask(verb, self._number, "", (), {}), verb)


@dataclass  # not frozen: what a probe asks of a subject may change there
class At:
    """A socket of the runtime as a probe reaches it."""

    process: RuntimeProcess
    address: Endpoint
    family: str
    name: str

    def look(self) -> Any:
        """How busy the runtime is."""
        return self.process.look()


class Runtime:
    """The `socket` module of a runtime, with what nearly every test wants to know of the place."""

    def __init__(self, process: RuntimeProcess) -> None:
        """Speak through this process."""
        self.process = process
        self.family = process.family
        self.af = socket.AF_INET if process.family == "v4" else socket.AF_INET6
        self.host = FAR.address(process.family)
        self.hosts = FAR.v4 if process.family == "v4" else FAR.v6
        self.probe = NEAR.address(process.family)
        self.nowhere = RAW.address(process.family)  # on the link, and nobody answers there
        self.loopback = "127.0.0.1" if process.family == "v4" else "::1"
        self.everywhere = "0.0.0.0" if process.family == "v4" else "::"
        self._modules = {name: RemoteModule(process, name) for name in ("socket", *MODULES)}

    def __getattr__(self, name: str) -> Any:
        return self._modules[name] if name in MODULES else getattr(self._modules["socket"], name)

    @property
    def begin(self) -> Beginning:
        """Functions of the module, to be answered later."""
        return Beginning(self.process, "socket", "socket")

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function of the test's there; it finds the modules of the standard library by their names."""
        source = textwrap.dedent(inspect.getsource(function))
        number = self.process.ask("run", function.__name__, source, arguments, {})
        return self.process.take(number, f"{function.__name__}()", source=inspect.getsourcefile(function) or "")

    def forget(self, remote: Remote) -> None:
        """Let the runtime forget an object."""
        self.process.take(self.process.ask("forget", remote, "", (), {}), "forget")

    def tcp(self) -> Any:
        """A new TCP socket of the family under test."""
        return self.socket(self.af, socket.SOCK_STREAM)

    def udp(self, port: int | None = 0, host: str = "") -> Any:
        """A UDP socket, bound to `port` of `host` (ours, if none is given); not bound, with port None."""
        made = self.socket(self.af, socket.SOCK_DGRAM)
        if port is not None:
            made.bind((host or self.host, port))
        return made

    def listener(self, backlog: int = 5, host: str = "", port: int = 0) -> Any:
        """A TCP socket in LISTEN."""
        made = self.tcp()
        made.bind((host or self.host, port))
        made.listen(backlog)
        return made

    def sysctl(self, name: str, value: str) -> None:
        """Set a network setting of its namespace, such as net/ipv4/tcp_mtu_probing."""
        self.process.sysctl(name, value)

    def at(self, bound: Any) -> At:
        """Where a probe reaches a socket of ours."""
        host, port = bound.getsockname()[:2]
        return At(
            self.process,
            Endpoint(self.host if host in {"0.0.0.0", "::"} else host, port),
            self.family,
            self.process.name,
        )

    def connected(self, probe: Any, **how: Any) -> tuple[Any, Any]:
        """A connection that was accepted here, and the client at its other end."""
        with self.listener() as listener:
            client = probe.connect(self.at(listener), **how)
            return listener.accept()[0], client


class _Outward(pickle.Pickler):
    """Names what stayed there."""

    def persistent_id(self, value: Any) -> int | None:
        """The number of what a stand-in stands for."""
        return value._number if isinstance(value, Remote) else None

    def reducer_override(self, value: Any) -> Any:
        """Flags go as numbers: Python 3.11.2 finds no name for several of them together."""
        return (int, (int(value),)) if isinstance(value, enum.IntFlag) else NotImplemented


class _Inward(pickle.Unpickler):
    """Makes stand-ins of what stayed there."""

    def __init__(self, octets: io.BytesIO, process: RuntimeProcess) -> None:
        super().__init__(octets)
        self._process = process

    def persistent_load(self, named: tuple[int, str]) -> Any:
        """A stand-in."""
        return RemoteContext(self._process, *named)


class RemoteContext(Remote):
    """A stand-in for what `with` closes."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _buffers_in(value: Any) -> Iterator[bytearray]:
    if isinstance(value, bytearray):
        yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _buffers_in(part)

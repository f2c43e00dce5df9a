"""The probe: makes clients on the near side, and closes what a test left open."""

from __future__ import annotations

import contextlib
import errno
import math
import select
import socket
from typing import TYPE_CHECKING, Protocol, Self

from harness import budget
from harness.analysis.accounting import Delivered
from harness.lab.ends import NEAR
from harness.probe.calls import Calls
from harness.probe.client import Client
from harness.probe.datagram import DatagramClient
from harness.subject.manner import Course, Manner
from harness.subject.outcome import in_a_line, outcome
from harness.subject.patience import Patience, Watched
from harness.subject.process import Subject
from harness.verdict import Mismatch, SubjectEnded
from harness.wire.segment import Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.probe.ending import Leaving
    from harness.subject.external import External
    from harness.subject.patience import Waited

_RESTLESS = 1.0  # seconds of processor time in which a subject that has something to do would have done it
_UNSETTLED = 3.0  # seconds of processor time after which it is not waited for either where nothing is claimed of it
_REST = 0.1  # seconds of idleness after which a subject waits for us, and no more for itself


class Reached(Watched, Protocol):
    """What a probe needs to know of a subject."""

    family: str  # "v4" or "v6"
    address: Endpoint


class Side(Protocol):
    """Where a probe stands."""

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A socket of this side."""


class Attempt:
    """A connection that we have begun, and that may never come to be."""

    transport = "tcp"

    def __init__(
        self,
        connection: socket.socket,
        far: Endpoint,
        patience: Patience,
        met: Callable[[Attempt | Client | DatagramClient], None],
    ) -> None:
        """Send the SYN on a non-blocking socket."""
        self._socket = connection
        self._patience = patience
        self.far = far
        self.calls = Calls()
        began = budget.wall_ns()
        self._error = connection.connect_ex(far)
        self.calls.note("connect()", errno.errorcode.get(self._error, ""), began_ns=began)
        address = connection.getsockname()
        self.near = Endpoint(address[0], address[1])
        self._client: Client | None = None
        met(self)

    def delivered(self) -> Delivered:
        """What the socket gave so far."""
        return self._client.delivered() if self._client else Delivered(self.near, self.far, 0, 0)

    @property
    def client(self) -> Client | None:
        """The client, once it is known to be connected."""
        return self._client

    @property
    def decided(self) -> bool:
        """Whether the handshake is over for our kernel, with a connection or without."""
        return _writable(self._socket, 0.0)

    def outcome(self) -> Client | str:
        """The connected client, or in words why there is none, when the subject had its time."""
        error = self._error
        if error == errno.EINPROGRESS:
            waited = self._patience.until(lambda seconds: _writable(self._socket, seconds))
            if not waited.came:
                return f"no answer to our SYN: {waited.reason}"
            error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error == errno.ECONNREFUSED:
            return "refused (RST)"
        if error in {errno.ECONNRESET, errno.EPIPE}:  # the handshake was over before we asked; EPIPE: behind a FIN
            return "reset (RST) as soon as it stood"
        if error:
            raise OSError(error, f"connect to {self.far}")
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client = Client(self._socket, self.near, self.far, self._patience, self.calls)
        return self._client

    def close(self) -> None:
        """Give the connection up."""
        self._socket.close()


class Listener:
    """A TCP socket of ours in LISTEN, for a subject that connects."""

    def __init__(
        self,
        listening: socket.socket,
        patience: Patience,
        met: Callable[[Attempt | Client | DatagramClient], None],
    ) -> None:
        """Take over a listening, non-blocking socket."""
        self._socket = listening
        self._patience = patience
        self._met = met
        self._accepted: list[Client] = []
        self.address: tuple[str, int] = listening.getsockname()[:2]

    def accept(self) -> Client:
        """The next connection; a claim that one comes."""
        waited = self._patience.until(lambda seconds: _readable(self._socket, seconds))
        if not waited.came:
            raise Mismatch(f"a connection to {Endpoint(*self.address)}", f"none came: {waited.reason}")
        accepted, far = self._socket.accept()
        accepted.setblocking(False)
        near = accepted.getsockname()
        client = Client(accepted, Endpoint(near[0], near[1]), Endpoint(far[0], far[1]), self._patience)
        self._accepted.append(client)
        self._met(client)
        return client

    def close(self) -> None:
        """Close it, and what it accepted."""
        for client in self._accepted:
            client.close()
        self._socket.close()


class Probe:
    """Our active end in one test. A context manager: leaving it closes every client."""

    def __init__(
        self,
        near: Side,
        patience: Callable[[Watched], Patience],
        met: Callable[[Attempt | Client | DatagramClient], None],
        course: Course | None = None,
    ) -> None:
        """Make clients on the side `near`; `met` hears of each client, so that its flow can be found."""
        self._near = near
        self._course = course or Course(Manner(), endless=True)
        self._patience = patience
        self._met = met
        self._opened: list[Attempt | DatagramClient | Listener] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for opened in self._opened:
            opened.close()

    def affordable(self, wanted: int, least: int = 1) -> int:
        """How many clients, of those that are wanted, a test has time for: fewer if the subject takes long for each."""
        return self._course.affordable(wanted, least)

    def connect(
        self,
        subject: Reached,
        *,
        receive_buffer: int | None = None,
        segment_size: int | None = None,
        source: Endpoint | None = None,
    ) -> Client:
        """A client connected to the subject; a claim that the subject accepts.

        `receive_buffer` (octets, SO_RCVBUF) makes our window small, `segment_size` (octets, TCP_MAXSEG) our segments.
        `source` is where it comes from: the address and port of a client that has reset, which are free again at once.
        """
        attempt = self.begin_connect(subject, receive_buffer=receive_buffer, segment_size=segment_size, source=source)
        client = attempt.outcome()
        if isinstance(client, str):
            raise Mismatch("the connection is accepted", client)
        return client

    def try_connect(
        self, subject: Reached, *, receive_buffer: int | None = None, segment_size: int | None = None
    ) -> Client | str:
        """A connected client, or in words why there is none: "refused (RST)", or no answer."""
        return self.begin_connect(subject, receive_buffer=receive_buffer, segment_size=segment_size).outcome()

    def begin_connect(
        self,
        subject: Reached,
        *,
        receive_buffer: int | None = None,
        segment_size: int | None = None,
        source: Endpoint | None = None,
    ) -> Attempt:
        """A connection whose SYN is sent; what comes of it is for the test to ask."""
        connection = self._socket(subject, socket.SOCK_STREAM)
        if source is not None:
            connection.bind(tuple(source))
        if receive_buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if segment_size is not None:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment_size)
        attempt = Attempt(connection, subject.address, self._patience(subject), self._met)
        self._opened.append(attempt)
        return attempt

    def room_for(self, subject: Reached, clients: int) -> int:
        """How many of so many clients can wait at once to be accepted: behind listen(1) two (listen(2)), on Linux.

        Nobody owes more room than that: whoever comes beyond gets no answer to its SYN as long as the subject stands.
        """
        if not isinstance(subject, Subject) or subject.own_tcp:
            return clients
        return min(clients, subject.queue()[1] + 1)

    def connect_together(self, subject: Subject, clients: int, *, receive_buffer: int | None = None) -> list[Client]:
        """So many clients that are there at once; a claim that the subject accepts them.

        Fewer where it serves one at a time and no more can wait: nobody owes more room than its own queue has.
        """
        there: list[Client] = []
        while len(there) < clients:
            if self._is_full(subject):
                self.at_rest(subject, seconds=2.0)  # one that serves many has accepted them all by then
                if self._is_full(subject):
                    break
            there.append(self.connect(subject, receive_buffer=receive_buffer))
        return there

    def _is_full(self, subject: Subject) -> bool:
        """Whether perhaps no more can wait: one whose ACK is still on its way is in no queue yet."""
        if subject.own_tcp:
            return False
        waiting, room = subject.queue()
        return waiting >= max(1, room)

    def leave_in_the_queue(self, subject: Subject, how: Leaving, text: bytes = b"", *, clients: int = 3) -> None:
        """Let clients connect, say this and leave while the subject stands still: they are gone when it accepts."""
        with subject.paused():
            for _ in range(self.room_for(subject, clients)):
                client = self.connect(subject)
                client.send_all(text)
                client.leave(how)

    def datagrams(self, subject: Reached, to: Endpoint | None = None) -> DatagramClient:
        """A UDP client with a port of its own that asks the subject, at `to` if it has several addresses."""
        client = DatagramClient(self._bound(subject), to or subject.address, self._patience(subject))
        self._opened.append(client)
        self._met(client)
        return client

    def forget(self) -> None:
        """Close every client so far and keep none: a test with clients without end would fill the memory."""
        for opened in self._opened:
            opened.close()
        self._opened.clear()

    def listen(self, subject: Reached, backlog: int = 5, receive_buffer: int | None = None) -> Listener:
        """A listener of ours, to which the subject is to connect; `receive_buffer` (octets) makes its windows small."""
        listening = self._socket(subject, socket.SOCK_STREAM)
        if receive_buffer is not None:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        listening.bind((NEAR.address(subject.family), 0))
        listening.listen(backlog)
        listener = Listener(listening, self._patience(subject), self._met)
        self._opened.append(listener)
        return listener

    def until(self, subject: Reached, came: Callable[[float], bool]) -> Waited:
        """Wait until `came(seconds)` is true, as long as the subject works; it may itself wait that many seconds."""
        return self._patience(subject).until(came)

    def expect_soon(self, subject: Reached, expected: str, complaint: Callable[[], str]) -> None:
        """Claim that `complaint()`, which says what is still wrong, soon has nothing to say."""

        def nothing_to_say(seconds: float) -> bool:
            select.select([], [], [], seconds)
            return not complaint()

        waited = self._patience(subject).until(nothing_to_say)
        if not waited.came:
            raise Mismatch(expected, f"{complaint()}; {waited.reason}")

    def let_settle(self, subject: Subject) -> None:
        """Wait until the subject has accepted who is connected, and then does nothing more unasked.

        Seen from outside this is a guess, and may come too early: what a test claims of the time before can then pass
        where it should not, but never fail.
        """
        patience = self._patience(subject)
        if subject.own_tcp:  # it has no queue that could be seen
            patience.at_rest(_REST, work=_UNSETTLED)
            return

        def accepted(seconds: float) -> bool:
            queued = sum(listener["unread"] for listener in subject.sockets(listening=True))
            return not queued or bool(select.select([], [], [], seconds)[0])

        patience.until(accepted)
        patience.at_rest(_REST, work=_UNSETTLED)

    def at_rest(self, subject: Subject, seconds: float = budget.RESPONSE, *, work: float = math.inf) -> bool:
        """Wait, up to `seconds`, until the subject has nothing to do; whether it came to that.

        One that has used `work` seconds of processor time meanwhile is not waited for any longer.
        """
        return self._patience(subject).at_rest(_REST, seconds, work=work)

    def expect_rest(self, subject: Subject, expected: str) -> None:
        """Claim that the subject soon has nothing to do, and has not ended either."""
        unrest = self.unrest(subject, claimed=True)
        if subject.ended:
            told = subject.told()
            raise SubjectEnded(expected, f"it has ended: {in_a_line(told)}", details=outcome(told))
        if unrest:
            raise Mismatch(expected, unrest)

    def unrest(self, subject: Subject | External, *, claimed: bool = False) -> str:
        """How a subject goes on using the processor, in words; empty when it soon has nothing to do.

        For a test that has more to claim before it tells of that. Of a subject that is not ours nothing is seen.
        """
        if not isinstance(subject, Subject):
            return ""
        watch, before = budget.Stopwatch(), subject.look()
        if self._patience(subject).at_rest(_REST, work=_RESTLESS, claimed=claimed):
            return ""
        work, lasted = subject.look().worked_since(before), watch.seconds
        return f"it goes on using the processor: for {work:.1f} s of the last {lasted:.1f} s"

    def expect_to_last(self, subject: Subject, seconds: float, expected: str) -> None:
        """Claim that the subject does not end within so many seconds, in which nobody does anything."""
        if (told := subject.wait_end(seconds)) is not None:
            raise Mismatch(expected, f"it has ended: {in_a_line(told)}", details=outcome(told))

    def expect_exit(self, subject: Subject, status: int | None = None) -> None:
        """Claim that the subject soon ends by itself: with this exit status, or with any, but never by a signal."""
        self.expect_soon(subject, "the server ends by itself", lambda: "" if subject.ended else "it still runs")
        told = subject.told()
        if told["exit"] is None or (status is not None and told["exit"] != status):
            wanted = "an exit status" if status is None else f"exit status {status}"
            raise Mismatch(f"the server ends by itself, with {wanted}", in_a_line(told), details=outcome(told))

    def _bound(self, subject: Reached) -> socket.socket:
        while True:
            bound = self._socket(subject, socket.SOCK_DGRAM)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            with contextlib.suppress(OSError):  # on this host's loopback the lab's address does not exist
                bound.bind((NEAR.address(subject.family), 0))
            if bound.getsockname()[1] == 0:
                bound.bind(("127.0.0.1" if subject.family == "v4" else "::1", 0))
            if bound.getsockname()[1] != subject.address.port:
                return bound
            # A server may take its own port number for that of another one, and leave it unanswered lest the two answer
            # each other for ever (rfc862:udp/no-loop).
            bound.close()

    def _socket(self, subject: Reached, kind: int) -> socket.socket:
        family = socket.AF_INET if subject.family == "v4" else socket.AF_INET6
        made = self._near.socket(family, kind)
        made.setblocking(False)
        return made


def _writable(connection: socket.socket, seconds: float) -> bool:
    poll = select.poll()
    poll.register(connection, select.POLLOUT)
    return bool(poll.poll(seconds * 1000))


def _readable(listening: socket.socket, seconds: float) -> bool:
    return bool(select.select([listening], [], [], seconds)[0])

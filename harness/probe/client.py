"""The client: our end of a TCP connection, through the kernel's sockets.

A client never blocks on its socket. It waits with patience (see `harness.subject.patience`), counts what went out and
what came in, and its claims raise `Mismatch` with expected and actual in words, so that a suite reads as what must
hold.
"""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import struct
import zlib
from typing import TYPE_CHECKING

from harness import budget
from harness.analysis.accounting import Delivered
from harness.payload import count, first_difference, quote, said
from harness.probe.calls import Calls
from harness.probe.ending import Ending, Leaving
from harness.verdict import Mismatch

if TYPE_CHECKING:
    from collections.abc import Callable
    from enum import Enum

    from harness.subject.patience import Patience
    from harness.wire.segment import Endpoint

_CHUNK = 1 << 18  # octets per recv() or send()
_GLANCE = 0.1  # seconds between two looks at what else is to be done
_BROKEN = {errno.ECONNRESET, errno.EPIPE}


class Client:
    """One connection to a subject. Its claims fail the test; its values are for plain assert."""

    transport = "tcp"

    def __init__(
        self, connection: socket.socket, near: Endpoint, far: Endpoint, patience: Patience, calls: Calls | None = None
    ) -> None:
        """Take over a connected, non-blocking socket, with the calls that were made on it so far."""
        self.socket = connection
        self.calls = calls or Calls()
        self.near = near
        self.far = far
        self.sent = 0  # octets that our kernel took
        self.received = 0  # octets that our kernel gave
        self.checksum = zlib.crc32(b"")  # of what was received
        self.ended: Ending | None = None
        self._kept = bytearray()  # received and not yet read by the test
        self._patience = patience
        self._why = ""  # nothing more came, in the words of patience

    def __str__(self) -> str:
        return f"{self.near} <-> {self.far}"

    def delivered(self) -> Delivered:
        """What the socket gave so far."""
        return Delivered(self.near, self.far, self.received, self.checksum)

    # -- sending ------------------------------------------------------------------------------------------------------

    def send_some(self, octets: bytes | memoryview) -> int:
        """One send(): how many octets the kernel took, 0 when it takes none now; a claim that the connection stands."""
        taken = self._offer(octets)
        if taken is None:
            raise Mismatch("the connection takes what we send", f"it was reset (RST) after {count(self.sent)} sent")
        return taken

    def send_all(self, octets: bytes) -> None:
        """Send every octet without reading meanwhile; a claim that the subject takes them."""
        view = memoryview(octets)
        while view:
            taken = self.send_some(view[:_CHUNK])
            view = view[taken:]
            if not taken:
                waited = self._patience.until(lambda seconds: self._poll(select.POLLOUT, seconds))
                if not waited.came:
                    actual = f"it took {count(len(octets) - len(view))}, then none: {waited.reason}"
                    raise Mismatch(f"the subject takes {count(len(octets))}", actual)

    def fill(self, octets: bytes, *, until: Callable[[], bool] = lambda: True) -> int:
        """Send without reading until send() takes no more and `until()` holds: how many octets that were."""
        view = memoryview(octets)
        while view:
            taken = self.send_some(view[:_CHUNK])
            view = view[taken:]
            if not taken:
                if until():
                    break
                if not self._patience.until(lambda seconds: self._poll(select.POLLOUT, seconds) or until()).came:
                    break
        return len(octets) - len(view)

    def send_urgent(self, octet: bytes) -> None:
        """Send one octet as urgent data (RFC 9293 3.8.5)."""
        began = budget.wall_ns()
        try:
            taken = self.socket.send(octet, socket.MSG_OOB)
        except (BlockingIOError, ConnectionResetError, BrokenPipeError) as error:
            raise Mismatch("the connection takes an urgent octet", f"send() failed: {error.strerror}") from None
        self.calls.note("send(MSG_OOB)", octets=taken, began_ns=began)
        self.sent += taken

    def half_close(self) -> None:
        """Close our direction (FIN); the other stays open."""
        with contextlib.suppress(OSError):  # the subject may have reset the connection: the claims tell that better
            self.calls.note("shutdown(SHUT_WR)")
            self.socket.shutdown(socket.SHUT_WR)

    def widen(self, octets: int = 1 << 20) -> None:
        """Give our kernel more room for what arrives, so that our window can open further."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, octets)

    def close(self) -> None:
        """Close the socket."""
        if self.socket.fileno() >= 0:
            self.calls.note("close()")
        self.socket.close()

    def reset(self) -> None:
        """Abort the connection (RST), as a client does that crashes."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.calls.note("close(), SO_LINGER 0")
        self.socket.close()

    def leave(self, how: Leaving) -> None:
        """Go, in this way."""
        _check(how, Leaving)
        if how is Leaving.RESETS_BEHIND_ITS_FIN:
            self.half_close()
        if how is Leaving.CLOSES:
            self.close()
        else:
            self.reset()

    # -- receiving ----------------------------------------------------------------------------------------------------

    def take_in(self) -> bytes:
        """What has come by now, without waiting; whether the stream has ended says `ended`."""
        if self.ended is None:
            self._receive()
        return self._take(len(self._kept))

    def read_some(self, size: int) -> bytes:
        """Up to `size` octets of what has come by now, without waiting."""
        if self.ended is None:
            self._receive()
        return self._take(size)

    def keep_silent(self, seconds: float) -> bytes:
        """Say nothing for `seconds`, or until the connection ends; what came meanwhile."""
        deadline = budget.Deadline(seconds)
        while self.ended is None and not deadline.over:
            self._patience.meanwhile()
            if self._poll(select.POLLIN, deadline.slice(_GLANCE)):
                self._receive()
        return self._take(len(self._kept))

    def leave_unread(self, seconds: float) -> None:
        """Neither say nor read anything for `seconds`, or until the connection ends."""
        deadline = budget.Deadline(seconds)
        while not deadline.over and not self._poll(select.POLLRDHUP, deadline.slice(_GLANCE)):
            self._patience.meanwhile()

    def expect_to_stand(self, seconds: float) -> None:
        """Claim that the connection stands while nothing is said for `seconds`, and that nothing comes."""
        watch = budget.Stopwatch()
        came = self.keep_silent(seconds)
        if came or self.ended is not None:
            actual = f"{quote(came)} came" if came else str(self.ended)
            expected = f"the connection stands while nothing is said for {seconds:g} s"
            raise Mismatch(expected, f"{actual} after {watch.seconds:.1f} s")

    def wait_for_more(self) -> str:
        """Wait for a further octet or the end of the stream; why nothing came, empty if something did."""
        if self._kept or self.ended is not None:
            return ""
        return "" if self._await(select.POLLIN) else self._why

    def read(self, size: int) -> bytes:
        """The next `size` octets; fewer when the stream ends or nothing more comes."""
        self._fetch(size)
        return self._take(size)

    def read_to_end(self) -> bytes:
        """All octets up to the end; a claim that the connection ends at all."""
        self._to_end(limit=None)
        return self._take(len(self._kept))

    def ending(self, limit: int = 4 << 20) -> Ending:
        """How the connection ends, whatever comes before (up to `limit` octets); a claim that it ends."""
        return self._to_end(limit)

    def exchange(self, octets: bytes, back: int, *, chunk: int = _CHUNK, half_close: bool = False) -> bytes:
        """Send `octets` in pieces of up to `chunk` and read at the same time, until `back` octets came or nothing will.

        With `half_close` our FIN follows the last octet at once.
        """
        view = memoryview(octets)
        while len(self._kept) < back and self.ended is None:
            if view:
                taken = self._offer(view[:chunk])
                view = view[taken:] if taken is not None else view[:0]  # broken: what still comes tells more
            if not view and half_close:
                self.half_close()
                half_close = False
            if not self._await(select.POLLIN | (select.POLLOUT if view else 0)):
                break
            self._receive()
        if not view and half_close:
            self.half_close()
        return self._take(back)

    # -- claims -------------------------------------------------------------------------------------------------------

    def expect(self, octets: bytes) -> None:
        """Claim that exactly these octets come next."""
        if not isinstance(octets, bytes | bytearray | memoryview):
            raise TypeError(f"octets are expected, such as b'hello', not {octets!r}")
        self._same(bytes(octets), self.read(len(octets)))

    def expect_any(self, limit: int) -> bytes:
        """Claim that octets come: all up to the end, or until nothing more comes, and `limit` at most."""
        octets = self.read(limit)
        if not octets:
            raise Mismatch("octets come", f"none came{self.stopped}")
        return octets

    def expect_back(self, octets: bytes, *, already: int = 0, chunk: int = _CHUNK, half_close: bool = False) -> None:
        """Claim that what we send comes back unchanged and in order; so many octets of it are `already` sent."""
        self._same(octets, self.exchange(octets[already:], len(octets), chunk=chunk, half_close=half_close))

    def expect_end(self, ending: Ending = Ending.EOF) -> None:
        """Claim that the connection ends now, in this way, without a further octet."""
        _check(ending, Ending)
        actual = self._to_end(limit=1 << 16)
        if self._kept:
            further = f"{count(len(self._kept))} more, {quote(bytes(self._kept))}, then {actual}"
            raise Mismatch(f"{ending}, no further octet", further)
        if actual is not ending:
            raise Mismatch(str(ending), str(actual))

    def expect_ending(self, ending: Ending = Ending.EOF) -> None:
        """Claim that the connection ends in this way, whatever comes before."""
        _check(ending, Ending)
        if (actual := self.ending()) is not ending:
            raise Mismatch(str(ending), str(actual))

    # -- within -------------------------------------------------------------------------------------------------------

    def _same(self, expected: bytes, actual: bytes) -> None:
        difference = first_difference(expected, actual)
        if difference is None:
            return
        size = count(len(expected))
        what = f"{size}, {quote(expected)}" if len(expected) <= 48 else f"{size} unchanged"
        details = []
        if actual and len(actual) < len(expected) and expected.startswith(actual):
            seen = f"only the first {count(len(actual))} came"
        elif not actual:
            seen = "no octet came"
        else:
            seen = str(difference)
            details = [f"the server said {said(actual + bytes(self._kept))}"]
        if len(actual) < len(expected):
            seen += self.stopped
        raise Mismatch(what, seen, details=details)

    @property
    def stopped(self) -> str:
        """Why nothing more came, to be put after what did; empty if that is not known."""
        return f", then {self.ended}" if self.ended else f"; {self._why}" if self._why else ""

    def _fetch(self, size: int) -> None:
        while len(self._kept) < size and self.ended is None and self._await(select.POLLIN):
            self._receive()

    def _to_end(self, limit: int | None) -> Ending:
        while self.ended is None and (limit is None or len(self._kept) <= limit):
            if not self._await(select.POLLIN, for_end=True):
                came = f" after {count(self.received)}" if self.received else ""
                raise Mismatch("the connection ends", f"no end of stream and no reset{came}: {self._why}")
            self._receive()
        if self.ended is None:
            raise Mismatch("the connection ends", f"octets without end: {len(self._kept)} came and more follow")
        return self.ended

    def _await(self, events: int, *, for_end: bool = False) -> bool:
        self._patience.meanwhile()
        until = self._patience.until_end if for_end else self._patience.until
        waited = until(lambda seconds: self._poll(events, seconds))
        self._why = waited.reason
        return waited.came

    def _offer(self, octets: bytes | memoryview) -> int | None:
        self._patience.meanwhile()
        began = budget.wall_ns()
        try:
            taken = self.socket.send(octets)
        except BlockingIOError:
            self.calls.note("send()", "EAGAIN")
            return 0
        except OSError as error:
            self.calls.note("send()", errno.errorcode.get(error.errno or 0, str(error)))
            if error.errno not in _BROKEN:
                raise
            return None
        self.calls.note("send()", octets=taken, began_ns=began)
        self.sent += taken
        return taken

    def _receive(self) -> None:
        try:
            octets = self.socket.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            self.calls.note("recv()", errno.errorcode.get(error.errno or 0, str(error)))
            if error.errno not in _BROKEN:
                raise
            self.ended = Ending.RESET
            return
        if not octets:
            self.calls.note("recv()", "0, end of stream")
            self.ended = Ending.EOF
            return
        self.calls.note("recv()", octets=len(octets))
        self.received += len(octets)
        self.checksum = zlib.crc32(octets, self.checksum)
        self._kept += octets

    def _take(self, size: int) -> bytes:
        octets = bytes(self._kept[:size])
        del self._kept[:size]
        return octets

    def _poll(self, events: int, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self.socket, events)
        return bool(poll.poll(seconds * 1000))


def _check(value: object, wanted: type[Enum]) -> None:
    """That a test says one of these: what is none of them would never be seen, and the subject be blamed for it."""
    if not isinstance(value, wanted):
        raise TypeError(
            f"one of {', '.join(map(str, wanted.__members__))} of {wanted.__name__} is expected, not {value!r}"
        )

"""Short sends and closed windows: one side takes less than the other has (RFC 9293 3.8.6, send(2))."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from harness.suite import Ending, KiB, MiB, control, covers, got, octets, profiles, raises, requires, sent, wall_clock

if TYPE_CHECKING:
    from harness.suite import Probe, Serve, Subject, Wire

MUCH = 4 * MiB  # octets: more than the buffers of both kernels take together
STALL = 1.3  # seconds: more than the second that is a favourite limit of send(), and short for a person at a keyboard


def serves(subject: Subject, probe: Probe, text: bytes) -> None:
    """The control: to a client that reads as it comes, the text comes back."""
    with control():
        client = probe.connect(subject)
        client.expect_back(text)
        client.close()


@covers("posix:send/send-returns-bytes-accepted", "posix:send/full-buffer-gives-eagain")
def test_full_window_makes_send_short(serve: Serve, probe: Probe, wire: Wire) -> None:
    """A non-blocking send() of more than there is room for takes a part; the next takes none: EAGAIN."""
    subject = serve()
    client = probe.connect(subject, receive_buffer=4 * KiB)
    subject.tell("accept")

    taken = subject.tell(f"send-some {MUCH} 7")
    wire.wait_for(client, sent.window(0))

    assert 0 < taken < MUCH, "send() says how much it took"
    with requires("posix:send/full-buffer-gives-eagain"), raises(errno.EAGAIN):
        for _ in range(100):  # each may still find room that the kernel has made meanwhile
            taken += subject.tell(f"send-rest {MUCH} 7 {taken}")
    client.widen()
    client.expect(octets(MUCH, seed=7)[:taken])


@covers("posix:send/send-returns-bytes-accepted")
def test_short_sends_resume_where_they_stopped(serve: Serve, probe: Probe) -> None:
    """A sender that goes on behind what each send() took delivers every octet once, in order."""
    size = 4 * MiB
    subject = serve()
    client = probe.connect(subject, receive_buffer=4 * KiB)
    subject.tell("accept")
    shorts = taken = 0

    while taken < size:
        took = subject.tell(f"send-rest {size} 7 {taken}")
        client.widen()
        client.expect(octets(size, seed=7)[taken : taken + took])
        taken += took
        shorts += took < size
    subject.tell("close")

    client.expect_end(Ending.EOF)
    with control():
        assert shorts > 1, "the control: send() was short more than once"


@covers("rfc9293:MUST-37", "rfc9293:MUST-36")
def test_closed_window_opens_again(serve: Serve, probe: Probe, wire: Wire) -> None:
    """A subject that does not read closes its window; when it reads, the window opens and every octet arrives."""
    subject = serve()
    client = probe.connect(subject)
    subject.tell("accept")
    text = octets(MUCH)

    taken = client.fill(text, until=lambda: bool(wire.so_far(client).pick(got.window(0))))
    closed = wire.wait_for(client, got.window(0))
    subject.tell_later("drain")
    client.send_all(text[taken:])
    client.half_close()

    assert subject.answer()["size"] == MUCH
    wire.flow(client).after(closed).expect(got.window(above=0))


@covers("posix:send/blocking-send-transfers-everything")
def test_blocking_send_waits_until_all_is_taken(serve: Serve, probe: Probe, wire: Wire) -> None:
    """A blocking send() into a closed window returns when the last octet was taken, not before."""
    subject = serve()
    client = probe.connect(subject, receive_buffer=4 * KiB)
    subject.tell("accept")

    subject.tell_later(f"send-pattern {MUCH} 7")
    wire.wait_for(client, sent.window(0))
    client.widen()
    client.expect(octets(MUCH, seed=7))

    assert subject.answer() == MUCH


@profiles("echo")
@covers("rfc862:tcp/returns-every-octet", "rfc862:tcp/one-way-stall-loses-nothing")
def check_slow_reader_gets_every_octet(subject: Subject, probe: Probe, wire: Wire) -> None:
    """A client that reads nothing for longer than a second gets every octet once, in order, and nobody else's."""
    text, others = octets(MUCH), octets(MiB, seed=1)
    serves(subject, probe, text)
    client, other = probe.connect(subject, receive_buffer=4 * KiB), probe.connect(subject)

    taken = client.fill(text)
    wire.wait_for(client, sent.window(0))
    others_taken = other.fill(others)  # what it says must not be put in the place of what waits for the slow one
    again = wall_clock() + STALL
    taken += client.fill(text[taken:], until=lambda: wall_clock() >= again)
    client.widen()

    client.expect_back(text, already=taken)
    client.close()
    other.expect_back(others, already=others_taken)


@profiles("echo")
@covers("rfc862:tcp/slow-reader-does-not-block")
def check_slow_reader_does_not_block_others(subject: Subject, probe: Probe, wire: Wire) -> None:
    """While one client does not read its echo, another one is served."""
    serves(subject, probe, b"and me?")
    slow, other = probe.connect(subject, receive_buffer=4 * KiB), probe.connect(subject)

    slow.fill(octets(MUCH))
    wire.wait_for(slow, sent.window(0))

    other.expect_back(b"and me?")

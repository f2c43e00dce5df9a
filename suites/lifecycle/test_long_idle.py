"""What a server does when a limit on a wait has run out: it serves or ends that client, and waits for what comes next.

select() on Linux leaves in its argument how much of the time is left (select(2)): who does not set it again asks with
no time at all from then on, and spins. A deadline that lies in the past does the same to poll() and epoll_wait(). That
shows only when nothing has come for as long as the limit is, five seconds mostly, and then it lasts.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from harness.suite import SERVICES, KiB, MiB, Mismatch, NotApplicable, covers, families, octets, profiles

if TYPE_CHECKING:
    from harness.suite import Probe, Session, Subject

PROFILES = SERVICES

SILENCE = 6.0  # seconds: whoever limits a wait by a number takes five, or less
OTHERS = 3  # clients that wait beside the one that is served
MUCH = 16 * MiB  # octets: more than both kernels hold for one connection
LITTLE = 96 * KiB  # octets: more than the client's window and the subject's kernel take at first


def expect_idle_after_silence(subject: Subject, probe: Probe, who: str) -> None:
    """Let the silence pass, in which the server does not end; claim that it then uses no processor time."""
    subject.may_end = True  # what it means that it ends is told here
    probe.expect_to_last(subject, SILENCE, f"it goes on waiting while its clients are silent for {SILENCE:g} s")
    probe.expect_rest(subject, f"a server {who} for {SILENCE:g} s waits without using the processor")


@families("v4")  # a clock, not an address, would wake it
@pytest.mark.slow(seconds=SILENCE)
@covers("house:any/long-idle-uses-no-cpu")
def check_uses_no_cpu_when_its_clients_have_long_been_silent(subject: Subject, probe: Probe, session: Session) -> None:
    """Clients say nothing for six seconds: before, within or after a request, or with their direction closed.

    A server may end them, turn the later ones away, or let them wait until the first has left.
    """
    if not subject.managed:
        raise NotApplicable("needs a look at the subject's processes: start it with --serve")
    session.hold()
    with contextlib.suppress(Mismatch):  # it is full, or ends who comes now
        within, closed, *_ = [*probe.connect_together(subject, OTHERS), None, None]
        if within is not None:
            within.send_some((session.words() or b"hello")[:1])
        if closed is not None:
            closed.half_close()

    expect_idle_after_silence(subject, probe, "whose clients have said nothing")


@profiles("echo")
@families("v4")
@pytest.mark.slow(seconds=SILENCE)
@covers("house:any/long-idle-uses-no-cpu")
def check_uses_no_cpu_when_its_answers_have_long_had_no_room(subject: Subject, probe: Probe) -> None:
    """Clients read nothing for six seconds, one of them with its direction closed: their answers find no room."""
    if not subject.managed:
        raise NotApplicable("needs a look at the subject's processes: start it with --serve")
    probe.connect(subject, receive_buffer=4 * KiB).fill(octets(MUCH))
    with contextlib.suppress(Mismatch):  # it is full, or serves one client at a time
        for other in probe.connect_together(subject, 1, receive_buffer=4 * KiB):
            other.fill(octets(LITTLE))
            other.half_close()

    expect_idle_after_silence(subject, probe, "whose clients have read nothing")

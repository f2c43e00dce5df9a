"""The contract of a daytime server over TCP (RFC 867): date and time as text on connect, then the server closes.

The form of the text is free, so that only a person can judge it fully; looked for are the numbers that nearly every
form has. What holds for qotd and time as well stands in test_short_answers.py.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from harness.suite import (
    Ending,
    KiB,
    Mismatch,
    NotApplicable,
    ahead_of_clock,
    control,
    covers,
    exact,
    got,
    octets,
    quote,
    sent,
    tells_the_day,
    wall_clock,
)

if TYPE_CHECKING:
    from harness.suite import Probe, Subject, Wire

PROFILES = ("daytime",)

LONGEST = 64 * KiB  # octets: what is longer is no line
TOLERANCE = 2  # seconds: one for rounding, one for a clock that is read in another way
PAUSE = 1.2  # seconds: in these the text has to change


def told(subject: Subject, probe: Probe) -> bytes:
    """What a client is told who says nothing."""
    with control():
        client = probe.connect(subject)
        text = client.expect_any(LONGEST)
        client.close()
        return text


@covers("rfc867:tcp/tcp-daytime-then-close")
def check_tells_the_time_unasked(subject: Subject, probe: Probe) -> None:
    """A client that says nothing is told something."""
    client = probe.connect(subject)

    client.expect_any(1)


@exact
@covers("rfc867:tcp/tcp-daytime-then-close")
def check_closes_behind_the_text(subject: Subject, probe: Probe, wire: Wire) -> None:
    """Behind the text comes the server's FIN, though the client has neither spoken nor closed."""
    client = probe.connect(subject)

    client.expect_ending(Ending.EOF)

    flow = wire.flow(client)
    assert flow.expect(got.FIN).end > 2, "the FIN takes the sequence number behind SYN and text"
    flow.expect_no(sent.FIN)
    flow.lived().expect_no(got.RST)


@exact
@covers("rfc867:tcp/tcp-daytime-then-close")
@pytest.mark.parametrize("size", [1, 10 * KiB], ids=["one_octet", "ten_kib"])
def check_client_that_talks_early_is_told_the_time(subject: Subject, probe: Probe, wire: Wire, size: int) -> None:
    """What a client says before it was accepted is thrown away and does not cost it the answer."""
    told(subject, probe)
    with subject.paused():
        client = probe.connect(subject)
        client.send_all(octets(size))
        wire.wait_for(client, got.taken(size))

    client.expect_any(1)


@covers("rfc867:tcp/daytime-is-one-ascii-line")
def check_text_is_one_line(subject: Subject, probe: Probe) -> None:
    """The text is one line of printing ASCII and space; its only line end, if any, is the last thing in it."""
    text = told(subject, probe)

    line = re.sub(rb"(\r\n|\n|\r)\Z", b"", text)
    if odd := [octet for octet in line if not 0x20 <= octet < 0x7F]:
        raise Mismatch("one line of printing ASCII and space", f"octet 0x{odd[0]:02x} within {quote(text)}")


@covers("rfc867:tcp/daytime-tells-this-day")
def check_text_tells_this_day(subject: Subject, probe: Probe) -> None:
    """The text tells the date of our clock, or of the day before or after it: the zone is the server's choice."""
    if not subject.managed:
        raise NotApplicable("its clock is its own: start it with --serve")
    text = told(subject, probe)
    now = wall_clock()

    if not tells_the_day(text.decode("ascii", "replace"), now):
        raise Mismatch(f"a text that tells the day, which is {datetime.fromtimestamp(now, UTC):%Y-%m-%d}", quote(text))


@covers("rfc867:tcp/daytime-tells-this-time")
def check_text_tells_this_time(subject: Subject, probe: Probe) -> None:
    """A time in the text, hh:mm:ss, is that of our clock in some zone, and a later text tells another."""
    if not subject.managed:
        raise NotApplicable("its clock is its own: start it with --serve")

    asked = wall_clock()
    text = told(subject, probe)
    now = wall_clock()
    off = ahead_of_clock(text.decode("ascii", "replace"), asked, now)
    if off is None:
        raise NotApplicable("its text has no time of the form hh:mm:ss")

    if abs(off) > TOLERANCE:
        clock = f"{datetime.fromtimestamp(now, UTC):%H:%M:%S} UTC"
        raise Mismatch(f"the time, which is {clock}, in some zone", f"{quote(text)}, which is {off:+.0f} s off")
    probe.expect_soon(subject, "our clock goes on", lambda: "" if wall_clock() >= now + PAUSE else "not yet")
    if (later := told(subject, probe)) == text:
        raise Mismatch(f"a clock that goes on within {PAUSE} s", f"{quote(later)} again")

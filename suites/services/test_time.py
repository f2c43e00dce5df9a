"""The contract of a time server over TCP (RFC 868): on connect 32 bits, the seconds since 1900, and that is all.

The RFC's text has the server close, its example the client: so a client here ends its direction when it has the value.
What holds for qotd and daytime as well stands in test_short_answers.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.suite import (
    Ending,
    KiB,
    Mismatch,
    NotApplicable,
    ahead,
    control,
    covers,
    exact,
    got,
    octets,
    quote,
    sent,
    wall_clock,
)

if TYPE_CHECKING:
    from harness.suite import Client, Probe, Subject, Wire

PROFILES = ("time",)

SIZE = 4  # octets of the value
TOLERANCE = 2  # seconds: one for rounding, one for a clock that is read in another way
PAUSE = 1.2  # seconds: in these the value has to change


def value_of(client: Client) -> bytes:
    """Claim that four octets come and nothing behind them up to the end of the stream; not applicable without any."""
    value = client.read(SIZE)
    client.half_close()
    value += client.read_to_end()
    client.close()
    if not value and client.ended is Ending.EOF:
        raise NotApplicable("the server closes without a value: it does not know the time")
    if len(value) != SIZE:
        raise Mismatch(f"{SIZE} octets", f"{len(value)} came, {quote(value)}")
    return value


@covers("rfc868:tcp/tcp-time-sends-32-bits")
def check_sends_four_octets(subject: Subject, probe: Probe) -> None:
    """A client that says nothing gets four octets, no more and no fewer."""
    client = probe.connect(subject)

    value_of(client)


@covers("rfc868:tcp/tcp-time-sends-32-bits")
def check_value_is_the_time(subject: Subject, probe: Probe) -> None:
    """The four octets, the most significant one first, are the seconds since 1900-01-01 00:00 UTC, and go on."""
    if not subject.managed:
        raise NotApplicable("its clock is its own: start it with --serve")

    asked = wall_clock()
    value = value_of(probe.connect(subject))
    told = wall_clock()

    if ahead(value, asked) < -TOLERANCE or ahead(value, told) > TOLERANCE:
        raise Mismatch("the seconds since 1900", f"{quote(value)}, which is {ahead(value, told):+.0f} s off")
    probe.expect_soon(subject, "our clock goes on", lambda: "" if wall_clock() >= told + PAUSE else "not yet")
    if (later := value_of(probe.connect(subject))) == value:
        raise Mismatch(f"a clock that goes on within {PAUSE} s", f"{quote(later)} again")


@exact
@covers("rfc868:tcp/tcp-time-sends-32-bits")
@pytest.mark.parametrize("size", [1, 10 * KiB], ids=["one_octet", "ten_kib"])
def check_client_that_talks_early_gets_the_value(subject: Subject, probe: Probe, wire: Wire, size: int) -> None:
    """What a client says before it was accepted does not cost it the value."""
    with control():
        value_of(probe.connect(subject))
    with subject.paused():
        client = probe.connect(subject)
        client.send_all(octets(size))
        wire.wait_for(client, got.taken(size))

    came = client.read(SIZE)

    if len(came) != SIZE:
        raise Mismatch(f"{SIZE} octets", f"{len(came)} came")


@exact
@covers("rfc868:tcp/time-server-close-sequence")
def check_connection_ends_behind_the_value(subject: Subject, probe: Probe, wire: Wire) -> None:
    """Behind the value the server closes, at the latest when the client has: with FIN, not with RST."""
    client = probe.connect(subject)
    client.read(SIZE)

    client.half_close()

    client.expect_end(Ending.EOF)
    flow = wire.flow(client)
    flow.expect(sent.FIN)
    flow.lived().expect_no(got.RST)

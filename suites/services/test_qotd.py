"""The contract of a quote of the day server over TCP (RFC 865): a short message on connect, then the server closes.

Which quote, and whether it changes from day to day or from client to client, is the server's own affair. What holds for
daytime and time as well stands in test_short_answers.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.suite import Ending, KiB, Mismatch, control, covers, exact, got, octets, quote, sent

if TYPE_CHECKING:
    from harness.suite import Probe, Subject, Wire

PROFILES = ("qotd",)

LONGEST = 64 * KiB  # octets of a quote that we read
SHORT = 512  # characters: RFC 865 wants fewer
MANY = 30  # quotes that are looked at: one of them may be in another form


def quoted(subject: Subject, probe: Probe) -> bytes:
    """The quote that a client gets who says nothing."""
    with control():
        client = probe.connect(subject)
        text = client.expect_any(LONGEST)
        client.close()
        return text


@covers("rfc865:tcp/tcp-quote-then-close")
def check_quotes_unasked(subject: Subject, probe: Probe) -> None:
    """A client that says nothing gets a quote."""
    client = probe.connect(subject)

    client.expect_any(1)


@exact
@covers("rfc865:tcp/tcp-quote-then-close")
def check_closes_behind_the_quote(subject: Subject, probe: Probe, wire: Wire) -> None:
    """Behind the quote comes the server's FIN, though the client has neither spoken nor closed."""
    client = probe.connect(subject)

    client.expect_ending(Ending.EOF)

    flow = wire.flow(client)
    assert flow.expect(got.FIN).end > 2, "the FIN takes the sequence number behind SYN and quote"
    flow.expect_no(sent.FIN)
    flow.lived().expect_no(got.RST)


@exact
@covers("rfc865:tcp/tcp-quote-then-close")
@pytest.mark.parametrize("size", [1, 10 * KiB], ids=["one_octet", "ten_kib"])
def check_client_that_talks_early_gets_a_quote(subject: Subject, probe: Probe, wire: Wire, size: int) -> None:
    """What a client says before it was accepted is thrown away and does not cost it the quote."""
    quoted(subject, probe)
    with subject.paused():
        client = probe.connect(subject)
        client.send_all(octets(size))
        wire.wait_for(client, got.taken(size))

    client.expect_any(1)


@covers("rfc865:tcp/quote-shape-limits")
def check_quote_is_short(subject: Subject, probe: Probe) -> None:
    """Each of thirty quotes has fewer than 512 characters."""
    for _ in range(MANY):
        if len(text := quoted(subject, probe)) >= SHORT:
            raise Mismatch(f"a quote of fewer than {SHORT} characters", quote(text))


@covers("rfc865:tcp/quote-shape-limits")
def check_quote_is_printable(subject: Subject, probe: Probe) -> None:
    """Each of thirty quotes is made of printing ASCII, space, CR and LF."""
    for _ in range(MANY):
        text = quoted(subject, probe)
        if odd := [octet for octet in text if not (0x20 <= octet < 0x7F or octet in b"\r\n")]:
            raise Mismatch("a quote of printing ASCII, space, CR and LF", f"octet 0x{odd[0]:02x} in {quote(text)}")

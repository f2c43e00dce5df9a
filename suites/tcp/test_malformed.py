"""Segments that cannot be: a header that contradicts itself, options that end beyond it (RFC 9293 3.1).

scapy's fuzz() draws them, from seeds: all but the fault is whatever came out. The subject is the kernel's TCP. An
ordinary connection stands beside them and must not notice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.suite import covers, got, malformed, requires

if TYPE_CHECKING:
    from harness.suite import Client, Probe, Raw, Serve, Subject, Wire

SEEDS = range(12)
AN_ANSWER = got.segment() | got.icmp()
NO_ANSWER_TO_A_SYN = got.data() | got.FIN | got.bare_ack() | got.icmp()  # but a SYN ACK or a RST is one

REQUIREMENT = {
    malformed.CUT: "rfc9293:3.1/segment-without-a-whole-header-discarded",
    malformed.OFFSET_SHORT: "rfc9293:3.1/bad-data-offset-discarded",
    malformed.OFFSET_LONG: "rfc9293:3.1/bad-data-offset-discarded",
    malformed.CHECKSUM: "rfc9293:MUST-3",
}
HEADERS = pytest.mark.parametrize("fault", malformed.HEADER_FAULTS, ids=lambda fault: fault.replace(" ", "_"))
OPTIONS = pytest.mark.parametrize("fault", malformed.OPTION_FAULTS, ids=lambda fault: fault.replace(" ", "_"))


def undisturbed(subject: Subject, beside: Client, wire: Wire) -> None:
    """Claim that the connection beside still carries octets both ways."""
    with requires("rfc9293:3.1/malformed-segments-disturb-no-other-connection"):
        beside.send_all(b"still here?")
        wire.wait_for(beside, got.acked(11))
        assert bytes.fromhex(subject.tell("read-exactly 11")["first"]) == b"still here?"
        subject.tell("send 796573")
        beside.expect(b"yes")


@covers(
    "rfc9293:3.1/segment-without-a-whole-header-discarded",
    "rfc9293:3.1/bad-data-offset-discarded",
    "rfc9293:MUST-3",
    "rfc9293:3.1/malformed-segments-disturb-no-other-connection",
)
@HEADERS
def test_listener_discards_headers_that_cannot_be(serve: Serve, probe: Probe, raw: Raw, wire: Wire, fault: str) -> None:
    """A malformed header draws no answer from a listener, and a connection beside it goes on."""
    subject = serve()
    beside = probe.connect(subject)
    subject.tell("accept")
    peers = [raw.peer(subject) for _ in SEEDS]

    for seed, peer in zip(SEEDS, peers, strict=True):
        raw.put(malformed.segment(fault, peer, seed))

    undisturbed(subject, beside, wire)
    with requires(REQUIREMENT[fault]):
        for peer in peers:
            peer.flow().expect_no(AN_ANSWER)
    raw.connect(subject)


@covers(
    "rfc9293:3.1/segment-without-a-whole-header-discarded",
    "rfc9293:3.1/bad-data-offset-discarded",
    "rfc9293:MUST-3",
)
@HEADERS
def test_connection_discards_headers_that_cannot_be(serve: Serve, raw: Raw, fault: str) -> None:
    """On a connection, at the place of the next octet, a malformed header is as if it had never come."""
    subject = serve()
    peer = raw.connect(subject)
    subject.tell("accept")

    for seed in SEEDS:
        raw.put(malformed.segment(fault, peer, seed, in_place=True))

    with requires(REQUIREMENT[fault]):
        peer.expect_silence()
        peer.send("PSH ACK", b"right")
        peer.expect(got.acked(5))
        assert bytes.fromhex(subject.tell("read 100")) == b"right", "the program gets what came in order, and no more"


@covers("rfc9293:MUST-7", "rfc9293:3.1/malformed-segments-disturb-no-other-connection")
@OPTIONS
def test_listener_survives_options_that_cannot_be(serve: Serve, probe: Probe, raw: Raw, wire: Wire, fault: str) -> None:
    """Impossible options draw a SYN ACK, a RST or nothing; the next client is served, one beside goes on."""
    subject = serve(backlog=64)
    beside = probe.connect(subject)
    subject.tell("accept")
    peers = [raw.peer(subject) for _ in SEEDS]

    for seed, peer in zip(SEEDS, peers, strict=True):
        raw.put(malformed.segment(fault, peer, seed))

    raw.connect(subject)
    undisturbed(subject, beside, wire)
    for peer in peers:
        peer.flow().expect_no(NO_ANSWER_TO_A_SYN)

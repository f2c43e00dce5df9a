"""Datagrams that cannot be: cut within their header, with a wrong length or checksum (RFC 768; RFC 1122 4.1.3.4).

scapy's fuzz() draws them, from seeds. The subject is the kernel's UDP.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.suite import Endpoint, covers, got, malformed, requires

if TYPE_CHECKING:
    from harness.suite import Raw, Serve, Wire

SEEDS = range(12)
REQUIREMENT = {
    malformed.CUT: "rfc768:Fields/datagram-without-a-whole-header-discarded",
    malformed.LENGTH_SHORT: "rfc768:Fields/length-below-eight-rejected",
    malformed.LENGTH_LONG: "rfc768:Fields/udp-length-longer-than-ip-payload",
    malformed.CHECKSUM: "rfc1122:4.1.3.4/bad-checksum-silently-discarded",
}


@covers(
    "rfc768:Fields/datagram-without-a-whole-header-discarded",
    "rfc768:Fields/length-below-eight-rejected",
    "rfc768:Fields/udp-length-longer-than-ip-payload",
    "rfc1122:4.1.3.4/bad-checksum-silently-discarded",
)
@pytest.mark.parametrize("fault", malformed.DATAGRAM_FAULTS, ids=lambda fault: fault.replace(" ", "_"))
def test_datagrams_that_cannot_be_are_discarded_in_silence(serve: Serve, raw: Raw, wire: Wire, fault: str) -> None:
    """A malformed datagram is neither received nor answered; the next one that is right is received."""
    subject = serve()
    host, port = subject.tell("datagrams 0")["address"]
    ends = [raw.datagrams(subject, to=Endpoint(host, port)) for _ in SEEDS]

    for seed, end in zip(SEEDS, ends, strict=True):
        raw.put(malformed.datagram(fault, end, seed))
    ends[0].send(b"right")

    with requires(REQUIREMENT[fault]):
        assert bytes.fromhex(subject.tell("receive-from 100")["first"]) == b"right", "the first that is received"
        for end in ends:
            wire.flow(end).expect_no(got.icmp() | got.datagram())

"""The contract of an echo server over TCP (RFC 862): what goes in comes out, until the client has closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.suite import KiB, covers, octets

if TYPE_CHECKING:
    from harness.suite import Probe, Subject

PROFILES = ("echo",)


@covers("rfc862:tcp/octets-unchanged")
def check_every_octet_value_comes_back(subject: Subject, probe: Probe) -> None:
    """All 256 octet values, in runs and mixed, come back unchanged and in order."""
    client = probe.connect(subject)

    client.expect_back(bytes(range(256)) * 4 + b"\0" * 300 + octets(4 * KiB))


@covers("rfc862:tcp/closes-after-client-fin")
def check_closes_after_the_client(subject: Subject, probe: Probe) -> None:
    """X."""
    client = probe.connect(subject)
    client.expect_back(b"before the end", half_close=True)
    client.expect_end()

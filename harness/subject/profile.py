"""The profiles: which service a subject claims to speak.

What each one promises is in the catalogue (`harness/spec/services.toml`); here is only what the harness must know to
start a subject and to reach it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """A service by its name, the transport it is offered on, and what it does in a sentence."""

    name: str
    transport: str  # "tcp" or "udp"
    purpose: str


PROFILES = {
    profile.name: profile
    for profile in (
        Profile("echo", "tcp", "sends back every octet until the client closes (RFC 862)"),
        Profile("udp-echo", "udp", "sends back every datagram to its sender (RFC 862)"),
        Profile("one-shot", "tcp", "serves one connection, then closes its listener and exits 0"),
        Profile("greeting", "tcp", "sends one line ended by CRLF, then closes"),
        Profile("request-reply", "tcp", "reads one message of up to 1024 octets, sends its fixed reply, then closes"),
    )
}

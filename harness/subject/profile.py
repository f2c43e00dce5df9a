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
        Profile("discard", "tcp", "reads and sends nothing until the client closes (RFC 863)"),
        Profile("udp-discard", "udp", "takes datagrams and answers none (RFC 863)"),
        Profile("chargen", "tcp", "sends text until the client leaves, as fast as it reads (RFC 864)"),
        Profile("udp-chargen", "udp", "answers each datagram with 0 to 512 characters (RFC 864)"),
        Profile("qotd", "tcp", "sends a quote of fewer than 512 characters, then closes (RFC 865)"),
        Profile("udp-qotd", "udp", "answers each datagram with a quote (RFC 865)"),
        Profile("daytime", "tcp", "sends date and time as one line of text, then closes (RFC 867)"),
        Profile("udp-daytime", "udp", "answers each datagram with date and time as text (RFC 867)"),
        Profile("time", "tcp", "sends the seconds since 1900 in 32 bits, then closes (RFC 868)"),
        Profile("udp-time", "udp", "answers each empty datagram with the seconds since 1900 (RFC 868)"),
        Profile("tcp", "tcp", "anything over TCP: only what holds for every server is judged"),
        Profile("one-shot", "tcp", "serves one connection, then closes its listener and exits 0"),
        Profile("greeting", "tcp", "sends one line ended by CRLF, then closes"),
        Profile("request-reply", "tcp", "reads one message of up to 1024 octets, sends its fixed reply, then closes"),
    )
}

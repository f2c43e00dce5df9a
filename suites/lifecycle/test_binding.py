"""A server listens where it was told to, and nowhere else: who says 127.0.0.1 does not mean the whole network.

What a helper of it has on a loopback address, on another port, is not the service: no other machine can reach it. Such
are the backend of a proxy, the port on which a cache takes its orders, the socket pair of a runtime.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.suite import SERVICES, UDP_SERVICES, Mismatch, NotApplicable, covers

if TYPE_CHECKING:
    from harness.suite import Subject

PROFILES = (*SERVICES, "one-shot", *UDP_SERVICES)
NEEDS = "nothing"


@covers("house:any/bound-address")
def check_listens_only_where_it_was_told(subject: Subject) -> None:
    """The host and port of its command are where it waits for clients, and there is no other place where it does."""
    if not subject.program.takes_host:
        raise NotApplicable("its command takes no {host}")
    host, port = subject.address
    places = {one.place for one in subject.listeners() if not one.is_a_helpers(host, port)}
    if subject.transport == "udp":  # a socket that only asks others has a port of the kernel's choice
        places = {place for place in places if place.port == subject.address.port}

    elsewhere = sorted(places - {subject.address})

    if elsewhere:
        raise Mismatch(f"it waits for clients on {subject.address} alone", f"also on {', '.join(map(str, elsewhere))}")

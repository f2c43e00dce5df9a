"""An end without a kernel: what an address and a port of our own put on the wire, and the IP header that carries it.

What stands in the header can be said once, for all that is sent from then on. A packet can be sent in fragments, which
are named as slices of what it carries: `(slice(0, 24), slice(24, None))` is the whole in two; slices that overlap or
leave something out, in any order, are sent as they are said. The TCP or UDP header is counted, it comes first.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, TypedDict

from harness.probe import craft

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from harness.wire.segment import Endpoint

_identifications = itertools.count(1)  # of packets in fragments; no two of a run are alike, so none gets mixed up


class _Said(TypedDict):
    ttl: int
    traffic_class: int
    options: bytes


class RawEnd:
    """One end of a flow: all that is known without a protocol."""

    def __init__(self, put: Callable[[bytes], object], near: Endpoint, far: Endpoint) -> None:
        """Be the end `near`; `put` takes an IP packet to the wire."""
        self.near = near
        self.far = far
        self.ttl = 64  # hop limit, in IPv6
        self.traffic_class = 0  # the octet of DSCP and ECN
        self.ip_options = b""  # of IPv4, in whole words
        self._put = put

    def __str__(self) -> str:
        return f"{self.near} <-> {self.far}"

    def delivered(self) -> None:
        """Nothing: there is no socket whose stream could be held against the capture."""

    @property
    def ecn(self) -> int:
        """The ECN field, two bits of the traffic class: 2 is ECT(0), 3 is CE (RFC 3168 5)."""
        return self.traffic_class & 3

    @ecn.setter
    def ecn(self, mark: int) -> None:
        self.traffic_class = self.traffic_class & ~3 | mark

    def _send(self, protocol: int, payload: bytes, fragments: Sequence[slice] | None) -> None:
        """Put the packet that carries this payload on the wire, or these fragments of it."""
        ends = self.near.host, self.far.host
        said: _Said = {"ttl": self.ttl, "traffic_class": self.traffic_class, "options": self.ip_options}
        if fragments is None:
            self._put(craft.packet(*ends, protocol, payload, **said))
            return
        ident = next(_identifications) % 0xFFFF + 1
        for piece in fragments:
            self._put(craft.fragment(*ends, protocol, payload, piece, ident=ident, **said))

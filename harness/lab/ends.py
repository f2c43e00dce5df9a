"""The ends of the link, as they are known before it is built: names, stations, addresses."""

from __future__ import annotations

from dataclasses import dataclass

MTU = 1500  # octets of an IP packet
HANDED_OVER = {"handed_over": True}  # says the message with the descriptors of an answer, which follows it
LARGEST_MESSAGE = 1 << 18  # octets between test and lab process: an answer carries at most two kept outputs


@dataclass(frozen=True)
class End:
    """One end of the link. The first address of a family is the end's own, and the source that its kernel prefers."""

    name: str
    mac: str
    v4: tuple[str, ...]
    v6: tuple[str, ...]
    index: int = 101  # of the interface; no namespace of ours has so many others that it would be taken

    def address(self, family: str) -> str:
        """The end's own address: `family` is "v4" or "v6"."""
        return (self.v4 if family == "v4" else self.v6)[0]


# In text the probe's IPv6 address is longer than any of IPv4: who keeps room for INET_ADDRSTRLEN octets has too little.
NEAR = End("near0", "02:00:00:00:00:01", ("10.9.0.1",), ("fd09::1111:2222:3333:4444",))
FAR = End("far0", "02:00:00:00:00:02", ("10.9.0.2", "10.9.0.3"), ("fd09::2", "fd09::3"))
# The ends between which a relay forwards: toward the near end, toward the far.
MIDDLE = (End("mid0", "02:00:00:00:00:03", (), ()), End("mid1", "02:00:00:00:00:04", (), (), index=102))
# At the far end, owned by no kernel: subjects that bring a TCP of their own.
USERSPACE = End("userspace", "02:00:00:00:00:02", ("10.9.0.10",), ("fd09::10",))
RAW = End("raw", "02:00:00:00:00:01", ("10.9.0.9",), ("fd09::9",))  # on the near side, owned by no kernel: raw peers
ROUTER = End("router", "", ("10.9.0.254",), ("fd09::fe",))  # speaks of packets that a narrow link does not take

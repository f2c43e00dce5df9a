"""What a frame means: a TCP segment, a UDP datagram, an ICMP error, something else, or nothing that can be read.

Values only; `decode` makes them. They are named tuples because a stress test has hundreds of thousands of them and a
frozen dataclass takes three times as long to make. Numbers are as on the wire; `step` has the relative ones.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias


class Endpoint(NamedTuple):
    """One end of a flow."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Flags(int):
    """The control bits of a segment (RFC 9293 3.1): an int that prints as its names, `SYN ACK`.

    Not an IntFlag: its `&` costs a microsecond, and everything here asks for flags all the time.
    """

    __slots__ = ()

    def __str__(self) -> str:
        return " ".join(name for bit, name in enumerate(FLAG_NAMES) if self & 1 << bit) or "none"

    __repr__ = __str__

    @classmethod
    def named(cls, names: str) -> Flags:
        """The flags with these names: `SYN ACK`, in any order."""
        unknown = [name for name in names.split() if name not in FLAG_NAMES]
        if unknown or not names.split():
            raise ValueError(f"{names!r} is not a list of flags; they are {' '.join(FLAG_NAMES)}")
        return cls(sum(1 << FLAG_NAMES.index(name) for name in set(names.split())))


FLAG_NAMES: Final = ("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR")
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (Flags(1 << bit) for bit in range(8))
EVERY_FLAGS: Final = tuple(Flags(octet) for octet in range(256))  # indexed by the octet on the wire


class Options(NamedTuple):
    """The TCP options of a segment (RFC 9293 3.1, RFC 7323, RFC 2018); what was not there is None, False or empty."""

    mss: int | None = None
    window_scale: int | None = None
    sack_permitted: bool = False
    sack: tuple[tuple[int, int], ...] = ()  # left and right edges, as on the wire
    timestamps: tuple[int, int] | None = None  # TSval, TSecr
    unknown: tuple[int, ...] = ()  # kinds that are not read here
    malformed: str = ""  # why reading stopped early


NO_OPTIONS: Final = Options()


class Segment(NamedTuple):
    """A TCP segment."""

    number: int  # of its frame; of the last one if it came in fragments
    time_ns: int
    sent: bool
    source: Endpoint
    destination: Endpoint
    seq: int
    ack: int
    flags: Flags
    window: int  # the raw field, not scaled
    urgent: int
    checksum: int  # as seen; `checksum` tells whether it is right
    option_octets: bytes
    data: bytes
    fragments: tuple[int, ...] = ()  # the frames of all fragments, in order of arrival

    @property
    def options(self) -> Options:
        """The options, read when somebody asks."""
        return read_options(self.option_octets) if self.option_octets else NO_OPTIONS

    @property
    def frames(self) -> tuple[int, ...]:
        """The numbers of all frames that it came in."""
        return self.fragments or (self.number,)

    def __str__(self) -> str:
        return (
            f"#{self.number} {self.source} > {self.destination} {self.flags} seq {self.seq} ack {self.ack}"
            f" win {self.window} ({len(self.data)} octets)"
        )


class Datagram(NamedTuple):
    """A UDP datagram, whole even if it came in fragments."""

    number: int  # of its frame; of the last one if it came in fragments
    time_ns: int
    sent: bool
    source: Endpoint
    destination: Endpoint
    checksum: int  # as seen; 0 means none (RFC 768)
    data: bytes
    fragments: tuple[int, ...] = ()

    @property
    def frames(self) -> tuple[int, ...]:
        """The numbers of all frames that it came in."""
        return self.fragments or (self.number,)

    def __str__(self) -> str:
        return f"#{self.number} {self.source} > {self.destination} datagram ({len(self.data)} octets)"


class IcmpError(NamedTuple):
    """An ICMP or ICMPv6 error that quotes a segment or a datagram."""

    number: int
    time_ns: int
    sent: bool
    source: Endpoint  # who complains; ICMP has no ports, so 0
    destination: Endpoint  # who is told; port 0
    kind: str  # in words, the same for both families where the meaning is the same
    mtu: int  # octets that the next link takes, where the kind tells it; else 0
    protocol: str  # of the quoted packet: tcp or udp
    quoted_source: Endpoint
    quoted_destination: Endpoint
    quoted_seq: int | None  # of a quoted segment, if the quote is long enough
    checksum: int
    fragments: tuple[int, ...] = ()

    @property
    def frames(self) -> tuple[int, ...]:
        """The numbers of all frames that it came in."""
        return self.fragments or (self.number,)

    def __str__(self) -> str:
        return f"#{self.number} {self.source.host} says {self.kind} of {self.quoted_source} > {self.quoted_destination}"


class Other(NamedTuple):
    """A frame that is fine and none of the above: ARP, a marker, an echo request, another protocol."""

    number: int
    time_ns: int
    sent: bool
    kind: str  # in words
    ethertype: int
    payload: bytes  # all octets after the Ethernet header
    fragments: tuple[int, ...] = ()

    @property
    def frames(self) -> tuple[int, ...]:
        """The numbers of all frames that it came in."""
        return self.fragments or (self.number,)

    def __str__(self) -> str:
        return f"#{self.number} {self.kind}"


class Truncated(NamedTuple):
    """The octets end before what the headers promise: the capture cut it, or the sender lied about its length."""

    number: int
    time_ns: int
    sent: bool
    reason: str
    source: Endpoint | None = None  # where the ports could still be read
    destination: Endpoint | None = None
    fragments: tuple[int, ...] = ()

    @property
    def frames(self) -> tuple[int, ...]:
        """The numbers of all frames that it came in."""
        return self.fragments or (self.number,)

    def __str__(self) -> str:
        return f"#{self.number} truncated: {self.reason}"


class Malformed(NamedTuple):
    """All octets are there, and the headers contradict themselves."""

    number: int
    time_ns: int
    sent: bool
    reason: str
    source: Endpoint | None = None
    destination: Endpoint | None = None
    fragments: tuple[int, ...] = ()

    @property
    def frames(self) -> tuple[int, ...]:
        """The numbers of all frames that it came in."""
        return self.fragments or (self.number,)

    def __str__(self) -> str:
        return f"#{self.number} malformed: {self.reason}"


Packet: TypeAlias = Segment | Datagram | IcmpError | Other | Truncated | Malformed

MAX_WINDOW_SCALE: Final = 14  # a larger one counts as 14 (RFC 7323 2.3)


@lru_cache(maxsize=4096)
def read_options(octets: bytes) -> Options:
    """The options in the octets between fixed header and data (RFC 9293 3.1); reading stops where they break."""
    mss = window_scale = timestamps = None
    sack_permitted = False
    sack: tuple[tuple[int, int], ...] = ()
    unknown: tuple[int, ...] = ()
    malformed = ""
    at = 0
    while at < len(octets) and octets[at] != 0:  # kind 0 ends the list
        kind = octets[at]
        if kind == 1:  # no operation: one octet, no length
            at += 1
            continue
        size = octets[at + 1] if at + 1 < len(octets) else 0
        value = octets[at + 2 : at + size]
        if len(value) != size - 2:  # too short for itself, or longer than the header
            malformed = f"option {kind} at octet {at} of {len(octets)} has length {size}"
            break
        match kind, size:
            case 2, 4:
                mss = int.from_bytes(value, "big")
            case 3, 3:
                window_scale = value[0]
            case 4, 2:
                sack_permitted = True
            case 5, 10 | 18 | 26 | 34:
                edges = struct.unpack(f"!{len(value) // 4}I", value)
                sack = tuple(zip(edges[::2], edges[1::2], strict=True))
            case 8, 10:
                timestamps = (int.from_bytes(value[:4], "big"), int.from_bytes(value[4:], "big"))
            case ((2 | 3 | 4 | 5 | 8), _):
                malformed = f"option {kind} at octet {at} of {len(octets)} has length {size}"
                break
            case _:
                unknown += (kind,)
        at += size
    return Options(mss, window_scale, sack_permitted, sack, timestamps, unknown, malformed)

"""Fates: what may become of a frame on the link. Values that say it; the relay does it.

Each says two things in words: what it makes of a frame ("is dropped", as a rule has it), and what was done to one that
it met (`done`: "dropped", as the log has it). Each can be written down and read again, so that a log can be replayed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

LEAST_MTU: Final = 68  # octets of a packet that every IPv4 module forwards (RFC 791 3.2)
REORDERED_WITHIN: Final = 0.1  # seconds that a frame waits for another to overtake it: half of the least RTO of Linux


@dataclass(frozen=True)
class Drop:
    """It gets lost."""

    done = "dropped"

    def __str__(self) -> str:
        return "is dropped"


@dataclass(frozen=True)
class Duplicate:
    """It arrives twice, one behind the other."""

    done = "doubled"

    def __str__(self) -> str:
        return "passes twice"


@dataclass(frozen=True)
class Hold:
    """It waits until its rule lets go of it."""

    done = "held"

    def __str__(self) -> str:
        return "is held"


@dataclass(frozen=True)
class Delay:
    """It comes late; what comes behind it may overtake it."""

    by: float  # seconds

    def __post_init__(self) -> None:
        if self.by <= 0:
            raise ValueError(f"a delay of {self.by} s is none")

    @property
    def done(self) -> str:
        """As the log has it."""
        return f"delayed by {self.by:g} s"

    def __str__(self) -> str:
        return f"is delayed by {self.by:g} s"


@dataclass(frozen=True)
class Reorder:
    """It goes behind the next frame of its direction; if none comes, it goes on after so many seconds."""

    within: float = REORDERED_WITHIN

    done = "reordered"

    def __post_init__(self) -> None:
        if self.within <= 0:
            raise ValueError(f"nothing overtakes a frame that waits for {self.within} s")

    def __str__(self) -> str:
        return "goes behind the next one"


@dataclass(frozen=True)
class Corrupt:
    """One bit of it is turned round.

    Bits are numbered as in the diagrams of the RFCs: from the first of the TCP, UDP or ICMP header on, 32 a row;
    negative ones from the end of the packet, so -1 is the last bit of its data. The checksum stays as it was, and one
    bit always makes it wrong; `mended` it is right again, and the receiver takes the frame as it is.
    """

    bit: int = -1
    mended: bool = False

    @property
    def done(self) -> str:
        """As the log has it."""
        return f"changed in bit {self.bit}"

    def __str__(self) -> str:
        return f"has bit {self.bit} changed" + (", its checksum mended" if self.mended else "")


@dataclass(frozen=True)
class Narrow:
    """If it is larger than the next link takes, it is dealt with as by the router before that link.

    IPv4 without DF is fragmented (RFC 791 3.2); with DF, and IPv6, it is dropped, and its sender told how large it may
    be (RFC 1191 4, RFC 4443 3.2). A `silent` router tells nothing: a black hole (RFC 2923 2.1).
    """

    mtu: int  # octets of an IP packet
    silent: bool = False

    def __post_init__(self) -> None:
        if self.mtu < LEAST_MTU:
            raise ValueError(f"an MTU of {self.mtu}: every IP link takes {LEAST_MTU} octets (RFC 791 3.2)")

    @property
    def done(self) -> str:
        """As the log has it."""
        return f"too large for an MTU of {self.mtu}"

    def __str__(self) -> str:
        return f"must fit into {self.mtu} octets" + (", silently" if self.silent else "")


Fate: TypeAlias = Drop | Duplicate | Hold | Delay | Reorder | Corrupt | Narrow

NAMED: Final[dict[str, type[Fate]]] = {
    kind.__name__.lower(): kind for kind in (Drop, Duplicate, Hold, Delay, Reorder, Corrupt, Narrow)
}


def as_record(fate: Fate) -> dict[str, Any]:
    """The fate as a JSON object: `{"fate": "delay", "by": 0.05}`."""
    return {"fate": type(fate).__name__.lower(), **asdict(fate)}


def from_record(record: Mapping[str, Any]) -> Fate:
    """The fate that `as_record` wrote."""
    values = dict(record)
    return NAMED[values.pop("fate")](**values)

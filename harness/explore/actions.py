"""What clients do, one value for each thing; printed, it is a line of the script that shows a failure again.

Clients are numbered in the order in which they connect, from 1. An action says what is done and nothing of what has to
come of it: that is the model's to say (`harness.explore.contracts`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

_LITERAL = 64  # octets that a line shows as they are, where they follow no pattern


@dataclass(frozen=True)
class Connect:
    """A new client: over UDP, a socket of its own."""

    client: int

    def __str__(self) -> str:
        return f"connect({self.client})"


@dataclass(frozen=True)
class Send:
    """One send(), without waiting; over UDP, one datagram."""

    client: int
    octets: bytes

    def __str__(self) -> str:
        return f"send({self.client}, {literal(self.octets)})"


@dataclass(frozen=True)
class Read:
    """Read what has come, and wait for what has to come; of a stream without end, so many octets more."""

    client: int
    size: int = 0  # octets, where the stream has no end

    def __str__(self) -> str:
        return f"read({self.client})"


@dataclass(frozen=True)
class HalfClose:
    """Close our direction (FIN)."""

    client: int

    def __str__(self) -> str:
        return f"half_close({self.client})"


@dataclass(frozen=True)
class Close:
    """Close the socket; what has come and was not read makes it a reset."""

    client: int

    def __str__(self) -> str:
        return f"close({self.client})"


@dataclass(frozen=True)
class Reset:
    """Abort the connection (RST)."""

    client: int

    def __str__(self) -> str:
        return f"reset({self.client})"


@dataclass(frozen=True)
class Wait:
    """Wait until the server has accepted who is there, and then does nothing more unasked; look what came."""

    def __str__(self) -> str:
        return "wait()"


@dataclass(frozen=True)
class DropNext:
    """The next segment with octets of one direction is lost on the link, once."""

    sent: bool  # what a client sends, else what the server does

    def __str__(self) -> str:
        return f"drop_next({'sent' if self.sent else 'got'!r})"


Action: TypeAlias = Connect | Send | Read | HalfClose | Close | Reset | Wait | DropNext


def client_of(action: Action) -> int:
    """The number of the client that acts; 0 for none."""
    return 0 if isinstance(action, Wait | DropNext) else action.client


def literal(octets: bytes) -> str:
    """Octets as Python source, short where they are long and follow a pattern."""
    for unit in (octets[:1], bytes(range(256))):
        times, rest = divmod(len(octets), len(unit) or 1)
        if len(octets) > _LITERAL and octets == unit * times + unit[:rest]:
            return f"{_named(unit)} * {times}" + (f" + {_named(unit)}[:{rest}]" if rest else "")
    return repr(octets)


def _named(unit: bytes) -> str:
    return repr(unit) if len(unit) == 1 else "bytes(range(256))"

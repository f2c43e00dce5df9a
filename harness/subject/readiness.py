"""When is a subject ready, and where is it reached? Decided from what sock_diag tells of its namespace.

Never by connecting, unless the user asks for it: a one-shot server would be spent. Pure: sockets in, a place or a
reason out.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.lab.ends import FAR
from harness.wire.segment import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


ANSWERED = "answered"  # the word for it


@dataclass(frozen=True)
class Ready:
    """What the user says of when a server can be judged, beside its listening."""

    text: str = ""  # a line that it prints contains this
    answered: bool = False  # the first exchange of its profile succeeds
    seconds: float | None = None  # for all of it; None: as long as any server may take

    @classmethod
    def of(cls, word: str | None, seconds: float | None) -> Ready | None:
        """What `--ready` and `--ready-budget` say, None if they say nothing; ValueError in one line with the remedy."""
        if word is None and seconds is None:
            return None
        if word is not None and (not word.strip() or "\n" in word):
            raise ValueError(f"{word!r} is no part of a line; give a text that the server prints, or {ANSWERED!r}")
        answered = word == ANSWERED
        return cls("" if answered else word or "", answered, seconds)

    @property
    def options(self) -> dict[str, str]:
        """The options that say so."""
        word = ANSWERED if self.answered else self.text
        budget = "" if self.seconds is None else f"{self.seconds:g}"
        return {name: value for name, value in (("--ready", word), ("--ready-budget", budget)) if value}


@dataclass(frozen=True)
class Listening:
    """A socket that waits for clients, as the subject has bound it."""

    host: str
    port: int
    only_v6: bool

    def __str__(self) -> str:
        return str(Endpoint(self.host, self.port))

    @property
    def place(self) -> Endpoint:
        """To what it is bound; an IPv4 address that an IPv6 socket has (RFC 4291 2.5.5.2) is written as one."""
        bound = ipaddress.ip_address(self.host)
        mapped = bound.ipv4_mapped if isinstance(bound, ipaddress.IPv6Address) else None
        return Endpoint(str(mapped or bound), self.port)

    def is_a_helpers(self, host: str | None, port: int | None) -> bool:
        """Whether it is for this machine's programs alone, where the service was told another `host` and `port`."""
        told = host is not None and port is not None and not ipaddress.ip_address(host).is_loopback
        return told and port != self.port and ipaddress.ip_address(self.place.host).is_loopback

    def reached_at(self, family: str) -> str | None:
        """The address at which the probe reaches it over the link, None if it cannot in this family ("v4" or "v6")."""
        bound = ipaddress.ip_address(self.host)
        if isinstance(bound, ipaddress.IPv6Address) and bound.ipv4_mapped is not None:
            bound = bound.ipv4_mapped
        if bound.is_unspecified:
            offered = {"v4"} if bound.version == 4 else {"v6"} if self.only_v6 else {"v4", "v6"}
            return FAR.address(family) if family in offered else None
        if f"v{bound.version}" != family or str(bound) == "::1":
            return None  # RFC 4291 2.5.3: ::1 is never reached over a link
        return str(bound)


def listening(sockets: Iterable[Mapping[str, Any]]) -> tuple[Listening, ...]:
    """The waiting sockets among those of the namespace, in a stable order."""
    found = {
        Listening(entry["local"][0], entry["local"][1], entry["only_v6"]) for entry in sockets if entry["local"][1]
    }
    return tuple(sorted(found, key=lambda place: (place.port, place.host)))


def choose(found: tuple[Listening, ...], family: str, *, host: str | None, port: int | None) -> Endpoint | None:
    """Where the subject is reached in `family`, None if nowhere yet.

    `host` and `port` are what the command was told, None where it was not: then any will do, the lowest port first.
    """
    for place in found:
        reached = place.reached_at(family)
        if reached is None or (port is not None and place.port != port):
            continue
        if host is not None and reached != host:
            continue
        return Endpoint(reached, place.port)
    return None

"""Your own protocol: what a file says that a server answers, so that any request/response server can be judged.

The format by example is in docs/own-protocol.md; the samples in `fixtures/protocols/` are known by their names. What a
protocol is stands in `exchange` and `answer`, how it is written in `protocol_file`; here it is found, and only `load`
reads a file.
"""

from __future__ import annotations

import functools
from pathlib import Path

from harness import bundle
from harness.subject.answer import Answer, Exactly, Lengths, Matching
from harness.subject.exchange import DATAGRAM, STREAM, Exchange, Protocol
from harness.subject.profile import PROFILES
from harness.subject.protocol_file import parse

__all__ = [
    "DATAGRAM",
    "STREAM",
    "SUFFIX",
    "Answer",
    "Exactly",
    "Exchange",
    "Lengths",
    "Matching",
    "Protocol",
    "kind_of",
    "load",
    "named",
    "parse",
    "samples",
    "transport_of",
]

SUFFIX = ".toml"


def kind_of(profile: str) -> str:
    """The word by which tests name a profile: its own name, or the kind of an own protocol; ValueError if unknown."""
    return profile if profile in PROFILES else named(profile).kind


def transport_of(profile: str) -> str:
    """Over what a profile is spoken, "tcp" or "udp"; ValueError if unknown."""
    return PROFILES[profile].transport if profile in PROFILES else named(profile).transport


@functools.cache
def named(word: str) -> Protocol:
    """The protocol that `--profile WORD` means: a sample by name, or a file; ValueError, in one line, if neither."""
    if word.endswith(SUFFIX):
        return load(Path(word))
    found = samples()
    if word not in found:
        raise ValueError(
            f"{word!r} is not known; the profiles are {', '.join(PROFILES)}; samples of own protocols are"
            f" {', '.join(found)}; a file of your own ends in {SUFFIX}"
        )
    return found[word]


@functools.cache
def samples() -> dict[str, Protocol]:
    """The protocols that come along, by name."""
    folder = bundle.root() / "fixtures" / "protocols"
    return {path.stem: load(path) for path in sorted(folder.glob(f"*{SUFFIX}"))}


def load(path: Path) -> Protocol:
    """The protocol in a file; ValueError with file, line, key and what was expected when it describes none."""
    try:
        octets = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    try:
        text = octets.decode()
    except UnicodeDecodeError as error:
        line = octets[: error.start].count(b"\n") + 1
        raise ValueError(f"{path}:{line}: expected UTF-8, found octet 0x{octets[error.start]:02x}") from None
    return parse(text, str(path), path.stem)

"""Link profiles: named sets of rules that are laid under a whole test, from `fixtures/links.toml` or a user's file.

    [lossy]
    purpose = "A bad radio link: one frame in thirty is lost."
    rules = [{ fate = "drop", chance = 0.033 }]

A rule says a fate with its values (see `harness.lab.fates`), and may say of whose frames it speaks (`of = "probe"` or
`"subject"`), and with what `chance` it acts. Chance is seeded: the seed of the run and the name of the test together
make that of each rule, so every test meets other weather, and each the same one when it is run again.
"""

from __future__ import annotations

import functools
import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harness import bundle
from harness.lab import fates
from harness.lab.chance import Chance
from harness.lab.fates import Delay, Fate, Hold
from harness.lab.faults import Fault
from harness.wire.pattern import Sender, got, sent

SEED: Final = 1  # of a run that is not told another
SUFFIX: Final = ".toml"
LONGEST_DELAY: Final = 1.0  # seconds: a fence waits for what is late, and may take 5 s

_OF: Final[dict[str, Sender | None]] = {"probe": sent, "subject": got}
_KEYS: Final = ("purpose", "rules")


@dataclass(frozen=True)
class Rule:
    """One rule of a profile, without its seed."""

    fate: Fate
    of: str = ""  # whose frames: "probe", "subject", "" for both
    chance: float | None = None  # None: on each frame

    def fault(self, seed: int) -> Fault:
        """The rule for one test. It may miss: a test in which nothing gets lost is as good as any."""
        chance = None if self.chance is None else Chance(self.chance, seed)
        return Fault(_OF.get(self.of), self.fate, chance=chance, may_miss=True)

    def __str__(self) -> str:
        whose = f"what the {self.of} sends" if self.of else "anything"
        return f"{whose} {self.fate}" + ("" if self.chance is None else f" with a chance of {self.chance:g}")


@dataclass(frozen=True)
class LinkProfile:
    """How a link behaves, from the first frame of a test to the last."""

    name: str
    purpose: str
    rules: tuple[Rule, ...]

    @property
    def faithful(self) -> bool:
        """Whether every frame arrives, once, as it was, in order: no more than late."""
        return not self.rules or (
            len(self.rules) == 1 and isinstance(self.rules[0].fate, Delay) and self.rules[0].chance is None
        )

    @property
    def delay(self) -> float:
        """Seconds by which a frame may be late on purpose."""
        return max((rule.fate.by for rule in self.rules if isinstance(rule.fate, Delay)), default=0.0)

    def as_record(self, seed: int) -> dict[str, Any]:
        """What the record of a run says of it."""
        return {"name": self.name, "purpose": self.purpose, "seed": seed, "rules": list(map(str, self.rules))}

    def weather(self, seed: int, test: str) -> tuple[Fault, ...]:
        """Its rules for one test."""
        return tuple(rule.fault(_seed(seed, test, place)) for place, rule in enumerate(self.rules))


def named(name: str) -> LinkProfile:
    """The profile of a name, a file's only one (`FILE.toml`), or one of several in a file (`FILE.toml#NAME`).

    ValueError, whose message says what there is, when there is none.
    """
    file, _, wanted = name.partition("#")
    if not file.endswith(SUFFIX):
        ours = shipped()
        if name not in ours:
            raise ValueError(f"{name!r} is none; there are {', '.join(ours)}, or your own: FILE{SUFFIX}#NAME")
        return ours[name]
    theirs = read(Path(file))
    if not wanted and len(theirs) == 1:
        return next(iter(theirs.values()))
    if wanted not in theirs:
        what = f"has no profile {wanted!r}" if wanted else "has several profiles"
        raise ValueError(f"{file} {what}; say one of {', '.join(f'{file}#{one}' for one in theirs)}")
    return theirs[wanted]


@functools.cache
def shipped() -> dict[str, LinkProfile]:
    """Those that come with the harness, by name."""
    return read(bundle.root() / "fixtures" / "links.toml")


def names() -> tuple[str, ...]:
    """The names of those that come with the harness."""
    return tuple(shipped())


def read(path: Path) -> dict[str, LinkProfile]:
    """Every profile of a file; ValueError with file and place where something is not understood."""
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as refused:
        reason = refused.strerror if isinstance(refused, OSError) else "it is no text"
        raise ValueError(f"{path} cannot be read: {reason}") from None
    except tomllib.TOMLDecodeError as wrong:
        raise ValueError(f"{path} is no TOML: {wrong}") from None
    if not tables:
        raise ValueError(f"{path} has no profile: a table with a list of rules, as in docs/links.md")
    return {name: _profile(name, table, f"{path}: [{name}]") for name, table in tables.items()}


def _profile(name: str, table: Any, place: str) -> LinkProfile:
    if not isinstance(table, dict) or not isinstance(table.get("rules"), list):
        raise ValueError(f'{place} needs a list of rules: rules = [{{ fate = "drop", chance = 0.01 }}]')
    if strange := sorted(table.keys() - set(_KEYS)):
        raise ValueError(f"{place} has no {strange[0]!r}; it may say {' and '.join(_KEYS)}")
    rules = (_rule(rule, f"{place} rule {number}") for number, rule in enumerate(table["rules"], 1))
    return LinkProfile(name, str(table.get("purpose", "")), tuple(rules))


def _rule(entry: Any, place: str) -> Rule:
    if not isinstance(entry, dict) or "fate" not in entry:
        raise ValueError(f"{place} says no fate: one of {', '.join(_fates())}")
    said = dict(entry)
    of, chance = said.pop("of", ""), said.pop("chance", None)
    if said["fate"] not in _fates():
        raise ValueError(f"{place}: {said['fate']!r} is no fate of a profile: {', '.join(_fates())}")
    if of not in ("", *_OF):
        raise ValueError(f"{place}: of = {of!r} is nobody: {' or '.join(_OF)}")
    try:
        fate = fates.from_record(said)
        if isinstance(fate, Delay) and fate.by > LONGEST_DELAY:
            raise ValueError(f"a delay of {fate.by:g} s is more than the {LONGEST_DELAY:g} s that a profile may say")
        rule = Rule(fate, of, None if chance is None else float(chance))
        rule.fault(0)
    except (TypeError, ValueError) as wrong:
        words = str(wrong).replace("__init__() got an unexpected keyword argument", "it has no")
        raise ValueError(f"{place}: {words.rpartition('.')[2] if 'it has no' in words else words}") from None
    return rule


def _fates() -> tuple[str, ...]:
    return tuple(name for name, kind in fates.NAMED.items() if kind is not Hold)  # nobody would let go


def _seed(seed: int, test: str, place: int) -> int:
    """The seed of one rule in one test."""
    return int.from_bytes(hashlib.sha256(f"{seed} {test} {place}".encode()).digest()[:4], "big")

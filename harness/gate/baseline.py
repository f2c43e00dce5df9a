"""The baseline: a file with the deviations that are known and accepted, each with its reason.

    [[known]]
    test = "services/echo::serves_two_clients*"    # `*` and `?` as in a shell, brackets stand for themselves
    message = "expected *; actual refused (RST)"   # optional: what the finding must say
    when = { kernel = "< 6.1" }                    # optional: see harness/gate/condition.py
    reason = "serves one client at a time until the rewrite"
    until = 2027-06-30                             # optional: the last day on which it is accepted
    link = "https://example.org/issues/17"         # optional

Each entry is a table headed `[[known]]` on a line of its own, so that whatever is said of it can name its line.
"""

from __future__ import annotations

import datetime
import difflib
import re
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.gate import condition
from harness.gate.condition import Condition
from harness.gate.wildcard import matches

if TYPE_CHECKING:
    from collections.abc import Mapping

UNWRITTEN = "TO BE WRITTEN"  # how a reason begins that no person has written yet
KEYS = ("test", "message", "when", "reason", "until", "link")

_HEADER = re.compile(r"\s*\[\[\s*known\s*\]\]\s*(#.*)?")
_FORM = "write each entry as a table headed [[known]]"


class BaselineError(Exception):
    """The baseline cannot be used; the message is one line with file, line and remedy."""


@dataclass(frozen=True)
class Known:
    """A deviation that is accepted."""

    test: str  # pattern on the test's id
    reason: str
    line: int  # of its header in the file, from 1
    message: str = ""  # pattern on what the finding says; "" accepts whatever it says
    when: Condition = field(default_factory=Condition)
    until: datetime.date | None = None  # the last day on which it is accepted
    link: str = ""
    last: int = 0  # its last line in the file
    places: Mapping[str, int] = field(default_factory=dict, hash=False, compare=False)  # key → line

    def __str__(self) -> str:
        return f"line {self.line}: {self.test}"

    def names(self, test: str) -> bool:
        """Whether it is about this test."""
        return matches(self.test, test)

    @property
    def unwritten(self) -> bool:
        """Whether a person has still to write the reason."""
        return self.reason.lstrip().startswith(UNWRITTEN)

    def accepts(self, said: str) -> bool:
        """Whether it is about a finding that says this."""
        return not self.message or matches(self.message, said)

    def expired(self, today: datetime.date) -> bool:
        """Whether its last day is over."""
        return self.until is not None and today > self.until


@dataclass(frozen=True)
class Baseline:
    """The known deviations of a file, in its order."""

    name: str  # of the file, as messages have it
    known: tuple[Known, ...] = ()


def headers(text: str) -> list[int]:
    """The lines, counted from 0, on which an entry begins."""
    return [number for number, line in enumerate(text.split("\n")) if _HEADER.fullmatch(line.rstrip("\r"))]


def parse(text: str, name: str, *, unwritten: bool = False) -> Baseline:
    """The baseline in `text`; raises `BaselineError`. With `unwritten`, reasons may still have to be written."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        told, _, place = str(error).partition(" (at ")
        line = re.match(r"line (\d+)", place)
        where = line.group(1) if line else str(text.count("\n") + 1)
        raise BaselineError(f"{name}:{where}: this is no TOML: {told}; {_FORM}") from None
    entries = document.pop("known", [])
    if document:
        key = next(iter(document))
        raise BaselineError(f"{name}:{_line(text, key, 0)}: {key!r} is not known here; {_FORM}")
    places = headers(text)
    if not isinstance(entries, list) or len(entries) != len(places):
        raise BaselineError(f"{name}:{_line(text, 'known', 0)}: 'known' is written in another form; {_FORM}")
    known = tuple(_Entry(name, text, place, entry).known() for place, entry in zip(places, entries, strict=True))
    missing = [one for one in known if one.unwritten]
    if missing and not unwritten:
        line_of_reason = _line(text, "reason", missing[0].line - 1)
        others = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise BaselineError(
            f"{name}:{line_of_reason}: the reason of {missing[0].test} is still to be written{others};"
            f" say why it is accepted, in place of {UNWRITTEN!r}"
        )
    return Baseline(name, known)


def _line(text: str, key: str, start: int) -> int:
    """The line, from 1, that gives a key a value, at or after a line counted from 0; that line if none does."""
    lines = text.split("\n")
    after = next((place for place in headers(text) if place > start), len(lines))
    given = re.compile(rf"\s*\[*\s*[\"']?{re.escape(key)}\b")
    return next((number for number in range(start, after) if given.match(lines[number])), start) + 1


def _last(text: str, start: int) -> int:
    """The line, from 1, that ends the entry whose header is at a line counted from 0, without what follows it."""
    lines = text.split("\n")
    end = next((place for place in headers(text) if place > start), len(lines))
    while end > start + 1 and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    return end


@dataclass(frozen=True)
class _Entry:
    """One entry as it was written, while it is being read."""

    name: str
    text: str
    place: int  # line of its header, from 0
    written: dict[str, Any]

    def known(self) -> Known:
        for key in self.written:
            if key not in KEYS:
                close = difflib.get_close_matches(key, KEYS, 1)
                raise self.wrong(key, f"{key!r} is not known; {f'write {close[0]!r}' if close else 'take it out'}")
        return Known(
            test=self.words("test", "the id of a test, or a pattern with * and ?"),
            reason=self.words("reason", "why it is accepted"),
            line=self.place + 1,
            message=self.words("message", "what the finding says, or a pattern") if "message" in self.written else "",
            when=self.when(),
            until=self.until(),
            link=self.words("link", "where it is followed up") if "link" in self.written else "",
            last=_last(self.text, self.place),
            places={key: _line(self.text, key, self.place) for key in self.written},
        )

    def words(self, key: str, meaning: str) -> str:
        """A text that says something."""
        if key not in self.written:
            raise self.wrong("", f'the entry has no {key!r}; add {key} = "…", {meaning}')
        value = self.written[key]
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(key, f"{key!r} says nothing; write {meaning}, in quotes")
        return value

    def until(self) -> datetime.date | None:
        """The last day, which TOML writes without quotes."""
        value = self.written.get("until")
        if value is not None and (not isinstance(value, datetime.date) or isinstance(value, datetime.datetime)):
            raise self.wrong("until", "'until' is no day; write it as 2027-06-30, without quotes")
        return value

    def when(self) -> Condition:
        """The comparisons."""
        value = self.written.get("when", {})
        if not isinstance(value, dict):
            raise self.wrong("when", "'when' is no table; write for example when = { kernel = \">= 6.1\" }")
        comparisons = []
        for fact, text in value.items():
            if fact not in condition.ASKED:
                raise self.wrong("when", f"'when' asks for {fact!r}; it may ask for {', '.join(condition.ASKED)}")
            try:
                if not isinstance(text, str):
                    raise ValueError(f'the value of {fact!r} is no text; write it in quotes, {fact} = "{text}"')
                comparisons.append(condition.parse(fact, text))
            except ValueError as error:
                raise self.wrong("when", f"'when': {error}") from None
        return Condition(tuple(comparisons))

    def wrong(self, key: str, what: str) -> BaselineError:
        """The error about a key of this entry, with the line where it stands."""
        line = _line(self.text, key, self.place) if key else self.place + 1
        return BaselineError(f"{self.name}:{line}: {what}")

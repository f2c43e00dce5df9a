"""The requirement catalogue: what the documents demand, one TOML table a requirement.

The files beside this module hold the documents that belong together. Each begins with its documents:

    [[document]]  key (the part of an id before the colon), name, title, edition, url ("" where it is not online)

and goes on with its requirements:

    [[requirement]]
    id            "document:SERIES-n" where the document numbers its requirements itself, else "document:section/slug";
                  never changed once it is cited, so where the two differ `section` is right
    level         must, must-not, should, should-not, may: as the document has it, in capitals or as POSIX's "shall";
                  documented: a promise in lower case or of a manual, or a fact observed of Linux or CPython; broken, it
                  fails. For the simple services and the profiles of this house the level is ours: must is what every
                  client may rely on and a plain sequential server does, should is robustness or comfort, may describes
    section       where in the document; "house" where the document is silent and the requirement is our reading of it
    title         at most 8 words
    summary       one or two sentences, our own
    observable    where it shows: wire (in frames, so a test of it looks at frames), api (in what calls of either end
                  return), both (in either), not-observable; the last needs `observable_reason`
    probe         how to provoke it and what to claim, one line
    vantage       who can probe it: client-socket, raw-peer, server-side-api (code inside the subject)
    needs         what the place must offer; nothing means plain sockets
    note          what a judge has to know (optional): known deviations of honest stacks, traps, what was observed
    untested      why no test covers it yet, one sentence (optional; a must that can be seen has a test or this)

All 760 tables take 50 to 75 ms to read, nearly all of it in tomllib; it happens once a process, at the first question.
To read only the file that an id points to was weighed and left out: a run cites nearly every file, a report all.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.verdict import Level

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

FOLDER = Path(__file__).parent

HOUSE = "house"  # the section of a requirement that its document does not spell out
NOT_OBSERVABLE = "not-observable"

LEVELS = {  # word in the files: level, and whether it forbids
    "must": (Level.MUST, False),
    "must-not": (Level.MUST, True),
    "should": (Level.SHOULD, False),
    "should-not": (Level.SHOULD, True),
    "may": (Level.MAY, False),
    "documented": (Level.DOCUMENTED, False),
}

_PLACES = (  # keys of documents, their sections, and how such a section is addressed behind the document's url
    ("rfc", re.compile(r"(\d+(?:\.\d+)*)"), "#section-{0}"),
    ("posix", re.compile(r"(\w+)\(\)"), "functions/{0}.html"),
    ("linux", re.compile(r"(\w+)\((\d)\)"), "man{1}/{0}.{1}.html"),
)


class UnknownRequirement(LookupError):  # noqa: N818 - says what is unknown, as its message does
    """An id that the catalogue does not hold; the message is one line and names the closest ids."""


class Malformed(ValueError):  # noqa: N818 - says what the file is
    """A catalogue file that cannot be read as described above."""


@dataclass(frozen=True)
class Document:
    """A document that demands something: an RFC, a standard, a manual, or the profiles of this house."""

    key: str
    name: str
    title: str
    edition: str
    url: str

    def __str__(self) -> str:
        return f"{self.name}, {self.title} ({self.edition})"


@dataclass(frozen=True)
class Requirement:
    """One demand of one document."""

    id: str
    level: Level
    prohibition: bool  # must not, should not
    document: Document
    section: str
    title: str
    summary: str
    observable: str
    probe: str
    vantage: tuple[str, ...]
    needs: tuple[str, ...]
    reason: str = ""  # why it is not observable
    note: str = ""
    untested: str = ""  # why no test covers it yet

    @property
    def strength(self) -> str:
        """The level as a document writes it: MUST NOT for a prohibition."""
        return f"{self.level} NOT" if self.prohibition else str(self.level)

    @property
    def is_observable(self) -> bool:
        """Whether any test can see it."""
        return self.observable != NOT_OBSERVABLE

    @property
    def url(self) -> str:
        """Where to read it, as near to the section as the document's pages are divided; "" if it is not online."""
        for prefix, section, place in _PLACES:
            if self.document.key.startswith(prefix) and (found := section.match(self.section)):
                return self.document.url + place.format(*found.groups())
        return self.document.url

    def __str__(self) -> str:
        return f"{self.id} ({self.strength}): {self.title}"


class Catalogue:
    """All requirements, by id."""

    def __init__(self, requirements: Iterable[Requirement]) -> None:
        self._by_id = {requirement.id: requirement for requirement in requirements}

    def __getitem__(self, name: str) -> Requirement:
        if name in self._by_id:
            return self._by_id[name]
        raise UnknownRequirement(self._unknown(name))

    def __contains__(self, name: str) -> bool:
        return name in self._by_id

    def __iter__(self) -> Iterator[Requirement]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def by_document(self) -> dict[Document, list[Requirement]]:
        """The requirements of each document, in the order of the files."""
        documents: dict[Document, list[Requirement]] = {}
        for requirement in self:
            documents.setdefault(requirement.document, []).append(requirement)
        return documents

    def unknown(self, names: Iterable[str]) -> list[str]:
        """One line for each id that is not in the catalogue, with the closest that are."""
        return [self._unknown(name) for name in dict.fromkeys(names) if name not in self]

    def closest(self, name: str) -> list[str]:
        """Up to three ids that look like `name`, those of its own document if there is such a document."""
        document, colon, _ = name.partition(":")
        own = [known for known in self._by_id if known.startswith(document + colon)] if colon else []
        # What all candidates share would make all of them close: compare what stands behind it.
        shared = len(document) + 1 if own else 0
        ends = {known[shared:]: known for known in own or self._by_id}
        return [ends[end] for end in difflib.get_close_matches(name[shared:], ends, cutoff=0.5 if own else 0.7)]

    def _unknown(self, name: str) -> str:
        closest = self.closest(name)
        return f"no requirement {name!r}; " + (
            f"closest: {', '.join(closest)}" if closest else "nothing is close to it"
        )


@cache
def load(folder: Path = FOLDER) -> Catalogue:
    """The catalogue in `folder`, read once a process."""
    return build(read(folder))


def read(folder: Path) -> dict[str, dict[str, Any]]:
    """The tables of each file, by its name."""
    return {path.name: tomllib.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.toml"))}


def build(files: Mapping[str, Mapping[str, Any]]) -> Catalogue:
    """The catalogue that `files` describe; the first thing amiss raises, `lint` tells all of them."""
    requirements: dict[str, Requirement] = {}
    for name, tables in files.items():
        documents = {table["key"]: Document(**table) for table in tables.get("document", ())}
        for table in tables.get("requirement", ()):
            try:
                requirement = _requirement(table, documents)
            except (KeyError, TypeError) as error:
                raise Malformed(f"{name}: {table.get('id', 'a requirement without id')}: {error}") from error
            if requirement.id in requirements:
                raise Malformed(f"{name}: {requirement.id}: the id is taken")
            requirements[requirement.id] = requirement
    return Catalogue(requirements.values())


def _requirement(table: Mapping[str, Any], documents: Mapping[str, Document]) -> Requirement:
    level, prohibition = LEVELS[table["level"]]
    return Requirement(
        id=table["id"],
        level=level,
        prohibition=prohibition,
        document=documents[table["id"].partition(":")[0]],
        section=table["section"],
        title=table["title"],
        summary=table["summary"],
        observable=table["observable"],
        probe=table["probe"],
        vantage=tuple(table["vantage"]),
        needs=tuple(table["needs"]),
        reason=table.get("observable_reason", ""),
        note=table.get("note", ""),
        untested=table.get("untested", ""),
    )

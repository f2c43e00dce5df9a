"""What is amiss in the catalogue's files: form, vocabulary, words of the glossary. Pure but for the last function.

The checks work on the tables as they were read, so that one look tells everything that is wrong with them.

    python -m harness.spec.lint [TEXT …]

tells it of the files beside this module. A TEXT is a document as plain text; each summary that has seven words in a row
from it is told as well. The documents themselves do not belong into the repository.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.spec.catalogue import FOLDER, LEVELS, NOT_OBSERVABLE, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    Table = Mapping[str, Any]
    Files = Mapping[str, Mapping[str, Any]]

DOCUMENT_FIELDS = ("key", "name", "title", "edition", "url")
TEXTS = ("id", "level", "section", "title", "summary", "observable", "probe")
LISTS = ("vantage", "needs")
OPTIONAL = ("observable_reason", "note", "untested")

OBSERVABLE = ("wire", "api", "both", NOT_OBSERVABLE)
VANTAGE = ("client-socket", "raw-peer", "server-side-api")
NEEDS = (
    *("netns", "raw", "capture", "link-fault", "icmp", "mtu", "multihome", "ipv6", "sysctl", "tfo", "syn-flood"),
    *("subject-api", "threads", "signals", "fd-limit", "procfs", "root"),  # subject-api: calls inside the subject
    *("time>1s", "time>5s", "time>60s", "time>300s", "time>2h"),  # what a run that passes takes at least
)

TITLE_WORDS = 8
SUMMARY_SENTENCES = 2
COPIED_WORDS = 7  # in a row: chance seldom gives so many

ID = re.compile(r"(?P<document>[a-z0-9]+):(?:(?P<series>[A-Z]+)-\d+|[A-Za-z0-9.-]+/[a-z0-9]+(?:-[a-z0-9]+)*)")
SERIES = {"MUST": "must", "SHLD": "should", "REC": "should", "MAY": "may"}  # RFC 9293's own numbers

_SENTENCE_END = re.compile(r"[.!?](?=\s+[A-Z]|$)")
_GLOSSARY = (  # in titles and summaries
    (re.compile(r"\bbytes?\b"), "octet"),
    (re.compile(r"(?<!\bIP )\bpackets?\b"), "segment, datagram, or IP packet"),
    (re.compile(r"\b(?:DUT|IUT|SUT)\b"), "subject"),
)
_PYTHON_TYPE = re.compile(r"\bbytes\b")


def complaints(files: Files) -> list[str]:
    """Everything amiss, one line each: file, id, what."""
    found: list[str] = []
    taken: set[str] = set()
    for name, tables in files.items():
        documents = tables.get("document", ())
        keys = [table.get("key", "") for table in documents]
        requirements = tables.get("requirement", ())
        found += [f"{name}: document {table.get('key')}: {what}" for table in documents for what in _document(table)]
        for table in requirements:
            place = f"{name}: {table.get('id', 'a requirement without id')}"
            found += [f"{place}: {what}" for what in _requirement(table, keys)]
            if table.get("id") in taken:
                found.append(f"{place}: the id is taken")
            taken.add(table.get("id", ""))
        unused = set(keys) - {str(table.get("id", "")).partition(":")[0] for table in requirements}
        found += [f"{name}: document {key}: no requirement cites it" for key in sorted(unused)]
    return found


def copied(files: Files, text: str, words: int = COPIED_WORDS) -> list[str]:
    """The summaries that share `words` words in a row with `text`, and which."""
    known = set(_runs(text, words))
    return [
        f"{table['id']}: {' '.join(shared[0])!r} is copied"
        for tables in files.values()
        for table in tables.get("requirement", ())
        if (shared := [run for run in _runs(table["summary"], words) if run in known])
    ]


def _runs(text: str, words: int) -> Iterator[tuple[str, ...]]:
    every = re.findall(r"[a-z0-9]+", text.lower())
    return (tuple(every[start : start + words]) for start in range(len(every) - words + 1))


def _document(table: Table) -> Iterator[str]:
    for field in DOCUMENT_FIELDS:
        if not isinstance(table.get(field), str):
            yield f"{field} is missing"
    for field in sorted(set(table) - set(DOCUMENT_FIELDS)):
        yield f"{field} is no field"


def _requirement(table: Table, documents: Sequence[str]) -> list[str]:
    # Without its fields a table cannot be looked at further.
    return [*_fields(table)] or [*_identity(table, documents), *_vocabulary(table), *_prose(table)]


def _fields(table: Table) -> Iterator[str]:
    for field in TEXTS:
        if not (isinstance(table.get(field), str) and table[field].strip()):
            yield f"{field} is missing"
    for field in LISTS:
        if not isinstance(table.get(field), list):
            yield f"{field} is missing"
    for field in sorted(set(table) - {*TEXTS, *LISTS, *OPTIONAL}):
        yield f"{field} is no field"
    for field in OPTIONAL:
        if field in table and not (isinstance(table[field], str) and table[field].strip()):
            yield f"{field} is empty"


def _identity(table: Table, documents: Sequence[str]) -> Iterator[str]:
    form = ID.fullmatch(table["id"])
    if form is None:
        yield "the id is neither document:section/slug nor document:SERIES-n"
        return
    if form["document"] not in documents:
        yield f"no document {form['document']!r} in this file"
    if form["document"] == "rfc9293" and form["series"]:
        strength = SERIES.get(form["series"])
        if strength is None or table["level"].removesuffix("-not") != strength:
            yield f"level {table['level']} does not agree with the document's own number"


def _vocabulary(table: Table) -> Iterator[str]:
    if table["level"] not in LEVELS:
        yield f"level {table['level']!r} is none of {', '.join(LEVELS)}"
    if table["observable"] not in OBSERVABLE:
        yield f"observable {table['observable']!r} is none of {', '.join(OBSERVABLE)}"
    if (table["observable"] == NOT_OBSERVABLE) != ("observable_reason" in table):
        yield "observable_reason goes with not-observable, and only with it"
    if table["observable"] == NOT_OBSERVABLE and "untested" in table:
        yield "untested does not go with not-observable, which has a reason of its own"
    if not table["vantage"]:
        yield "nobody can probe it: vantage is empty"
    for field, words in (("vantage", VANTAGE), ("needs", NEEDS)):
        for word in table[field]:
            if word not in words:
                yield f"{field} {word!r} is none of {', '.join(words)}"


def _prose(table: Table) -> Iterator[str]:
    title, summary = table["title"], table["summary"]
    if len(title.split()) > TITLE_WORDS:
        yield f"the title has {len(title.split())} words, at most {TITLE_WORDS}"
    if title.endswith("."):
        yield "the title ends in a full stop"
    if not summary.endswith("."):
        yield "the summary does not end in a full stop"
    if len(_SENTENCE_END.findall(summary)) > SUMMARY_SENTENCES:
        yield f"the summary has more than {SUMMARY_SENTENCES} sentences"
    for field in (*TEXTS, *OPTIONAL):
        if "\n" in table.get(field, ""):
            yield f"the {field} is longer than one line"
    for field in ("title", "summary"):
        for word in _foreign(table["id"], table[field]):
            yield f"the {field} says {word}"


def _foreign(name: str, text: str) -> Iterator[str]:
    # In what Python documents, bytes is a type.
    prose = _PYTHON_TYPE.sub("", text) if name.startswith("python:") else text
    for word, ours in _GLOSSARY:
        if found := word.search(prose):
            yield f"{found[0]!r}; our word is {ours}"


def main(texts: Iterable[str]) -> int:
    """Print what is amiss in the files beside this module; 1 if anything is."""
    files = read(FOLDER)
    found = complaints(files)
    for text in texts:
        found += copied(files, Path(text).read_text("utf-8", errors="replace"))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The page: well formed, alone, escaped, linked, and quick for large runs."""

from __future__ import annotations

import base64
import json
import re
import time
import zlib
from collections import Counter
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from harness.report import html
from harness.report.complaints import WORST_FIRST
from harness.report.html import listing
from harness.tests.report import samples
from harness.tests.report.golden import page

if TYPE_CHECKING:
    from harness.report.model import Run

VOID = {"meta", "br", "input", "wbr"}
RUNS = {
    "calm": samples.calm(),
    "mixed": samples.mixed(),
    "hostile": samples.hostile(),
    "killed": samples.killed(),
    "failing": samples.failing(250),
    "passing": samples.passing(800),
    "empty": samples.run([]),
}


def unpacked(text: str) -> list[str]:
    """The pages of the tests, as a browser unpacks them."""
    packs = re.findall(r'class="pack">([^<]*)<', text)
    return [sheet for pack in packs for sheet in json.loads(zlib.decompress(base64.b64decode(pack)))]


class Page(HTMLParser):
    """What a page is made of; raises when its elements are not nested properly."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, attribute: str) -> list[str]:
        """The values of that attribute, wherever it stands."""
        return [attributes[attribute] for _, attributes in self.elements if attribute in attributes]


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_a_page_stands_alone(run: Run) -> None:
    """Elements are nested, names are unique, links lead to the page or beside it, nothing is loaded."""
    parsed = Page(page(run))

    names = Counter(parsed.all("id"))
    assert set(names.values()) <= {1}
    pages = {f"test-{number}" for number in range(len(run.rows))}  # which the script unpacks
    for href in parsed.all("href"):
        assert href.startswith(("./", "https://www.rfc-editor.org/")) or href.removeprefix("#") in {*names, *pages}
    assert not parsed.all("src")
    assert not {"link", "img", "iframe", "object"} & {tag for tag, _ in parsed.elements}


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_a_page_tells_all(run: Run) -> None:
    """Each row has its cell, each finding its article, and each cell of a bad row leads to one."""
    parsed = Page(page(run))

    cells = [attributes for tag, attributes in parsed.elements if "verdict" in attributes.get("class", "").split()]
    assert len(cells) == len(run.rows)
    assert sum(cell.get("href", "").startswith("#finding-") for cell in cells) == sum(
        row.verdict in WORST_FIRST for row in run.rows
    )
    assert sum(tag == "article" for tag, _ in parsed.elements) == len(run.told)


def test_a_subject_adds_no_element() -> None:
    """Its markup is text: the only script is ours, and no attribute is opened."""
    parsed = Page(page(samples.hostile()))

    assert sum(tag == "script" and "class" not in own for tag, own in parsed.elements) == 1
    assert "<script>alert(1)</script>" in parsed.text
    assert not any(href.startswith("javascript") for href in parsed.all("href"))
    assert not any(name.startswith("on") for _, attributes in parsed.elements for name in attributes)
    page(samples.hostile()).encode("utf-8")


def test_cited_lines_are_marked() -> None:
    """The segment that the finding speaks of stands out."""
    text = page(samples.mixed())

    assert "<mark>  &gt; #9   +0.000129  got   FIN ACK" in text


@pytest.mark.parametrize("cited", [[], [3], [500], [999], list(range(0, 1000, 10))])
def test_a_long_listing_keeps_what_is_cited(cited: list[int]) -> None:
    """The head and what surrounds the cited lines stay, and what is left out is counted."""
    text = "\n".join(f"{'>' if number in cited else ' '} #{number}" for number in range(1000))

    lines = listing(text, limit=50)

    gaps = [line.text for line in lines if "left out" in line.text]
    kept = len(lines) - len(gaps)
    assert kept <= 50
    assert kept + sum(int(gap.split()[1]) for gap in gaps) == 1000
    assert sum(line.cited for line in lines) >= min(len(cited), 8)


def test_a_short_listing_is_whole() -> None:
    """Nothing is left out that fits."""
    assert [line.text for line in listing(samples.SEGMENTS)] == samples.SEGMENTS.splitlines()


def test_evidence_is_shown_up_to_a_number_of_findings() -> None:
    """Of a run in which everything fails the summary stays readable: the pages of the tests have the rest."""
    parsed = Page(page(samples.failing(300)))

    assert parsed.all("aria-label").count("Segments on the wire") == html.IN_FULL


def test_every_test_has_a_page() -> None:
    """Unpacked, there is one for each row, and each cell leads to the one of its own row."""
    run = samples.mixed()
    text = page(run)

    sheets = unpacked(text)

    assert len(sheets) == len(run.rows)
    for row, sheet in zip(run.rows, sheets, strict=True):
        parsed = Page(sheet)
        assert row.nodeid in parsed.text
        assert row.verdict.value in parsed.text
    cells = [int(number) for number in Page(text).all("data-page")]
    assert set(cells) == set(range(len(run.rows)))


def test_a_page_of_a_test_escapes_its_subject() -> None:
    """What goes into the document by script holds no element that a subject wrote."""
    for sheet in unpacked(page(samples.hostile())):
        parsed = Page(sheet)
        assert not {tag for tag, _ in parsed.elements} & {"script", "img", "iframe", "style"}
        assert not any(name.startswith("on") for _, attributes in parsed.elements for name in attributes)


def test_requirements_stand_under_their_document() -> None:
    """The ledger names each requirement that a row covers once, with its tests."""
    run = samples.mixed()

    text = Page(page(run)).text

    for requirement in {one for row in run.rows for one in row.covers}:
        assert requirement in text


@pytest.mark.parametrize("run", [samples.passing(5000), samples.failing(834)], ids=["passing", "failing"])
def test_five_thousand_rows_render_in_seconds(run: Run) -> None:
    """A report of a large run is made at once; what a loaded machine gives to others does not count."""
    before = time.process_time()

    page(run)

    assert len(run.rows) >= 5000
    assert time.process_time() - before < 20.0  # seconds

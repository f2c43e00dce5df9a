"""The page: well formed, alone, escaped, linked, and quick for large runs."""

from __future__ import annotations

from collections import Counter
from html.parser import HTMLParser

import pytest

from harness.budget import Stopwatch
from harness.report import html
from harness.report.html import listing
from harness.report.model import WORST_FIRST, Run
from harness.tests.report import samples
from harness.tests.report.golden import page

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
    for href in parsed.all("href"):
        assert href.startswith(("./", "https://www.rfc-editor.org/")) or href.removeprefix("#") in names
    assert not parsed.all("src")
    assert not {"link", "img", "iframe", "object"} & {tag for tag, _ in parsed.elements}


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_a_page_tells_all(run: Run) -> None:
    """Each row has its cell, each finding its article, and each cell of a bad row leads to one."""
    parsed = Page(page(run))

    cells = [attributes for tag, attributes in parsed.elements if "cell" in attributes.get("class", "").split()]
    assert len(cells) == len(run.rows)
    assert sum(cell.get("href", "").startswith("#finding-") for cell in cells) == sum(
        row.verdict in WORST_FIRST for row in run.rows
    )
    assert sum(tag == "article" for tag, _ in parsed.elements) == len(run.told)


def test_a_subject_adds_no_element() -> None:
    """Its markup is text: the only script is ours, and no attribute is opened."""
    parsed = Page(page(samples.hostile()))

    assert sum(tag == "script" for tag, _ in parsed.elements) == 1
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


def test_only_what_is_shown_is_wanted() -> None:
    """Evidence is read for the findings told in full, one folder each."""
    assert len(html.wanted(samples.failing(300))) == html.IN_FULL
    assert html.wanted(samples.calm()) == ()


@pytest.mark.parametrize("run", [samples.passing(5000), samples.failing(834)], ids=["passing", "failing"])
def test_five_thousand_rows_render_in_seconds(run: Run) -> None:
    """A report of a large run is made at once."""
    watch = Stopwatch()

    page(run)

    assert len(run.rows) >= 5000
    assert watch.seconds < 5.0

"""The report in a browser: it opens from disk, filters, and a cell leads to what happened on the wire."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from harness.tests.report import browser as browsing
from harness.tests.report.golden import TEMPLATES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

FAILING = "a.verdict.v-fail"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all tests of this file: it takes a second to start."""
    if not browsing.PATH:
        pytest.skip("not applicable: no Chromium is installed")
    with browsing.browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where the report lies."""
    return browsing.recorded(tmp_path_factory.mktemp("run") / "run").as_uri()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The report, opened; whatever it does, it asks for nothing beside itself and complains of nothing."""
    page = browser.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    yield page
    assert {url.partition("#")[0] for url in asked} == {address}
    assert complaints == []
    page.close()


def test_a_cell_leads_to_the_ladder(page: Page) -> None:
    """From the matrix to the page of the failing test, where the cited segment is marked, and back."""
    page.locator(FAILING).first.click()

    page.locator("#sheet svg.ladder").wait_for()
    assert page.locator("#sheet svg.ladder .why").text_content() == "cited: got FIN"
    assert page.locator("#sheet h2").text_content() == "tcp/closing::half_close_is_honoured"
    assert page.locator("#summary").is_hidden()

    page.go_back()
    page.locator("#summary").wait_for()
    assert page.locator("#page").is_hidden()


def test_pages_follow_each_other(page: Page) -> None:
    """With the links and with the arrow keys."""
    page.goto(f"{page.url}#test-0")
    page.locator("#sheet h2").wait_for()
    first = page.locator("#sheet h2").text_content()

    page.locator("#behind").click()
    page.wait_for_url(re.compile("#test-1$"))
    page.keyboard.press("ArrowRight")
    page.wait_for_url(re.compile("#test-2$"))
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    page.wait_for_url(re.compile("#test-0$"))

    page.wait_for_function("words => document.querySelector('#sheet h2').textContent === words", arg=first)


def test_words_filter_the_matrix(page: Page) -> None:
    """The slash key leads to the filter; lines without the words go, and all come back."""
    lines = page.locator("section[aria-labelledby=matrix] tbody tr:visible")
    whole = lines.count()

    page.keyboard.press("/")
    page.keyboard.type("half_close")

    assert 0 < lines.count() < whole
    assert all("half_close" in text for text in lines.locator("th").all_text_contents())
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    assert lines.count() == whole


def test_calm_lines_can_be_hidden(page: Page) -> None:
    """What is left has something to see."""
    page.get_by_label("hide what is calm").check()

    lines = page.locator("section[aria-labelledby=matrix] tbody tr:visible")
    assert lines.count() > 0
    for line in lines.all():
        assert line.locator(".v-fail, .v-error, .v-inconclusive, .v-deviation").count() > 0


def test_a_phone_scrolls_one_way_only(browser: Browser, address: str) -> None:
    """Tables and drawings scroll within themselves."""
    with browser.new_context(viewport={"width": 390, "height": 800}) as phone:
        page = phone.new_page()
        for fragment in ("", "#test-4"):
            page.goto(address + fragment)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_without_script_the_findings_are_there(browser: Browser, address: str) -> None:
    """A mail reader that runs no script shows the findings with their first ladder."""
    with browser.new_context(java_script_enabled=False) as plain:
        page = plain.new_page()
        page.goto(address)
        assert page.locator("article svg.ladder").count() > 0
        page.locator(FAILING).first.click()
        assert re.search(r"#finding-\d+$", page.url)


def colours(sheet: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", sheet))


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2, definitions)."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = (int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_word_can_be_read(dark: bool) -> None:
    """Words stand out from whatever they stand on by 4.5 to 1 (WCAG 2.2, 1.4.3)."""
    sheet = (TEMPLATES / "style.css.j2").read_text("utf-8")
    light, _, rest = sheet.partition("@media (prefers-color-scheme: dark)")
    shown = colours(light) | (colours(rest.partition("\n}")[0]) if dark else {})

    for words in ("ink", "faint", "pass", "fail", "error", "inconclusive", "deviation", "not-applicable", "link"):
        for ground in ("paper", "card", "code"):
            brighter, darker = sorted((luminance(shown[words]), luminance(shown[ground])), reverse=True)
            assert (brighter + 0.05) / (darker + 0.05) >= 4.5, f"{words} on {ground}"

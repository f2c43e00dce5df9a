"""Every link of the documentation leads somewhere: to a file of the repository, and to a heading that is there."""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from posixpath import dirname, join, normpath
from typing import TYPE_CHECKING

import pytest

from harness import bundle
from harness.tests.docs.pages import ROOT, pages, without_blocks

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.skipif(bundle.installed(), reason="docs/ is in the checkout only")

_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?)(?: +\{#([^}]+)\})?$", re.MULTILINE)


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub and mkdocs make them of the same words."""
    found = set()
    for words, named in _HEADING.findall(without_blocks(text)):
        slug = re.sub(r"[^\w\s-]", "", words).strip().lower()
        found.add(named or re.sub(r"[-\s]+", "-", slug))
    return found


def broken(page: str, text: str, known: Mapping[str, str]) -> list[str]:
    """What is wrong with the links of a page; `known` are all pages, those that are generated too."""
    wrong = []
    for target in _LINK.findall(without_blocks(text)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        aim = normpath(join(dirname(page), path)) if path else page
        if aim not in known and not (ROOT / aim).exists():
            wrong.append(f"{page}: {target} leads to nothing")
        elif anchor and aim in known and anchor not in anchors(known[aim]):
            wrong.append(
                f"{page}: {target}: {aim} has no such heading; it has {', '.join(sorted(anchors(known[aim])))}"
            )
    return wrong


@cache
def everything() -> dict[str, str]:
    """All pages, and those that the site's hook writes."""
    # By its path: a plain `docs` might be somebody else's.
    spec = importlib.util.spec_from_file_location("sockspec_reference", ROOT / "docs" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    return pages() | {f"docs/{path}": text for path, text in reference.pages().items()}


@pytest.mark.parametrize("page", pages() if not bundle.installed() else [])
def test_links_lead_somewhere(page: str) -> None:
    """Files and headings."""
    assert broken(page, everything()[page], everything()) == []


def test_the_links_of_the_reference_lead_somewhere() -> None:
    """Generated pages are linked among each other, and to those that are written by hand."""
    written = everything().keys() - pages().keys()

    assert [line for page in sorted(written) for line in broken(page, everything()[page], everything())] == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("[a](b.md)", []),
        ("[a](b.md#two-words)", []),
        ("[a](#here) [x](https://example.org/#y)", []),
        ("```\n[a](nowhere.md)\n```", []),
        ("[a](nowhere.md)", ["docs/a.md: nowhere.md leads to nothing"]),
        ("![a](images/nothing.png)", ["docs/a.md: images/nothing.png leads to nothing"]),
        ("[`a[b]`](b.md#gone)", ["docs/a.md: b.md#gone: docs/b.md has no such heading; it has two-words"]),
    ],
)
def test_a_broken_link_is_told(text: str, wrong: list[str]) -> None:
    """With its page, and with what could have been meant."""
    known = {"docs/a.md": f"# Here\n{text}", "docs/b.md": "# Two words!\n"}

    assert broken("docs/a.md", text if "#here" not in text else known["docs/a.md"], known) == wrong

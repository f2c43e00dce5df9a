"""The catalogue: what a table becomes, where it can be read, and what an unknown id draws."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import TYPE_CHECKING

import pytest

from harness.spec.catalogue import Document, Malformed, Requirement, UnknownRequirement, build, load
from harness.tests.spec.tables import DOCUMENT, files, requirement, table
from harness.verdict import Level, Verdict

if TYPE_CHECKING:
    from pathlib import Path


def test_a_table_becomes_a_requirement() -> None:
    """Every field has its place, and lists are frozen."""
    made = requirement(
        observable="not-observable", observable_reason="it is inside", needs=["raw", "netns"], note="Look twice."
    )

    assert made == Requirement(
        id="rfc862:tcp/echo",
        level=Level.MUST,
        prohibition=False,
        document=Document(**DOCUMENT),
        section="TCP Based Echo Service",
        title="Data comes back",
        summary="What is sent comes back.",
        observable="not-observable",
        probe="Send and read.",
        vantage=("client-socket",),
        needs=("raw", "netns"),
        reason="it is inside",
        note="Look twice.",
    )
    assert not made.is_observable
    with pytest.raises(FrozenInstanceError):
        made.title = "another"  # type: ignore[misc]  # that it is refused is the claim


@pytest.mark.parametrize(
    ("word", "level", "prohibition", "strength", "missed"),
    [
        ("must", Level.MUST, False, "MUST", Verdict.FAIL),
        ("must-not", Level.MUST, True, "MUST NOT", Verdict.FAIL),
        ("should", Level.SHOULD, False, "SHOULD", Verdict.DEVIATION),
        ("should-not", Level.SHOULD, True, "SHOULD NOT", Verdict.DEVIATION),
        ("may", Level.MAY, False, "MAY", Verdict.PASS),
        ("documented", Level.DOCUMENTED, False, "documented", Verdict.FAIL),
    ],
)
def test_level_and_prohibition(word: str, level: Level, prohibition: bool, strength: str, missed: Verdict) -> None:
    """A prohibition has the level of its demand, and is missed alike."""
    made = requirement(level=word)

    assert (made.level, made.prohibition, made.strength, made.level.missed) == (level, prohibition, strength, missed)
    assert str(made) == f"rfc862:tcp/echo ({strength}): Data comes back"


@pytest.mark.parametrize(
    ("key", "url", "section", "expected"),
    [
        ("rfc9293", "https://www.rfc-editor.org/rfc/rfc9293", "3.6.1", "/rfc/rfc9293#section-3.6.1"),
        ("rfc5961", "https://www.rfc-editor.org/rfc/rfc5961", "5.3 (R1)", "/rfc/rfc5961#section-5.3"),
        ("rfc862", "https://www.rfc-editor.org/rfc/rfc862", "TCP Based Echo Service", "/rfc/rfc862"),
        ("rfc862", "https://www.rfc-editor.org/rfc/rfc862", "house", "/rfc/rfc862"),
        ("posix", "https://posix.example/", "listen() errors", "/functions/listen.html"),
        ("posix", "https://posix.example/", "SO_LINGER", "example/"),
        ("linux", "https://man.example/", "tcp(7) TCP_INFO", "/man7/tcp.7.html"),
        ("python", "https://docs.example/socket.html", "socket.socket()", "/socket.html"),
        ("house", "", "greeting", ""),
    ],
)
def test_the_url_leads_as_near_as_the_pages_are_divided(key: str, url: str, section: str, expected: str) -> None:
    """A numbered section has an anchor in an RFC, a function has a page in POSIX and in the manual."""
    made = requirement({"key": key, "url": url}, id=f"{key}:x/y", section=section)

    assert made.url.endswith(expected)
    assert made.url.startswith(url)


def test_lookup_and_iteration() -> None:
    """By id, in the order of the files, and by document."""
    catalogue = build(files(table(), table(id="rfc862:udp/echo")))

    assert catalogue["rfc862:udp/echo"].id == "rfc862:udp/echo"
    assert "rfc862:udp/echo" in catalogue
    assert "rfc862:udp/none" not in catalogue
    assert [made.id for made in catalogue] == ["rfc862:tcp/echo", "rfc862:udp/echo"]
    assert catalogue.by_document() == {Document(**DOCUMENT): list(catalogue)}
    assert len(catalogue) == 2


def test_an_unknown_id_draws_the_closest() -> None:
    """One line, as a person who mistyped an id wants it."""
    catalogue = build(files(table(id="rfc862:tcp/survives-reset"), table(id="rfc862:udp/empty")))

    with pytest.raises(UnknownRequirement) as raised:
        catalogue["rfc862:tcp/survive-resets"]

    assert str(raised.value) == "no requirement 'rfc862:tcp/survive-resets'; closest: rfc862:tcp/survives-reset"


@pytest.mark.parametrize(
    ("name", "closest"),
    [
        ("rfc826:tcp/survives-reset", ["rfc862:tcp/survives-reset"]),
        ("tcp/survives-reset", ["rfc862:tcp/survives-reset"]),
        ("rfc862:zzz", []),
        ("", []),
    ],
)
def test_closest(name: str, closest: list[str]) -> None:
    """A wrong document is seen through; what resembles nothing draws nothing."""
    assert build(files(table(id="rfc862:tcp/survives-reset"))).closest(name) == closest


def test_unknown_tells_each_id_once() -> None:
    """For the laws over all ids that suites and mutants cite."""
    catalogue = build(files(table()))

    assert catalogue.unknown(["rfc862:tcp/echo"]) == []
    assert catalogue.unknown(["rfc862:tcp/ech", "nothing", "rfc862:tcp/ech"]) == [
        "no requirement 'rfc862:tcp/ech'; closest: rfc862:tcp/echo",
        "no requirement 'nothing'; nothing is close to it",
    ]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"title": None}, "one.toml: rfc862:tcp/echo: 'title'"),
        ({"level": "shall"}, "one.toml: rfc862:tcp/echo: 'shall'"),
        ({"id": "rfc863:tcp/echo"}, "one.toml: rfc863:tcp/echo: 'rfc863'"),
        ({"id": None}, "one.toml: a requirement without id: 'id'"),
    ],
)
def test_a_malformed_file_names_the_place(changes: dict[str, str | None], message: str) -> None:
    """File, id, and what is amiss with it."""
    with pytest.raises(Malformed) as raised:
        build(files(table(**changes)))

    assert str(raised.value) == message


def test_an_id_is_taken_once() -> None:
    """Even over two files."""
    with pytest.raises(Malformed, match=r"two\.toml: rfc862:tcp/echo: the id is taken"):
        build(files(table()) | {"two.toml": files(table())["one.toml"]})


def test_loading_reads_each_folder_once(tmp_path: Path) -> None:
    """What is on the disk afterwards does not matter: every worker asks often."""
    (tmp_path / "one.toml").write_text("")

    assert load(tmp_path) is load(tmp_path)
    assert len(load(tmp_path)) == 0

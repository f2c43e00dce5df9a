"""The templates are compiled once for all reports, and anew when one was changed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import jinja2
import pytest

from harness.report.templates import environment

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def write_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment of this run says."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "greeting.j2").write_text("hello {{ name }}")
    return tmp_path


def rendered(folder: Path) -> str:
    """As another process would."""
    environment.cache_clear()
    return environment(folder).get_template("greeting.j2").render(name="you")


def test_a_template_is_compiled_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rendered(folder) == "hello you"
    monkeypatch.setattr(jinja2.Environment, "compile", None)
    assert rendered(folder) == "hello you"


def test_a_changed_template_is_compiled_anew(folder: Path) -> None:
    rendered(folder)
    (folder / "greeting.j2").write_text("good day {{ name }}")
    assert rendered(folder) == "good day you"


def test_who_forbids_bytecode_gets_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert rendered(folder) == "hello you"
    assert [path.name for path in folder.iterdir()] == ["greeting.j2"]


def test_who_may_not_write_there_gets_a_report(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.makedirs", _refused)
    assert rendered(folder) == "hello you"


def _refused(*_: object, **__: object) -> None:
    raise PermissionError


def test_a_name_without_a_value_is_an_error(folder: Path) -> None:
    (folder / "greeting.j2").write_text("hello {{ nobody }}")
    with pytest.raises(jinja2.UndefinedError, match="nobody"):
        rendered(folder)

"""Each rendering is, letter by letter, the one that was reviewed."""

from __future__ import annotations

import pytest

from harness.tests.report.golden import FOLDER, RENDERINGS


@pytest.mark.parametrize("name", RENDERINGS)
def test_a_rendering_is_the_reviewed_one(name: str) -> None:
    """After a wanted change, write the files anew (see `golden.py`) and read the difference."""
    assert RENDERINGS[name]() == (FOLDER / name).read_text(encoding="utf-8")


def test_no_golden_file_is_left_over() -> None:
    """A file that nothing renders would be reviewed for nothing."""
    assert {file.name for file in FOLDER.iterdir()} == set(RENDERINGS)

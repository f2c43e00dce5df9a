"""What a server said, quoted."""

from __future__ import annotations

import pytest

from harness.payload import said


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"", "nothing"),
        (b"OK\r\n", r"'OK\r\n'"),
        (b"x" * 400, f"'{'x' * 400}'"),
        (b"a" * 200 + b"?" * 1000 + b"z" * 200, f"'{'a' * 200}' … '{'z' * 200}'"),
    ],
)
def test_what_is_long_is_quoted_at_its_beginning_and_its_end(octets: bytes, words: str) -> None:
    """200 octets of each."""
    assert said(octets) == words

"""What was heard of an answer: all of it, why nothing followed, and where the match stopped."""

from __future__ import annotations

import re

import pytest

from harness.probe.heard import expected, heard
from harness.subject.answer import PERHAPS, SOMETHING, Answer, Exactly, Matching


@pytest.mark.parametrize(
    ("answer", "came", "wanted", "words"),
    [
        (Exactly(b"hello"), b"", "'hello'", "no octet came, then end of stream (FIN)"),
        (
            Exactly(b"hello"),
            b"hallo",
            "'hello'",
            "'hallo' (5 octets), then end of stream (FIN); the match stops at offset 1: expected 'ello', got 'allo'",
        ),
        (
            Matching(re.compile(rb"2\d\d ok")),
            b"200 no",
            r"octets that match '2\d\d ok'",
            (
                r"'200 no' (6 octets), then end of stream (FIN);"
                r" the match stops at offset 4: after '2\d\d ' the expression has 'ok', but 'no' came"
            ),
        ),
        (SOMETHING, b"", "octets", "no octet came, then end of stream (FIN)"),
        (PERHAPS, b"x", "octets", "'x' (1 octet), then end of stream (FIN)"),
    ],
)
def test_an_answer_that_is_wrong_is_told_with_the_place(answer: Answer, came: bytes, wanted: str, words: str) -> None:
    assert expected(answer) == wanted
    assert heard(answer, came, ", then end of stream (FIN)") == words

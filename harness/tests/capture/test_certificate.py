"""The certificate: each thing that may be missing makes it not hold, and is said in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.capture.certificate import Certificate

WHOLE = Certificate(opened=True, closed=True, frames=12, dropped=0)


def test_a_whole_capture_is_certified() -> None:
    """As a value, in words, and in a record."""
    assert WHOLE.holds
    assert str(WHOLE) == "whole: 12 frames, none dropped, every acknowledged octet captured"
    assert WHOLE.as_record() == {"holds": True, "frames": 12, "drops": 0, "text": str(WHOLE)}


@pytest.mark.parametrize(
    ("certificate", "words"),
    [
        (replace(WHOLE, opened=False), "the opening marker was not the first frame"),
        (replace(WHOLE, closed=False), "the closing fence was not seen"),
        (replace(WHOLE, dropped=1), "1 frame was dropped for want of room"),
        (replace(WHOLE, dropped=7), "7 frames were dropped for want of room"),
        (replace(WHOLE, unseen=("#4 acknowledges up to 9",)), "#4 acknowledges up to 9"),
        (replace(WHOLE, differing=("the socket gave 9 octets",)), "the socket gave 9 octets"),
        (
            replace(WHOLE, closed=False, dropped=2, why="no answer"),
            "the closing fence was not seen (no answer); 2 frames were dropped for want of room",
        ),
        (
            replace(WHOLE, opened=False, closed=False, why="no answer"),
            "the opening marker was not the first frame (no answer); the closing fence was not seen",
        ),
        (replace(WHOLE, unseen=("a", "b", "c", "d")), "a; b; c; and 1 more"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said(certificate: Certificate, words: str) -> None:
    """No verdict rests on it; a long list is cut, and says so."""
    assert not certificate.holds
    assert str(certificate) == f"not whole (12 frames): {words}"
    assert certificate.as_record()["text"] == str(certificate)

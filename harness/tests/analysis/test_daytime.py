"""What a text tells of a moment: forms that servers use, and the mistakes that they make."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from harness.analysis.daytime import ahead_of_clock, tells_the_day

MOMENT = datetime(2026, 11, 26, 21, 5, 9, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    "text",
    [
        "Thursday, November 26, 2026 21:05:09-UTC",  # the first form of RFC 867
        "26 NOV 26 2105:09 GMT",
        "Thu Nov 26 21:05:09 2026",
        "61370 26-11-26 21:05:09 00 0 0 50.0 UTC(NIST) *",
        "2026-11-26T21:05:09.123456+00:00",
        "20261126210509",
        "26/11/2026",
        "11/26/26 9:05 PM",
        "27.11.2026 08:05:09 Uhr",  # where it is tomorrow already
        "26. listopadu 2026",
        "jeudi 26 novembre 2026, 21:05:09",
        "2026年11月26日",
        "Thurs 26 Nov 2026",
        "Do 26. Nov 2026",
    ],
)
def test_forms_that_tell_the_day(text: str) -> None:
    assert tells_the_day(text, MOMENT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "Thursday, January 1, 1970 00:00:00-UTC",
        "2026-10-26 21:05:09",  # tm_mon begins with 0
        "2026-10-26 11:05:09",  # … and an hour is no month
        "26 Oct 2026 21:05:09",
        "126-11-26 21:05:09",  # tm_year begins with 1900
        "2026-11-28",
        "20261026210509",
        "26-10-26 21:05:09 UTC",
        "2026-10-26T21:05:09Z",
        "Thu 2026-10-26 21:05:09",
        "Friday, November 26, 2026 21:05:09-UTC",  # tm_wday counts from Sunday, Python's weekday() from Monday
        "Wed 20261126 210509",
    ],
)
def test_texts_that_do_not(text: str) -> None:
    assert not tells_the_day(text, MOMENT)


def test_a_day_that_is_called_otherwise_elsewhere() -> None:
    """It is the first of January there while it is the last of December here."""
    moment = datetime(2026, 12, 31, 23, 30, tzinfo=UTC).timestamp()
    assert tells_the_day("Fri Jan  1 01:30:00 2027", moment)
    assert not tells_the_day("Fri Feb  1 01:30:00 2027", moment)


@pytest.mark.parametrize(
    ("text", "ahead"),
    [
        ("Thursday, November 26, 2026 21:05:09-UTC", 0),
        ("26.11.2026 22:05:11", 2),  # another hour is another zone
        ("Fri Nov 27 02:50:09 2026", 0),  # Nepal is 5:45 ahead
        ("2026-11-26T21:05:08.999", -1),
        ("9:05:09 PM", 0),
        ("21:12:40", 450 - 900 + 1),  # as near to the quarter before
        ("Thu Nov 26 2026, 21:05", None),
        ("20261126210509", None),
        ("61370 26-11-26", None),
    ],
)
def test_how_far_the_time_is_ahead(text: str, ahead: int | None) -> None:
    assert ahead_of_clock(text, MOMENT, MOMENT) == ahead


def test_a_text_of_any_moment_between_question_and_answer_is_right() -> None:
    """It may take a loaded machine some seconds to ask."""
    assert ahead_of_clock("21:05:09", MOMENT - 3, MOMENT + 4) == 0
    assert ahead_of_clock("21:05:05", MOMENT - 3, MOMENT + 4) == -1
    assert ahead_of_clock("21:05:15", MOMENT - 3, MOMENT + 4) == 2

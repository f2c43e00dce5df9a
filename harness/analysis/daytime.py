"""The daytime protocol (RFC 867): what a text in any form tells of a moment of our clock.

The form is free and the zone the server's own, so only that is looked for which nearly every form has: the numbers of
year and day, the month as a number or by its English name, an English name of the day of the week if there is one, and
hours, minutes and seconds with colons.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Final

_QUARTER: Final = 15 * 60  # seconds: zones differ by as many, or a multiple
_TIME: Final = re.compile(r"(?<![\d:])\d{1,2}:(\d\d)(?::(\d\d))?(?![\d:])")
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NO_MONTH: Final = {name[:3] for name in _WEEKDAYS} | {"am", "pm", "t", "z", "utc", "gmt", "nis"}


def tells_the_day(text: str, moment: float) -> bool:
    """Whether a text names the day of a moment (seconds since the epoch), as it is called in one zone or another."""
    today = datetime.fromtimestamp(moment, UTC)
    return any(_names(text, today + timedelta(days=days)) for days in (-1, 0, 1))


def ahead_of_clock(text: str, asked: float, told: float) -> float | None:
    """By how many seconds the time in a text, hh:mm:ss, is off, whatever its zone; None without such a time.

    It is right from the moment when it was asked for to that when it was told (seconds since the epoch): 0. Zones
    differ by quarters of an hour, so the nearest such difference counts: -450 to 450 s.
    """
    found = _TIME.search(text)
    if found is None or found[2] is None:
        return None
    seconds = int(found[1]) * 60 + int(found[2])
    behind, ahead = (_nearest(seconds - moment) for moment in (asked, told))
    return min(behind, 0.0) or max(ahead, 0.0)


def _nearest(seconds: float) -> float:
    return (seconds + _QUARTER / 2) % _QUARTER - _QUARTER / 2


def _names(text: str, day: datetime) -> bool:
    """Whether year, month and day are among the numbers of a text, apart or written as one, and no other weekday is."""
    rest = _TIME.sub(" ", text).lower()
    if _weekdays(rest) - {day.weekday()}:
        return False
    if any(number.startswith(f"{day:%Y%m%d}") for number in re.findall(r"\d+", rest)):
        return True
    words = {word[:3] for word in re.findall(r"[^\W\d_]+", rest)}
    if words.intersection(_MONTHS):
        month = [] if _MONTHS[day.month - 1] in words else [-1]
    else:  # a word that says nothing else may name it in another language
        month = [day.month] if words <= _NO_MONTH else []
    numbers = Counter(map(int, re.findall(r"\d+", rest)))
    return any(Counter([year, *month, day.day]) <= numbers for year in (day.year, day.year % 100))


def _weekdays(text: str) -> set[int]:
    """The days of the week that a text names in English, in full or by three letters and more; Monday is 0."""
    words = [word for word in re.findall(r"[^\W\d_]+", text) if len(word) >= 3]
    return {number for number, name in enumerate(_WEEKDAYS) for word in words if name.startswith(word)}

"""Where in a text of TOML something stands, for messages that name the line: tomllib tells no places. Pure."""

from __future__ import annotations

import re

_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")
_HEADER = re.compile(r"\s*\[\[?\s*(?P<key>[^\]\s]+)")


def syntax(error: str, text: str) -> str:
    """What tomllib says, with the line in front of it."""
    place = _PLACE.search(error)
    what = " ".join(error[: place.start()].split()) if place else error
    if place is None or place["line"] is None:
        return f"{text.count(chr(10)) + 1}: {what} at the end of the file"
    return f"{place['line']}: {what} at column {place['column']}"


def line_of(text: str, key: str, exchange: int | None) -> int:
    """The number of the line that sets `key` in this exchange (None: at the top); else that of its header, or 1.

    tomllib tells no places, so the text is searched: a key within a text of several lines may be taken for one.
    """
    setting = re.compile(rf"""\s*["']?{re.escape(key)}["']?\s*=""")
    within: int | None = None
    section = 1
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            if header["key"] == key and exchange is None:
                return number
            within = (-1 if within is None else within) + 1 if header["key"] == "exchange" else within
            if within == exchange and header["key"] == "exchange":
                section = number
        elif within == exchange and setting.match(line):
            return number
    return section

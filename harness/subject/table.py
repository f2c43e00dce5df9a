"""A table of a protocol's file: takes values out of it, each of the type that it must have. Pure.

What is wrong is one `Amiss`: the key, what was expected, and in which exchange; the reader of the file knows the line.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from harness.subject.answer import CONTENT, LENGTH, Exactly, Matching, marker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.subject.answer import Answer, Lengths

_TYPES = {str: "text", bool: "true or false", int: "an integer", float: "a number", list: "an array", dict: "a table"}
_NAME = re.compile(r"\{(\w+)\}")


class Amiss(Exception):  # noqa: N818 - what is wrong, before it is known where
    """One thing wrong: the key, what was expected, and in which exchange (counted from 0, None at the top)."""

    def __init__(self, key: str, what: str, exchange: int | None) -> None:
        self.key, self.what, self.exchange = key, what, exchange
        super().__init__(key, what, exchange)


class Table:
    """One table of the file."""

    def __init__(self, table: dict[str, Any], exchange: int | None) -> None:
        self._table = table
        self._exchange = exchange

    def __contains__(self, key: str) -> bool:
        return key in self._table

    def amiss(self, key: str, what: str) -> Amiss:
        """What is wrong with a key, to be raised."""
        return Amiss(key, what, self._exchange)

    def known(self, keys: tuple[str, ...]) -> None:
        """Claim that there are no other keys."""
        for key in self._table:
            if key not in keys:
                raise self.amiss(key, f"expected one of the keys {', '.join(keys)}")

    def only_where(self, condition: bool, keys: Iterable[str], what: str) -> None:
        """Claim that these keys are there only under a condition, which `what` says."""
        for key in keys:
            if key in self._table and not condition:
                raise self.amiss(key, f"expected only where {what}")

    def text(self, key: str) -> str:
        """Any text; empty where there is none."""
        value = self._table.get(key, "")
        if not isinstance(value, str):
            raise self.amiss(key, f"expected text in quotes, found {_shown(value)}")
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """Yes or no."""
        value = self._table.get(key, default)
        if not isinstance(value, bool):
            raise self.amiss(key, f"expected true or false, found {_shown(value)}")
        return value

    def word(self, key: str, words: tuple[str, ...], default: str | None = None) -> str:
        """One of some words."""
        value = self._table.get(key, default)
        if value not in words:
            found = "nothing" if value is None else _shown(value)
            raise self.amiss(key, f"expected {' or '.join(map(repr, words))}, found {found}")
        return str(value)

    def integer(self, key: str, what: str, allowed: range) -> int | None:
        """A whole number, one of those allowed, which `what` says; None where there is none."""
        value = self._table.get(key)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or value not in allowed:
            raise self.amiss(key, f"expected {what}, found {_number(value)}")
        return value

    def seconds(self, key: str, least: float) -> float | None:
        """A time, and no shorter than the least; None where there is none."""
        value = self._table.get(key)
        if value is None:
            return None
        if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value:
            raise self.amiss(key, f"expected seconds, {least:g} at least, found {_number(value)}")
        return float(value)

    def octets(self, key: str, names: Iterable[str], *, empty: bool, needed: bool = True) -> bytes:
        """Text or hexadecimal digits, in which some names may stand in braces."""
        found = self._one_of(key, f"{key}-hex")
        if found is None and needed:
            raise self.amiss(key, f"expected {key} or {key}-hex, found neither")
        if found is None:
            return b""
        octets = self._hex(found, names) if found != key else self.text(found).encode()
        if not octets and not empty:
            raise self.amiss(found, "expected at least one octet")
        return octets

    def answer(
        self, key: str, names: Iterable[str], lengths: Lengths | None, *, needed: bool, empty: bool
    ) -> Answer | None:
        """Text, hexadecimal digits or a regular expression; None where there is none and none is needed."""
        regex = f"{key}-regex"
        found = self._one_of(key, f"{key}-hex", regex)
        if found is None and needed:
            raise self.amiss(key, f"expected {key}, {key}-hex or {regex}, found none of them")
        if found is None:
            return None
        if found == regex:
            return self.regex(regex, lengths)
        answer = Exactly(self.octets(key, names, empty=empty))
        unfilled = any(marker(name) in answer.octets for name in names)
        if lengths is not None and not unfilled and not lengths.whole(answer.octets):
            end = lengths.end(answer.octets, 0)
            told = "and no length yet" if end is None else f"{end} by its first length"
            raise self.amiss(
                found, f"expected as many octets as its length says: there are {len(answer.octets)}, {told}"
            )
        return answer

    def regex(self, key: str, lengths: Lengths | None) -> Matching:
        """A regular expression over octets."""
        try:
            regex = re.compile(self.text(key).encode())
        except re.error as error:
            raise self.amiss(key, f"expected a regular expression: {error}") from None
        if regex.fullmatch(b""):
            raise self.amiss(key, "expected a regular expression that nothing at all does not match")
        if (LENGTH in regex.groupindex) != (CONTENT in regex.groupindex):
            there, missing = (LENGTH, CONTENT) if LENGTH in regex.groupindex else (CONTENT, LENGTH)
            raise self.amiss(key, f"expected the group (?P<{missing}>…) too, which belongs to (?P<{there}>…)")
        return Matching(regex, lengths)

    def written(self, key: str) -> str:
        """Which form of a key is there: `expect-hex` for `expect`; the key itself where none is."""
        return next((form for form in (key, f"{key}-hex", f"{key}-regex") if form in self._table), key)

    def _one_of(self, *keys: str) -> str | None:
        found = [key for key in keys if key in self._table]
        if len(found) > 1:
            raise self.amiss(found[1], f"expected one of {' and '.join(found)}, found both")
        return found[0] if found else None

    def _hex(self, key: str, names: Iterable[str]) -> bytes:
        value = self.text(key)
        octets = b""
        for number, piece in enumerate(_NAME.split(value)):
            if number % 2:
                if piece not in names:
                    known = ", ".join(f"{{{name}}}" for name in names)
                    raise self.amiss(key, f"expected digits or one of {known}, found {{{piece}}}")
                octets += marker(piece)
                continue
            try:
                octets += bytes.fromhex(piece)
            except ValueError:
                raise self.amiss(key, f"expected pairs of hexadecimal digits, found {_shown(piece)}") from None
        return octets


def _shown(value: Any) -> str:
    """A value as it is named in a message, on one line."""
    return repr(value) if isinstance(value, str) else _TYPES.get(type(value), type(value).__name__)


def _number(value: Any) -> str:
    """A value in the place of a number."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else _shown(value)

"""Characters that a report may not carry, made visible.

What a subject printed may hold control characters: in a terminal they would move the cursor or change its title, in XML
they are forbidden (XML 1.0, 2.2), and marks that turn the direction of writing make any text show as another.
"""

from __future__ import annotations

import re

_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and line feed, DEL, C1
    "\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff"  # marks of direction, and what shows as nothing
    "\ud800-\udfff\ufffe\uffff]"  # no characters at all
)


def visible(text: str) -> str:
    r"""The text with each such character as its escape (`\x1b`, `\u202e`); tabs and line feeds stay."""
    return _HIDDEN.sub(lambda found: _escape(found.group()), text)


def one_line(text: str) -> str:
    """The text on one line: line feeds and tabs are escaped too."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def _escape(character: str) -> str:
    code = ord(character)
    return {0x0D: "\\r"}.get(code, f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")

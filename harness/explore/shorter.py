"""Makes a failing sequence shorter by leaving parts of it out. Pure.

hypothesis shortens what it has drawn itself. It knows nothing of the sequences before on the same server, where a
failure has a history, and nothing of how a sequence ends; that is done here, by halves, quarters and so on, as delta
debugging does (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", 2002).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Item = TypeVar("Item")


def fewest_kinds(items: tuple[Item, ...], fails: Callable[[tuple[Item, ...]], bool]) -> tuple[Item, ...]:
    """As `fewest`, but first all items of a type are left out at once: a history may need all who came, and no more."""
    for kind in dict.fromkeys(type(item) for item in items):
        rest = tuple(item for item in items if type(item) is not kind)
        if len(rest) < len(items) and fails(rest):
            items = rest
    return fewest(items, fails)


def fewest(items: tuple[Item, ...], fails: Callable[[tuple[Item, ...]], bool]) -> tuple[Item, ...]:
    """A part of the items, in their order, that fails as they do, and of which none can be left out."""
    size = len(items)
    while size:
        start = 0
        while start < len(items):
            rest = items[:start] + items[start + size :]
            if fails(rest):
                items = rest
            else:
                start += size
        size = min(size, len(items) + 1) // 2
    return items

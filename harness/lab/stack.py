"""Wrong stacks: the kernel of the subject, made wrong by a rule on its link or by a setting of its namespace.

No kernel can be exchanged for a mutant. But what one sends and hears passes the link, and a rule there makes of it what
a wrong kernel would send, or keeps from it what a wrong kernel would not heed. `fixtures/mutants/stacks/` has the rules
and the settings; here they are read.
"""

from __future__ import annotations

import functools
import importlib.machinery
import importlib.util
import sys
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from harness import bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# From a frame, and whether the probe sent it, to the frames that pass; each with whether it goes the probe's way.
Rule: TypeAlias = "Callable[[bytes, bool], list[tuple[bytes, bool]]]"


@dataclass(frozen=True)
class Stack:
    """What makes one stack wrong."""

    rule: Rule | None = None  # fresh: it remembers what it has seen
    settings: Mapping[str, str] = field(default_factory=dict)  # sysctls of the far namespace


RIGHT = Stack()


def stack(name: str) -> Stack:
    """The stack of this name, for one test; the right one if none of ours has it."""
    settings = _table().get(name, {}).get("settings", {})
    if not settings and name not in rules():
        return RIGHT
    return Stack(None if settings else _frame().made(name), settings)


def rules() -> tuple[str, ...]:
    """The names of the stacks that have a rule."""
    return tuple(_frame().RULES)


@functools.cache
def _table() -> dict[str, Any]:
    return tomllib.loads((bundle.root() / "fixtures" / "mutants" / "stacks" / "stacks.toml").read_text("utf-8"))


@functools.cache
def _frame() -> Any:
    """The module `frame`, in which every rule is registered; they are a package whose folder is not on the path."""
    folder = bundle.root() / "fixtures" / "mutants" / "stacks"
    spec = importlib.machinery.ModuleSpec("wrong_stacks", None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    for file in sorted(folder.glob("*.py")):
        importlib.import_module(f"{spec.name}.{file.stem}")
    return sys.modules[f"{spec.name}.frame"]

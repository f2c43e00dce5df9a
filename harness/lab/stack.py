"""Wrong stacks: the kernel of the subject, made wrong by a rule on its link or by a setting of its namespace.

No kernel can be exchanged for a mutant. But what one sends and hears passes the link, and a rule there makes of it what
a wrong kernel would send, or keeps from it what a wrong kernel would not heed. `fixtures/mutants/stacks/` has the rules
and the settings; here they are read.
"""

from __future__ import annotations

import functools
import importlib.util
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from harness import bundle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Rule: TypeAlias = "Callable[[bytes, bool], list[bytes]]"  # from a frame, and whether it was sent, to those that pass


@dataclass(frozen=True)
class Stack:
    """What makes one stack wrong."""

    rule: Rule | None = None  # fresh: it remembers what it has seen
    settings: Mapping[str, str] = field(default_factory=dict)  # sysctls of the far namespace


RIGHT = Stack()


def stack(name: str) -> Stack:
    """The stack of this name, for one test; the right one if none of ours has it."""
    entry = _table().get(name)
    if entry is None:
        return RIGHT
    settings = entry.get("settings", {})
    return Stack(None if settings else _rules().made(name), settings)


@functools.cache
def _table() -> dict[str, Any]:
    return tomllib.loads((bundle.root() / "fixtures" / "mutants" / "stacks" / "stacks.toml").read_text("utf-8"))


@functools.cache
def _rules() -> Any:
    spec = importlib.util.spec_from_file_location("wrong_stacks", bundle.root() / "fixtures/mutants/stacks/wrong.py")
    if spec is None or spec.loader is None:
        raise ImportError("fixtures/mutants/stacks/wrong.py cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

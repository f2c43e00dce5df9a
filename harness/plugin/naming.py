"""The stable names of tests: words, never positions, and free of where the files lie."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.subject.readiness import Ready

_PREFIX = re.compile(r"^(test|check)_")


def stable_id(nodeid: str) -> str:
    """`suites/tcp/test_closing.py::test_x[v6]` is `tcp/closing::x[v6]`."""
    path, _, name = nodeid.partition("::")
    words = path.replace("\\", "/").removesuffix(".py").split("/")
    if "suites" in words:
        words = words[words.index("suites") + 1 :]
    words[-1] = _PREFIX.sub("", words[-1])
    return f"{'/'.join(words)}::{_PREFIX.sub('', name)}"


def group_of(test: str) -> str:
    """`tcp/closing::x[v6]` belongs to `tcp/closing`."""
    return test.partition("::")[0]


def again(
    test: str,
    nodeid: str,
    serve: str,
    address: str,
    profile: str,
    command: str = "check",
    link: str = "",
    ready: Ready | None = None,
) -> str:
    """The command that shows one test again."""
    name, _, variant = nodeid.partition("::")[2].partition("[")
    # pytest's -k knows no quotes: an id with spaces is named by its words, but for those that mean something there.
    parts = (name, *variant.rstrip("]").split("-", 1))
    words = [word for part in parts for word in part.split() if word not in {"and", "or", "not"}]
    whom = f"--serve {_quoted(serve)} " if serve else f"{address} " if address else ""
    named = f"--profile {profile} " if profile else ""
    link = f"{link} " if link else ""
    if ready is not None:
        whom += "".join(f"{option} {_quoted(value)} " for option, value in ready.options.items())
    return f"sockspec {command} {whom}{named}{link}-k {_quoted(' and '.join(words))}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"

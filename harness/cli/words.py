"""How a command is offered: every one has a description and examples that can be copied."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    *,
    brief: str,
    description: str = "",
    examples: Sequence[str],
) -> argparse.ArgumentParser:
    """The parser of a command: `brief` stands in the list of commands, the rest in its own help."""
    return commands.add_parser(
        name,
        help=brief,
        description=description or f"{brief[0].upper()}{brief[1:]}.",
        epilog="\n".join(["examples:", *(f"  {example}" for example in examples)]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )

"""One requirement as a person reads it: what it demands, where that is written, how it is probed, who proves it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from harness.spec.catalogue import HOUSE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from harness.spec.catalogue import Requirement

WIDTH = 100
_MARGIN = 11  # the widest label and a space


def explain(requirement: Requirement, tests: Iterable[str] = (), mutants: Iterable[str] = ()) -> str:
    """The requirement in full, with the ids of the `tests` that cover it and the `mutants` that break it."""
    lines = [f"{requirement.id}  {requirement.strength}", requirement.title, ""]
    lines += textwrap.wrap(requirement.summary, WIDTH)
    lines.append("")
    lines += _labelled("written", *_places(requirement))
    lines += _labelled("seen", _sight(requirement))
    lines += _labelled("probed", requirement.probe)
    if requirement.note:
        lines += _labelled("note", requirement.note)
    lines += _labelled("tests", *(sorted(tests) or [requirement.untested or "none"]))
    lines += _labelled("mutants", *(sorted(mutants) or ["none"]))
    return "\n".join(lines)


def _places(requirement: Requirement) -> Iterator[str]:
    document = str(requirement.document)
    if requirement.section == HOUSE:
        yield f"not in {document}: our reading of it"
    else:
        yield f"{document}, {'section ' if requirement.section[0].isdigit() else ''}{requirement.section}"
    if requirement.url:
        yield requirement.url


def _sight(requirement: Requirement) -> str:
    if not requirement.is_observable:
        return f"not observable: {requirement.reason}"
    where = {"wire": "on the wire", "api": "at the socket", "both": "on the wire and at the socket"}
    needs = f"; needs {', '.join(requirement.needs)}" if requirement.needs else ""
    return f"{where[requirement.observable]}, from {' or '.join(requirement.vantage)}{needs}"


def _labelled(label: str, *paragraphs: str) -> list[str]:
    # Ids and addresses are left whole: somebody will copy them.
    lines = [
        line
        for paragraph in paragraphs
        for line in textwrap.wrap(paragraph, WIDTH - _MARGIN, break_long_words=False, break_on_hyphens=False)
    ]
    return [f"{'' if number else label:{_MARGIN}}{line}" for number, line in enumerate(lines)]

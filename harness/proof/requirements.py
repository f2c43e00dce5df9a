"""The requirement × test matrix of a run: how correct subjects stand, and which mutants prove the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.proof.kills import kill_matrix
from harness.report import matrix

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.proof.mutants import Mutant
    from harness.record.result import Result
    from harness.spec.catalogue import Catalogue


def requirement_matrix(catalogue: Catalogue, rows: Iterable[Result], mutants: Sequence[Mutant]) -> str:
    """The matrix as text; rows of mutants prove tests, and say nothing of how a requirement stands."""
    rows = tuple(rows)
    wrong = {mutant.name for mutant in mutants}
    kills = kill_matrix(rows, mutants)
    standings, unknown = matrix.standings(catalogue, [row for row in rows if row.subject not in wrong])
    broken = {mutant.breaks for mutant in mutants}
    return matrix.render(standings, {name: kills.proof_of(name) for name in broken}, unknown)

"""The requirement × test matrix of a run with mutants in it."""

from __future__ import annotations

from harness.proof.requirements import requirement_matrix
from harness.spec.catalogue import build
from harness.tests.proof.rows import CLOSES, MUTANTS, OCTETS, whole
from harness.tests.spec.tables import files, table

MATRIX = """\
3 requirements
                         MUST  documented      SHOULD         MAY
  passed                    2           0           0           0
  missed                    0           0           0           0
  known deviation           0           0           0           0
  open                      0           0           0           0
  untested                  0           0           0           0
  not observable            1           0           0           0

cited, but not in the catalogue:
  rfc9293:SHLD-3

RFC 862, Echo Protocol (May 1983)
rfc862: 3 MUST: 2 passed, 0 missed, 1 not observable
  rfc862:tcp/octets-unchanged  MUST        passed
      pass            echo::comes_back
      proved by       echo_upper
  rfc862:tcp/closes            MUST        passed
      pass            echo::closes
  rfc862:tcp/inside            MUST        not observable   it is inside
"""


def test_the_matrix_whole() -> None:
    """What mutants miss says nothing of how a requirement stands; who rejects them proves the tests."""
    inside = table(id="rfc862:tcp/inside", observable="not-observable", observable_reason="it is inside")
    catalogue = build(files(table(id=OCTETS), table(id=CLOSES), inside))

    assert requirement_matrix(catalogue, whole(), MUTANTS) == MATRIX

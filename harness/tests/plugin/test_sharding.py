"""`--shard K/N`: the parts together are the whole, and each says in its record which part it is."""

from __future__ import annotations

import pytest

from harness.gate.shards import join
from harness.report.model import Exit, Run
from harness.tests.plugin.sandbox import Ran, Sandbox

_SUITE = """
    @pytest.mark.parametrize("number", range(6))
    def test_holds(number):
        pass

    def test_fails():
        assert False, "in whichever shard it is"
"""


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Ran]:
    """The same suite in two parts, one of them on workers."""
    made = []
    for number, workers in ((1, ()), (2, ("-n", "2"))):
        sandbox = Sandbox(tmp_path_factory.mktemp("shard"))
        sandbox.suite(_SUITE)
        made.append(sandbox.pytest(f"--shard={number}/2", "-k", "holds or fails", *workers))
    return made


def test_every_test_is_in_one_part(shards: list[Ran]) -> None:
    one, two = ([row.test for row in ran.record.results] for ran in shards)
    assert one
    assert two
    assert sorted(one + two) == ["sample::fails", *(f"sample::holds[{number}]" for number in range(6))]


def test_a_part_says_which_it_is(shards: list[Ran]) -> None:
    facts = [ran.record.facts for ran in shards]
    assert [one.shard for one in facts] == ["1/2", "2/2"]
    assert [dict(one.selection) for one in facts] == [{"-k": "holds or fails"}] * 2
    assert facts[0].suite == facts[1].suite != ""


def test_the_parts_join(shards: list[Ran]) -> None:
    joined = join([ran.record for ran in shards], shards[0].folder)
    run = Run.of(joined.record)
    assert (len(run.rows), run.lost, run.exit) == (7, (), Exit.MISSED)
    assert [row.test for row in run.rows] == [*(f"sample::holds[{number}]" for number in range(6)), "sample::fails"]


def test_a_row_knows_its_line(shards: list[Ran]) -> None:
    lines = {row.test.partition("[")[0]: row.line for ran in shards for row in ran.record.results}
    assert lines == {"sample::holds": 4, "sample::fails": 8}


def test_what_is_no_shard_is_a_usage_error(sandbox: Sandbox) -> None:
    sandbox.suite(_SUITE)
    ran = sandbox.check("--shard", "3/2")
    assert (ran.code, ran.out) == (Exit.USAGE, "")
    assert ran.err.strip() == "ERROR: --shard '3/2' is no shard; write 2/5 for the second of five (at most 1000)"
    assert not ran.folder.exists()

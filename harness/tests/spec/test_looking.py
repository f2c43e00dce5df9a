"""What is to be seen on the wire is looked for there: by one test of each such requirement at least."""

from __future__ import annotations

import textwrap

import pytest

from harness import bundle
from harness.spec.catalogue import load
from harness.spec.looking import Blind, blind, looks_of

SUITE = """
    def largest(peer):
        return max(len(step.data) for step in peer.flow().pick(got.data()))

    def read(runtime):
        return runtime.tcp().getsockopt(6, 9)

    {test}
"""


def looks(test: str) -> dict[str, bool]:
    source = textwrap.dedent(SUITE).format(test=textwrap.dedent(test))
    return {requirement: seen for _, requirement, seen in looks_of(source, "suites/x.py")}


def test_no_requirement_of_the_wire_is_only_read_back() -> None:
    """Mend the test, or correct `observable` in the entry where the requirement shows elsewhere, too."""
    assert [str(one) for one in blind(load(), bundle.root())] == []


def test_a_blind_requirement_is_named_with_its_tests() -> None:
    assert str(Blind("linux:opt/x", ("suites/api/test_options.py::test_x",))) == (
        "linux:opt/x is observed on the wire, but no test of it looks there: suites/api/test_options.py::test_x"
    )


READS_BACK = """
    @covers("a:1", "b:2")
    def test_both(runtime, probe, wire):
        wire.flow(client).expect(got.SYN & got.segment(mss=500))
        with requires("b:2"):
            assert runtime.getsockopt(6, 10) == 4096
"""
BY_A_NAME = """
    @covers("a:1")
    def test_it(runtime, wire):
        flow = wire.flow(client)
        last = flow.steps[-1]
        for step in flow.steps:
            pass
        with requires("a:1"):
            assert last.window <= 4096
"""
BY_A_FUNCTION = """
    @covers("a:1")
    def test_it(serve, raw):
        assert largest(raw.connect(serve())) == 1000
"""
IN_ANY_BLOCK = """
    @covers("a:1", "b:2")
    def test_it(serve, raw, wire, fault):
        with requires(REQUIREMENT[fault]):
            wire.flow(end).expect_no(got.icmp())
"""
WITHOUT_A_WIRE = """
    @covers("a:1")
    def test_it(runtime, probe):
        client.expect(b"answer")
        assert read(runtime) == 1
"""
A_CLIENT_ALONE = """
    @covers("a:1")
    def test_it(runtime, probe, wire):
        client.expect(b"answer")
"""
A_FAULT_ALONE = """
    @covers("a:1")
    def test_it(subject, probe, link, wire):
        with link.drop(got.FIN, times=1):
            client.expect_back(b"answer")
"""


@pytest.mark.parametrize(
    ("test", "seen"),
    [
        pytest.param(READS_BACK, {"a:1": True, "b:2": False}, id="another one's claim"),
        pytest.param(BY_A_NAME, {"a:1": True}, id="by a name"),
        pytest.param(BY_A_FUNCTION, {"a:1": True}, id="by a function"),
        pytest.param(IN_ANY_BLOCK, {"a:1": True, "b:2": True}, id="in a block of any"),
        pytest.param(WITHOUT_A_WIRE, {"a:1": False}, id="without a wire"),
        pytest.param(A_CLIENT_ALONE, {"a:1": False}, id="a client's octets"),
        pytest.param(A_FAULT_ALONE, {"a:1": False}, id="a fault on the link"),
    ],
)
def test_where_a_test_looks(test: str, seen: dict[str, bool]) -> None:
    assert looks(test) == seen

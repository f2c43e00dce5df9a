"""Who is put to which variants of a test in a proof, seen in what is collected."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from harness.subject import foreign

if TYPE_CHECKING:
    from harness.tests.plugin.sandbox import Sandbox

SUITE = '''
    PROFILES = ("echo",)

    @covers("rfc862:tcp/closes-after-client-fin")
    @pytest.mark.parametrize("how", ["one", "two"])
    def check_of_a_server(subject, how):
        """Judges a server."""

    @pytest.mark.parametrize("how", ["one", "two"])
    def test_of_the_kernel(runtime, how):
        """Judges the kernel."""
'''


def variants(sandbox: Sandbox, *words: str) -> dict[str, set[str]]:
    """The variants to which each program is put, by its name; the kernel's is "right"."""
    sandbox.suite(SUITE)
    out = sandbox.pytest("--collect-only", "--mutants", "--foreign", "--family=v4", *words).out
    found: dict[str, set[str]] = {}
    for one, name, other in re.findall(r"::\w+\[v4-(one|two)?-?(\w+?)(?:-(one|two))?\]", out):
        found.setdefault(name, set()).add(one or other)
    return found


@pytest.mark.parametrize(
    ("name", "put_to"),
    [
        ("echo_asyncio", {"one"}),
        ("right", {"one"}),
        ("echo_never_closes", {"one", "two"}),
    ],
    ids=["ours", "the kernel", "a mutant"],
)
def test_a_proof_asks_ours_one_variant(sandbox: Sandbox, name: str, put_to: set[str]) -> None:
    """`make test` asks the others, of the kernel and of our servers."""
    assert variants(sandbox)[name] == put_to


def test_servers_by_others_divide_the_variants_among_them(sandbox: Sandbox) -> None:
    """Each is put to one of two, and each of the two to one of them at least."""
    at_hand = {name for name, one in foreign.programs().items() if one.profile == "echo" and not one.absent}

    found = {name: put_to for name, put_to in variants(sandbox).items() if name in at_hand}

    assert found.keys() == at_hand
    assert {len(put_to) for put_to in found.values()} == {1 if len(at_hand) > 1 else 2}
    assert set().union(*found.values()) == {"one", "two"}


def test_a_wide_proof_asks_all(sandbox: Sandbox) -> None:
    """Of a mutant that breaks something else it asks one."""
    found = variants(sandbox, "--wide")

    names = ("echo_asyncio", "node_echo", "right", "echo_never_closes", "echo_chomps")
    assert {name: found[name] for name in names} == {
        "echo_asyncio": {"one", "two"},
        "node_echo": {"one", "two"},
        "right": {"one", "two"},
        "echo_never_closes": {"one", "two"},
        "echo_chomps": {"one"},
    }


def test_each_repetition_asks_the_same(sandbox: Sandbox) -> None:
    """What was put to the first one is put to all of them."""
    sandbox.suite(SUITE)

    out = sandbox.pytest("--collect-only", "--mutants", "--foreign", "--family=v4", "--repeat=2").out

    assert re.findall(r"::check_\w+\[(v4-echo_asyncio-.*)\]", out) == [
        "v4-echo_asyncio-one-r1",
        "v4-echo_asyncio-one-r2",
    ]

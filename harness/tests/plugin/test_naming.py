"""Stable names: words that stay when files move, and the command that shows a test again."""

from __future__ import annotations

import shlex

import pytest

from harness.plugin import naming


@pytest.mark.parametrize(
    ("nodeid", "stable"),
    [
        ("suites/tcp/test_closing.py::test_x[v6]", "tcp/closing::x[v6]"),
        ("suites/services/test_echo.py::check_closes[v4-echo_asyncio]", "services/echo::closes[v4-echo_asyncio]"),
        ("test_alone.py::test_x", "alone::x"),
        ("suites/test_top.py::test_x", "top::x"),
        ("../somewhere/suites/udp/test_datagrams.py::test_x", "udp/datagrams::x"),
        ("harness/_bundle/suites/udp/test_datagrams.py::test_x", "udp/datagrams::x"),
        ("suites\\tcp\\test_closing.py::test_x", "tcp/closing::x"),
        ("suites/tcp/test_closing.py::test_test_check_x", "tcp/closing::test_check_x"),
        ("suites/tcp/test_closing.py::test_x[v4-a::b]", "tcp/closing::x[v4-a::b]"),
        ("suites/tcp/closing_test.py::test_x", "tcp/closing_test::x"),
    ],
)
def test_stable_id(nodeid: str, stable: str) -> None:
    assert naming.stable_id(nodeid) == stable


def test_a_checkout_and_a_wheel_give_the_same_id() -> None:
    places = ("suites", "harness/_bundle/suites", "../../lib/harness/_bundle/suites")
    assert {naming.stable_id(f"{place}/tcp/test_closing.py::test_x[v4]") for place in places} == {"tcp/closing::x[v4]"}


def test_group() -> None:
    assert naming.group_of("tcp/closing::x[v4-a::b]") == "tcp/closing"


@pytest.mark.parametrize(
    ("serve", "address", "profile", "words"),
    [
        ("", "", "", ["-k", "test_x and v4 and echo_asyncio"]),
        (
            "./s {port}",
            "",
            "echo",
            ["--serve", "./s {port}", "--profile", "echo", "-k", "test_x and v4 and echo_asyncio"],
        ),
        ("", "tcp://[::1]:7", "echo", ["tcp://[::1]:7", "--profile", "echo", "-k", "test_x and v4 and echo_asyncio"]),
    ],
)
def test_again_names_the_subject_and_the_test(serve: str, address: str, profile: str, words: list[str]) -> None:
    nodeid = "suites/tcp/test_closing.py::test_x[v4-echo_asyncio]"
    again = naming.again("tcp/closing::x[v4-echo_asyncio]", nodeid, serve, address, profile)
    assert shlex.split(again) == ["sockspec", "check", *words]


def test_again_quotes_a_command_as_a_shell_needs_it() -> None:
    serve = """sh -c 'echo "it'"'"'s"' {port}"""
    again = naming.again("a::x", "suites/test_a.py::test_x", serve, "", "echo")
    assert shlex.split(again)[3] == serve


def test_again_without_a_variant() -> None:
    assert naming.again("a::x", "suites/test_a.py::test_x", "", "", "") == "sockspec check -k 'test_x'"

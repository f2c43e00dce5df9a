"""The facts of a machine, and how two machines differ."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from harness.record.environment import SYSCTLS, differences, facts, flat

if TYPE_CHECKING:
    from pathlib import Path


def test_this_machine_has_facts() -> None:
    """What is recorded is JSON, and names versions, processors and the kernel."""
    found = facts()

    assert json.loads(json.dumps(found)) == found
    assert found["cpus"] >= 1
    assert len(found["load"]) == 3
    assert {"pytest", "scapy", "jinja2"} <= found["packages"].keys()
    assert re.match(r"CPython 3\.\d+\.\d+", found["python"])


def test_sysctls_are_read_where_they_are_readable(tmp_path: Path) -> None:
    """One that is missing is left out, and blanks within become one."""
    (tmp_path / "net/ipv4").mkdir(parents=True)
    (tmp_path / "net/ipv4/tcp_rmem").write_text("4096\t131072\t6291456\n")

    assert facts(proc_sys=tmp_path)["sysctls"] == {"net.ipv4.tcp_rmem": "4096 131072 6291456"}
    assert "net.ipv4.tcp_rmem" in SYSCTLS


def test_facts_are_told_a_line_each() -> None:
    """Nested facts get a dotted name, lists and yes or no are words."""
    assert flat({"root": False, "load": [0.5, 1], "packages": {"scapy": "2.8"}, "cpus": 2}) == {
        "root": "no",
        "load": "0.5 1",
        "packages.scapy": "2.8",
        "cpus": "2",
    }


def test_differences_name_what_changed_and_pass_over_the_load() -> None:
    """Two machines are told apart by what may change an answer; the load is never the same."""
    one = {"load": [1], "cpus": 2, "sysctls": {"a": "1", "b": "2"}}
    other = {"load": [9], "cpus": 2, "sysctls": {"a": "1", "b": "3"}, "root": True}

    assert differences(one, other) == {"sysctls.b": ("2", "3"), "root": ("", "yes")}
    assert differences(one, one) == {}
    assert "load" in differences(one, other, ignore=())

"""`--link`: a profile under every test, what it is not laid under, and how often it acted, told everywhere."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest

from harness.capture import pcapng
from harness.record import faults
from harness.report.model import Exit

if TYPE_CHECKING:
    from harness.tests.plugin.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("lab_process")

SUITE = """
    PROFILES = ("echo",)

    @covers("rfc862:tcp/octets-unchanged")
    def check_comes_back(subject, probe):
        probe.connect(subject).expect_back(octets(30_000))

    @exact
    @covers("rfc862:tcp/octets-unchanged")
    def check_every_segment(subject, probe, wire):
        raise AssertionError("never asked")

    @covers("rfc862:tcp/octets-unchanged")
    def check_faults(subject, probe, link):
        raise AssertionError("never asked")

    @covers("rfc9293:MUST-8")
    def check_as_a_raw_peer(subject, raw):
        raise AssertionError("never asked")
"""

LINK = """
[bad]
purpose = "Every fourth frame of the subject's comes twice."
rules = [{ fate = "duplicate", of = "subject", chance = 0.25 }]
"""


def test_a_profile_is_laid_under_a_test_and_told(sandbox: Sandbox) -> None:
    sandbox.suite(SUITE)
    (sandbox.root / "mine.toml").write_text(LINK)

    ran = sandbox.check(
        "--profile=echo", "--link=mine.toml", "--link-seed=5", "-k", "comes_back and echo_blocking and v4"
    )

    (row,) = ran.record.results
    rule = "what the subject sends passes twice with a chance of 0.25"
    assert ran.code == Exit.HOLDS, ran.out + ran.err
    assert row.relay is not None
    assert list(row.relay) == [rule]
    assert row.relay[rule] > 0
    assert "--link mine.toml --link-seed 5 -k" in row.again
    assert f"link    bad (seed 5): it acted on {row.relay[rule]} frames of 1 test" in ran.out
    assert json.loads((ran.folder / "run.json").read_text())["link"] == {
        "name": "bad",
        "purpose": "Every fourth frame of the subject's comes twice.",
        "seed": 5,
        "rules": [rule],
    }
    told = {one.get("name"): one.get("value") for one in ET.parse(ran.folder / "junit.xml").iter("property")}
    assert (told["link"], told["link-seed"], told["relay"]) == ("bad", "5", f"{rule}: {row.relay[rule]}")
    assert "link profile bad (seed 5)" in (ran.folder / "index.html").read_text()


def test_the_evidence_has_the_log_and_both_ends(sandbox: Sandbox) -> None:
    sandbox.suite(SUITE)
    (sandbox.root / "mine.toml").write_text(LINK)

    ran = sandbox.check("--profile=echo", "--link=mine.toml", "-k", "comes_back and echo_blocking and v6")

    (row,) = ran.record.results
    folder = ran.folder / row.evidence
    capture = pcapng.read((folder / "wire.pcapng").read_bytes())
    acts = faults.read((folder / "faults.jsonl").read_bytes(), capture.frames)
    assert {frame.far for frame in capture.frames} == {True, False}
    assert row.relay is not None
    assert len(acts) == sum(row.relay.values()) > 0
    assert all(act.fate.done == "doubled" and not act.sent for act in acts)
    assert "what the relay did, frame by frame:" in (folder / "segments.txt").read_text()
    assert sum("relay: doubled" in text for text in capture.comments.values()) == len(acts)


def test_what_means_nothing_there_is_not_applicable(sandbox: Sandbox) -> None:
    sandbox.suite(SUITE)

    ran = sandbox.check("--profile=echo", "--link=lossy", "-k", "echo_blocking and v4 and not comes_back")

    reasons = {row.test.partition("::")[2].partition("[")[0]: row.reason for row in ran.record.results}
    assert ran.code == Exit.NOTHING
    assert reasons["every_segment"].startswith("claims which segments came, and which did not: on the link 'lossy'")
    assert reasons["faults"].startswith("makes faults of its own on the link")
    assert reasons["as_a_raw_peer"].startswith("needs a link that loses nothing")


def test_what_is_only_late_may_be_sent_again(sandbox: Sandbox) -> None:
    """A busy machine lets a timer run out before the ACK that is late has come."""
    sandbox.suite(SUITE)

    ran = sandbox.check("--profile=echo", "--link=lan", "-k", "echo_blocking and v4 and every_segment")

    (row,) = ran.record.results
    assert row.reason.startswith("claims which segments came, and which did not: on the link 'lan'")

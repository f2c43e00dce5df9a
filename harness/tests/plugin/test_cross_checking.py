"""A verdict does not rest on our decoder alone: a mistake that is planted there becomes an error, with both readings.

The mistakes are planted in a suite, which puts a wrong function of its own in the place of the decoder's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.capture import pcapng
from harness.plugin.cross_checking import CITED_MOST, cited
from harness.verdict import Finding, Verdict

if TYPE_CHECKING:
    from harness.tests.plugin.sandbox import Ran, Sandbox

SUITE = """
    from harness.wire import decode as decoder
    from harness.wire.segment import Flags

    right = decoder._segment

    def wrong(*frame):
        segment = right(*frame)
        return segment._replace({mistake})

    if "{mistake}":
        decoder._segment = wrong

    @covers("rfc9293:SHLD-3")
    def test_claims(serve, probe, wire):
        subject = serve()
        client = probe.connect(subject)
        subject.tell("accept")
        client.send_all(b"never read")
        wire.wait_for(client, got.acked(10))
        subject.tell("close")
        client.expect_end(Ending.RESET)
        {claim}
"""
NOTHING = "pass"
RESET = "wire.flow(client).expect(got.RST)"
NO_RESET = "wire.flow(client).expect_no(got.RST)"
NO_RST_FLAG = "flags=Flags(segment.flags & ~4)"  # 4 is RST
WINDOW = "window=segment.window + 1"


def ran(sandbox: Sandbox, claim: str, mistake: str = "", *words: str) -> Ran:
    sandbox.suite(SUITE.format(claim=claim, mistake=mistake))
    return sandbox.pytest("--family=v4", *words)


def test_a_right_claim_of_a_wrong_decoder_is_an_error(sandbox: Sandbox) -> None:
    """Our decoder misses RST, so the claim fails: it is we who are at fault, and both readings are in the evidence."""
    done = ran(sandbox, RESET, NO_RST_FLAG)

    (row,) = done.record.results
    (finding,) = row.findings
    assert (row.verdict, finding.verdict, finding.requirement) == (Verdict.ERROR, Verdict.ERROR, "")
    assert finding.expected == "our decoder and scapy read each frame alike"
    assert "flags is ACK by our decoder, RST ACK by scapy" in finding.actual
    text = (done.folder / row.evidence / "finding.txt").read_text()
    assert "  > flags               ACK" in text
    assert "what the test concluded, which counts for nothing:\nno got RST" in text
    capture = pcapng.read((done.folder / row.evidence / "wire.pcapng").read_bytes())
    assert "our decoder and scapy differ in flags" in capture.comments.values()
    assert done.code == 3, "the harness broke"


@pytest.mark.parametrize(("mistake", "verdict"), [("", "deviation"), (WINDOW, "error")], ids=["right", "wrong"])
def test_the_frames_that_a_finding_cites_are_read_twice(sandbox: Sandbox, mistake: str, verdict: str) -> None:
    """A missed SHOULD stays one where both read the same; where they don't, it is none, though the claim is of RST."""
    assert ran(sandbox, NO_RESET, mistake).verdicts == {"claims[v4]": verdict}


@pytest.mark.parametrize(
    ("mistake", "words", "verdict"),
    [
        pytest.param(WINDOW, (), "pass", id="not asked"),
        pytest.param(WINDOW, ("--cross-check",), "error", id="all"),
        pytest.param(WINDOW, ("--cross-check-sample=4",), "error", id="sample"),
        pytest.param("", ("--cross-check",), "pass", id="all right"),
    ],
)
def test_a_test_that_passes_is_checked_on_request(
    sandbox: Sandbox, mistake: str, words: tuple[str, ...], verdict: str
) -> None:
    assert ran(sandbox, NOTHING, mistake, *words).verdicts == {"claims[v4]": verdict}


def test_a_crash_is_reported_beside_the_error(sandbox: Sandbox) -> None:
    """It does not rest on frames."""
    done = ran(sandbox, "subject.signal(9); subject.wait_end(); subject.may_end = False; " + RESET, NO_RST_FLAG)

    (row,) = done.record.results
    assert [(one.verdict.value, one.requirement) for one in row.findings] == [
        ("error", ""),
        ("fail", "house:any/survives"),
    ]


def test_a_finding_cites_what_its_text_shows() -> None:
    """Those with a comment come first; a long text cites no end of them."""
    finding = Finding(
        Verdict.FAIL, "", "", "", "no got FIN after #9\n    #6   sent FIN\n  > #9   got ACK   room #x #12ab"
    )

    assert cited([finding], {7: "got ACK"}) == [7, 9, 6]
    assert len(cited([Finding(Verdict.FAIL, "", "", "", " ".join(f"#{n}" for n in range(1, 99)))], None)) == CITED_MOST

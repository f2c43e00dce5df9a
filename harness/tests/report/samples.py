"""Runs to render: what a record may hold, small enough to read and large enough to hurt.

Ordinary values without a clock or a random number, so that each rendering can be compared with a file.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.record.facts import RequirementText, RunFacts
from harness.record.process import ProcessRecord
from harness.record.result import Result
from harness.record.store import RunRecord
from harness.report.model import Run
from harness.subject.stacktrace import StackTrace
from harness.verdict import Finding, Level, Verdict

FOLDER = Path("reports/runs/sample")

REQUIREMENTS = {
    "rfc862:tcp/returns-every-octet": RequirementText(
        "MUST",
        "RFC 862",
        "TCP echo returns all data",
        "Every octet received on the connection is sent back unchanged and in order until the client ends it.",
        "RFC 862",
        "https://www.rfc-editor.org/rfc/rfc862",
    ),
    "rfc9293:SHLD-3": RequirementText(
        "SHOULD",
        "3.6",
        "Reset when data was left unread",
        "A close while received data waits unread sends RST, so that the peer learns that its data was lost.",
    ),
    "rfc9293:3.6.1/half-close": RequirementText(
        "MUST",
        "3.6.1",
        "What is owed is still sent after the peer's FIN",
        "An end whose peer has closed its direction may go on sending until it closes its own.",
        "RFC 9293",
        "https://www.rfc-editor.org/rfc/rfc9293#section-3.6.1",
    ),
    "posix:listen/backlog": RequirementText(
        "documented", "listen()", "The backlog is a hint", "listen() limits the queue of connections that wait."
    ),
}

LOSSY: dict[str, Any] = {
    "name": "lossy",
    "purpose": "A bad <radio> link.",
    "seed": 3,
    "rules": ["anything is dropped with a chance of 0.02"],
}

IDLE = "the subject was idle for 2.0 s"

SEGMENTS = """\
10.9.0.1:47732 <-> 10.9.0.2:35171
    #1   +0.000000  sent  SYN      0:0(0)                      win 64240
    #2   +0.000021  got   SYN ACK  0:0(0)           ack 1      win 65160
    #5   +0.000061  sent  ACK      1:6(5)           ack 1      win 64512
    #6   +0.000083  sent  FIN ACK  6:6(0)           ack 1      win 64512
    #7   +0.000098  got   ACK      1:6(5)           ack 7      win 65536
  > #9   +0.000129  got   FIN ACK  6:6(0)           ack 7      win 65536   = got FIN
    #10  +0.000140  sent  ACK      7:7(0)           ack 7      win 64512
"""

SUBJECT = """\
command: python echo_half.py --port 0
ended: exit 1

stdout: -

stderr, 104 octets:
Traceback (most recent call last):
  File "echo_half.py", line 31, in serve
ConnectionResetError: [Errno 104]
"""


def row(
    group: str, name: str, verdict: Verdict = Verdict.PASS, *, family: str = "v4", subject: str = "echo", **more: object
) -> Result:
    """One row, with what follows from its id filled in."""
    test = f"{group}::{name}[{family}-{subject}]"
    layer, _, file = group.partition("/")
    given = {
        "nodeid": f"suites/{layer}/test_{file}.py::test_{name}[{family}-{subject}]",
        "profile": "echo",
        "purpose": name.replace("_", " ").capitalize() + ".",
        "seconds": 0.25,
        "again": f'pytest "suites/{layer}/test_{file}.py::test_{name}[{family}-{subject}]" --seed 7',
        "certificate": {
            "holds": True,
            "frames": 12,
            "drops": 0,
            "text": "whole: 12 frames, none dropped",
        },
        "worker": "gw0",
        **more,
    }
    return Result(test=test, group=group, verdict=verdict, subject=subject, family=family, **given)  # type: ignore[arg-type] # fields by name


def finding(verdict: Verdict, requirement: str, expected: str, actual: str) -> Finding:
    """A finding with the whole message that a person would read."""
    text = f"requires: {requirement}\nexpected: {expected}\nactual:   {actual}\nthe wire: {SEGMENTS}"
    return Finding(verdict, requirement, expected, actual, text)


def calm() -> Run:
    """Nothing to complain about."""
    rows = [
        row("services/echo", name, family=family, covers=("rfc862:tcp/returns-every-octet",), level=Level.MUST)
        for name in ("returns_every_octet", "serves_two_clients")
        for family in ("v4", "v6")
    ]
    return run(rows)


def mixed() -> Run:
    """One of everything, on two subjects."""
    half = "rfc9293:3.6.1/half-close"
    rows = [
        row("services/echo", "returns_every_octet", family=family, subject=subject)
        for family in ("v4", "v6")
        for subject in ("echo_asyncio", "echo_half")
    ]
    rows += [
        row(
            "tcp/closing",
            "half_close_is_honoured",
            Verdict.FAIL if subject == "echo_half" else Verdict.PASS,
            family=family,
            subject=subject,
            covers=(half,),
            level=Level.MUST,
            purpose="What the subject owes is still sent after our FIN.",
            evidence=f"evidence/half_close.{family}" if subject == "echo_half" else "",
            findings=(
                finding(
                    Verdict.FAIL,
                    half,
                    "5 octets, then end of stream",
                    f"reset after {0 if family == 'v4' else 2} octets",
                ),
            )
            if subject == "echo_half"
            else (),
        )
        for family in ("v4", "v6")
        for subject in ("echo_asyncio", "echo_half")
    ]
    rows += [
        row(
            "tcp/closing",
            "close_with_unread_data_sends_rst",
            Verdict.DEVIATION,
            subject="echo_asyncio",
            covers=("rfc9293:SHLD-3",),
            level=Level.SHOULD,
            findings=(finding(Verdict.DEVIATION, "rfc9293:SHLD-3", "got RST", "got FIN, and no RST by the fence"),),
            evidence="evidence/unread.v4",
        ),
        row(
            "tcp/windows",
            "zero_window_is_probed",
            Verdict.INCONCLUSIVE,
            subject="echo_asyncio",
            reason="the machine is too noisy: its timers were late by 41 ms",
        ),
        row("tcp/windows", "window_reopens", Verdict.ERROR, subject="echo_half", reason="OSError: [Errno 24] too many"),
        row(
            "tcp/windows",
            "fast_open_is_accepted",
            Verdict.NOT_APPLICABLE,
            subject="echo_half",
            reason="net.ipv4.tcp_fastopen does not let servers",
        ),
    ]
    rows[0] = replace(rows[0], relay={LOSSY["rules"][0]: 3, "got FIN is dropped, 1 time at most": 1})
    whole = run(rows, planned=[one.test for one in rows] + ["udp/echo::answers_each_datagram[v4-echo_half]"])
    return replace(whole, facts=replace(whole.facts, link=LOSSY))


RESET = StackTrace(
    "Python", "ConnectionResetError", "[Errno 104] Connection reset by peer", "/srv/echo.py", 8, "<module>"
)
CRASHED = ProcessRecord("exit 1", ended=True, last=RESET.said, trace=RESET, clients=1)


def missed(requirement: str, actual: str, expected: str = "the connection is accepted", level: str = "fail") -> Finding:
    """A finding of a few words."""
    return Finding(Verdict(level), requirement, expected, actual, f"expected: {expected}\nactual:   {actual}")


def survival(process: ProcessRecord) -> Finding:
    """What a row has of its own when the subject ended and should not."""
    said = f"{process.status}; {process.trace or process.last}"
    return missed("house:any/survives", said, "the subject goes on serving")


def crashed() -> Run:
    """One client at a time, it dies of one that resets, and it changes octets: a cause, a deviation, a finding."""
    survives = "rfc862:tcp/survives-reset"
    again = replace(RESET, line=9)
    rows = [
        row("services/echo", "returns_every_octet"),
        row(
            "services/echo",
            "survives_a_client_that_resets",
            Verdict.FAIL,
            covers=(survives,),
            level=Level.MUST,
            evidence="evidence/resets.v4",
            findings=(missed(survives, "refused (RST)"), survival(CRASHED)),
            process=CRASHED,
        ),
        row(
            "services/echo",
            "survives_a_reset_behind_unread_text",
            Verdict.FAIL,
            findings=(missed(survives, "no octet came, then reset (RST)"), survival(CRASHED)),
            process=replace(CRASHED, trace=again),
        ),
        row("lifecycle/rest", "rests", Verdict.FAIL, findings=(survival(CRASHED),), process=CRASHED),
        row(
            "services/echo",
            "adds_nothing",
            Verdict.FAIL,
            findings=(
                missed("rfc862:tcp/returns-every-octet", "differs at offset 3: expected 'lo', got 'LO'", "5 octets"),
                survival(CRASHED),
            ),
            process=CRASHED,
        ),
    ]
    rows += [
        row(
            "services/echo",
            name,
            Verdict.DEVIATION,
            findings=(missed(requirement, f"no octet came; {IDLE}", "7 octets, 'and me?'", "deviation"),),
            process=ProcessRecord("still running", clients=2),
        )
        for name, requirement in (
            ("an_idle_client_does_not_block_others", "rfc862:tcp/idle-client-does-not-block"),
            ("clients_are_served_at_the_same_time", "rfc862:tcp/clients-independent"),
        )
    ]
    return run(rows)


def hostile() -> Run:
    """A subject that tries to speak in the report's own voice."""
    evil = "<script>alert(1)</script>\x1b[2J\x00\u202e]]>&\ud800"
    rows = [
        row(
            "services/echo",
            "returns_every_octet",
            Verdict.FAIL,
            subject=evil,
            covers=("rfc862:tcp/returns-every-octet",),
            findings=(finding(Verdict.FAIL, "rfc862:tcp/returns-every-octet", evil, f"{evil}\nlast line"),),
            reason=evil,
            purpose=evil,
            again=evil,
            evidence="javascript:alert(1)",
            certificate={"holds": False, "frames": 0, "drops": 3, "text": evil},
        )
    ]
    return run(rows)


def hostile_crash() -> Run:
    """The same subject, with the same words in a traceback of its own."""
    evil = "<script>alert(1)</script>\x1b[2J\x00\u202e]]>&\ud800``` \n::error::no"
    trace = StackTrace("Python", evil, evil, f"{evil}.py", 3, evil)
    process = ProcessRecord(f"exit 1 {evil}", ended=True, last=evil, trace=trace)
    found = (missed("rfc862:tcp/returns-every-octet", f"refused (RST) {evil}"), survival(process))
    return run([row("services/echo", "x", Verdict.FAIL, subject=evil, findings=found, process=process, again=evil)])


def failing(findings: int) -> Run:
    """As many different findings as asked for, spread over ten groups, two families and three subjects."""
    rows = [
        row(
            f"tcp/group{number % 10}",
            f"behaviour_{number}_holds",
            (Verdict.FAIL, Verdict.DEVIATION, Verdict.INCONCLUSIVE, Verdict.FAIL)[number % 4],
            family=family,
            subject=subject,
            covers=("rfc862:tcp/returns-every-octet",),
            level=Level.MUST,
            evidence=f"evidence/{number}.{family}.{subject}",
            findings=(
                finding(
                    (Verdict.FAIL, Verdict.DEVIATION, Verdict.INCONCLUSIVE, Verdict.FAIL)[number % 4],
                    "rfc862:tcp/returns-every-octet",
                    f"{number} octets",
                    "end of stream",
                ),
            ),
        )
        for number in range(findings)
        for family in ("v4", "v6")
        for subject in ("echo_asyncio", "echo_selectors", "echo_threading")
    ]
    return run(rows)


def passing(tests: int) -> Run:
    """Many rows without a complaint, over 25 groups and four subjects."""
    rows = [
        row(f"services/group{number % 25}", f"behaviour_{number // 8}_holds", family=family, subject=subject)
        for number in range(tests // 8)
        for family in ("v4", "v6")
        for subject in ("echo_asyncio", "echo_fork", "echo_selectors", "echo_threading")
    ]
    return run(rows)


def killed() -> Run:
    """A run without its end: half of what was planned was reported."""
    whole = calm()
    facts = RunFacts(subjects=("echo",), planned=whole.facts.planned, started=1_760_000_000.0, harness_version="0.1.0")
    return Run.of(RunRecord(FOLDER, facts, whole.rows[:2], ("the last line of results.jsonl is not whole",)))


def run(rows: list[Result], *, planned: list[str] | None = None) -> Run:
    """The run that these rows make, ended with the exit code that it deserves."""
    facts = RunFacts(
        subjects=tuple(dict.fromkeys(one.subject for one in rows)),
        command=("sockspec", "check", "--serve", "./my server {port}", "--profile", "echo"),
        seed=7,
        environment={
            "system": "Linux 6.18.0",
            "machine": "x86_64",
            "python": "CPython 3.11.7",
            "harness": "0.1.0",
            "packages": {"pytest": "9.2.0", "scapy": "2.8.0"},
            "cpus": 2,
            "load": [0.5, 0.25, 0.1],
            "root": False,
            "sysctls": {"net.ipv4.tcp_congestion_control": "reno", "net.core.somaxconn": "4096"},
        },
        started=1_760_000_000.0,
        ended=1_760_000_041.2,
        planned=tuple(planned if planned is not None else [one.test for one in rows]),
        harness_version="0.1.0",
        requirements=REQUIREMENTS,
    )
    code = Run.of(RunRecord(FOLDER, facts, tuple(rows))).exit_code(False, False, False)
    return Run.of(RunRecord(FOLDER, replace(facts, exit_code=code), tuple(rows)))

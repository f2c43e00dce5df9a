"""What follows from what: each cause explains its findings once, and never a second fault."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from harness.record.evidence import Shown
from harness.record.process import ProcessRecord
from harness.report import html, junit, markdown, tap, terminal, workflow
from harness.report.causes import Cause, Kind, causes
from harness.report.complaints import complaints
from harness.subject.stacktrace import StackTrace
from harness.tests.report import golden, samples
from harness.tests.report.samples import CRASHED, IDLE, RESET, missed, row, survival
from harness.verdict import Verdict

if TYPE_CHECKING:
    from harness.record.result import Result
    from harness.verdict import Finding

NO_END = f"no end of stream and no reset after 10 octets: {IDLE}"
RUNS = ProcessRecord("still running", clients=2)
SERVED = ProcessRecord("exit 0", ended=True, clients=1)


def fails(name: str, *findings: Finding, process: ProcessRecord | None = RUNS, **more: str) -> Result:
    """A row with these findings."""
    worst = min((one.verdict for one in findings), key=lambda verdict: verdict is Verdict.DEVIATION)
    given = {"family": "v4", "subject": "echo"} | more
    return row("services/echo", name, worst, **given, findings=findings, process=process)


def crash(name: str, process: ProcessRecord = CRASHED, actual: str = "refused (RST)", **more: str) -> Result:
    """A row in which the subject ended, and what a client saw of it."""
    return fails(name, missed("rfc862:tcp/survives-reset", actual), survival(process), process=process, **more)


def told(*rows: Result) -> list[tuple[Kind, int]]:
    """The causes of these rows, and of how many findings each is."""
    return [(cause.kind, len(cause.seen)) for cause in causes(rows)]


def left(*rows: Result) -> list[str]:
    """What no cause explains."""
    return [one.actuals[0] for one in samples.run(list(rows)).told]


def only(*rows: Result) -> Cause:
    (cause,) = causes(rows)
    return cause


# -- crashes


def test_one_crash_is_one_cause_wherever_it_is_seen() -> None:
    """Two tests, two families, read and write in one function: one bug."""
    rows = [crash("a"), crash("b", family="v6"), crash("b", replace(CRASHED, trace=replace(RESET, line=9)))]

    cause = only(*rows)

    assert (cause.title, cause.where) == (RESET.said, "/srv/echo.py:8; /srv/echo.py:9")
    assert cause.explains == "3 results in 2 tests"
    assert left(*rows) == []


@pytest.mark.parametrize(
    "other",
    [
        replace(CRASHED, trace=StackTrace("Python", "ValueError", "no line", "/srv/echo.py", 8)),
        replace(CRASHED, trace=replace(RESET, function="greet")),
        replace(CRASHED, trace=None, status="killed by SIGSEGV"),
        replace(CRASHED, trace=None, last="bind: Address already in use"),
    ],
    ids=["another exception", "another function", "a signal", "other last words"],
)
def test_another_crash_is_another_cause(other: ProcessRecord) -> None:
    """Two bugs are two, though the same test finds both."""
    assert told(crash("a"), crash("a", other, family="v6")) == [(Kind.CRASH, 2), (Kind.CRASH, 2)]


def test_numbers_in_last_words_make_no_other_crash() -> None:
    """A port, a process id: they differ from start to start."""
    rows = [crash("a", ProcessRecord("exit 1", ended=True, last=f"client {port}: no line")) for port in (4711, 4712)]

    assert (
        only(*(replace(one, test=f"x{number}") for number, one in enumerate(rows))).title
        == "exit 1; client 4711: no line"
    )


def test_node_tells_each_way_to_notice_a_lost_connection_in_its_library() -> None:
    """None of the places is the program's own, and all of them are one missing handler."""
    places = (("read ECONNRESET", 218, "TCP.onStreamRead"), ("write EPIPE", 95, "WriteWrap.onWriteComplete"))
    rows = [
        crash(
            f"t{line}", replace(CRASHED, trace=StackTrace("Node.js", "Error", said, "node:internal/x", line, function))
        )
        for said, line, function in places
    ]

    assert told(*rows) == [(Kind.CRASH, 4)]


@pytest.mark.parametrize(
    "actual",
    [
        "differs at offset 3: expected 'lo', got 'LO', then reset (RST)",
        f"no octet came; {IDLE}",
        "21, 85, 149 open descriptors",
        "its memory grew by 12 MiB meanwhile",
        "'I am client 7\\n' came to client 3",
        NO_END,
    ],
)
def test_a_crash_does_not_explain_what_it_cannot_cause(actual: str) -> None:
    """The second fault stays a finding, though the subject crashed in the very test that found it."""
    assert left(crash("a", actual=actual)) == [actual]


@pytest.mark.parametrize(
    "actual",
    [
        "refused (RST)",
        "reset (RST)",
        "no octet came, then reset (RST)",
        "only the first 5 octets came, then end of stream (FIN)",
        "no datagram came; the subject had ended",
        "it has ended: exit 1",
        "the control failed: expected 5 octets, 'hello'; no octet came, then reset (RST)",
        "no answer to our SYN: the subject had ended",
    ],
)
def test_a_crash_explains_that_nothing_comes_any_more(actual: str) -> None:
    """All that a client sees of a server that is not there."""
    assert left(crash("a", actual=actual)) == []


def test_a_wrong_answer_to_a_test_of_survival_is_no_crash() -> None:
    """The requirement is that of the crash, the finding is not."""
    wrong = "differs at offset 3: expected 'lo', got 'LO'"
    rows = [fails("a", missed("house:any/survives", wrong), survival(CRASHED), process=CRASHED)]

    assert left(*rows) == [wrong]


def test_the_same_finding_without_the_crash_stays_one() -> None:
    """A row of its own, in which the subject went on: it has another cause, or none that is known."""
    refused = fails("b", missed("rfc862:tcp/survives-reset", "refused (RST)"))

    assert told(crash("a"), refused) == [(Kind.CRASH, 2)]
    assert left(crash("a"), refused) == ["refused (RST)"]


def test_an_end_that_was_asked_for_is_no_cause() -> None:
    """The test sent SIGTERM; what it then missed is its own finding."""
    asked = fails("a", missed("house:any/sigterm", "exit 1"), process=replace(CRASHED, expected=True))

    assert told(asked) == []
    assert left(asked) == ["exit 1"]


def test_an_exception_that_ends_it_in_two_tests_that_let_it_end_is_told_once() -> None:
    """As that no descriptor is free: each test has a deviation, and both follow from one line of the program."""
    full = StackTrace("Python", "OSError", "[Errno 24] Too many open files", "/srv/echo.py", 6)
    process = replace(CRASHED, expected=True, trace=full)
    found = missed("house:any/descriptor-exhaustion", "refused (RST)", level="deviation")
    rows = [fails(name, found, process=process) for name in ("a", "b")]

    cause = only(*rows)

    assert (cause.label, cause.where, cause.explains) == ("deviation", "/srv/echo.py:6", "2 results in 2 tests")
    assert told(rows[0], replace(rows[0], test="services/echo::a[v6-echo]", family="v6")) == []


def test_a_known_deviation_is_explained_by_nothing() -> None:
    """It is accepted with its reason, and told with it."""
    assert told(crash("a", known="nobody needs it")) == []


def test_two_subjects_have_two_causes() -> None:
    """The same crash in two programs is to be mended twice."""
    assert [cause.subject for cause in causes([crash("a"), crash("a", subject="other")])] == ["echo", "other"]


# -- other causes


def test_a_server_for_one_client_explains_that_others_wait() -> None:
    """It ends with exit 0 when its client has left; while that one stays, no other is served."""
    waits = fails("b", missed("rfc862:tcp/clients-independent", f"no octet came; {IDLE}", level="deviation"))
    stopped = fails("c", missed("x:y", "it has ended: exit 0"), process=replace(SERVED, expected=True))

    cause = only(crash("a", SERVED), waits, stopped)

    assert (cause.kind, cause.title, len(cause.rows)) == (Kind.ENDS, "it ends with exit 0 after its first client", 3)


def test_a_server_that_ends_later_explains_only_its_end() -> None:
    """One that ends after its third client serves two together, or does not for another reason."""
    waits = fails("b", missed("rfc862:tcp/clients-independent", f"no octet came; {IDLE}", level="deviation"))
    rows = (crash("a", replace(SERVED, clients=3)), waits)

    assert only(*rows).title == "it ends with exit 0 after 3 clients or fewer"
    assert left(*rows) == [f"no octet came; {IDLE}"]


def never_closes(*more: Result) -> tuple[Result, ...]:
    """Two tests that waited for an end of stream, and others."""
    return (fails("a", missed("x:a", NO_END)), fails("b", missed("x:b", NO_END)), *more)


def test_a_server_that_never_closes_explains_each_wait_for_the_end() -> None:
    """And one socket for each client that left."""
    held = missed("house:any/no-descriptor-leak", "5, 29, 53 open descriptors", "24 clients more, and no more than 5")
    waits = missed(
        "house:any/no-close-wait", "9 of 16 connections are in CLOSE-WAIT", "no connection stays in CLOSE-WAIT"
    )
    rows = never_closes(fails("c", held), fails("d", waits))

    assert told(*rows) == [(Kind.NEVER_CLOSES, 4)]
    assert left(*rows) == []


def test_a_server_that_never_closes_explains_controls_that_waited_for_the_end() -> None:
    """A test that first asks for an ordinary session is inconclusive: the same wait, the same cause."""
    failed = f"the control failed: expected the connection ends; {NO_END}"
    rows = never_closes(fails("c", replace(missed("x:c", failed), verdict=Verdict.INCONCLUSIVE)))

    assert told(*rows) == [(Kind.NEVER_CLOSES, 3)]
    assert left(*rows) == []


def test_a_server_that_never_closes_nor_rests_is_no_other() -> None:
    """Its waits end when it has worked for long enough."""
    busy = "no end of stream and no reset after 6 octets: the subject never rests, and used the processor for 0.3 s"

    assert told(*never_closes(fails("c", missed("x:c", busy)))) == [(Kind.NEVER_CLOSES, 3)]


def test_a_server_that_closes_once_does_not_never_close() -> None:
    """One test in which a client saw its end: then the others have a reason of their own."""
    assert told(*never_closes(row("services/echo", "c", process=replace(RUNS, closed=1)))) == []


def test_a_leak_that_is_larger_is_another() -> None:
    """Two descriptors for each client: the socket, and something else."""
    held = missed("house:any/no-descriptor-leak", "5, 53, 101 open descriptors", "24 clients more, and no more than 5")
    memory = missed("house:any/no-memory-leak", "1, 2, 3 MiB")

    assert left(*never_closes(fails("c", held), fails("d", memory))) == ["5, 53, 101 open descriptors", "1, 2, 3 MiB"]


def test_waits_for_the_end_in_one_test_alone_are_its_finding() -> None:
    """A half-close that is not answered, say: nothing is known of all connections."""
    assert told(fails("a", missed("x:a", NO_END)), fails("a", missed("x:a", NO_END), family="v6")) == []


def test_a_basic_exchange_that_fails_explains_what_was_not_tried() -> None:
    """The finding is the one of the exchange, and tests of its family are counted under it."""
    exchange = fails("basic", missed("house:any/basic-exchange", "got 'ERR'", "'OK'"))
    blocked = [
        row("services/echo", f"n{number}", Verdict.NOT_APPLICABLE, family=family, reason="the basic exchange fails: no")
        for number in range(3)
        for family in ("v4", "v6")
    ]

    cause = only(exchange, *blocked)

    assert (cause.kind, cause.explains) == (Kind.BASIC_EXCHANGE, "1 result in 1 test, and 3 tests not applicable")


def test_a_crash_in_the_basic_exchange_is_the_cause() -> None:
    """Not the exchange, which it explains."""
    exchange = fails(
        "basic",
        missed("house:any/basic-exchange", "no octet came, then reset (RST)"),
        survival(CRASHED),
        process=CRASHED,
    )
    blocked = row("services/echo", "n", Verdict.NOT_APPLICABLE, reason="the basic exchange fails: no")

    cause = only(exchange, blocked)

    assert (cause.kind, [one.test for one in cause.blocked]) == (Kind.CRASH, [blocked.test])


def test_one_at_a_time_is_a_deviation() -> None:
    """Told once, after what fails, and counted as what it is."""
    run = samples.crashed()

    assert [(cause.kind, cause.label) for cause in run.causes] == [
        (Kind.CRASH, "cause"),
        (Kind.ONE_AT_A_TIME, "deviation"),
    ]
    assert run.summary == "1 cause · 1 other finding · 1 deviation"


def test_deviations_alone_are_counted_as_such() -> None:
    """No cause is none of what fails: what fails is a finding then, and not another one."""
    waits = [row for row in samples.crashed().rows if row.verdict is Verdict.DEVIATION]
    wrong = fails("a", missed("x:a", "differs at offset 3: expected 'lo', got 'LO'"))

    assert samples.run(waits).summary == "1 deviation"
    assert samples.run([*waits, wrong]).summary == "1 finding · 1 deviation"
    assert samples.run([wrong]).summary == "1 finding"


# -- what holds for all


def test_each_finding_is_told_once() -> None:
    """Under one cause or by itself; and the record has every one, as before."""
    run = samples.crashed()
    all_of_them = sorted((one.test, finding.actual) for one in run.rows for finding in complaints(one))
    under_causes = [(one.test, finding.actual) for cause in run.causes for one, finding in cause.seen]
    by_themselves = [(one.test, finding.actual) for single in run.told for one, finding in single.seen]

    assert sorted(under_causes + by_themselves) == all_of_them


def test_a_row_with_a_fault_of_its_own_has_no_cause() -> None:
    """Its message in JUnit is the fault, not the crash that came after it."""
    run = samples.crashed()
    (wrong,) = [one for one in run.rows if "adds_nothing" in one.test]

    assert wrong.test not in run.cause_of
    assert 'message="expected 5 octets; actual differs at offset 3' in junit.render(run)


def test_a_subject_cannot_speak_in_its_traceback() -> None:
    """File, function and message are the subject's words: no report lets them act."""
    run = samples.hostile_crash()

    for text in (terminal.render(run), markdown.render(run), workflow.render(run), junit.render(run), tap.render(run)):
        assert "\x1b" not in text
        assert "\ud800" not in text
    for text in (terminal.render(run), workflow.render(run)):
        assert "\n::error::no" not in text
    page = html.render(run, lambda _: Shown(samples.SEGMENTS, samples.SUBJECT), golden.TEMPLATES)
    assert "<script>alert" not in page

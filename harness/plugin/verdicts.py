"""What a test answers: its exception becomes a verdict with findings, and the evidence is written. In the worker.

Whose fault an exception is decides `harness.plugin.judgment`. A subject that has ended while it should go on serving is
a fail, whatever the test itself saw.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.capture.traced import comments as relayed
from harness.capture.traced import joined, traced
from harness.plugin import cross_checking, deviations, naming
from harness.plugin.asking import is_foreign, is_mutant
from harness.plugin.exploring import exploration_key, is_exploration
from harness.plugin.fixtures import TALKS, relay_key, subject_key, talkers_key, weather_key, wire_key
from harness.plugin.judgment import Judgment, judgment, trace
from harness.plugin.options import Settings, settings_of
from harness.plugin.repeating import repetition_of
from harness.plugin.selection import is_judged, program_of
from harness.plugin.soaking import is_soak
from harness.probe.client import Client
from harness.probe.probe import Attempt
from harness.record import evidence, faults
from harness.record.process import ProcessRecord
from harness.record.result import Result, without_repetition
from harness.record.talks import Talk, subject_calls
from harness.spec.catalogue import load
from harness.subject.outcome import crash, in_a_line, outcome, status
from harness.subject.process import Subject
from harness.verdict import Finding, SubjectEnded, Verdict, worst

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from harness.capture.recording import Capture
    from harness.capture.traced import Traced
    from harness.lab.acts import Act
    from harness.plugin.fixtures import Talker

ACTS = 1000  # of the relay that a listing tells
SURVIVES = "house:any/survives"
folder_key = pytest.StashKey[Path]()
_OF_A_TEST: tuple[pytest.StashKey[Any], ...] = (
    subject_key,
    wire_key,
    relay_key,
    weather_key,
    talkers_key,
    exploration_key,
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn what happened in a phase of a test of a suite into its row."""
    if call.when == "call":
        _let_go_of_the_net(item)
    report = yield
    if not is_judged(item.nodeid):
        return report
    raised = call.excinfo.value if call.excinfo is not None else None
    if call.when == "call" or (call.when == "setup" and raised is not None):
        row = _row(item, call)
        try:
            result = _judge(row, item, call, raised)
        except Exception as broken:  # the lab is lost, the disk is full: it costs this test, and no other
            result = _broken(row, raised, broken)
        report.__dict__["sockspec"] = result.as_record()
        _shape(report, result, settings_of(item.config).strict)
    elif call.when == "teardown" and raised is not None:
        report.__dict__["sockspec_teardown"] = f"tear-down: {type(raised).__name__}: {raised}"
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Forget what a test had, its capture above all, when it is over: pytest keeps the test itself until the run is."""
    try:
        return (yield)
    finally:
        for key in _OF_A_TEST:
            if key in item.stash:
                del item.stash[key]


def _let_go_of_the_net(item: pytest.Item) -> None:
    """End the timer of pytest-timeout: it is for the body of a test, and a million frames take long to write down."""
    cancel = getattr(item.config.hook, "pytest_timeout_cancel_timer", None)  # the plugin may be switched off
    if cancel is not None:
        cancel(item=item)


def _row(item: pytest.Item, call: pytest.CallInfo[None]) -> Result:
    """The row of a test as far as it is known before the test is judged."""
    settings = settings_of(item.config)
    function = getattr(item, "function", None)
    program = program_of(item)
    test = naming.stable_id(item.nodeid)
    return Result(
        test=test,
        nodeid=item.nodeid,
        group=naming.group_of(test),
        verdict=Verdict.ERROR,
        subject=settings.subject_name if settings.given else program.name if program else "told",
        profile=settings.profile or (program.profile if program else ""),
        family=_family(item),
        purpose=((function.__doc__ if function else "") or "").strip().partition("\n")[0],
        seconds=call.duration,
        again=naming.again(
            test,
            without_repetition(item.nodeid, repetition_of(item)),
            settings.programs[0].name if settings.given and settings.programs else "",
            settings.address,
            settings.profile,
            command=f"matrix {item.config.option.subjects}"
            if settings.implementations
            else "proof"
            if is_mutant(program) or is_foreign(program)
            else "check",
            link=f"--link {settings.link_name} --link-seed {settings.link_seed}" if settings.link else "",
            ready=settings.programs[0].ready if settings.given and settings.programs else None,
        )
        + (f" --soak {settings.soak:.0f}" if is_soak(item) else "")
        + (f" --explore {settings.explore:.0f} --explore-seed {settings.explore_seed}" if is_exploration(item) else ""),
        repetition=repetition_of(item),
        worker=getattr(item.config, "workerinput", {}).get("workerid", ""),
        line=(item.location[1] or 0) + 1,
    )


def _judge(row: Result, item: pytest.Item, call: pytest.CallInfo[None], raised: BaseException | None) -> Result:
    covers: tuple[str, ...] = getattr(getattr(item, "function", None), "covers", ())
    catalogue = load()
    requirements = [catalogue[name] for name in covers]
    # A test may cover several: what it claims of another one than the first says so (`harness.suite.requires`).
    claimed = raised.__dict__.get("requirement", "") if raised is not None else ""
    if claimed and claimed not in covers:
        raise LookupError(f"the test claims {claimed}, which it does not say that it covers")
    governing = catalogue[claimed] if claimed else requirements[0] if requirements else None
    judged = judgment(raised, governing, item.config.rootpath, in_setup=call.when == "setup")
    subject = item.stash.get(subject_key, None)
    told = _told(subject, judged) if isinstance(subject, Subject) else None
    process = None
    wire = item.stash.get(wire_key, None)
    capture = wire.capture() if wire is not None else None
    if capture is not None:
        judged = _cross_checked(judged, capture, settings_of(item.config))
    if isinstance(subject, Subject) and told is not None and call.when == "call":
        judged = _with_crash(judged, subject, told, raised)
        process = _process(told, subject, item.stash.get(talkers_key, []))
    result = replace(
        row,
        process=process,
        verdict=judged.verdict,
        covers=covers,
        level=requirements[0].level if requirements else None,
        findings=judged.findings,
        reason=judged.reason,
    )
    if program_of(item) is None and not settings_of(item.config).given:
        result = deviations.of_the_kernel(result)
        judged = replace(judged, findings=result.findings, verdict=result.verdict)
    return _with_evidence(item, result, judged, settings_of(item.config), subject, told, capture)


def _broken(row: Result, raised: BaseException | None, broken: Exception) -> Result:
    """The row of a test that could not be judged, with what the test itself said and what broke then."""
    what = f"{type(broken).__name__}: {broken}".partition("\n")[0]
    text = "\n".join(trace(one) for one in (raised, broken) if one is not None)
    return replace(row, findings=(Finding(Verdict.ERROR, "", "", what, text),), reason=what)


def _told(subject: Subject, judgment: Judgment) -> dict[str, Any]:
    """What has become of it; where something is missed, or it is still at work, when it has nothing left to do."""
    complaint = judgment.verdict not in {Verdict.PASS, Verdict.NOT_APPLICABLE}
    if complaint or (not subject.may_end and subject.look().running):
        return subject.told_at_last()
    return subject.told()


def _with_crash(judgment: Judgment, subject: Subject, told: dict[str, Any], raised: BaseException | None) -> Judgment:
    if not told["ended"] or subject.may_end:
        return judgment
    actual = in_a_line(told)
    text = "\n".join(["expected: the subject goes on serving", f"actual:   {actual}", *outcome(told)])
    end = Finding(Verdict.FAIL, SURVIVES, "the subject goes on serving", actual, text)
    if isinstance(raised, SubjectEnded):
        return replace(judgment, findings=(end,), verdict=end.verdict)
    return replace(judgment, findings=(*judgment.findings, end), verdict=worst([judgment.verdict, end.verdict]))


def _process(told: dict[str, Any], subject: Subject, talkers: list[Talker]) -> ProcessRecord:
    """The facts of its process from which a report tells causes."""
    clients = [known for one in talkers if (known := one.client if isinstance(one, Attempt) else one) is not None]
    closed = [one for one in clients if isinstance(one, Client) and one.ended is not None]
    runs = not told["ended"] and not subject.may_end and subject.starts == 1  # else its end closed them
    return ProcessRecord(
        status=status(told),
        ended=told["ended"],
        expected=subject.may_end,
        last=told["stderr"].strip().rpartition("\n")[2],
        trace=crash(told),
        clients=len(clients),
        closed=len(closed) if runs else 0,
    )


def _cross_checked(judgment: Judgment, capture: Capture, settings: Settings) -> Judgment:
    """The judgment, or an error where scapy reads otherwise what it rests on."""
    if judgment.verdict in {Verdict.NOT_APPLICABLE, Verdict.ERROR}:
        return judgment
    found = cross_checking.differences(capture, judgment.findings, judgment.cited, settings)
    if not found:
        return judgment
    error = cross_checking.error(found, judgment.findings)
    noted = joined(dict(judgment.cited or {}), cross_checking.comments(found))
    return Judgment((error,), error.verdict, error.actual, noted)


def _with_evidence(
    item: pytest.Item,
    result: Result,
    judgment: Judgment,
    settings: Settings,
    subject: object,
    told: dict[str, Any] | None,
    capture: Capture | None,
) -> Result:
    complaint = result.verdict not in {Verdict.PASS, Verdict.NOT_APPLICABLE}
    certificate = capture.certificate.as_record() if capture else None
    did = _did(item, settings)
    result = replace(result, certificate=certificate, relay=did.rules.hits if did is not None else None)
    folder = item.config.stash.get(folder_key, None)
    wanted = settings.pcap == "all" or (settings.pcap == "failed" and complaint)
    if folder is None or result.verdict is Verdict.NOT_APPLICABLE or not (complaint or wanted):
        return result
    text = "\n\n".join(finding.text or str(finding) for finding in judgment.findings)
    found = traced(capture.frames, did.acts) if did is not None and capture is not None else ()
    comments = joined(dict(judgment.cited or {}), relayed(found))
    path = evidence.write(
        folder,
        result.test,
        finding=text,
        wire=capture.as_pcapng(f"{result.test}: {result.verdict}", comments) if capture and wanted else b"",
        segments=_listing(capture, judgment, found) if capture else "",
        subject=_account(subject, told),
        talks=_talks(item.stash.get(talkers_key, []), subject),
        repro=exploration.repro if (exploration := item.stash.get(exploration_key, None)) is not None else "",
        faults=faults.write(did.rules, found) if did is not None else b"",
    )
    return replace(result, evidence=path)


def _talks(talkers: list[Talker], subject: object) -> tuple[Talk, ...]:
    text = subject.calls() if isinstance(subject, Subject) and talkers else ""
    answers = subject_calls(text)
    return tuple(
        Talk(
            protocol=one.transport,
            near=one.near,
            far=one.far,
            calls=tuple(one.calls.kept),
            answers=tuple(answers[one.near.port].kept) if one.near.port in answers else (),
            left_out=one.calls.left_out,
        )
        for one in talkers[:TALKS]
    )


@dataclass(frozen=True)
class Did:
    """What the relay did in a test."""

    rules: faults.Rules
    acts: tuple[Act, ...]


def _did(item: pytest.Item, settings: Settings) -> Did | None:
    """The relay's log, and how often each rule acted: those of the profile by their words without seeds."""
    relay = item.stash.get(relay_key, None)
    if relay is None:
        return None
    weather = item.stash.get(weather_key, ())
    acts = relay.log
    hits = (
        {str(rule): fault.hits for rule, fault in zip(settings.link.rules, weather, strict=True)}
        if settings.link
        else {}
    )
    own = Counter(act.rule for act in acts if act.rule not in set(map(str, weather)))
    name = settings.link_name
    return Did(faults.Rules(hits | own, name, settings.link_seed if name else None, relay.unlogged), acts)


def _listing(capture: Capture, judgment: Judgment, found: Sequence[Traced]) -> str:
    parts = [f"{flow}\n{flow.listing(judgment.cited)}" for flow in capture.flows]
    if found:
        acts = [str(one) for one in found[:ACTS]]
        acts += [f"  … {len(found) - ACTS} more" for _ in found[ACTS : ACTS + 1]]
        parts.append("\n".join(["what the relay did, frame by frame:", *acts]))
    return "\n\n".join(parts)


def _account(subject: object, told: dict[str, Any] | None) -> evidence.SubjectOutput | None:
    if not isinstance(subject, Subject) or told is None:
        return None
    command = " ".join(subject.command)
    return evidence.SubjectOutput(command, status(told), told.get("stdout", "").encode(), told["stderr"].encode())


def _family(item: pytest.Item) -> str:
    spec = getattr(item, "callspec", None)
    return str(spec.params.get("family", "")) if spec else ""


def _shape(report: pytest.TestReport, result: Result, strict: bool) -> None:
    """Give pytest the outcome that fits the verdict; the words are in the row."""
    match result.verdict:
        case _ if result.known:
            report.outcome = "passed"
            report.longrepr = None
        case Verdict.PASS:
            report.outcome = "passed"
        case Verdict.DEVIATION if not strict:
            report.outcome = "passed"
            report.longrepr = None
        case Verdict.NOT_APPLICABLE:
            report.outcome = "skipped"
            report.longrepr = (report.fspath, 0, f"not applicable: {result.reason}")
        case _:
            report.outcome = "failed"
            report.longrepr = "\n".join(finding.text or str(finding) for finding in result.findings) or result.reason

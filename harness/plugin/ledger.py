"""The record of a run: what was planned, each row as it is judged, the summary and the exit code. In the controller.

Workers judge and write evidence; only this process writes results.jsonl and renders reports, so nothing is written
twice however many workers there are. What was planned and never reported is lost, and the exit code says so.
"""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness import budget, bundle
from harness.plugin import naming, progress, turns
from harness.plugin.options import Settings, selection, settings_of
from harness.plugin.selection import is_judged, selected_nothing
from harness.plugin.verdicts import folder_key
from harness.proof import mutants
from harness.record import environment
from harness.record.disk import RecordError
from harness.record.facts import RequirementText, RunFacts
from harness.record.result import Result
from harness.record.store import Store, new_folder
from harness.record.store import load as load_record
from harness.report import terminal
from harness.report.model import Exit, Run
from harness.spec.catalogue import load
from harness.subject.implementations import version_of
from harness.verdict import Finding, Verdict, worst

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.report.publish import Published

ledger_key = pytest.StashKey["Ledger"]()


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is a pytest-xdist worker."""
    return hasattr(config, "workerinput")


class Ledger:
    """What the controller knows of the run so far."""

    def __init__(self, config: pytest.Config, folder: Path) -> None:
        self.folder = folder
        self._config = config
        self._store: Store | None = None
        self._started = budget.wall_clock()
        self._open: dict[str, Result] = {}
        self.progress = progress.Progress(sys.stderr, config.option.sockspec_quiet)
        self.published: Published | None = None
        self.refused: RecordError | None = None  # what the disk said when it took no more
        self.uncollected: dict[str, str] = {}  # files of suites that could not be read → why, in one line

    @property
    def used(self) -> bool:
        """Whether any test of a suite was planned."""
        return self._store is not None

    def plan(self, nodeids: Sequence[str]) -> None:
        """Take down what will be judged; every worker says the same, the first counts."""
        if self._store is not None:
            return
        judged = tuple(naming.stable_id(nodeid) for nodeid in nodeids if is_judged(nodeid))
        settings = settings_of(self._config)
        # A shard without a test is recorded too: a merge would miss it otherwise.
        if not (judged or settings.shard):
            return
        self._store = Store(self.folder)
        self._store.begin(
            RunFacts(
                subjects=(settings.subject_name,)
                if settings.given
                else tuple(dict.fromkeys(p.name for p in (*settings.programs, *settings.wrong_runtimes))),
                command=tuple(["sockspec", *sys.argv[1:]] if self._config.option.sockspec_quiet else sys.argv),
                strict=settings.strict,
                environment=environment.facts() | _versions(settings),
                started=self._started,
                planned=judged,
                suite=environment.digest(bundle.root() / "suites"),
                selection=selection(self._config),
                link=settings.link.as_record(settings.link_seed) if settings.link is not None else {},
                shard=str(settings.shard or ""),
                requirements=_texts(),
            )
        )
        self.progress.begin(len(judged))

    def take(self, report: pytest.TestReport) -> None:
        """Take in one phase of one test; the row is written when the test is torn down."""
        if words := getattr(report, "sockspec_soak", ""):
            self.progress.tell(words)
            return
        row = getattr(report, "sockspec", None)
        if row is not None:
            self._open[report.nodeid] = Result.from_record(row)
        elif is_judged(report.nodeid) and report.failed and report.nodeid not in self._open:
            self._open[report.nodeid] = _unjudged(report)  # the worker died in the middle of it
            self._close(report.nodeid)
            return
        if report.when == "teardown" and report.nodeid in self._open:
            if trouble := getattr(report, "sockspec_teardown", ""):
                self._open[report.nodeid] = _with_trouble(self._open[report.nodeid], trouble)
            self._close(report.nodeid)

    def _close(self, nodeid: str) -> None:
        result = self._open.pop(nodeid)
        if self._store is not None:
            try:
                self._store.append(result)
            except RecordError as refused:
                # What comes after could not be written either: it would be judged for nobody.
                self.refused = refused
                raise pytest.exit.Exception("the record takes no more") from None
        self.progress.step(result)

    def end(self, status: int) -> int:
        """Write how the run ended, render the reports, and return the exit code."""
        self.progress.end()
        if self._store is None:
            return status
        settings = settings_of(self._config)
        if self.refused is None:
            for nodeid in list(self._open):
                self._close(nodeid)
        code = Run.of(load_record(self.folder)).exit_code(
            strict=settings.strict,
            interrupted=status == pytest.ExitCode.INTERRUPTED and self.refused is None,
            internal_error=status == pytest.ExitCode.INTERNAL_ERROR or self.refused is not None,
        )
        from harness.report.publish import publish  # it loads jinja2, which no worker needs

        try:
            self._store.end(int(code), budget.wall_clock())
            self._store.close()
            self.published = publish(self.folder, bundle.root() / "reports" / "templates")
        except RecordError as refused:
            self.refused = self.refused or refused  # the first one tells why
        if self.refused is not None:
            sys.stderr.write(
                f"sockspec: {self.refused}\n"
                f"sockspec: what was judged before is in {self.folder}; `sockspec report` renders it\n"
            )
            return int(code or Exit.BROKEN)
        return int(code)


def _versions(settings: Settings) -> dict[str, dict[str, str]]:
    """The versions of the subjects, where a command was given that prints them."""
    commands = {one.name: one.version for one in settings.implementations}
    if settings.given:
        commands[settings.subject_name] = settings.version_command
    found = {name: version_of(command) for name, command in commands.items() if command}
    return {"subjects": {name: version for name, version in found.items() if version}} if found else {}


def _texts() -> dict[str, RequirementText]:
    breaking: dict[str, list[str]] = {}
    for mutant in mutants.read(bundle.root()):
        breaking.setdefault(mutant.breaks, []).append(mutant.name)
    return {one.id: RequirementText.of(one, breaking.get(one.id, ())) for one in load()}


def _unjudged(report: pytest.TestReport) -> Result:
    test = naming.stable_id(report.nodeid)
    text = str(report.longrepr) or "no reason was given"
    first = text.strip().partition("\n")[0]
    found = Finding(Verdict.ERROR, "", "", first, text)
    return Result(
        test=test,
        nodeid=report.nodeid,
        group=naming.group_of(test),
        verdict=Verdict.ERROR,
        findings=(found,),
        reason=first,
    )


def _with_trouble(result: Result, trouble: str) -> Result:
    found = Finding(Verdict.ERROR, "", "", trouble, trouble)
    return replace(
        result, verdict=worst([result.verdict, Verdict.ERROR]), findings=(*result.findings, found), reason=trouble
    )


# -- hooks ------------------------------------------------------------------------------------------------------------


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Choose the run folder; a worker is told it by the controller."""
    if is_worker(config):
        if folder := config.workerinput.get("sockspec_folder"):  # type: ignore[attr-defined] # set by pytest-xdist
            config.stash[folder_key] = Path(folder)
        return
    settings = settings_of(config)
    folder = settings.report or new_folder(budget.wall_clock(), os.getpid())
    config.stash[folder_key] = folder.absolute()
    ledger = config.stash[ledger_key] = Ledger(config, folder.absolute())
    config.pluginmanager.register(_Reports(ledger), "sockspec-reports")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Keep pytest-xdist from telling about its nodes while `sockspec check` shows its own progress."""
    plugins = session.config.pluginmanager
    if session.config.option.sockspec_quiet and (distribution := plugins.get_plugin("dsession")) is not None:
        distribution.terminal = None
        plugins.unregister(name="terminaldistreporter")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist where the run folder is and what the first start has shown."""
    config = node.config
    node.workerinput["sockspec_folder"] = str(config.stash[folder_key])
    node.workerinput["sockspec_absent"] = settings_of(config).absent
    manners = settings_of(config).manners
    node.workerinput["sockspec_manners"] = {place: manner.as_record() for place, manner in manners.items()}
    node.workerinput["sockspec_early"] = settings_of(config).early


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Without pytest-xdist the plan is what was collected here."""
    config = session.config
    if not is_worker(config) and not config.option.collectonly:
        with _one_line():
            config.stash[ledger_key].plan([item.nodeid for item in session.items])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any, ids: Sequence[str]) -> None:
    """With pytest-xdist the plan is what a worker collected."""
    with _one_line():
        node.config.stash[ledger_key].plan(ids)


@contextlib.contextmanager
def _one_line() -> Any:
    try:
        yield
    except RecordError as refused:
        raise pytest.UsageError(str(refused)) from None


class _Reports:
    """Hears every report: pytest gives that hook no configuration, so the ledger comes with the plugin."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write down what a test answered."""
        self._ledger.take(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember a file that cannot be read; every worker says the same."""
        if report.failed and is_judged(f"{report.nodeid}/"):
            lines = [line for line in str(report.longrepr).splitlines() if line.strip()]
            self._ledger.uncollected[report.nodeid] = lines[-1].removeprefix("E").strip() if lines else "no reason"


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Let the verdicts decide the exit code."""
    config = session.config
    if is_worker(config):
        return
    ledger = config.stash[ledger_key]
    if why := turns.told(ledger.folder):
        sys.stderr.write(f"sockspec: {why}\n")
    other_failures = session.testsfailed and not ledger.used
    code = ledger.end(int(exitstatus))
    if ledger.uncollected:
        for place, reason in ledger.uncollected.items():
            sys.stderr.write(f"sockspec: {place} cannot be read: {reason}; mend it, or take it out\n")
        session.exitstatus = int(Exit.BROKEN)
        return
    if ledger.used and not other_failures:
        session.exitstatus = code
    elif exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and (reason := selected_nothing(config)):
        sys.stderr.write(f"sockspec: {reason}\n")
        session.exitstatus = int(Exit.USAGE)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print what a person reads in ten seconds."""
    ledger = config.stash.get(ledger_key, None)
    if ledger is None or ledger.published is None or (config.option.mutants and config.option.sockspec_quiet):
        return  # of mutants, `sockspec proof` tells the kill matrix
    colour, width = terminal.look(sys.stdout, os.environ)
    index = ledger.published.index
    with contextlib.suppress(ValueError):
        index = index.relative_to(Path.cwd())
    text = terminal.render(ledger.published.run, colour=colour, width=width, report=str(index))
    terminalreporter.ensure_newline()
    terminalreporter.write(text)


def pytest_report_teststatus(report: pytest.TestReport, config: pytest.Config) -> tuple[str, str, str] | None:
    """Our words for our verdicts; nothing at all while `sockspec check` shows its own progress."""
    row = getattr(report, "sockspec", None)
    if hasattr(report, "sockspec_soak"):
        return "", "", ""  # a word in between, and no answer
    if config.option.sockspec_quiet and is_judged(report.nodeid):
        return "", "", ""
    if row is None:
        return None
    verdict = Verdict(row["verdict"])
    if row["known"]:
        return "known deviation", "k", "KNOWN DEVIATION"
    if verdict is Verdict.DEVIATION:
        return "deviation", "d", "DEVIATION"
    if verdict is Verdict.INCONCLUSIVE:
        return "inconclusive", "i", "INCONCLUSIVE"
    return None

"""What a run is told: the options, read once into a value."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness import bundle
from harness.gate import shards
from harness.lab import link_profile
from harness.probe import beside
from harness.subject import external, foreign, implementations, inventory, protocol
from harness.subject.manner import Manner
from harness.subject.placeholders import NAMES
from harness.subject.profile import PROFILES
from harness.subject.readiness import ANSWERED, Ready

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.gate.shards import Shard
    from harness.lab.link_profile import LinkProfile
    from harness.subject.implementations import Implementation
    from harness.subject.inventory import Program

PCAP = ("never", "failed", "all")
EXPLORE_SEED = 7  # as good as any other
FAMILIES = ("v4", "v6")
SOAK_HELP = "also serve clients of every kind for so long, talk with one, and pass 2 GiB; what is held must level off"
WIDE_HELP = "put each mutant to all tests of its profile, not only to those that cover what it breaks"
EXPLORE_HELP = "also look for so long, on each family, for a sequence of client actions that breaks a promise"
EXPLORE_SEED_HELP = "what is drawn then: the same seed draws the same sequences (default: %(default)s)"
SLOW_WORKERS_HELP = "tests at a time if the first start shows a slow server, for `sockspec check`"
LINK_SEED_HELP = f"another draw of the chances of --link (default: {link_profile.SEED})"
SERVE_HELP = f"start this server; {', '.join(NAMES[:-1])} and {NAMES[-1]} are filled in"
READY_HELP = (
    f"wait until a line that it prints contains this, or {ANSWERED!r}: until an exchange of its profile succeeds"
)
READY_BUDGET_HELP = "how long it may take to become ready (default: 10 s, longer while it is busy)"
CROSS_CHECK_HELP = "have scapy read every frame of each capture too; what it reads otherwise is an error of ours"
CROSS_CHECK_SAMPLE_HELP = "the same for N packets of each capture, one of every shape first"
REPEAT_HELP = "every test N times, against a fresh subject each; a verdict that differs is told (exit code 6)"


@dataclass(frozen=True)
class Settings:
    """One run: whom it judges, and where it leaves its record."""

    programs: tuple[Program, ...]  # the subjects that are started here
    address: str = ""  # of a subject that runs already: tcp://host:port
    profile: str = ""  # "" when every profile is judged
    given: bool = False  # one subject of the user's is judged, not our reference servers
    strict: bool = False
    report: Path | None = None  # None: a new folder in reports/runs
    pcap: str = "all"
    absent: dict[str, str] = field(default_factory=dict)  # `place_of` → why the subject does not offer it
    manners: dict[str, Manner] = field(default_factory=dict)  # `place_of` → how the subject has shown itself
    early: list[str] = field(default_factory=list)  # `place_of` without a family: who listens before it is ready
    implementations: tuple[Implementation, ...] = ()  # those of --subjects, judged side by side
    version_command: str = ""  # prints the version of the user's subject, for the record
    shard: Shard | None = None  # the part of the tests that this run judges; None for all
    families: tuple[str, ...] = FAMILIES  # on which every test is run
    soak: float = 0.0  # seconds that the soak test goes on; 0 leaves it out
    explore: float = 0.0  # seconds that an exploration goes on; 0 leaves it out
    explore_seed: int = EXPLORE_SEED  # what it draws
    repeat: int = 1  # times that every test is run
    link: LinkProfile | None = None  # laid under every test
    link_name: str = ""  # as it was said: a name, or FILE#NAME
    link_seed: int = link_profile.SEED
    cross_check: bool = False  # scapy reads all frames, too, and not only those that findings cite
    cross_check_sample: int = 0  # so many packets of each capture; 0 for none
    wrong_runtimes: tuple[Program, ...] = ()  # and stacks, that tests of the kernel meet beside the right one

    @property
    def subject_name(self) -> str:
        """What a report calls the user's subject."""
        return self.address or self.programs[0].name

    def programs_of(self, kinds: Iterable[str]) -> list[Program]:
        """The programs whose profiles are of these kinds, in their order."""
        places = sorted(place for kind in dict.fromkeys(kinds) for place in self._by_kind.get(kind, ()))
        return [self.programs[place] for place in places]

    @cached_property
    def _by_kind(self) -> dict[str, list[int]]:
        """Where the programs of each kind stand: hundreds of tests look for theirs among hundreds of programs."""
        places: dict[str, list[int]] = {}
        for place, program in enumerate(self.programs):
            places.setdefault(protocol.kind_of(program.profile), []).append(place)
        return places


_NOBODY = Settings(programs=())

settings_key = pytest.StashKey[Settings]()
absent_key = pytest.StashKey[dict[str, str]]()
manners_key = pytest.StashKey[dict[str, Manner]]()
early_key = pytest.StashKey[list[str]]()


def settings_of(config: pytest.Config) -> Settings:
    """The settings of this run; of one that was told nothing, in somebody else's suite, a run without a subject."""
    return config.stash.get(settings_key, _NOBODY)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the options of `sockspec check` to pytest itself."""
    group = parser.getgroup("sockspec", "sockspec: judging servers")
    group.addoption("--serve", metavar="CMD", help=SERVE_HELP)
    group.addoption("--ready", metavar="TEXT", help=READY_HELP)
    group.addoption("--ready-budget", metavar="SECONDS", type=seconds, help=READY_BUDGET_HELP)
    group.addoption("--address", metavar="URL", help="judge a running subject: tcp://host:port or udp://host:port")
    group.addoption("--profile", metavar="P", help=f"the service it claims to speak: {profile_words()}")
    group.addoption("--subjects", metavar="FILE", help="judge the implementations of this file, as `sockspec matrix`")
    group.addoption("--version-command", metavar="CMD", help="prints the version of the subject, for the record")
    group.addoption("--family", choices=FAMILIES, help="on this IP family only (default: on both)")
    group.addoption(
        "--mutants",
        action="store_true",
        help="judge the mutants beside the reference servers, as `sockspec proof` does",
    )
    group.addoption("--wide", action="store_true", help=f"with --mutants: {WIDE_HELP}")
    group.addoption(
        "--foreign",
        action="store_true",
        help="judge the servers by others that are installed, too, on IPv4; `sockspec proof --install` fetches them",
    )
    group.addoption("--link", metavar="L", help=link_help())
    group.addoption("--link-seed", metavar="N", type=whole_number, default=link_profile.SEED, help=LINK_SEED_HELP)
    group.addoption("--cross-check", action="store_true", help=CROSS_CHECK_HELP)
    group.addoption("--cross-check-sample", metavar="N", type=whole_number, default=0, help=CROSS_CHECK_SAMPLE_HELP)
    group.addoption("--repeat", metavar="N", type=times, default=1, help=REPEAT_HELP)
    group.addoption("--soak", metavar="SECONDS", type=seconds, default=0.0, help=SOAK_HELP)
    group.addoption("--explore", metavar="SECONDS", type=seconds, default=0.0, help=EXPLORE_HELP)
    group.addoption("--explore-seed", metavar="N", type=whole_number, default=EXPLORE_SEED, help=EXPLORE_SEED_HELP)
    group.addoption("--strict-should", action="store_true", help="a missed SHOULD fails the run")
    group.addoption("--shard", metavar="K/N", help="only the tests of this shard: 2/5 is the second of five parts")
    group.addoption("--report", metavar="DIR", help="where the record goes (default: a new folder in reports/runs)")
    group.addoption(
        "--pcap", choices=PCAP, default="all", help="for which tests the capture is kept (default: %(default)s)"
    )
    group.addoption("--sockspec-slow-workers", metavar="N", type=whole_number, default=0, help=SLOW_WORKERS_HELP)
    group.addoption("--sockspec-quiet", action="store_true", help="progress and summary only, for `sockspec check`")


def seconds(text: str) -> float:
    """A number of seconds above 0; what else is said is a usage error."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds; give 1 or more")
    return float(text)


def whole_number(text: str) -> int:
    """A number from 0 on; what else is said is a usage error."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number; give 0 or more")
    return int(text)


def link_help() -> str:
    """What `--link` takes, for a person."""
    return f"lay this link profile under every test: {', '.join(link_profile.names())}, FILE{link_profile.SUFFIX}#NAME"


def times(text: str) -> int:
    """A number of times, at least once; what else is said is a usage error."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of times; give 1 or more")
    return int(text)


def pytest_configure(config: pytest.Config) -> None:
    """Read the options; what does not fit together is a usage error (exit code 4)."""
    config.stash[settings_key] = read(config)


def read(config: pytest.Config) -> Settings:
    """The settings that the options make; UsageError when they do not fit together."""
    option = config.option
    profile = option.profile or ""
    try:
        kind = protocol.kind_of(profile) if profile else ""
    except ValueError as error:
        raise pytest.UsageError(f"--profile {error}") from None
    common: dict[str, Any] = {
        "profile": profile,
        "strict": option.strict_should,
        "report": Path(option.report) if option.report else None,
        "pcap": option.pcap,
        "shard": _shard(option.shard),
        "repeat": option.repeat,
        "soak": option.soak,
        "explore": option.explore,
        "explore_seed": option.explore_seed,
        "link": _link(option.link),
        "link_name": option.link or "",
        "link_seed": option.link_seed,
        "cross_check": option.cross_check,
        "cross_check_sample": option.cross_check_sample,
        "version_command": option.version_command or "",
        "families": (option.family,) if option.family else FAMILIES,
        "absent": config.stash.get(absent_key, {}) or getattr(config, "workerinput", {}).get("sockspec_absent", {}),
        "manners": config.stash.get(manners_key, {}) or _told(config),
        "early": config.stash.get(early_key, []) or getattr(config, "workerinput", {}).get("sockspec_early", []),
    }
    if option.serve is not None and option.address is not None:
        raise pytest.UsageError("give --serve or the address of a running subject, not both")
    if option.link is not None and option.address is not None:
        raise pytest.UsageError("--link needs a link of ours: start the subject with --serve instead of its address")
    if option.serve is None and (option.ready is not None or option.ready_budget is not None):
        raise pytest.UsageError("--ready is for a server that is started here: give --serve with its command, too")
    if option.serve is not None or option.address is not None:
        if not profile:
            raise pytest.UsageError(f"say which service the subject speaks: --profile {profile_words(' | ')}")
        try:
            ready = ready_of(option.ready, option.ready_budget, profile)
        except ValueError as error:
            raise pytest.UsageError(f"--ready {error}") from None
        return _given(option.serve, option.address, profile, ready, common)
    if option.subjects is not None:
        return _side_by_side(Path(option.subjects), kind, common)
    everybody = [*inventory.reference_servers().values(), *(inventory.mutants().values() if option.mutants else ())]
    everybody += foreign.programs().values() if option.foreign else ()
    programs = tuple(program for program in everybody if not profile or program.profile == profile)
    if kind != profile and not programs:
        raise pytest.UsageError(f"no server of ours speaks {profile}; give yours: --serve 'CMD {{host}} {{port}}'")
    wrong = tuple((inventory.wrong_runtimes() | inventory.wrong_stacks()).values())
    wrong = wrong if option.mutants and not profile else ()
    return Settings(programs=programs, wrong_runtimes=wrong, **common)


def _told(config: pytest.Config) -> dict[str, Manner]:
    """What the controller has told a worker of the manner of subjects."""
    told: dict[str, dict[str, Any]] = getattr(config, "workerinput", {}).get("sockspec_manners", {})
    return {place: Manner.from_record(record) for place, record in told.items()}


def ready_of(word: str | None, budget: float | None, profile: str) -> Ready | None:
    """When a server of this profile is ready, as the user says; ValueError in one line with the remedy."""
    ready = Ready.of(word, budget)
    if ready is not None and ready.answered and (why := beside.why_never(profile)):
        raise ValueError(f"{ANSWERED!r}: {why}; give a text that the server prints instead")
    return ready


def _link(name: str | None) -> LinkProfile | None:
    try:
        return link_profile.named(name) if name is not None else None
    except ValueError as error:
        raise pytest.UsageError(f"--link {error}") from None


def _shard(text: str | None) -> Shard | None:
    try:
        return shards.parse(text) if text is not None else None
    except ValueError as error:
        raise pytest.UsageError(f"--shard {error}") from None


def selection(config: pytest.Config) -> dict[str, str]:
    """The options that chose among the tests, for the record; the shard is told apart."""
    option = config.option
    chosen = {"-k": option.keyword, "-m": option.markexpr, "--profile": option.profile, "--family": option.family}
    if option.link is not None:
        chosen["--link"] = option.link
    suites = bundle.root() / "suites"
    paths = [word for word in config.args if Path(word) not in {suites, Path("suites"), Path("harness/tests")}]
    return {name: value for name, value in (*chosen.items(), ("tests", " ".join(paths))) if value}


def profile_words(between: str = ", ") -> str:
    """What `--profile` takes, for a person."""
    return between.join((*PROFILES, *protocol.samples(), f"FILE{protocol.SUFFIX}"))


def _given_time(programs: tuple[Program, ...], early: list[str]) -> tuple[Program, ...]:
    """The programs, of which those that listen too early are ready when they answer."""
    answered = Ready(answered=True)
    return tuple(replace(one, ready=answered) if place_of(one, "") in early else one for one in programs)


def place_of(program: Program | None, family: str) -> str:
    """The key of `Settings.absent` for one of several implementations; for a subject that is alone the family is."""
    return f"{program.name} {program.profile} {family}" if program else family


def _side_by_side(path: Path, kind: str, common: dict[str, Any]) -> Settings:
    try:
        found = implementations.read(path)
    except ValueError as error:
        raise pytest.UsageError(f"--subjects {error}") from None
    programs = tuple(program for one in found for program in one.programs)
    for program in programs:
        if program.ready is not None and program.ready.answered and (why := beside.why_never(program.profile)):
            raise pytest.UsageError(f"--subjects {path}: [{program.name}]: ready = {ANSWERED!r}: {why}")
    fitting = tuple(program for program in programs if not kind or protocol.kind_of(program.profile) == kind)
    if not fitting:
        raise pytest.UsageError(f"--subjects {path}: nobody there speaks {common['profile']}; take another --profile")
    return Settings(programs=_given_time(fitting, common["early"]), implementations=found, **common)


def _given(
    serve: str | None, address: str | None, profile: str, ready: Ready | None, common: dict[str, Any]
) -> Settings:
    try:
        if serve is not None:
            programs = (inventory.from_command(serve, profile, ready),)
            return Settings(programs=_given_time(programs, common["early"]), given=True, **common)
        transport, host, port = external.parse(address or "")
        external.resolve(host, port, transport)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None
    wanted = protocol.transport_of(profile)
    if transport != wanted:
        raise pytest.UsageError(f"{address} is {transport}, but the profile {profile!r} is spoken over {wanted}")
    return Settings(programs=(), address=address or "", given=True, **common)

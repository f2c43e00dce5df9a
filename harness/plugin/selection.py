"""Which tests judge whom: every test on IPv4 and IPv6, every subject test once for each subject of its profiles.

A test that judges the subject takes the fixture `subject`; its module says in `PROFILES` for which profiles it holds,
own protocols by their kind (`harness.subject.protocol.kind_of`). A test that judges the kernel takes `serve` or
`runtime`, through which it makes its calls; it says nothing about a server of the user's, so it is left out when one
was given. In a proof it is put to each runtime and each stack that is wrong in something that it covers, too.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

import pytest

from harness.plugin.asking import asked, broken, covers_of
from harness.plugin.options import place_of, settings_of
from harness.subject.manner import Manner
from harness.subject.protocol import kind_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.subject.inventory import Program


_NAMES_PROFILES = re.compile(r"^PROFILES\b|^@profiles\(", re.MULTILINE)


def is_judged(nodeid: str) -> bool:
    """Whether a test belongs to a suite, so that its answer is a verdict."""
    return "/suites/" in f"/{nodeid.partition('::')[0]}"


def profiles_of(function: Any, module: Any) -> tuple[str, ...]:
    """The profiles whose subjects a test judges; none if it judges no subject."""
    found: Sequence[str] = function.__dict__.get("profiles", getattr(module, "PROFILES", ()))
    return tuple(found)


def program_of(item: pytest.Item) -> Program | None:
    """The program that a test was multiplied by; None for a test of the kernel and for a subject of the user's."""
    params = item.callspec.params if hasattr(item, "callspec") else {}
    chosen: Program | None = params.get("program") or params.get("wrong_runtime")
    return chosen


def place_of_test(item: pytest.Item) -> str:
    """Under which key the first start of the subject of a test is remembered."""
    params = item.callspec.params if hasattr(item, "callspec") else {}
    one_of_several = program_of(item) if settings_of(item.config).implementations else None
    return place_of(one_of_several, str(params.get("family", "")))


def manner_of_test(item: pytest.Item) -> Manner:
    """How the subject of a test has shown itself; nothing is known of one that was not started before."""
    return settings_of(item.config).manners.get(place_of_test(item), Manner())


def wrong_stack(item: pytest.Item) -> str:
    """The name of the wrong stack on which a test runs; "" if it runs on the right one."""
    program = program_of(item)
    return program.stack if program is not None else ""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Pass over the files that judge the kernel alone where a subject is judged: they need not even be read.

    What judges a subject names the profiles for which it holds, so a file without that word does not.
    """
    settings = settings_of(config)
    if not (settings.profile or settings.implementations) or collection_path.suffix != ".py":
        return None
    if not is_judged(collection_path.relative_to(config.rootpath).as_posix()):
        return None
    return True if not _NAMES_PROFILES.search(collection_path.read_text("utf-8")) else None


def pytest_pycollect_makeitem(collector: pytest.Collector, obj: object) -> list[pytest.Item] | None:
    """Pass over the tests of other profiles than the judged subject's, before anything is made of them."""
    profile = settings_of(collector.config).profile
    if not profile or not isinstance(collector, pytest.Module) or not is_judged(collector.nodeid):
        return None
    profiles = profiles_of(obj, collector.module) if inspect.isfunction(obj) else ()
    return [] if profiles and kind_of(profile) not in profiles else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Multiply a test of a suite by family and by subject."""
    if not is_judged(metafunc.definition.nodeid):
        return
    settings = settings_of(metafunc.config)
    if "family" in metafunc.fixturenames:
        wanted = metafunc.function.__dict__.get("families", settings.families)
        families = [one for one in settings.families if one in wanted]
        if metafunc.config.option.mutants:  # a proof asks on one family, and what is about the other one is asked there
            families = families or list(wanted)
        metafunc.parametrize("family", families, scope="function")
    if "program" in metafunc.fixturenames and not settings.given:
        fitting = settings.programs_of(profiles_of(metafunc.function, metafunc.module))
        fitting = asked(fitting, metafunc.definition)
        if settings.implementations:  # one that speaks several of the profiles is asked once, as the first of them
            fitting = list({program.name: program for program in reversed(fitting)}.values())[::-1]
        metafunc.parametrize("program", fitting, ids=[program.name for program in fitting], scope="function")
    if "wrong_runtime" in metafunc.fixturenames and settings.wrong_runtimes:
        covers = covers_of(metafunc.function)
        wrong = [program for program in settings.wrong_runtimes if broken()[program.name] in covers]
        metafunc.parametrize("wrong_runtime", [None, *wrong], ids=["right", *(program.name for program in wrong)])


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what does not judge the subject that was given."""
    settings = settings_of(config)
    if settings.implementations:
        kept = [item for item in items if not is_judged(item.nodeid) or _judges_subject(item)]
    elif not settings.profile:
        kept = [item for item in items if not _without_subject(item)]
    else:
        kept = [item for item in items if not is_judged(item.nodeid) or _fits(item, kind_of(settings.profile))]
    if len(kept) < len(items):
        config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
        items[:] = kept


def _judges_subject(item: pytest.Item) -> bool:
    return isinstance(item, pytest.Function) and "program" in item.fixturenames and not _without_subject(item)


def _fits(item: pytest.Item, kind: str) -> bool:
    if not isinstance(item, pytest.Function) or not _judges_subject(item):
        return False
    return kind in profiles_of(item.function, item.module)


def _without_subject(item: pytest.Item) -> bool:
    # A test whose profiles have no reference server: pytest leaves it as one item that would be skipped.
    return "NOTSET" in item.nodeid and is_judged(item.nodeid)


def selected_nothing(config: pytest.Config) -> str:
    """Why no test of a suite was selected, in one line; "" when no suite was asked for or nothing narrowed it."""
    option = config.option
    words = [f"{name} {value!r}" for name, value in (("-k", option.keyword), ("-m", option.markexpr)) if value]
    words += [f"--profile {option.profile}"] if option.profile else []
    if not words or not any(is_judged(f"{place}/") for place in config.args):
        return ""
    return f"no test is selected by {' and '.join(words)}; `pytest suites --collect-only -q` shows the names"

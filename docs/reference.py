"""The reference part of the site, written from the code when the site is built, so that it cannot fall behind.

`pages()` is the whole reference as text, one page a path; mkdocs gets it through the hook at the end. What a page says
stands in the code: the parsers of the command line, docstrings, the catalogue. Nothing is told here a second time.
"""

from __future__ import annotations

import argparse
import ast
import enum
import inspect
import re
import types
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from harness import bundle, suite
from harness.cli.main import words
from harness.plugin import fixtures, guest
from harness.plugin.naming import stable_id
from harness.proof import mutants
from harness.report.model import Exit
from harness.spec import citations
from harness.spec.catalogue import HOUSE, load
from harness.verdict import Level, Verdict
from harness.wire.flow import Flow
from harness.wire.icmp import EVERY_KIND
from harness.wire.pattern import Pattern, Sender

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

    from harness.proof.mutants import Mutant
    from harness.spec.catalogue import Document, Requirement

COMMAND_LINE = "reference/command-line.md"
EXIT_CODES = "reference/exit-codes.md"
FIXTURES = "reference/fixtures.md"
PATTERNS = "reference/patterns.md"
REQUIREMENTS = "reference/requirements.md"

_CODE = re.compile(r"`([^`]+)`")
_MEANS_SOMETHING = re.compile(r"([\\`*_\[\]<>|])")  # in Markdown, wherever it stands


def pages() -> dict[str, str]:
    """Every page of the reference by its path below docs/."""
    return {
        COMMAND_LINE: command_line(words()),
        EXIT_CODES: exit_codes(),
        FIXTURES: fixture_page(),
        PATTERNS: pattern_page(),
        **requirement_pages(),
    }


# --- Markdown


def plain(text: str) -> str:
    """Text as it is, whatever it would mean to Markdown; what stands in backticks stays code."""
    parts = _CODE.split(text.replace("\n", " "))
    return "".join(
        code(part) if number % 2 else _MEANS_SOMETHING.sub(r"\\\1", part) for number, part in enumerate(parts)
    )


def code(text: str) -> str:
    """Text as code, in a table too."""
    return f"`{text}`".replace("|", "\\|")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, if there is a row."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *lines]) + "\n\n" if lines else ""


def block(kind: str, lines: str) -> str:
    """A block of code."""
    return f"```{kind}\n{lines.rstrip()}\n```\n\n"


# --- the command line


def command_line(parser: argparse.ArgumentParser) -> str:
    """Every command with its arguments and examples."""
    text = f"# The command line\n\n{plain(parser.description or '')}\n\n"
    text += f"{_examples(parser)}`{parser.prog} COMMAND --help` tells the same as this page.\n\n"
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            briefs = {choice.dest: choice.help or "" for choice in action._choices_actions}
            named = [(name, command) for name, command in action.choices.items() if name in briefs]
            text += table(
                ("command", "is there to"),
                ([f"[`{name}`](#{command.prog.replace(' ', '-')})", plain(briefs[name])] for name, command in named),
            )
            text += "".join(_command(command) for _, command in named)
    return text


def _command(parser: argparse.ArgumentParser) -> str:
    usage = re.sub(r"\s+", " ", parser.format_usage().removeprefix("usage:")).strip()
    text = f"## {parser.prog}\n\n{plain(parser.description or '')}\n\n{block('text', usage)}"
    # As argparse fills in what a help text names, `%(default)s` above all.
    rows = [
        (_spelling(action), plain((action.help or "") % {**vars(action), "prog": parser.prog}))
        for action in parser._actions
        if action.help is not argparse.SUPPRESS and action.dest != "help"
    ]
    return text + table(("argument", "is"), rows) + _examples(parser)


def _spelling(action: argparse.Action) -> str:
    value = action.metavar or ("|".join(action.choices) if action.choices else action.dest)
    if not action.option_strings:
        return code(str(value))
    takes_value = "" if action.nargs == 0 else f" {value}"
    return ", ".join(code(f"{name}{takes_value}") for name in action.option_strings)


def _examples(parser: argparse.ArgumentParser) -> str:
    found = re.search(r"^examples:\n((?:  .*\n?)+)", parser.epilog or "", re.MULTILINE)
    return block("sh", inspect.cleandoc(found[1])) if found else ""


# --- verdicts and exit codes


def exit_codes() -> str:
    """What a test and a run may answer."""
    worse = " < ".join(str(verdict) for verdict in Verdict)
    return (
        "# Verdicts and exit codes\n\n"
        f"A test answers with the worst of its findings: {worse}. [What they mean](../verdicts.md).\n\n"
        + table(
            ("level of the requirement", "a test that misses it answers"),
            ((str(level), str(level.missed) + (", and tells it" if level is Level.MAY else "")) for level in Level),
        )
        + "`sockspec check` and `pytest suites` answer with:\n\n"
        + table(("exit code", "name", "means"), ((str(one.value), code(one.name), plain(one.meaning)) for one in Exit))
    )


# --- fixtures, and what they hand over


def fixture_page() -> str:
    """The fixtures, and all that `harness.suite` gives."""
    lent = {node.name: node for source in (fixtures, guest) for node in _fixtures(inspect.getsource(source))}
    text = "# Fixtures\n\n## In your own test suite\n\nWhere sockspec is installed, pytest has these; "
    text += "[how to use them](../pytest-plugin.md).\n\n"
    text += _fixture_table(lent[name] for name in guest.__all__ if not name.startswith("_"))
    text += "## In the suites of sockspec\n\n[Writing a test](../writing-a-test.md) shows how they are used.\n\n"
    text += _fixture_table(node for node in _fixtures(inspect.getsource(fixtures)) if not node.name.startswith("_"))
    text += (
        "## What `harness.suite` gives\n\nA suite imports from this one module what it needs beside the fixtures.\n\n"
    )
    given = [(name, getattr(suite, name)) for name in suite.__all__]
    text += table(
        ("function", "does"),
        ((code(_signature(name, one)), plain(_first(_doc(one)))) for name, one in given if inspect.isroutine(one)),
    )
    return text + "".join(_class(name, one) for name, one in given if inspect.isclass(one))


def _fixture_table(shown: Iterable[ast.FunctionDef]) -> str:
    rows = ((code(one.name), code(_yielded(one)), plain(_first(ast.get_docstring(one) or ""))) for one in shown)
    return table(("fixture", "is a", "which is"), rows)


def _fixtures(source: str) -> Iterator[ast.FunctionDef]:
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and any("fixture" in ast.unparse(one) for one in node.decorator_list):
            yield node


def _yielded(node: ast.FunctionDef) -> str:
    """What the test gets: the T of a fixture that returns a T or yields one."""
    return re.sub(r"^Iterator\[(.*)\]$", r"\1", ast.unparse(node.returns) if node.returns else "")


def _class(name: str, one: type) -> str:
    text = f"### {name}\n\n{plain(_doc(one).partition(chr(10) * 2)[0])}\n\n"
    if issubclass(one, enum.Enum):
        return text + ", ".join(code(f"{name}.{member.name}") for member in one) + "\n\n"
    return text + _members(one)


def _members(one: type, prefix: str = "") -> str:
    """The public methods and properties of a class, its bases' too, with the first paragraph of their docstrings."""
    rows = []
    for name in dict.fromkeys(name for base in reversed(one.__mro__) for name in vars(base)):
        member = inspect.getattr_static(one, name)
        if name.startswith("_") or not _doc(member):
            continue
        if isinstance(member, property):
            rows.append((code(prefix + name), plain(_first(_doc(member)))))
        elif isinstance(member, (types.FunctionType, staticmethod, classmethod)):
            rows.append((code(prefix + _signature(name, getattr(one, name))), plain(_first(_doc(member)))))
    return table(("call", "is or does"), rows)


def _signature(name: str, called: Any) -> str:
    """A call as it is written: arguments with their defaults, without types."""
    given = inspect.signature(called).parameters.values()
    bare = [one.replace(annotation=inspect.Parameter.empty) for one in given if one.name not in {"self", "cls"}]
    return re.sub(r"<[^<>]+(<[^<>]+>)?[^<>]*>", "…", f"{name}{inspect.Signature(bare)}")  # a default without a name


def _doc(one: object) -> str:
    return inspect.cleandoc(getattr(one, "__doc__", None) or "")


def _first(text: str) -> str:
    """The first paragraph."""
    return inspect.cleandoc(text).partition("\n\n")[0]


# --- patterns


def pattern_page() -> str:
    """All that can be said of what was seen on the wire."""
    return (
        "# Patterns\n\n"
        "A pattern is a sender and one property. `got` is what the subject did, `sent` what the probe put on the wire; "
        "what a pattern does not say, it does not care about. `got.SYN | got.RST` is either of the two, "
        "`got.SYN & got.segment(mss=1460)` both of one segment.\n\n"
        + _members(Sender, "got.")
        + f"The kinds of ICMP errors: {', '.join(code(kind) for kind in sorted(EVERY_KIND))}.\n\n"
        + "## Combined\n\n"
        + table(
            ("written", "is"),
            ((code("a | b"), plain(_doc(Pattern.__or__))), (code("a & b"), plain(_doc(Pattern.__and__)))),
        )
        + f"## Flows\n\n{plain(_first(_doc(Flow)))}\n\n"
        + _members(Flow, "flow.")
    )


# --- the catalogue


def requirement_pages() -> dict[str, str]:
    """A page that lists the documents, and one for each."""
    tests: dict[str, list[str]] = defaultdict(list)
    for test in citations.read(bundle.root()):
        for name in test.covers:
            tests[name].append(stable_id(test.nodeid))
    breaking: dict[str, list[Mutant]] = defaultdict(list)
    for mutant in mutants.read(bundle.root()):
        breaking[mutant.breaks].append(mutant)

    documents = load().by_document()
    rows = (
        (
            f"[{plain(document.name)}](requirements/{document.key}.md)",
            plain(document.title),
            str(len(demands)),
            str(sum(one.is_observable for one in demands)),
            str(sum(one.id in tests for one in demands)),
            str(sum(one.id in breaking for one in demands)),
        )
        for document, demands in documents.items()
    )
    index = (
        "# Requirements\n\nThe catalogue: what each document demands, which tests probe it, and which mutants prove "
        "that they can fail. `sockspec explain ID` tells the same of one requirement.\n\n"
        + table(("document", "title", "requirements", "observable", "with a test", "with a mutant"), rows)
    )
    return {REQUIREMENTS: index} | {
        f"reference/requirements/{document.key}.md": _document(document, demands, tests, breaking)
        for document, demands in documents.items()
    }


def _document(
    document: Document,
    demands: Iterable[Requirement],
    tests: Mapping[str, Sequence[str]],
    breaking: Mapping[str, Sequence[Mutant]],
) -> str:
    text = f"# {plain(document.name)}\n\n{plain(document.title)} ({plain(document.edition)})\n\n"
    for one in demands:
        place = "our reading of it" if one.section == HOUSE else one.section
        written = f"[{plain(place)}]({one.url})" if one.url else plain(place)
        text += f"## {plain(one.id)} {{#{one.id}}}\n\n**{one.strength}** · {plain(one.title)} · {written}\n\n"
        text += f"{plain(one.summary)}\n\n"
        if one.note:
            text += f"{plain(one.note)}\n\n"
        if not one.is_observable:
            text += f"Not observable: {plain(one.reason)}\n\n"
        told = [f"- test {code(test)}\n" for test in sorted(tests.get(one.id, ()))]
        told += [f"- mutant {code(wrong.name)}: {plain(wrong.how)}\n" for wrong in breaking.get(one.id, ())]
        text += "".join(told) + "\n"
    return text


# --- mkdocs


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Hand the pages to mkdocs, which calls this by its name."""
    from mkdocs.structure.files import File

    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files

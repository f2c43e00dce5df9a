"""The crash reports that programs write to stderr: tracebacks, panics, reports of sanitizers.

Each language has a function from the text to the last crash that it tells of there, and where that begins; the crash
that begins last is the one that ended the program. Nothing is guessed from an exit status or a signal: text in, a value
out. A program that catches its exceptions and logs them writes the same text, so only who knows that it has ended may
call what is found here the cause of that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.subject.stacktrace import StackTrace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_LONGEST = 300  # characters of a message that are kept
_READ = 64 * 1024  # characters of the text that are read, the last ones

_KERNEL = (
    "SIGSEGV",
    "SIGBUS",
    "SIGFPE",
    "SIGILL",
    "SIGPIPE",
    "SIGKILL",
    "SIGXFSZ",
    "SIGXCPU",
    "SIGSYS",
)  # no exception
_FATAL = ("Fatal Python error", "Sanitizer")  # handlers of such a signal, which then lets the process end by it


def _by_line(pattern: str) -> re.Pattern[str]:
    """A pattern whose ^ and $ are the ends of each line."""
    return re.compile(pattern, re.MULTILINE)


@dataclass(frozen=True)
class _Frame:
    """One call that had not returned."""

    file: str
    line: int
    function: str
    own: bool  # whether it lies in the program, and not in a library


@dataclass(frozen=True)
class _Found:
    """A crash, and where in the text its report begins."""

    start: int
    trace: StackTrace


def recognized(stderr: str, signal: str | None = None) -> StackTrace | None:
    """The last crash that the text tells of, None where it tells of none.

    `signal` is the one by which the program ended, if any: one of the kernel's own has nothing to do with an exception
    that was logged before.
    """
    text = stderr[-_READ:]
    found = [one for language in _LANGUAGES if (one := language(text)) is not None]
    last = max(found, key=lambda one: one.start, default=None)
    if last is None:
        return None
    by_handler = any(word in f"{last.trace.language} {last.trace.exception}" for word in _FATAL)
    return last.trace if signal not in _KERNEL or by_handler else None


def _trace(language: str, exception: str, message: str | None, frames: Iterable[_Frame] = ()) -> StackTrace:
    """The crash at the first own frame of `frames`, of which the deepest comes first; else at the deepest."""
    known = list(frames)
    place = next((frame for frame in known if frame.own), known[0] if known else _Frame("", 0, "", own=False))
    shown = " ".join((message or "").split())[:_LONGEST]
    return StackTrace(language, exception, shown, place.file, place.line, place.function)


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    return max(pattern.finditer(text), key=re.Match.start, default=None)


def _frames(pattern: re.Pattern[str], library: re.Pattern[str], text: str, *, looked_at: int = 1) -> list[_Frame]:
    """What `pattern` finds by its groups `file`, `line` and `function`; `library` tells by the group `looked_at`."""
    found = []
    for one in pattern.finditer(text):
        function = (one["function"] or "").strip()
        found.append(_Frame(one["file"], int(one["line"]), function, own=not library.search(one[looked_at] or "")))
    return found


# -- Python -----------------------------------------------------------------------------------------------------------

_PY_HEAD = _by_line(r"^[ |+]*(?:Exception Group )?Traceback \(most recent call last\):\n")
_PY_FRAME = _by_line(r'^[ |]*File "(?P<file>[^"]+)", line (?P<line>\d+)(?:,? in (?P<function>.+))?$')
_PY_END = _by_line(r"^(?: *\| )?([A-Za-z_][\w.]*)(?:: (.*(?:\n(?!\s|The above|During handling|Traceback).+)*))?$")
_PY_FATAL = _by_line(r"^Fatal Python error: (.*)$")
_PY_SYNTAX = _by_line(r'^ *File "([^"]+)", line (\d+)\n(?:.*\n){0,3}?^(\w+Error): (.*)$')
_PY_LIBRARY = re.compile(r"/lib(?:64)?/python\d|site-packages|dist-packages|^<")


def _python(text: str) -> _Found | None:
    if (fatal := _last(_PY_FATAL, text)) is not None:
        frames = _frames(_PY_FRAME, _PY_LIBRARY, text[fatal.end() :])
        return _Found(fatal.start(), _trace("Python", "Fatal Python error", fatal[1], frames))
    if (head := _last(_PY_HEAD, text)) is not None:
        body = text[head.end() :]
        last = _last(_PY_FRAME, body)
        if last is None or (end := _PY_END.search(body, last.end())) is None:
            return None
        frames = _frames(_PY_FRAME, _PY_LIBRARY, body[: end.start()])[::-1]
        return _Found(head.start(), _trace("Python", end[1].rpartition(".")[2], end[2], frames))
    return None


def _python_syntax(text: str) -> _Found | None:
    """What the compiler writes, without a traceback."""
    if (said := _last(_PY_SYNTAX, text)) is None:
        return None
    frame = _Frame(said[1], int(said[2]), "", own=True)
    return _Found(said.start(), _trace("Python", said[3], said[4], [frame]))


# -- JavaScript -------------------------------------------------------------------------------------------------------

_JS_END = _by_line(r"^Node\.js v\d.*$")
_JS_HEAD = _by_line(r"^(?:Uncaught )?([A-Z]\w*(?:Error|Exception)?)(?: \[\w+\])?: (.*)$")
_JS_FRAME = _by_line(
    r"^ +at (?:async )?(?:(?P<function>[^\n(]+?) \()?(?:file://)?"
    r"(?P<file>(?:node:|/|\w:\\)[^\s()]*?):(?P<line>\d+):\d+\)?$"
)
_JS_LIBRARY = re.compile(r"\bnode:|node_modules")
_JS_UNHANDLED = _by_line(r"^Emitted '(\w+)' event on (\w+) instance")
_JS_THROWN = _by_line(r"^(/[^\n:]+):(\d+)\n.*\n *\^+\n(.+)$")


def _node(text: str) -> _Found | None:
    ends = [*_JS_END.finditer(text)]
    if not ends:
        return None
    start = ends[-2].end() if len(ends) > 1 else 0
    said = text[start : ends[-1].start()]
    head, thrown = _last(_JS_HEAD, said), _last(_JS_THROWN, said)
    if thrown is not None and (head is None or head.start() < thrown.start()):
        frame = _Frame(thrown[1], int(thrown[2]), "", own=True)
        return _Found(start + thrown.start(), _trace("Node.js", "uncaught", thrown[3], [frame]))
    if head is None:
        return None
    message = head[2]
    if (unhandled := _JS_UNHANDLED.search(said)) is not None:
        message += f" (an '{unhandled[1]}' event on a {unhandled[2]} that has no handler for it)"
    frames = _frames(_JS_FRAME, _JS_LIBRARY, said[head.end() :], looked_at=0)
    return _Found(start + head.start(), _trace("Node.js", head[1], message, frames))


# -- Java -------------------------------------------------------------------------------------------------------------

_JAVA_HEAD = _by_line(r'^Exception in thread "[^"]*" ([\w.$]+)(?:: (.*))?$')
_JAVA_CAUSE = _by_line(r"^Caused by: ([\w.$]+)(?:: (.*))?$")
_JAVA_FRAME = _by_line(r"^\tat (?P<call>[\w.$/<>@-]+)\((?P<file>[\w$]+\.\w+):(?P<line>\d+)\)(?P<function>)$")
_JAVA_LIBRARY = re.compile(r"/|^(?:java|javax|jdk|sun|com\.sun|scala|kotlin|clojure)\.")


def _java(text: str) -> _Found | None:
    if (head := _last(_JAVA_HEAD, text)) is None:
        return None
    body = text[head.end() :]
    cause = _last(_JAVA_CAUSE, body)
    said = cause or head
    frames = [
        _Frame(one["file"], int(one["line"]), one["call"].rpartition("/")[2], own=not _JAVA_LIBRARY.search(one["call"]))
        for one in _JAVA_FRAME.finditer(body, cause.end() if cause else 0)
    ]
    return _Found(head.start(), _trace("Java", said[1].rpartition(".")[2], said[2], frames))


# -- .NET -------------------------------------------------------------------------------------------------------------

_NET_HEAD = _by_line(r"^Unhandled [Ee]xception[.:] ([\w.]+): (.*)$")
_NET_FRAME = _by_line(r"^ +at (?P<function>\S+?\(.*?\)) in (?P<file>.+?):line (?P<line>\d+)$")
_NET_LIBRARY = re.compile(r"^(?:System|Microsoft)\.")


def _dotnet(text: str) -> _Found | None:
    if (head := _last(_NET_HEAD, text)) is None:
        return None
    frames = _frames(_NET_FRAME, _NET_LIBRARY, text[head.end() :])
    return _Found(head.start(), _trace(".NET", head[1].rpartition(".")[2], head[2], frames))


# -- Go ---------------------------------------------------------------------------------------------------------------

_GO_HEAD = _by_line(r"^(panic|fatal error): (.*)$")
_GO_FRAME = _by_line(r"^(?P<function>[^\s(]\S*?)\([^\n]*\)\n\t(?P<file>\S+?):(?P<line>\d+)")
_GO_LIBRARY = re.compile(
    r"/pkg/mod/|/vendor/|/go(?:-?\d[\w.]*)?/(?:[\w.]+/x64/)?src/|^[a-z0-9]+/(?:[a-z0-9_]+/)*\w+\.go$"
)


def _go(text: str) -> _Found | None:
    heads = [one for one in _GO_HEAD.finditer(text) if "\ngoroutine " in text[one.end() :]]
    if not heads:
        return None
    running = text[heads[-1].end() :].partition("\ngoroutine ")[2].partition("\n\n")[0]
    frames = _frames(_GO_FRAME, _GO_LIBRARY, running, looked_at=2)
    message = heads[-1][2].removeprefix("runtime error: ")
    return _Found(heads[-1].start(), _trace("Go", heads[-1][1], message, frames))


# -- Rust -------------------------------------------------------------------------------------------------------------

_RUST_HEAD = _by_line(r"^thread '[^']*'(?: \(\d+\))? panicked at (?:'(.*)', )?([^\n:]+):(\d+):\d+:?\n(.*)$")
_RUST_FRAME = _by_line(r"^ +\d+: (?P<function>.+)\n +at (?P<file>\S+?):(?P<line>\d+)(?::\d+)?$")
_RUST_LIBRARY = re.compile(r"^/rustc/|/\.cargo/registry/|/rustlib/src/|^library/")


def _rust(text: str) -> _Found | None:
    if (head := _last(_RUST_HEAD, text)) is None:
        return None
    frames = _frames(_RUST_FRAME, _RUST_LIBRARY, text[head.end() :], looked_at=2)
    told = _Frame(head[2], int(head[3]), "", own=not _RUST_LIBRARY.search(head[2]))
    named = [frame for frame in frames if frame.own and frame.line == told.line]  # the same place, with its function
    return _Found(head.start(), _trace("Rust", "panic", head[1] or head[4], [*named, told, *frames]))


# -- C and C++ --------------------------------------------------------------------------------------------------------

_SANITIZER = _by_line(r"^(?:==\d+==)?\s*(?:ERROR|WARNING): (\w+Sanitizer): ([a-zA-Z][\w -]*?)(?: on | \(|$)(.*)$")
_UNDEFINED = _by_line(r"^(\S+?):(\d+):\d+: runtime error: (.*)$")
_C_FRAME = _by_line(
    r"^ +#\d+ (?:0x[0-9a-f]+ in )?(?P<function>\S.*?) (?P<file>/\S+?|\S+?\.\w+):(?P<line>\d+)(?::\d+)?(?: \(.*\))?$"
)
_C_LIBRARY = re.compile(r"libsanitizer|compiler-rt|^\.\.?/|^/usr/(?:include|lib|src)/")
_C_ASSERT = _by_line(r"^(?:[^\n:]+: )?([^\s:]+):(\d+): (?:[^\n]*?(\w+)(?:\(.*\))?: )?Assertion `(.*)' failed\.$")
_GLIBC = _by_line(
    r"^(?:\*\*\* (?P<stars>.+?) \*\*\*: .*|(?P<heap>(?:double free|corrupted |free\(\): |malloc\(\): |realloc\(\): "
    r"|munmap_chunk\(\): |malloc_consolidate\(\): ).*))$"
)
_TERMINATE = _by_line(r"^terminate called (?:after throwing an instance of '([^']+)'|.*)(?:\n  what\(\):  (.*))?$")


def _sanitizer(text: str) -> _Found | None:
    if (said := _last(_SANITIZER, text)) is None:
        return None
    # What follows the first empty line tells of memory that was allocated or freed before.
    stack = text[said.end() :].lstrip("\n").partition("\n\n")[0]
    return _Found(said.start(), _trace(said[1], said[2], "", _frames(_C_FRAME, _C_LIBRARY, stack, looked_at=2)))


def _undefined(text: str) -> _Found | None:
    if (said := _last(_UNDEFINED, text)) is None:
        return None
    frame = _Frame(said[1], int(said[2]), "", own=True)
    return _Found(said.start(), _trace("UndefinedBehaviorSanitizer", "runtime error", said[3], [frame]))


def _aborted(text: str) -> _Found | None:
    """What the libraries of C and C++ write before abort()."""
    found = []
    if (said := _last(_C_ASSERT, text)) is not None:
        frame = _Frame(said[1], int(said[2]), said[3] or "", own=True)
        found.append(_Found(said.start(), _trace("C", "assertion failed", said[4], [frame])))
    if (said := _last(_GLIBC, text)) is not None:
        found.append(_Found(said.start(), _trace("C", said["stars"] or said["heap"], "")))
    if (said := _last(_TERMINATE, text)) is not None:
        found.append(_Found(said.start(), _trace("C++", said[1] or "terminate called", said[2])))
    return max(found, key=lambda one: one.start, default=None)


# -- scripts, and OCaml -----------------------------------------------------------------------------------------------

_RB_HEAD = _by_line(r"^(?P<file>[^\s:][^\n:]*):(?P<line>\d+):in [`'](?P<function>[^']+)': (.*) \(([\w:]+)\)$")
_RB_FRAME = _by_line(r"^(?:\tfrom )?(?P<file>[^\s:][^\n:]*):(?P<line>\d+):in [`'](?P<function>[^']+)'")
_RB_LIBRARY = re.compile(r"/lib/ruby/|/gems/|^<internal:")
_PHP_HEAD = _by_line(r"^(?:PHP )?Fatal error:  (?:Uncaught ([\w\\]+)(?:: (.*))?|(.*)) in (/\S+?)(?::| on line )(\d+)$")
_PERL_END = _by_line(r"^(\S.*) at (?P<file>\S+) line (?P<line>\d+)\.$")
_PERL_FRAME = _by_line(r"^\t(?P<function>[\w:]+)\(.*\) called at (?P<file>\S+) line (?P<line>\d+)$")
_PERL_LIBRARY = re.compile(r"/perl5?/|^/usr/lib/")
_LUA_HEAD = _by_line(r"^lua[\w.]*: (\S+?):(\d+): (.*)\nstack traceback:$")
_LUA_FRAME = _by_line(r"^\t(?P<file>\S+?):(?P<line>\d+): in (?P<function>.*)$")
_ML_HEAD = _by_line(r"^Fatal error: exception ([\w.]+)(?:\((.*)\))?$")
_ML_FRAME = _by_line(
    r'^(?:Raised|Called|Re-raised).*? (?P<function>\S+) in file "(?P<file>[^"]+)".*?, line (?P<line>\d+)'
)
_ML_LIBRARY = re.compile(r"^(?:stdlib|unix)\.ml$|/\.opam/|^src/")


def _ruby(text: str) -> _Found | None:
    if (head := _last(_RB_HEAD, text)) is None:
        return None
    frames = _frames(_RB_FRAME, _RB_LIBRARY, text[head.start() :])
    return _Found(head.start(), _trace("Ruby", head[5], head[4], frames))


def _php(text: str) -> _Found | None:
    if (head := _last(_PHP_HEAD, text)) is None:
        return None
    frame = _Frame(head[4], int(head[5]), "", own=True)
    return _Found(head.start(), _trace("PHP", head[1] or "Fatal error", head[2] or head[3], [frame]))


def _perl(text: str) -> _Found | None:
    """Only where it is the last that was said: warn() writes lines of the same form."""
    lines = text.rstrip("\n")
    if (said := _last(_PERL_END, lines)) is None:
        return None
    frames = _frames(_PERL_FRAME, _PERL_LIBRARY, lines[said.end() :])
    if lines[said.end() :].count("\n") != len(frames):
        return None
    own = not _PERL_LIBRARY.search(said["file"])
    function = frames[0].function if frames else ""
    frame = _Frame(said["file"], int(said["line"]), function, own=own)
    return _Found(said.start(), _trace("Perl", "die", said[1], [frame, *frames]))


def _lua(text: str) -> _Found | None:
    if (head := _last(_LUA_HEAD, text)) is None:
        return None
    first = _LUA_FRAME.search(text, head.end())
    function = first["function"].split()[-1].strip("'") if first is not None else ""
    return _Found(head.start(), _trace("Lua", "error", head[3], [_Frame(head[1], int(head[2]), function, own=True)]))


def _ocaml(text: str) -> _Found | None:
    if (head := _last(_ML_HEAD, text)) is None:
        return None
    frames = _frames(_ML_FRAME, _ML_LIBRARY, text[head.end() :], looked_at=2)
    return _Found(head.start(), _trace("OCaml", head[1], head[2], frames))


_LANGUAGES: tuple[Callable[[str], _Found | None], ...] = (
    _python,
    _python_syntax,
    _node,
    _java,
    _dotnet,
    _go,
    _rust,
    _sanitizer,
    _undefined,
    _aborted,
    _ruby,
    _php,
    _perl,
    _lua,
    _ocaml,
)

"""What programs in many languages wrote to stderr when they crashed, and what is read from it.

The texts in `crashes/` were written by real programs: of CPython, Node.js, OpenJDK, Go, Rust, GCC and clang with their
sanitizers, glibc, libstdc++, Ruby, PHP, Perl, Lua and OCaml. Only their folders were renamed.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.subject.crash_reports import recognized
from harness.subject.stacktrace import StackTrace

CRASHES = Path(__file__).with_name("crashes")
RESET = "Connection reset by peer"
RUST = f'called `Result::unwrap()` on an `Err` value: Os {{ code: 104, kind: ConnectionReset, message: "{RESET}" }}'
OVERFLOW = "signed integer overflow: 2 + 2147483647 cannot be represented in type 'int'"
HEAD = "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"

EXPECTED = {
    "c_assert": StackTrace("C", "assertion failed", 'argc == 7 && "seven"', "asan.c", 20, "main"),
    "c_double": StackTrace("C", "double free or corruption (!prev)"),
    "c_double2": StackTrace("C", "free(): double free detected in tcache 2"),
    "c_fort": StackTrace("C", "buffer overflow detected"),
    "c_stack": StackTrace("C", "stack smashing detected"),
    "clang_heap": StackTrace("AddressSanitizer", "heap-buffer-overflow", "", "/srv/asan.c", 7, "serve"),
    "cpp_std": StackTrace("C++", "std::invalid_argument", "stoi"),
    "go_dead": StackTrace(
        "Go", "fatal error", "all goroutines are asleep - deadlock!", "/srv/gos/main.go", 27, "main.main"
    ),
    "go_index": StackTrace("Go", "panic", "index out of range [5] with length 1", "/srv/gos/main.go", 9, "main.serve"),
    "go_lib": StackTrace("Go", "panic", "strings: negative Repeat count", "/srv/gos/main.go", 21, "main.main"),
    "go_panic": StackTrace("Go", "panic", "cannot serve: file already closed", "/srv/gos/main.go", 19, "main.main"),
    "go_race": StackTrace("Go", "fatal error", "concurrent map writes", "/srv/gos/main.go", 30, "main.main.func1"),
    "go_segv": StackTrace(
        "Go", "panic", "invalid memory address or nil pointer dereference", "/srv/gos/main.go", 24, "main.main"
    ),
    "java_cause": StackTrace(
        "Java", "IndexOutOfBoundsException", "Index 1 out of bounds for length 0", "Server.java", 3, "Server.serve"
    ),
    "java_thread": StackTrace(
        "Java",
        "NullPointerException",
        'Cannot invoke "String.length()" because "<local0>" is null',
        "Npe.java",
        2,
        "Npe.lambda$main$0",
    ),
    "lua": StackTrace("Lua", "error", "attempt to get length of a nil value (field 'words')", "server.lua", 2, "serve"),
    "ml": StackTrace("OCaml", "Failure", '"int_of_string"'),
    "ml_b": StackTrace("OCaml", "Failure", '"int_of_string"', "server.ml", 1, "Server.serve"),
    "msan": StackTrace("MemorySanitizer", "use-of-uninitialized-value", "", "/srv/msan.c", 3, "serve"),
    "node_esm": StackTrace(
        "Node.js", "SyntaxError", "Expected property name or '}' in JSON at position 1", "/srv/esm.mjs", 1, "serve"
    ),
    "node_reject": StackTrace("Node.js", "RangeError", "no room", "/srv/reject.js", 1, "serve"),
    "node_reset": StackTrace(
        "Node.js",
        "Error",
        "read ECONNRESET (an 'error' event on a Socket that has no handler for it)",
        "node:internal/stream_base_commons",
        218,
        "TCP.onStreamRead",
    ),
    "node_throwstr": StackTrace("Node.js", "uncaught", "no room", "/srv/throwstr.js", 1),
    "node_type": StackTrace(
        "Node.js", "TypeError", "Cannot read properties of undefined (reading 'map')", "/srv/type.js", 2, "serve"
    ),
    "perl_confess": StackTrace("Perl", "die", "cannot serve 'x'", "carp.pl", 2, "main::serve"),
    "perl_die": StackTrace("Perl", "die", "cannot serve '0'", "server.pl", 2),
    "php": StackTrace("PHP", "TypeError", "Unsupported operand types: null + array", "/srv/server.php", 2),
    "py_chained": StackTrace("Python", "RuntimeError", "no table: several lines", "/srv/chained.py", 5, "serve"),
    "py_faulty": StackTrace("Python", "Fatal Python error", "Segmentation fault", "/srv/faulty.py", 4, "serve"),
    "py_group": StackTrace("Python", "ValueError", "no line", "/srv/group.py", 3, "serve"),
    "py_server": StackTrace("Python", "JSONDecodeError", HEAD, "/srv/server.py", 5, "serve"),
    "py_syntax": StackTrace("Python", "SyntaxError", "invalid syntax", "/srv/syntax.py", 1),
    "py_thread": StackTrace("Python", "ConnectionResetError", f"[Errno 104] {RESET}", "/srv/thread.py", 3, "serve"),
    "rb_json": StackTrace("Ruby", "JSON::ParserError", "859: unexpected token at '{'", "server.rb", 3, "serve"),
    "rb_reset": StackTrace("Ruby", "Errno::ECONNRESET", RESET, "reset.rb", 2, "serve"),
    "rust_err": None,  # main() returned an error: a line without a form of its own
    "rust_index": StackTrace(
        "Rust", "panic", "index out of bounds: the len is 1 but the index is 5", "./panic.rs", 2, "panic::serve"
    ),
    "rust_unwrap": StackTrace("Rust", "panic", RUST, "./panic.rs", 5, "panic::main"),
    "san_heap": StackTrace("AddressSanitizer", "heap-buffer-overflow", "", "/srv/asan.c", 7, "serve"),
    "san_leak": StackTrace("LeakSanitizer", "detected memory leaks", "", "/srv/asan.c", 13, "leak"),
    "san_null": StackTrace("AddressSanitizer", "SEGV", "", "/srv/asan.c", 18, "main"),
    "san_uaf": StackTrace("AddressSanitizer", "heap-use-after-free", "", "/srv/asan.c", 10, "serve"),
    "tsan": StackTrace("ThreadSanitizer", "data race", "", "/srv/tsan.c", 3, "serve"),
    "ubsan_fatal": StackTrace("UndefinedBehaviorSanitizer", "runtime error", OVERFLOW, "asan.c", 12),
}


def said(name: str) -> str:
    return (CRASHES / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", EXPECTED)
def test_a_crash_is_recognized(name: str) -> None:
    """Exception, message and the place in the program's own files, where the text tells them."""
    assert recognized(said(name)) == EXPECTED[name]


def test_every_text_is_read() -> None:
    """No example lies there that nothing looks at."""
    assert {path.stem for path in CRASHES.iterdir()} == EXPECTED.keys()


@pytest.mark.parametrize("name", [name for name, trace in EXPECTED.items() if trace is not None])
def test_what_was_said_before_changes_nothing(name: str) -> None:
    """A log, and an exception that was caught and logged, stand before the crash; the crash is the last one."""
    before = "listening on port 7\n" + said("py_thread") + said("go_index") + "INFO: client 3 disconnected\n"

    assert recognized(before + said(name)) == EXPECTED[name]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "listening on [::]:7\n",
        "bind: Address already in use\n",
        "ERROR: AddressBook: no such entry\n",
        "panic: no\n",  # no goroutine: some program's own word
        "warning: odd line at server.pl line 3.\nlistening\n",  # Perl went on
        "assertion `x' failed\n",
        "Traceback (most recent call last):\n",  # cut off
        "RESET from 10.9.0.1: Error: 3\n",
    ],
)
def test_what_is_no_crash_is_not_taken_for_one(text: str) -> None:
    """Half a report, and words that look like one."""
    assert recognized(text) is None


@pytest.mark.parametrize("signal", ["SIGSEGV", "SIGPIPE", "SIGKILL"])
def test_a_logged_exception_does_not_explain_a_signal(signal: str) -> None:
    """The kernel ended the process; what it had logged before has nothing to do with that."""
    assert recognized(said("py_thread"), signal) is None
    assert recognized(said("node_type"), signal) is None


@pytest.mark.parametrize(
    ("name", "signal"), [("py_faulty", "SIGSEGV"), ("c_stack", "SIGABRT"), ("san_null", "SIGSEGV")]
)
def test_the_report_of_a_handler_does(name: str, signal: str) -> None:
    """A handler of the signal wrote it, or the program ended itself by abort()."""
    assert recognized(said(name), signal) == EXPECTED[name]


@pytest.mark.parametrize("name", [name for name, trace in EXPECTED.items() if trace is not None])
def test_any_cut_of_a_report_is_read_without_an_error(name: str) -> None:
    """A process may be killed amid its last words: what is read then is a crash or none."""
    text = said(name)
    for end in range(0, len(text), 7):
        recognized(text[:end])


@pytest.mark.parametrize(
    ("name", "lost"),
    [("py_thread", True), ("node_reset", True), ("rb_reset", True), ("rust_unwrap", True), ("php", False)],
)
def test_a_lost_connection_is_told_from_other_crashes(name: str, lost: bool) -> None:
    """All that happened is that the other end disappeared, in whatever language that is noticed."""
    trace = EXPECTED[name]

    assert trace is not None
    assert trace.is_lost_connection is lost


@pytest.mark.parametrize(
    ("file", "folder", "seen"),
    [
        ("/srv/echo.py", "/srv", "echo.py"),
        ("/srv/./app/echo.py", "/srv", "app/echo.py"),
        ("/srv2/echo.py", "/srv", "/srv2/echo.py"),
        ("echo.py", "/srv", "echo.py"),
        ("/srv/echo.py", "/", "srv/echo.py"),
        ("", "/srv", ""),
    ],
)
def test_a_file_is_named_from_where_the_command_was_given(file: str, folder: str, seen: str) -> None:
    """So that two checkouts tell the same, and a CI finds the line."""
    assert StackTrace("Python", "ValueError", file=file).seen_from(folder).file == seen

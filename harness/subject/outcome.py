"""What has become of a subject, in words for a person."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from harness.subject.crash_reports import recognized

if TYPE_CHECKING:
    from harness.subject.stacktrace import StackTrace

_ENOUGH = 3  # lines of a stderr that nobody recognizes


def status(told: dict[str, Any]) -> str:
    """`exit 1`, `killed by SIGSEGV` or `still running`."""
    if not told["ended"]:
        return "still running"
    return f"exit {told['exit']}" if told["exit"] is not None else f"killed by {told['signal']}"


def crash(told: dict[str, Any]) -> StackTrace | None:
    """The crash that its stderr tells of; files are named as from here, where its command was given."""
    trace = recognized(told["stderr"], told["signal"])
    return trace.seen_from(os.getcwd()) if trace is not None else None


def outcome(told: dict[str, Any], lines: int = 12) -> list[str]:
    """What has become of a program, in lines for a person; the last `lines` of what it printed."""
    result = [f"status: {status(told)}"]
    for name in ("stderr", "stdout"):
        if text := told.get(name, "").rstrip():
            shown = text.splitlines()[-lines:]
            result += [f"{name}: {shown[0]}", *(" " * (len(name) + 2) + line for line in shown[1:])]
    return result


def in_a_line(told: dict[str, Any]) -> str:
    """What has become of a program, with the crash that its stderr tells of, or else the last line of that."""
    said = status(told)
    if told["signal"] == "SIGPIPE":
        said += ", as send() to a client that is gone raises it: ignore it, or send with MSG_NOSIGNAL"
    return "; ".join(filter(None, (said, last_words(told, 1))))


def last_words(told: dict[str, Any], lines: int = _ENOUGH) -> str:
    """What its stderr says last, in one line: a crash with its place, or else the last `lines` that are not empty."""
    if (trace := crash(told)) is not None:
        return str(trace)
    return " / ".join(line.strip() for line in [one for one in told["stderr"].splitlines() if one.strip()][-lines:])

"""What has become of a subject, in words for a person."""

from __future__ import annotations

from typing import Any


def outcome(told: dict[str, Any], lines: int = 12) -> list[str]:
    """What has become of a program, in lines for a person; the last `lines` of what it printed."""
    ended = f"exit {told['exit']}" if told["exit"] is not None else f"killed by {told['signal']}"
    result = [f"status: {ended if told['ended'] else 'still running'}"]
    for name in ("stderr", "stdout"):
        if text := told.get(name, "").rstrip():
            shown = text.splitlines()[-lines:]
            result += [f"{name}: {shown[0]}", *(" " * (len(name) + 2) + line for line in shown[1:])]
    return result


def in_a_line(told: dict[str, Any]) -> str:
    """What has become of a program, with the last line of its stderr: where a traceback says what was wrong."""
    status = outcome(told, lines=1)[0].removeprefix("status: ")
    if told["signal"] == "SIGPIPE":
        status += ", as send() to a client that is gone raises it: ignore it, or send with MSG_NOSIGNAL"
    last = told["stderr"].strip().rpartition("\n")[2]
    return f"{status}; {last}" if last else status

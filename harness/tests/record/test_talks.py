"""The calls of both ends survive the way to disk, and a damaged file costs only itself."""

from __future__ import annotations

import pytest

from harness.probe.calls import Call, Calls
from harness.record.talks import Talk, read, subject_calls, write
from harness.wire.segment import Endpoint

TALK = Talk(
    "tcp",
    Endpoint("fd09::1", 40000),
    Endpoint("fd09::2", 7),
    calls=(Call(1, "connect()", "EINPROGRESS"), Call(2, "send()", octets=10, times=2)),
    answers=(Call(3, "accept()"),),
    left_out=4,
)


def test_what_was_written_is_read() -> None:
    """Ends, calls and how many were left out."""
    assert read(write([TALK, TALK])) == (TALK, TALK)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'[{"protocol": "tcp"}]', b"\xff", write([TALK])[:-5]])
def test_a_damaged_file_tells_nothing(content: bytes) -> None:
    """A report goes on without calls."""
    assert read(content) == ()


def test_a_subject_tells_by_lines() -> None:
    """Each line goes to its client; what repeats is counted, what is no line is passed over."""
    text = "10 4 accept() \n11 4 recv() 5\n12 4 recv() 6\n13 5 send() EPIPE\nrubbish\n14 4 recv() 0\n15 4 send() 0\n"

    by_port = subject_calls(text)

    assert [str(call) for call in by_port[4]] == [
        "accept()",
        "recv() ×2 = 11",
        "recv() = 0, end of stream",
        "send() = 0",
    ]
    assert [str(call) for call in by_port[5]] == ["send() = EPIPE"]


def test_calls_that_repeat_are_counted() -> None:
    """A stream that is read in a thousand pieces is one line; calls that differ are kept, up to a number."""
    calls = Calls()
    for _ in range(1000):
        calls.note("recv()", octets=10)
    assert [str(call) for call in calls] == ["recv() ×1000 = 10000"]

    for number in range(1000):
        calls.note(f"call{number}()")
    assert len(calls.kept) + calls.left_out == 1001

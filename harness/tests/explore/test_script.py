"""The script that shows a failure again: what it says, and what it answers to a wrong server and to a right one."""

from __future__ import annotations

import re
import select
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from harness.explore.actions import Close, Connect, DropNext, HalfClose, Read, Reset, Send
from harness.explore.contracts import contract
from harness.explore.model import SURVIVES, Amiss, Heard
from harness.explore.player import Missed
from harness.explore.script import blind, listed, script

if TYPE_CHECKING:
    from collections.abc import Callable

WRONG = Amiss("rfc862:tcp/octets-unchanged", "5 octets, 'hello'", "differs at offset 4: expected 'o', got 'O'")
PLAYED = (Connect(1), Send(1, b"x" * 300), Read(1), HalfClose(1), Send(1, b"hello"), Read(1))
SAID = (b"x" * 300, b"hello")


def missed(profile: str = "echo", *, played: tuple[object, ...] = PLAYED, said: tuple[bytes, ...] = SAID) -> Missed:
    made, heard = contract(profile), Heard(said)
    due = made.due(heard) if made.transport == "tcp" else made.due_datagrams(heard)
    came = tuple(300 if number == 2 else 0 for number in range(len(played)))
    return Missed(played, 1, WRONG, due, said, came)  # type: ignore[arg-type] # whatever is played


def sequence(text: str) -> list[str]:
    """The lines of the sequence."""
    body = text.partition("def sequence() -> None:\n")[2].partition("\n\n\n")[0]
    return [line.strip() for line in body.splitlines()]


def test_the_sequence_is_a_call_on_each_line() -> None:
    """What came is read up to where it came; the last read says what is owed."""
    assert sequence(script(missed(), udp=False, title="echo")) == [
        "connect(1)",
        "send(1, b'x' * 300)",
        "read(1, 300)",
        "half_close(1)",
        "send(1, b'hello')",
        "owes(1, said[1])",
    ]


@pytest.mark.parametrize(
    ("profile", "said", "claim"),
    [
        ("discard", (b"x",), "owes(1, b'')"),
        ("greeting", (b"x",), 'owes(1, None, like='),
        ("qotd", (), 'owes(1, None, least=1, end="must")'),
        ("udp-echo", (b"", b"a"), "owes_datagrams(1, [b'', b'a'])"),
        ("udp-qotd", (b"a",), "owes_datagrams(1, [re.compile(b'(?s).+')])"),
    ],
)  # fmt: skip
def test_the_last_line_says_what_is_owed(profile: str, said: tuple[bytes, ...], claim: str) -> None:
    text = script(missed(profile, said=said), udp=profile.startswith("udp"), title=profile)

    assert sequence(text)[-1].startswith(claim)


def test_what_a_script_cannot_do_it_says() -> None:
    lost = missed(played=(Connect(1), DropNext(sent=True), *PLAYED[1:]))
    dead = Missed((Connect(1), Close(1)), 0, WRONG, None, (), (0, 0))
    refused = Missed((Connect(1),), 1, WRONG, None, (), (0,))

    assert "the loss of a segment" in blind(lost)
    assert "# the next segment with octets that a client sends is lost here, which no script can do" in sequence(
        script(lost, udp=False, title="echo")
    )
    assert "process" in blind(dead)
    assert (blind(refused), blind(missed())) == ("", "")


def test_a_subject_may_say_what_it_likes() -> None:
    """Quotes and backslashes of an answer do not end the script's first lines."""
    wrong = Missed((Connect(1),), 1, Amiss(SURVIVES, '"""\\', 'a"""b\\'), None, (), (0,))

    compile(script(wrong, udp=False, title="echo"), "repro.py", "exec")


def test_it_imports_nothing_but_the_standard_library() -> None:
    imported = set(re.findall(r"^(?:import|from) +(\w+)", script(missed(), udp=False, title="echo"), re.MULTILINE))

    assert imported - {"__future__"} <= set(sys.stdlib_module_names)


def test_the_sequence_is_listed_by_number() -> None:
    assert listed((Connect(1), Read(1))) == ("    1  connect(1)", "    2  read(1)")


def answering(change: Callable[[bytes], bytes], text: str) -> subprocess.CompletedProcess[str]:
    """Run a script against a server of one connection, which answers each message with a change."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            while octets := connection.recv(65536):
                connection.sendall(change(octets))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        return played(text, listener)


def played(text: str, listener: socket.socket) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", text, "127.0.0.1", str(listener.getsockname()[1])]
    return subprocess.run(words, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (bytes, 0, "the bug does not show"),
        (bytes.upper, 1, "the bug shows: client 1 got b'HELLO' (5 octets), then nothing more, and not b'hello'"),
        (lambda octets: octets + b"!", 1, "the bug shows: client 1 got b'hello!' (6 octets)"),
    ],
    ids=["right", "wrong", "more"],
)
def test_its_exit_code_tells_whether_the_bug_shows(change: Callable[[bytes], bytes], code: int, said: str) -> None:
    hello = (Connect(1), Send(1, b"hello"), Read(1))

    ran = answering(change, script(missed(played=hello, said=(b"hello",)), udp=False, title="echo"))

    assert (ran.returncode, ran.stderr) == (code, "")
    assert ran.stdout.startswith(said)


def test_who_is_taken_in_and_thrown_out_was_not_let_in() -> None:
    """A server that a reset has ended may take the next client in first: its end resets whoever waits."""
    dies = Missed((Connect(1), Reset(1), Connect(2)), 2, WRONG, None, (), (0, 0, 0))
    text = script(dies, udp=False, title="discard")
    assert sequence(text)[-2:] == ["connect(2)", "let_in(2)"]
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def take_two_in_and_end() -> None:
            listener.accept()[0].close()
            select.select([listener], [], [])  # the second is connected, and waits to be accepted
            listener.close()

        server = threading.Thread(target=take_two_in_and_end)
        server.start()
        ran = played(text, listener)
        server.join()

    assert ran.returncode == 1
    assert ran.stdout.startswith("the bug shows: client 2 is not let in: ")  # at once, or already while it connects

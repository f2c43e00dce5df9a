"""Starting a subject: found however it binds, and what is wrong with one that does not become ready, in full."""

from __future__ import annotations

import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from harness.lab.ends import FAR
from harness.subject import beginning
from harness.subject.beginning import NotReady
from harness.subject.inventory import from_command, reference_servers
from harness.subject.process import Subject, start
from harness.wire.segment import Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.lab.handle import Lab

BINDS = """
import signal, socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
listener = socket.create_server((sys.argv[1], int(sys.argv[2])), family=family)
signal.pause()
"""
BINDS_UDP = BINDS.replace("socket.create_server((sys.argv[1], int(sys.argv[2])), family=family)", (
    "socket.socket(family, socket.SOCK_DGRAM); listener.bind((sys.argv[1], int(sys.argv[2])))"
))  # fmt: skip
NEVER_LISTENS = "import signal, sys\nprint('waiting for better days', file=sys.stderr, flush=True)\nsignal.pause()\n"
ENDS = "import sys\nprint('usage: server CONFIG')\nsys.exit('server: no such file: CONFIG')\n"
ENDS_WITH_ITS_INPUT = "import sys\nprint('press Enter to end')\nsys.stdin.readline()\n"
CRASHES = "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n"
IMPORTS_MUCH = "import time\nwhile time.process_time() < 1:\n    pass\n"
COMPUTES_FOR_EVER = "while True:\n    pass\n"
GOES_TO_BACKGROUND = "import os\nif os.fork():\n    os._exit(0)\nos.setsid()\n" + BINDS
BACKGROUND_IN_VAIN = "import os, signal\nif os.fork():\n    os._exit(0)\nos.setsid()\nsignal.pause()\n"

SOON = 0.3  # seconds: a budget that is meant to be used up


@pytest.fixture
def serving(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Subject]]:
    """Starts a Python program under the name of its file, with words behind it; the command is named `server …`."""
    monkeypatch.setattr(beginning, "_SECOND_THOUGHTS", 0.05)
    started = []

    def serving(text: str, *words: str, family: str = "v4", profile: str = "echo", seconds: float = 10.0) -> Subject:
        file = tmp_path / "server"
        file.write_text(f"#!{sys.executable}\n{text}")
        file.chmod(0o755)
        program = from_command(" ".join(["server", *words]), profile)
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": "1"}
        monkeypatch.setenv("PATH", environment["PATH"])
        program = from_command(" ".join([str(file), *words]), profile)
        subject = start(lab, program, family, environment, seconds=seconds)
        started.append(subject)
        return subject

    yield serving
    for subject in started:
        subject.close()


def complaint(serving: Callable[..., Subject], folder: Path, *arguments: str, **how: object) -> tuple[str, bool]:
    """What is told of a subject that does not become ready, without the folder, and whether the command is at fault."""
    with pytest.raises(NotReady) as told:
        serving(*arguments, seconds=SOON, **how)
    return str(told.value).replace(f"{folder}/", ""), told.value.usage


# --- ready


@pytest.mark.parametrize(
    ("words", "over_v4", "over_v6"),
    [
        (("{host}", "{port}"), Endpoint(FAR.v4[0], 7007), Endpoint(FAR.v6[0], 7007)),
        (("0.0.0.0", "{port}"), Endpoint(FAR.v4[0], 7007), None),
        (("127.0.0.1", "80"), Endpoint("127.0.0.1", 80), None),
        (("''", "8888"), Endpoint(FAR.v4[0], 8888), None),
        (("::", "7"), Endpoint(FAR.v4[0], 7), Endpoint(FAR.v6[0], 7)),
        (("subject", "{port}"), Endpoint(FAR.v4[0], 7007), None),
    ],
)
def test_a_server_is_found_where_it_listens(
    serving: Callable[..., Subject], words: tuple[str, ...], over_v4: Endpoint | None, over_v6: Endpoint | None
) -> None:
    """With host and port, with one of them or none, in either family."""
    # create_server lets no IPv4 client in at [::]; the kernel's default does.
    text = BINDS.replace(
        "family=family", "family=family, dualstack_ipv6=family == socket.AF_INET6 and sys.argv[1] == '::'"
    )

    for family, place in (("v4", over_v4), ("v6", over_v6)):
        if place is not None:
            subject = serving(text, *words, family=family)
            assert subject.address == place
            subject._lab.ask("build")


def test_a_bound_socket_is_a_ready_udp_server(serving: Callable[..., Subject]) -> None:
    """UDP knows no LISTEN."""
    subject = serving(BINDS_UDP, "{host}", "{port}", profile="udp-echo")

    assert (subject.address, subject.transport) == (Endpoint(FAR.v4[0], 7007), "udp")


@pytest.mark.parametrize(
    ("bound", "family", "hosts"),
    [("{host}", "v4", FAR.v4[:1]), ("0.0.0.0", "v4", FAR.v4), ("{host}", "v6", FAR.v6[:1]), ("::", "v6", FAR.v6)],
)
def test_where_a_server_can_be_asked(
    serving: Callable[..., Subject], bound: str, family: str, hosts: tuple[str, ...]
) -> None:
    """At every address of its end, if it is bound to all."""
    subject = serving(BINDS_UDP, bound, "{port}", family=family, profile="udp-echo")

    assert subject.addresses() == tuple(Endpoint(host, 7007) for host in hosts)


def test_a_program_that_goes_to_the_background_is_found(serving: Callable[..., Subject]) -> None:
    """The process that was started ends, and the one that serves is another."""
    subject = serving(GOES_TO_BACKGROUND, "{host}", "{port}")

    assert subject.address == Endpoint(FAR.v4[0], 7007)
    assert not subject.ended
    assert subject.told()["ended"] is False
    assert subject.resources()["sockets"] == 1
    with subject.paused():
        assert subject.look().running == 0
    subject.signal(signal.SIGKILL)
    ended = subject.wait_end()
    assert ended is not None
    assert (ended["exit"], ended["signal"]) == (None, "SIGKILL")


def test_a_program_that_ends_for_good_has_ended(serving: Callable[..., Subject]) -> None:
    """With whatever exit code: nobody has its listener."""
    subject = serving(BINDS.replace("signal.pause()", "listener.accept()"), "{host}", "{port}")
    with subject._lab.socket("near", socket.AF_INET, socket.SOCK_STREAM) as client:
        client.connect(subject.address)

    ended = subject.wait_end()

    assert ended is not None
    assert (subject.ended, ended["exit"]) == (True, 0)


def test_a_reference_server_tells_where_it_is(lab: Lab, family: str) -> None:
    """It chooses its port and reports on descriptor 3."""
    subject = start(lab, reference_servers()["echo_selectors"], family, {})

    assert subject.address.host == FAR.address(family)
    assert [entry["local"] for entry in subject.sockets(listening=True)] == [list(subject.address)]
    subject.close()


# --- not ready


def test_a_program_that_does_not_exist(lab: Lab) -> None:
    """The command is at fault."""
    with pytest.raises(NotReady) as told:
        start(lab, from_command("./no-such-server --port {port}", "echo"), "v4", {})

    assert told.value.usage
    assert str(told.value) == (
        "'./no-such-server' cannot be started: No such file or directory\n"
        "  command: ./no-such-server --port 7007"
    )  # fmt: skip


def test_a_program_that_ends(serving: Callable[..., Subject], tmp_path: Path) -> None:
    """With what it said before."""
    assert complaint(serving, tmp_path, ENDS, "{port}") == (
        (
            "'server {port}' ended before it was ready\n"
            "  command: server 7007\n"
            "  status: exit 1\n"
            "  stderr: server: no such file: CONFIG\n"
            "  stdout: usage: server CONFIG"
        ),
        False,
    )  # fmt: skip


def test_a_program_that_ends_with_its_input(serving: Callable[..., Subject], tmp_path: Path) -> None:
    """As one does that serves until somebody presses a key: what it has to know is that nobody will."""
    assert complaint(serving, tmp_path, ENDS_WITH_ITS_INPUT) == (
        (
            "'server' ended before it was ready, and without an error: its input is at an end (stdin is /dev/null)\n"
            "  command: server\n"
            "  status: exit 0\n"
            "  stdout: press Enter to end"
        ),
        False,
    )  # fmt: skip


def test_a_program_that_crashes(serving: Callable[..., Subject], tmp_path: Path) -> None:
    """With the signal."""
    assert complaint(serving, tmp_path, CRASHES) == (
        (
            "'server' ended before it was ready\n"
            "  command: server\n"
            "  status: killed by SIGSEGV"
        ),
        False,
    )  # fmt: skip


def test_a_program_that_never_listens(serving: Callable[..., Subject], tmp_path: Path) -> None:
    """Within the budget, which is named."""
    assert complaint(serving, tmp_path, NEVER_LISTENS, "{port}") == (
        (
            "'server {port}' has no TCP socket in LISTEN after 0.3 s\n"
            "  command: server 7007\n"
            "  status: still running\n"
            "  stderr: waiting for better days"
        ),
        False,
    )  # fmt: skip


def test_a_program_that_is_busy_becoming_ready_gets_its_time(serving: Callable[..., Subject]) -> None:
    """On a loaded machine what one imports takes longer than the time after which an idle one is given up."""
    subject = serving(IMPORTS_MUCH + BINDS, "{host}", "{port}", seconds=0.9)

    assert subject.address.port


def test_a_program_that_is_busy_for_ever_does_not(
    serving: Callable[..., Subject], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beginning, "_LONG", SOON)

    text, usage = complaint(serving, tmp_path, COMPUTES_FOR_EVER)

    assert "has no TCP socket in LISTEN" in text
    assert not usage


def test_a_program_that_never_listens_in_the_background(serving: Callable[..., Subject], tmp_path: Path) -> None:
    """Its first process has ended, but others are there to wait for."""
    assert complaint(serving, tmp_path, BACKGROUND_IN_VAIN) == (
        (
            "'server' has no TCP socket in LISTEN after 0.3 s\n"
            "  command: server\n"
            "  status: exit 0"
        ),
        False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "over", "said"),
    [
        (
            ("127.0.0.1", "{port}", "# {host}"),
            "v4",
            "listens on 127.0.0.1:7007, not on 10.9.0.2:7007 as its command says",
        ),
        (
            ("127.0.0.1", "80", "{host}", "{port}"),
            "v4",
            "listens on 127.0.0.1:80, not on 10.9.0.2:7007 as its command says",
        ),
        (
            ("127.0.0.1", "{port}"),
            "v6",
            "listens on 127.0.0.1:7007, not on [fd09::2]:7007; give it {host} in its command",
        ),
        (
            ("0.0.0.0", "80"),
            "v6",
            "listens on 0.0.0.0:80, not on fd09::2; give it {host} and {port} in its command",
        ),
        (
            ("::1", "80"),
            "v6",
            "listens on [::1]:80, not on fd09::2; give it {host} and {port} in its command",
        ),
    ],
)
def test_a_program_that_listens_elsewhere(
    serving: Callable[..., Subject], tmp_path: Path, words: tuple[str, ...], over: str, said: str
) -> None:
    """What it was told decides where it has to listen, and what the remedy is."""
    text, usage = complaint(serving, tmp_path, BINDS, *words, family=over)

    assert usage
    assert text.partition("\n")[0] == f"'server {' '.join(words)}' {said}"
    assert "\n  status: still running" in text


def test_a_program_of_the_other_transport(serving: Callable[..., Subject], tmp_path: Path) -> None:
    """The profile was chosen wrong, most likely."""
    text, _ = complaint(serving, tmp_path, BINDS, "{host}", "{port}", profile="udp-echo")

    assert text.partition("\n")[0] == (
        "'server {host} {port}' has no UDP socket bound to a port after 0.3 s,"
        " but a TCP socket in LISTEN, on 10.9.0.2:7007: does it speak udp-echo?"
    )


def test_a_reference_server_that_ends(lab: Lab) -> None:
    """Its port is taken: the reason is in its stderr."""
    program = reference_servers()["echo_blocking"]
    with pytest.raises(NotReady) as told:
        start(lab, program, "v4", {}, arguments=("no", "such", "arguments"))

    first, *_, last = str(told.value).splitlines()
    assert first == "echo_blocking ended before it was ready"
    assert "TypeError" in last


def test_the_end_of_a_long_text_is_quoted(serving: Callable[..., Subject], tmp_path: Path) -> None:
    """Twelve lines: the last words tell most."""
    text, _ = complaint(serving, tmp_path, "import sys\nsys.exit('\\n'.join(f'line {n}' for n in range(100)))")

    quoted = text.splitlines()[3:]
    assert quoted == ["  stderr: line 88", *(f"          line {number}" for number in range(89, 100))]

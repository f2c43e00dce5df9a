"""Evidence folders: names that are safe and unique, files that are whole or honestly cut, nothing outside."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

import pytest

from harness.probe.calls import Call
from harness.record import evidence
from harness.record.evidence import Shown, SubjectOutput, cut_capture, cut_text, folder_name, read, write
from harness.record.talks import Talk
from harness.wire.segment import Endpoint

if TYPE_CHECKING:
    from pathlib import Path

TESTS = [
    "tcp/closing::close_with_unread_data_sends_rst[v6]",
    "tcp/closing::close_with_unread_data_sends_rst[v4]",
    "tcp/closing::close-with-unread-data-sends-rst[v4]",
    "TCP/closing::close_with_unread_data_sends_rst[v4]",
    "tcp/closing::x[v4-./srv {port} ../../../etc]",
    "tcp/closing::x[v4-./srv {port} ../../etc]",
    "..",
    ".",
    "",
    "/",
    "CON",
    "nul\0l",
    "über::größe",
    "uber::gro_e",
    "a" * 300 + "[v4]",
    "a" * 300 + "[v6]",
    "\udcff",
]


def test_names_are_unique_even_where_upper_case_is_lower_case() -> None:
    """No two tests share a folder, on any file system."""
    assert len({folder_name(test).lower() for test in TESTS}) == len(TESTS)


@pytest.mark.parametrize("test", TESTS)
def test_names_are_safe_and_short(test: str) -> None:
    """Letters, digits, `_`, `.`, `~` and `-` only, no dot at the edge, and of bounded length."""
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.~-]*-[0-9a-f]{8}", folder_name(test))
    assert len(folder_name(test)) <= 96


def test_a_name_can_be_read() -> None:
    """The test is recognised in its folder's name, also in a long one's end, which tells the variant."""
    assert folder_name(TESTS[0]).startswith("tcp.closing.close_with_unread_data_sends_rst.v6-")
    assert re.search(r"a\.v6-[0-9a-f]{8}$", folder_name("a" * 300 + "[v6]"))


def test_what_is_given_is_written(tmp_path: Path) -> None:
    """Each part has its fixed file name, and what is not given has no file."""
    subject = SubjectOutput("./srv {port}", "exit 1", b"", b"OSError: [Errno 98]")
    folder = write(tmp_path, "g::b[v4]", finding="expected", wire=b"octets", segments="#1 sent SYN", subject=subject)

    files = {file.name: file.read_bytes() for file in (tmp_path / folder).iterdir()}

    assert files == {
        "finding.txt": b"expected\n",
        "wire.pcapng": b"octets",
        "segments.txt": b"#1 sent SYN\n",
        "subject.txt": (
            b"command: ./srv {port}\nended: exit 1\n\nstdout: -\n\nstderr, 19 octets:\nOSError: [Errno 98]\n"
        ),
    }
    assert [file.name for file in (tmp_path / write(tmp_path, "g::c", finding="x")).iterdir()] == ["finding.txt"]


def test_a_subject_that_prints_much_keeps_its_first_and_last_words(tmp_path: Path) -> None:
    """The head tells how it began, the tail how it died, and the file stays small."""
    much = b"first\n" + b"noise\n" * 1_000_000 + b"last\n"
    folder = write(tmp_path, "g::b", subject=SubjectOutput("c", "exit 0", much, much))

    text = (tmp_path / folder / "subject.txt").read_bytes()

    assert len(text) < 2 * evidence.OUTPUT_LIMIT + 500
    assert text.count(b"first\n") == text.count(b"last\n") == 2
    assert text.count(b"octets left out") == 2


@pytest.mark.parametrize("limit", range(60))
def test_a_cut_text_adds_up(limit: int) -> None:
    """What is kept and what is said to be left out make the whole, for each limit."""
    text = b"".join(b"line %d\n" % number for number in range(6))

    kept = cut_text(text, limit)

    if kept != text:
        left_out = re.search(rb"\n?\xe2\x80\xa6 (\d+) octets left out \xe2\x80\xa6\n", kept)
        assert left_out
        head, tail = kept[: left_out.start()], kept[left_out.end() :]
        assert text.startswith(head)
        assert text.endswith(tail)
        assert len(text) - int(left_out[1]) - len(head) - len(tail) in (0, 1)  # 1: the line feed before the gap


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """One pcapng block."""
    length = 12 + len(body)
    return struct.pack(f"{order}II", kind, length) + body + struct.pack(f"{order}I", length)


@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
def test_a_cut_capture_is_a_capture(order: str) -> None:
    """Interfaces all stay, packets are whole, the first and the last ones are kept."""
    section = block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order)
    interface = block(1, bytes(8), order)
    packets = [block(6, bytes([number]) * 100, order) for number in range(50)]
    late = block(1, b"late one", order)
    whole = b"".join((section, interface, *packets[:25], late, *packets[25:]))

    kept = cut_capture(whole, 1000)

    assert kept == b"".join((section, interface, *packets[:4], late, *packets[-4:]))
    assert cut_capture(whole, len(whole)) is whole
    assert cut_capture(whole + packets[0][:-1], 1000) == kept


def test_a_capture_that_was_cut_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The finding says that its capture is not all."""
    monkeypatch.setattr(evidence, "WIRE_LIMIT", 100)
    section = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))

    folder = write(tmp_path, "g::b", finding="expected", wire=section + block(6, bytes(200)))

    assert (tmp_path / folder / "wire.pcapng").read_bytes() == section
    assert (
        "wire.pcapng holds the first and the last of 240 octets, 28 in all"
        in (tmp_path / folder / "finding.txt").read_text()
    )


def test_what_was_written_is_shown(tmp_path: Path) -> None:
    """A report sees the listing, the message, the subject's words, the capture and the calls."""
    talk = Talk("tcp", Endpoint("10.9.0.1", 4), Endpoint("10.9.0.2", 7), (Call(1, "send()", octets=5),))
    said = SubjectOutput("c", "exit 0", b"\xff")

    one = write(tmp_path, "g::b", finding="why", wire=b"x", segments="#1", subject=said, talks=[talk])

    assert read(tmp_path, one) == Shown(
        segments="#1\n",
        subject="command: c\nended: exit 0\n\nstdout, 1 octets:\n\ufffd\n\nstderr: -\n",
        message="why\n",
        wire=b"x",
        talks=(talk,),
    )
    assert read(tmp_path, "evidence/gone") == read(tmp_path, "") == Shown()


def test_a_capture_too_large_to_draw_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report of a thousand floods fits into memory."""
    monkeypatch.setattr(evidence, "DRAWN_LIMIT", 10)

    one = write(tmp_path, "g::b", wire=bytes(11), segments="#1")

    assert read(tmp_path, one) == Shown(segments="#1\n")


def test_nothing_outside_the_run_is_shown(tmp_path: Path) -> None:
    """A record from somebody else cannot make a report show files of this machine."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "segments.txt").write_text("secret")
    (tmp_path / "secret" / "wire.pcapng").write_text("secret")
    run = tmp_path / "run"
    (run / "evidence" / "b").mkdir(parents=True)
    (run / "evidence" / "a").symlink_to(tmp_path / "secret")
    (run / "evidence" / "b" / "segments.txt").symlink_to(tmp_path / "secret" / "segments.txt")

    for folder in ("../secret", str(tmp_path / "secret"), "evidence/a", "evidence/b"):
        assert read(run, folder) == Shown()

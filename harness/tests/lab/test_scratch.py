"""A folder that a server may fill: empty at each start, its own, and gone with what was written into it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from harness.tests.lab.programs import speaking

if TYPE_CHECKING:
    from harness.lab.handle import Lab

WRITES = """
import os, sys
folder = sys.argv[1]
print(os.listdir(folder), oct(os.stat(folder).st_mode & 0o777), flush=True)
open(os.path.join(folder, "pid"), "w").write("1")
os.mkfifo(os.path.join(folder, "fifo"))
print(sorted(os.listdir(folder)), flush=True)
input()
"""


def test_each_start_has_an_empty_folder_of_its_own(lab: Lab) -> None:
    """Into which it can write, and of which this machine sees nothing but where it lies."""
    first, second = lab.ask("scratch")["path"], lab.ask("scratch")["path"]
    mode = oct(0o700 if os.getuid() else 0o777)  # what root starts may go on as another user

    for folder in (first, second):
        with speaking(lab, WRITES, folder) as program:
            assert program.line() == f"[] {mode}"
            assert program.line() == "['fifo', 'pid']"

    assert first != second
    place = Path(first).parent
    assert (place.is_dir(), list(place.iterdir())) == (True, [])


def test_what_was_written_is_gone_before_the_next_test(lab: Lab) -> None:
    """A server may not start where it finds its old files, and memory is not to be held by them."""
    folder = lab.ask("scratch")["path"]
    with speaking(lab, WRITES, folder) as program:
        program.line()

    lab.ask("clear")
    lab.ask("build")

    looks = "import os, sys\nprint(os.path.exists(sys.argv[1]), flush=True)\ninput()\n"
    with speaking(lab, looks, folder) as program:
        assert program.line() == "False"

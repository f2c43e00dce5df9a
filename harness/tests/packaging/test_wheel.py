"""The wheel, as a stranger gets it: what is in it, and that it works outside a checkout.

Nothing is downloaded: the dependencies of the installed wheel are those of the environment in which this test runs,
lent by a path line. Such a line adds a folder and does not follow the path lines in it, so the editable install that
lies there is not lent with them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness import bundle
from harness.lab.handle import Lab, LabUnavailable

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bundle.installed(), reason="builds the wheel from a checkout"),
]

CHECKOUT = bundle.root()
SERVER = """\
import socketserver, sys

class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while octets := self.request.recv(65536):
            self.request.sendall(octets)

class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    address_family = 10 if ":" in sys.argv[1] else 2

Server((sys.argv[1], int(sys.argv[2])), Echo).serve_forever()
"""


@dataclass(frozen=True)
class Installed:
    """An environment that holds the wheel, and what the wheel has added to it."""

    folder: Path
    added: frozenset[str]

    def run(self, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run a command as a user who has activated the environment, in the folder `cwd`."""
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON", "COV"))}
        environment = {**kept, "PATH": path, "VIRTUAL_ENV": str(self.folder)}
        program = str(self.folder / "bin" / words[0])
        return subprocess.run(
            [program, *words[1:]], cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=60
        )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    return build("wheel", CHECKOUT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """An environment that held nothing before the wheel came."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True, with_pip=False)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    before = set(os.listdir(packages))
    pip = [sys.executable, "-m", "pip", "--isolated", "--python", str(folder), "install", "--quiet"]
    subprocess.run([*pip, "--no-index", "--no-deps", "--no-compile", str(wheel)], check=True, timeout=60)
    added = frozenset(set(os.listdir(packages)) - before)
    lent = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (packages / "lent.pth").write_text("".join(f"{path}\n" for path in sorted(lent)))
    return Installed(folder, added)


def build(kind: str, source: Path, folder: Path) -> Path:
    """The "wheel" or "sdist" of `source`, built in `folder` by the backend of this environment."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=60)
    (made,) = folder.iterdir()
    return made


def names(wheel: Path) -> set[str]:
    """The files in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def carried(folder: str) -> set[str]:
    """The files of a folder of the checkout by their names in the wheel, without what Python compiles."""
    paths = (CHECKOUT / folder).rglob("*")
    return {
        f"harness/_bundle/{path.relative_to(CHECKOUT)}"
        for path in paths
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_carries_what_a_run_needs(wheel: Path) -> None:
    """Suites, fixtures, templates, schemas, conftest.py and pytest's settings are in the bundle, whole."""
    wanted = {"harness/_bundle/conftest.py", "harness/_bundle/pyproject.toml"}
    for folder in ("suites", "fixtures", "reports/templates", "reports/schema"):
        wanted |= carried(folder)

    assert {name for name in names(wheel) if name.startswith("harness/_bundle/")} == wanted


def test_the_wheel_carries_nothing_else(wheel: Path) -> None:
    """Beside the package there is its metadata and no other import name; our own tests stay at home."""
    tops = {name.partition("/")[0] for name in names(wheel)}

    assert {top for top in tops if not top.endswith(".dist-info")} == {"harness"}
    assert not [name for name in names(wheel) if name.startswith("harness/tests/") or "/bench/" in name]
    assert [name for name in names(wheel) if name.endswith(".dist-info/licenses/LICENSE")]


def test_the_sdist_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    """Who starts from the source archive gets what we get, and the archive holds no run."""
    archive = build("sdist", CHECKOUT, tmp_path / "sdist")
    with tarfile.open(archive) as opened:
        opened.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.2, Debian 12's, has none
        opened.extractall(tmp_path)
    (source,) = tmp_path.glob("sockspec-*/")

    assert names(build("wheel", source, tmp_path / "wheel")) == names(wheel)
    assert not (source / "reports" / "runs").exists()
    assert (source / "harness" / "tests" / "packaging").is_dir()


def test_the_installed_wheel_adds_one_import_name(installed: Installed, tmp_path: Path) -> None:
    """`harness` is all that can be imported anew, and it comes from the wheel."""
    found = installed.run("python", "-c", "import harness; print(harness.__file__)", cwd=tmp_path)

    assert sorted(name.partition("-")[0] for name in installed.added) == ["harness", "sockspec"]
    assert Path(found.stdout.strip()).is_relative_to(installed.folder), found.stdout + found.stderr


def test_the_installed_command_lists_the_profiles(installed: Installed, tmp_path: Path) -> None:
    """`sockspec list` finds the reference servers in the bundle."""
    listed = installed.run("sockspec", "list", cwd=tmp_path)

    assert (listed.returncode, listed.stderr) == (0, "")
    assert "request-reply" in listed.stdout
    assert "echo_asyncio" in listed.stdout


def test_the_installed_command_judges_a_server(installed: Installed, tmp_path: Path) -> None:
    """`sockspec check` works from a folder that holds nothing but the server, and leaves its report there."""
    try:
        Lab().close()
    except LabUnavailable as reason:
        pytest.skip(str(reason))
    (tmp_path / "server.py").write_text(SERVER)
    wanted = ("-k", "returns_what_it_gets", "-n", "0")
    serve = "python3 server.py {host} {port}"

    checked = installed.run("sockspec", "check", "--serve", serve, "--profile", "echo", *wanted, cwd=tmp_path)

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "2 pass" in checked.stdout
    assert {path.name for path in tmp_path.iterdir()} == {"server.py", "reports"}
    (run,) = (tmp_path / "reports" / "runs").iterdir()
    rows = [json.loads(line) for line in (run / "results.jsonl").read_text().splitlines()]
    assert sorted((row["family"], row["verdict"]) for row in rows) == [("v4", "pass"), ("v6", "pass")]
    assert all(row["certificate"]["holds"] for row in rows)
    assert (run / "index.html").stat().st_size > 0


def test_the_installed_fixtures_serve_a_strangers_suite(installed: Installed, tmp_path: Path) -> None:
    """The entry point is enough for pytest to have them: nothing has to be imported or named."""
    (tmp_path / "server.py").write_text(SERVER)
    (tmp_path / "test_server.py").write_text(
        "def test_echo(serve, probe, wire):\n"
        "    client = probe.connect(serve('python3 server.py {host} {port}'))\n"
        "    client.expect_back(b'hello')\n"
        "    assert wire.flow(client).steps\n"
    )

    ran = installed.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=tmp_path)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1 passed" in ran.stdout or "1 skipped" in ran.stdout

"""The machine a run was made on, as facts, and how two machines differ.

Only what may explain another answer to the same test: no host name, no user name, no path.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PACKAGES = ("pytest", "pytest-xdist", "pytest-timeout", "scapy", "jinja2")

# What changes how a Linux socket behaves without a word from the program.
SYSCTLS = (
    "net.core.netdev_max_backlog",
    "net.core.rmem_default",
    "net.core.rmem_max",
    "net.core.somaxconn",
    "net.core.wmem_default",
    "net.core.wmem_max",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_abort_on_overflow",
    "net.ipv4.tcp_available_congestion_control",
    "net.ipv4.tcp_congestion_control",
    "net.ipv4.tcp_ecn",
    "net.ipv4.tcp_fastopen",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.tcp_mem",
    "net.ipv4.tcp_moderate_rcvbuf",
    "net.ipv4.tcp_orphan_retries",
    "net.ipv4.tcp_retries2",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_sack",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_syn_retries",
    "net.ipv4.tcp_synack_retries",
    "net.ipv4.tcp_timestamps",
    "net.ipv4.tcp_tw_reuse",
    "net.ipv4.tcp_window_scaling",
    "net.ipv4.tcp_wmem",
    "net.ipv4.udp_mem",
    "net.ipv6.bindv6only",
    "net.ipv6.conf.all.disable_ipv6",
)


def facts(proc_sys: Path = Path("/proc/sys")) -> dict[str, Any]:
    """The machine now; a fact that cannot be had is left out."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "harness": __version__,
        "packages": _versions(PACKAGES),
        "cpus": os.cpu_count(),
        "load": [round(average, 2) for average in os.getloadavg()],  # over 1, 5 and 15 minutes
        "root": os.geteuid() == 0,
        "sysctls": _sysctls(SYSCTLS, proc_sys),
    }


def digest(folder: Path) -> str:
    """What the Python files beneath a folder come to: two folders with the same digest hold the same tests."""
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*.py"), key=lambda path: path.relative_to(folder).as_posix()):
        for part in (path.relative_to(folder).as_posix().encode(), path.read_bytes()):
            whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()[:16]


def flat(environment: Mapping[str, Any]) -> dict[str, str]:
    """The facts as one text a name: `packages.scapy`, `sysctls.net.ipv4.tcp_rmem`."""
    lines: dict[str, str] = {}
    for name, value in environment.items():
        if isinstance(value, dict):
            lines |= {f"{name}.{key}": text for key, text in flat(value).items()}
        elif isinstance(value, (list, tuple)):
            lines[name] = " ".join(str(part) for part in value)
        elif isinstance(value, bool):
            lines[name] = "yes" if value else "no"
        else:
            lines[name] = str(value)
    return lines


def differences(
    one: Mapping[str, Any], other: Mapping[str, Any], ignore: Iterable[str] = ("load",)
) -> dict[str, tuple[str, str]]:
    """What differs between two environments: name → value in the one and in the other, "" where it lacks."""
    left, right = flat(one), flat(other)
    names = sorted((left.keys() | right.keys()) - set(ignore))
    pairs = {name: (left.get(name, ""), right.get(name, "")) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _versions(packages: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _sysctls(names: Iterable[str], proc_sys: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in names:
        try:
            found[name] = " ".join((proc_sys / name.replace(".", "/")).read_text().split())
        except OSError:
            continue
    return found

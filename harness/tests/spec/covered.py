"""The ids that the suites cite, kept as a list, so that a requirement that loses its test is noticed.

`python -m harness.tests.spec.covered` writes `covered.txt` anew.
"""

from __future__ import annotations

from pathlib import Path

from harness import bundle
from harness.spec import citations

LIST = Path(__file__).with_name("covered.txt")


def now() -> tuple[str, ...]:
    """The ids that the suites cite now."""
    return citations.covered(citations.read(bundle.root()))


def main() -> None:
    """Write the list."""
    LIST.write_text("".join(f"{name}\n" for name in now()), encoding="utf-8")


if __name__ == "__main__":
    main()

"""Where suites, fixtures and report templates are: the checkout, or what the wheel carries in `harness/_bundle/`."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent


def root() -> Path:
    """The folder that holds suites/, fixtures/, reports/ and conftest.py."""
    carried = _PACKAGE / "_bundle"
    return carried if carried.is_dir() else _PACKAGE.parent


def installed() -> bool:
    """Whether this runs from a wheel, outside a checkout."""
    return root() != _PACKAGE.parent

"""The command `sockspec`: a thin front on the same suites that `pytest suites` runs."""

from harness.cli.main import main

__all__ = ["main"]

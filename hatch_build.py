"""What a wheel carries beside the package: suites, fixtures, report templates, conftest.py and pytest's settings.

They go into harness/_bundle/, where `harness.bundle` finds them, so that a wheel adds one import name and no other. A
hook, not a static table, because an editable install must not copy them: there they are found in the checkout.
"""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUNDLED = ("suites", "fixtures", "reports/templates", "reports/schema", "conftest.py", "pyproject.toml")


class Bundle(BuildHookInterface[Any]):
    """Adds the bundle to a standard wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Name what goes where; `version` is "standard" or "editable"."""
        if version == "standard":
            build_data["force_include"].update({name: f"harness/_bundle/{name}" for name in BUNDLED})

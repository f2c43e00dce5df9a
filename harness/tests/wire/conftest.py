"""Hypothesis draws the same examples each time, and a loaded machine may take its time."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("sockspec", deadline=None, derandomize=True, database=None)
settings.load_profile("sockspec")

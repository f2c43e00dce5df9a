"""Small catalogue files for the tests, as tomllib would give them."""

from __future__ import annotations

from typing import Any

from harness.spec.catalogue import Requirement, build

DOCUMENT = {
    "key": "rfc862",
    "name": "RFC 862",
    "title": "Echo Protocol",
    "edition": "May 1983",
    "url": "https://www.rfc-editor.org/rfc/rfc862",
}


def table(**changes: Any) -> dict[str, Any]:
    """A requirement without fault, changed; a field that is changed to None is left out."""
    whole = {
        "id": "rfc862:tcp/echo",
        "level": "must",
        "section": "TCP Based Echo Service",
        "title": "Data comes back",
        "summary": "What is sent comes back.",
        "observable": "both",
        "probe": "Send and read.",
        "vantage": ["client-socket"],
        "needs": [],
    }
    return {field: value for field, value in (whole | changes).items() if value is not None}


def files(*requirements: dict[str, Any], **document: Any) -> dict[str, dict[str, Any]]:
    """One file with `requirements` of one document."""
    return {"one.toml": {"document": [DOCUMENT | document], "requirement": list(requirements)}}


def requirement(document: dict[str, Any] | None = None, **changes: Any) -> Requirement:
    """A requirement without fault, changed."""
    (only,) = build(files(table(**changes), **(document or {})))
    return only

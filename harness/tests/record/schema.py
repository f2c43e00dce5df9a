"""A structural check against the JSON Schemas of the record, without a dependency.

It knows the keywords that `reports/schema/` uses and refuses all others, so that none is passed over in silence.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SCHEMAS = Path(__file__).parents[3] / "reports" / "schema"

_KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_WORDS_ONLY = {"$schema", "$id", "$defs", "title", "description", "required", "items", "additionalProperties"}


def load_schema(name: str) -> dict[str, Any]:
    """The schema in `reports/schema/` of that name."""
    schema: dict[str, Any] = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    return schema


def faults(value: Any, schema: dict[str, Any], root: dict[str, Any] | None = None, at: str = "$") -> list[str]:
    """Where the value is not as the schema says; nothing when it is."""
    root = schema if root is None else root
    found: list[str] = []
    for keyword, wanted in schema.items():
        if keyword == "$ref":
            found += faults(value, root["$defs"][wanted.removeprefix("#/$defs/")], root, at)
        elif keyword == "const":
            found += [] if value == wanted else [f"{at} is {value!r}, not {wanted!r}"]
        elif keyword == "enum":
            found += [] if value in wanted else [f"{at} is {value!r}, none of {wanted}"]
        elif keyword == "type":
            found += [] if _is(value, wanted) else [f"{at} is {value!r}, no {wanted}"]
        elif keyword == "anyOf":
            found += [] if any(not faults(value, one, root, at) for one in wanted) else [f"{at} is none of the kinds"]
        elif keyword == "minimum":
            found += [f"{at} is {value}, below {wanted}"] if _is(value, "number") and value < wanted else []
        elif keyword == "minLength":
            found += [f"{at} is shorter than {wanted}"] if _is(value, "string") and len(value) < wanted else []
        elif keyword == "properties":
            for name in wanted.keys() & (value.keys() if _is(value, "object") else set()):
                found += faults(value[name], wanted[name], root, f"{at}.{name}")
        elif keyword not in _WORDS_ONLY:
            raise AssertionError(f"the check does not know the keyword {keyword!r} at {at}")
    if isinstance(value, dict):
        found += [f"{at}.{name} is missing" for name in schema.get("required", ()) if name not in value]
        rest = schema.get("additionalProperties", True)
        if isinstance(rest, dict):
            others = value.keys() - schema.get("properties", {}).keys()
            found += [fault for name in others for fault in faults(value[name], rest, root, f"{at}.{name}")]
    if isinstance(value, list) and "items" in schema:
        for place, item in enumerate(value):
            found += faults(item, schema["items"], root, f"{at}[{place}]")
    return found


def _is(value: Any, kinds: str | list[str]) -> bool:
    names = [kinds] if isinstance(kinds, str) else kinds
    # To Python True is an integer, to JSON it is none.
    return any(isinstance(value, _KINDS[name]) and (name == "boolean") == isinstance(value, bool) for name in names)

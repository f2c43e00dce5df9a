"""The templates of the report, compiled once: the code lies beside them in `__pycache__`, as Python keeps its own."""

from __future__ import annotations

import contextlib
import os
import sys
from functools import cache
from typing import TYPE_CHECKING

import jinja2

from harness import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from jinja2.bccache import Bucket


@cache
def environment(folder: Path) -> jinja2.Environment:
    """Where the templates in `folder` are taken from; a name that has no value is an error, never an empty place."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        bytecode_cache=_Beside(str(folder / "__pycache__"), f"%s.{sys.implementation.cache_tag}"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


class _Beside(jinja2.FileSystemBytecodeCache):
    """It saves a tenth of a second for each report; jinja2 sees by a checksum whether a template was changed."""

    def get_cache_key(self, name: str, filename: str | None = None) -> str:  # wherever the folder is
        return f"{name}.{__version__}"

    def dump_bytecode(self, bucket: Bucket) -> None:
        if sys.dont_write_bytecode:
            return
        with contextlib.suppress(OSError):  # who may not write there compiles them each time
            os.makedirs(self.directory, exist_ok=True)
            super().dump_bytecode(bucket)

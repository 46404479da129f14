"""JSON Schemas of what vismark writes, for people who read it with other tools."""

from __future__ import annotations

from pathlib import Path

import msgspec

from vismark.problems import Problem
from vismark.results import Result
from vismark.runtime.atomic import write_bytes


def schemas(folder: Path) -> None:
    """Write ``result.schema.json`` and ``problem.schema.json`` (JSON Schema 2020-12) into `folder`."""
    for name, kind in (("result", Result), ("problem", Problem)):
        schema = msgspec.json.encode(msgspec.json.schema(kind))
        write_bytes(folder / f"{name}.schema.json", msgspec.json.format(schema, indent=1) + b"\n")

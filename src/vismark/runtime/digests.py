"""Digests: the identity of bytes and of records."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec


def digest_of(value: Any) -> str:
    """``sha256:…`` of bytes, or of the canonical (sorted) JSON of anything else."""
    data = value if isinstance(value, bytes) else msgspec.json.encode(value, order="sorted")
    return "sha256:" + hashlib.sha256(data).hexdigest()


def digest_of_file(path: Path) -> str:
    """``sha256:…`` of the bytes of a file of any size."""
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def digest_of_parts(parts: Mapping[str, str]) -> str:
    """One digest over named digests, whatever their order."""
    return digest_of(dict(parts))

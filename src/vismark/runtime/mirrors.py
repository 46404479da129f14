"""Mirrors: a folder or an address that has files below their paths, for instance what `download --bundle` collected."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from vismark.problems import refuse
from vismark.runtime.pins import Pin

# The record that a bundle carries; an address without one cannot tell which files it has.
RECORD = "bundle.json"

_LIMIT = 1 << 27


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a bundle: size and digest of every file by its path, and the request that it answers."""

    names: list[str] = []
    images: bool = False
    split: str | None = None
    files: dict[str, Pin] = {}


class Mirror:
    """Where files are taken from instead of their sources.

    Args:
        where: a folder, or an http(s) base address.
    """

    def __init__(self, where: str | Path) -> None:
        self.where = where

    @cached_property
    def files(self) -> dict[str, Pin]:
        """What the bundle's record says of its files; {} where there is none.

        Raises:
            vismark.problems.Refused: the record is broken, or the address does not answer.
        """
        data = self._record()
        try:
            return msgspec.json.decode(data, type=Record).files if data else {}
        except (msgspec.DecodeError, ValueError) as error:
            fix = "Make the bundle again with `vismark download … --bundle DIR`."
            raise refuse("MIRROR_RECORD", f"cannot be read: {error}", file=RECORD, fix=fix) from error

    def below(self, folder: str) -> list[str]:
        """Paths of the files below `folder`, relative to it: those that the record names, else those that are there."""
        known = [path.removeprefix(f"{folder}/") for path in self.files if path.startswith(f"{folder}/")]
        if known or _is_address(self.where):
            return sorted(known)
        base = Path(self.where) / folder
        return sorted(path.relative_to(base).as_posix() for path in base.rglob("*") if path.is_file())

    def _record(self) -> bytes:
        if not _is_address(self.where):
            path = Path(self.where) / RECORD
            return path.read_bytes() if path.is_file() else b""
        import httpx

        url = f"{str(self.where).rstrip('/')}/{RECORD}"
        try:
            with httpx.stream("GET", url, follow_redirects=True, timeout=30) as answer:
                if answer.status_code == 404:
                    return b""
                answer.raise_for_status()
                return _bounded(answer)
        except httpx.HTTPError as error:
            fix = "Check the address that --mirror names."
            raise refuse("FETCH_MIRROR", f"the mirror does not answer: {error}", value=url, fix=fix) from error


def _is_address(where: str | Path) -> bool:
    return isinstance(where, str) and where.startswith(("http://", "https://"))


def _bounded(answer: Any) -> bytes:
    data = bytearray()
    for piece in answer.iter_bytes():
        data += piece
        if len(data) > _LIMIT:
            raise refuse("MIRROR_RECORD", f"has more than {_LIMIT:,} bytes", file=RECORD, fix="Check the address.")
    return bytes(data)

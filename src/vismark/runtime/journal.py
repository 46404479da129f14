"""Journals: finished work, one JSON line a sample, so that a killed job goes on where it stopped.

A line is appended with a single write; a line that a kill tore in half is dropped on reading and cut off before the
next append, so a journal is always a prefix of what was really finished.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Generic, TypeVar

import msgspec

from vismark.problems import refuse

Record = TypeVar("Record")


class Header(msgspec.Struct, frozen=True):
    """First line of a journal: what its records belong to. Work under another key never mixes in."""

    key: str


class Locked(Exception):
    """Another process writes this journal now."""


class Journal(Generic[Record]):
    """An append-only file of records of one type.

    Args:
        path: the file; made on the first append.
        key: identifies the work (settings, inputs); a journal with another key is refused.
        record: the type of a record, a msgspec Struct with an ``id``.
    """

    def __init__(self, path: Path, key: str, record: type[Record]) -> None:
        self.path = path
        self.key = key
        self._decoder = msgspec.json.Decoder(record)
        self._encoder = msgspec.json.Encoder()
        self._file: IO[bytes] | None = None

    def read(self) -> Iterator[Record]:
        """Every finished record, in order of arrival.

        Raises:
            vismark.problems.Refused: the journal belongs to other work.
        """
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            first = file.readline()
            if not first.endswith(b"\n"):
                return
            if msgspec.json.decode(first, type=Header).key != self.key:
                raise refuse(
                    "JOURNAL_OTHER_WORK",
                    "this folder holds unfinished work that was started with other settings or inputs",
                    file=self.path.name,
                    fix="Use the settings it was started with, or another output folder.",
                )
            for line in file:
                if not line.endswith(b"\n"):
                    return
                yield self._decoder.decode(line)

    def open(self) -> None:
        """Open for appending, alone; what a kill left half written is cut off.

        Raises:
            Locked: another process has it open.
        """
        if self._file is not None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = self.path.open("ab", buffering=0)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise Locked(self.path.name) from error
        whole = _whole_lines(self.path)
        file.truncate(whole)
        if whole == 0:
            file.write(self._encoder.encode(Header(self.key)) + b"\n")
        self._file = file

    def append(self, records: Iterable[Record]) -> None:
        """Add records with one write; opens the journal when that was not done."""
        self.open()
        assert self._file is not None
        self._file.write(b"".join(self._encoder.encode(record) + b"\n" for record in records))

    def close(self) -> None:
        """Close the file, if it was opened."""
        if self._file is not None:
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None

    def remove(self) -> None:
        """Close and delete: the work it guarded is finished and stored elsewhere."""
        self.close()
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Journal[Record]:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def _whole_lines(path: Path) -> int:
    """Length in bytes of the whole lines of `path`; 0 when there is no file."""
    if not path.exists():
        return 0
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        while size:
            start = max(0, size - 65536)
            file.seek(start)
            end = file.read(size - start).rfind(b"\n")
            if end >= 0:
                return start + end + 1
            size = start
    return 0

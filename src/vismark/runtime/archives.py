"""Unpacks zip, tar and tar.gz, for downloads and for submissions alike.

Nothing is written before every entry has passed the rules (`archive_rules`), nothing appears in the target before
everything has been read, and declared sizes are never believed: the bytes are counted as they come.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from vismark.problems import refuse
from vismark.runtime.archive_rules import (
    OFFICIAL,
    SUBMISSION,
    Limits,
    Member,
    check,
    is_archive,
    is_junk,
    is_packed,
)
from vismark.runtime.atomic import replacing
from vismark.runtime.locks import held
from vismark.runtime.space import need_room
from vismark.runtime.tars import Tar
from vismark.runtime.zips import Zip

__all__ = ["OFFICIAL", "SUBMISSION", "Limits", "Member", "members", "unpack"]

Wanted = Callable[[str], bool]


def members(archive: Path, limits: Limits = SUBMISSION, *, nested: bool = False) -> list[Member]:
    """The files in an archive, after all checks that need no unpacking; folders and macOS junk are left out.

    Args:
        nested: archives inside are welcome.

    Raises:
        vismark.problems.Refused: an entry or the archive itself breaks a rule (codes ``ARCHIVE_…``).
    """
    with _opened(archive, limits, nested) as reader:
        return _files(reader)


def unpack(
    archive: Path,
    folder: Path,
    limits: Limits = SUBMISSION,
    *,
    wanted: Wanted | None = None,
    nested: bool = False,
) -> list[Path]:
    """Unpack an archive: a new `folder` appears whole or not at all, into an existing one each file is moved whole.

    Files that are already there are replaced. What a killed attempt left is removed first; two processes that unpack
    the same archive into the same folder take turns.

    Args:
        wanted: says by its name (also that of an archive inside) whether a file is unpacked; None means all.
        nested: official archives may hold archives (COCO's panoptic annotations do): these are unpacked into the same
            `folder`, one level deep, and not kept.

    Returns:
        The files that were written, in the order of the archive.

    Raises:
        vismark.problems.Refused: an entry or the archive itself breaks a rule (codes ``ARCHIVE_…``), the disk is full
            (DISK_SPACE), the folder cannot be written (ARCHIVE_WRITE). Nothing was written then.
    """
    base = folder if folder.is_dir() else folder.parent
    work = base / f".{archive.name[:80]}.unpacking"
    try:
        base.mkdir(parents=True, exist_ok=True)
        with held(work):
            shutil.rmtree(work, ignore_errors=True)
            try:
                work.mkdir()
                names = _extract(archive, work, limits, wanted or (lambda name: True), nested)
                return _settle(work, names, folder)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise refuse(
            "ARCHIVE_WRITE",
            f"cannot be unpacked: {error.strerror}",
            file=archive.name,
            fix="Choose a folder that can be written and has no other kind of file in the way.",
        ) from error


@contextmanager
def _opened(archive: Path, limits: Limits, nested: bool) -> Iterator[Zip | Tar]:
    try:
        file = archive.open("rb")
    except OSError as error:
        raise refuse("ARCHIVE_FILE", f"cannot be read: {error.strerror}", file=archive.name) from error
    with file:
        reader = _format(file, archive.name)(file, archive.name, limits)
        check(reader.members, limits, archive.name, nested=nested)
        yield reader


def _format(file: IO[bytes], label: str) -> type[Zip] | type[Tar]:
    start = file.read(512)
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return Zip
    if start.startswith(b"\x1f\x8b") or start[257:262] == b"ustar":
        return Tar
    raise refuse(
        "ARCHIVE_FORMAT",
        "is no zip, tar or tar.gz file",
        file=label,
        value=start[:16],
        fix="Pack it as .zip, .tar or .tar.gz; a downloaded file may be an error page, then download it again.",
    )


def _files(reader: Zip | Tar) -> list[Member]:
    return [member for member in reader.members if member.kind == "file" and not is_junk(member.name)]


def _extract(archive: Path, work: Path, limits: Limits, wanted: Wanted, nested: bool) -> list[str]:
    """Unpack into `work`, which is ours alone; returns the names of the files."""
    names: list[str] = []
    with _opened(archive, limits, nested) as reader:
        files = [member for member in _files(reader) if wanted(member.name)]
        need_room(work, sum(member.bytes for member in files))
        for member, pieces in reader.contents({member.name for member in files}):
            target = work / member.name
            _write(target, pieces, archive.name, member.name, nested)
            if nested and is_archive(member.name):
                names += _extract(target, work, limits, wanted, nested=False)
                target.unlink()
            else:
                names.append(member.name)
    return names


def _write(target: Path, pieces: Iterator[bytes], label: str, name: str, nested: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    first = next(pieces, b"")
    if not nested and is_packed(first, name):
        raise refuse("ARCHIVE_NESTED", "is an archive under another name", file=label, item=name)
    # Mode x: a file of an inner archive must not replace one of the outer archive.
    with target.open("xb") as file:
        file.write(first)
        file.writelines(pieces)


def _settle(work: Path, names: list[str], folder: Path) -> list[Path]:
    """Move what was unpacked to its place; archives that are unpacked into one folder at once take turns."""
    with held(folder):
        if not folder.is_dir():
            work.rename(folder)
            return [folder / name for name in names]
        for name in names:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            _move(work / name, target)
    return [folder / name for name in names]


def _move(source: Path, target: Path) -> None:
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # A folder of the tree may be a link to another disk: there the file appears whole by a copy and a rename.
        with replacing(target) as temporary:
            shutil.copyfile(source, temporary)

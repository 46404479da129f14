"""Files that are either absent or whole: written beside their place, synced, then renamed."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vismark.runtime.space import need_room


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path in the folder of `path`; moved onto `path` when the block ends well, removed when it fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:80]}.", suffix=".part")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes private files; what we write is as readable as anything the user writes.
        temporary.chmod(0o666 & ~_umask())
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


@contextmanager
def filling(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder`; it becomes `folder` when the block ends well, and goes when it fails.

    Of two processes that fill the same folder the first to finish wins.
    """
    part = folder.parent / f".{folder.name}.{uuid.uuid4().hex}.part"
    part.mkdir(parents=True)
    try:
        yield part
        try:
            part.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically, making its folder."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file a second name where the disk is the same, else copy it; atomically, and `target` is replaced.

    Raises:
        vismark.problems.Refused: DISK_SPACE, before anything is copied.
    """
    temporary = target.with_name(f".{target.name[:200]}.part")
    temporary.unlink(missing_ok=True)
    try:
        os.link(source.resolve(), temporary)
    except OSError:
        need_room(target.parent, source.stat().st_size)
        with replacing(target) as copy:
            shutil.copyfile(source, copy)
        return
    temporary.replace(target)


def sweep(folder: Path) -> None:
    """Remove the temporary files that a killed process left in `folder` (and nothing else)."""
    for leftover in folder.glob(".*.part"):
        with suppress(OSError):
            leftover.unlink()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

"""Room on the disk, asked for before work starts instead of found missing at its end."""

from __future__ import annotations

import shutil
from pathlib import Path

from vismark.problems import refuse

# Left free beside what is written, for journals and for other processes.
SPARE_BYTES = 64 << 20


def free_bytes(folder: Path) -> int:
    """Free bytes on the disk of `folder`, or of its nearest parent that exists."""
    place = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    return shutil.disk_usage(place).free


def need_room(folder: Path, size: int) -> None:
    """Make sure that the disk of `folder` (or of its nearest existing parent) can take `size` more bytes.

    Raises:
        vismark.problems.Refused: DISK_SPACE, with both numbers.
    """
    free = free_bytes(folder)
    if size + SPARE_BYTES > free:
        raise refuse(
            "DISK_SPACE",
            f"{size:,} bytes are needed here and {free:,} are free",
            file=folder.name,
            fix="Free some space, or choose another disk with --root.",
        )

"""Where things are: the data root (may be read-only) and the cache (locks, journals, derived files)."""

from __future__ import annotations

import os
from pathlib import Path

from vismark.problems import Missing


def data_root(given: Path | None = None) -> Path:
    """The folder that holds data sets: `given`, else ``VISMARK_DATA``, else ``DETECTRON2_DATASETS``.

    Raises:
        Missing: none of the three is set.
    """
    for candidate in (given, os.environ.get("VISMARK_DATA"), os.environ.get("DETECTRON2_DATASETS")):
        if candidate:
            return Path(candidate)
    raise Missing(
        "No data root is known. Name the official files with --references, or the folder of your data sets with "
        "--root or the variable VISMARK_DATA."
    )


def cache_root() -> Path:
    """The folder for everything that can be made again: ``VISMARK_CACHE``, else ``~/.cache/vismark``."""
    given = os.environ.get("VISMARK_CACHE")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "vismark"

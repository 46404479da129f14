"""The files of pycocoevalcap 1.2 that caption metrics take their data from; nothing of it is imported or run.

The package is a pure-Python wheel that holds the Java programs and their tables. Its own dependencies are not needed.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from vismark.problems import Missing

_INSTALL = "pip install 'vismark[captions]'"


@cache
def official_file(name: str, digest: str) -> Path:
    """The file `name` (path inside the package pycocoevalcap) after its sha256 has been checked against `digest`.

    Raises:
        vismark.problems.Missing: the package is not installed, or holds another version of the file.
    """
    path = _present(name)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != digest:
        raise Missing(
            f"{name} of the installed pycocoevalcap is not that of version 1.2 (sha256 {found[:12]}…, wanted "
            f"{digest[:12]}…), so the numbers would not be the official ones: `{_INSTALL}`."
        )
    return path


def is_there(name: str) -> bool:
    """Whether the package is installed and holds the file `name`."""
    try:
        _present(name)
    except Missing:
        return False
    return True


def _present(name: str) -> Path:
    spec = find_spec("pycocoevalcap")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / name
        if path.is_file():
            return path
    raise Missing(
        f"Caption metrics read {name} from the package pycocoevalcap 1.2, which is not installed: `{_INSTALL}`."
    )

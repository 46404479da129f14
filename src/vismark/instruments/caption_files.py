"""The files of pycocoevalcap 1.2 that caption metrics take their data from; nothing of it is imported or run.

The package is a pure-Python wheel that holds the Java programs and their tables. Its own dependencies are not needed.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from vismark.problems import Missing

CORENLP = "tokenizer/stanford-corenlp-3.4.1.jar"
METEOR = "meteor/meteor-1.5.jar"
PARAPHRASES = "meteor/data/paraphrase-en.gz"
SPICE = "spice/spice-1.0.jar"

DIGESTS = {
    CORENLP: "2fcb91bb7a111f93d71e264f4ee0e3afd19ba0dde6d21b38605088df9e940399",
    METEOR: "1e57b4c72c0830ebe68558f1c799a624e96cbc1b6045c9f6330e26dcff6eafc2",
    PARAPHRASES: "c147ac7d2c91f2fbb3ad31e4b352235061eb83145e0434daf217ee9ca5975f48",
    SPICE: "6c6a73ae6dd108667047c1818707590413934dcb9f1a62cef6469059b41b3d59",
}

_INSTALL = "pip install 'vismark[captions]'"


@cache
def official_file(name: str) -> Path:
    """The file `name` (a key of `DIGESTS`: its path inside the package pycocoevalcap), its sha256 checked.

    Raises:
        vismark.problems.Missing: the package is not installed, or holds another version of the file.
    """
    path = present(name)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != DIGESTS[name]:
        raise Missing(
            f"{name} of the installed pycocoevalcap is not that of version 1.2 (sha256 {found[:12]}…, wanted "
            f"{DIGESTS[name][:12]}…), so the numbers would not be the official ones: `{_INSTALL}`."
        )
    return path


def present(name: str) -> Path:
    """The file `name` of the installed package, unchecked.

    Raises:
        vismark.problems.Missing: the package is not installed, or lacks it.
    """
    spec = find_spec("pycocoevalcap")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / name
        if path.is_file():
            return path
    raise Missing(
        f"Caption metrics read {name} from the package pycocoevalcap 1.2, which is not installed: `{_INSTALL}`."
    )

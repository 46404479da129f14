"""The table of findings in images is complete."""

from __future__ import annotations

import re
from typing import get_args

from running import REPOSITORY
from vismark.formats import image_files

HOUSE = REPOSITORY / "src" / "vismark"
SOURCES = [
    *HOUSE.glob("formats/image_*.py"),
    *HOUSE.glob("benchmarks/image_*.py"),
    *(HOUSE / "formats" / name for name in ("npz.py", "statistics.py", "prompts.py")),
]
PAGE = REPOSITORY / "docs" / "submissions-images.md"

_CODE = re.compile(r'"((?:SUB|REF|IMAGES|NPZ)_[A-Z_]+)"')
_COMPOSED = re.compile(r'f"\{prefix\}(_IMAGE_[A-Z]+)"')


def test_every_finding_is_in_the_table() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    # Whether a file is there at all is known before it is read.
    faults = {f"SUB_IMAGE_{fault}" for fault in get_args(image_files.Fault)} - {"SUB_IMAGE_MISSING"}
    emitted = set(_CODE.findall(text)) | {f"SUB{code}" for code in _COMPOSED.findall(text)} | faults
    assert len(emitted) > 20
    page = PAGE.read_text(encoding="utf-8")
    assert not {code for code in emitted if f"`{code}`" not in page}


def test_the_table_has_no_stale_rows() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES)
    rows = re.findall(r"^\| `([A-Z_]+)`", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    faults = {f"SUB_IMAGE_{fault}" for fault in get_args(image_files.Fault)}
    assert not [code for code in rows if code not in faults and code.removeprefix("SUB") not in text]

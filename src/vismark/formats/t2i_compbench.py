"""T2I-CompBench's prompts and pictures: ``CATEGORY/samples/{prompt}_{index:06}.png``, ten pictures a prompt.

The prompt is a part of the file name, and the index runs over the whole category: picture k of prompt p has 10·p + k.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vismark.formats import strict_json
from vismark.problems import Problems

CATEGORIES = ("color", "shape", "texture", "spatial", "3d_spatial", "numeracy", "non_spatial", "complex")
PER_PROMPT = 10
SAMPLES = "samples"

_NAME = re.compile(r"(?P<prompt>[^_]*)_(?P<index>\d{6,9})\.png", re.DOTALL)
_LIMIT = 1 << 20
_SHOWN = 10


@dataclass(frozen=True)
class CompPictures:
    """The pictures of a submission: sample id → path relative to `folder`; `categories` are those that are there."""

    folder: Path
    files: Mapping[str, str]
    categories: tuple[str, ...]


def sample_id(category: str, index: int) -> str:
    """Name of a picture, e.g. ``color/000123``."""
    return f"{category}/{index:06}"


def category_of(id: str) -> str:
    """The category of a sample id."""
    return id.split("/", 1)[0]


def index_of(id: str) -> int:
    """The number of a picture in its category; the prompt is a tenth of it."""
    return int(id.rpartition("/")[2])


def file_name(prompt: str, index: int) -> str:
    """Name of a picture's file; a full stop at the end of the prompt stays."""
    return f"{prompt}_{index:06}.png"


def read_lines(path: Path, problems: Problems) -> tuple[str, ...]:
    """The prompts of a file, one a line, without the line ends of Windows that most of the official files have."""
    data = strict_json.read_bytes(path, problems, file=path.name, limit=_LIMIT)
    if data is None:
        return ()
    try:
        lines = tuple(line.rstrip("\r") for line in data.decode("utf-8").split("\n") if line.strip())
    except UnicodeDecodeError as error:
        problems.add("T2I_PROMPTS", f"is no UTF-8 text: {error}", file=path.name, fix="Get the official file again.")
        return ()
    for number, line in enumerate(lines, 1):
        if "_" in line or "/" in line:
            message = "a prompt has an underscore or a slash, so that no picture can be named after it"
            problems.add("T2I_PROMPTS", message, file=path.name, where=f"line {number}", value=line, fix="Reword it.")
    if not lines:
        problems.add("T2I_PROMPTS", "there is no prompt in the file", file=path.name, fix="Get it again.")
    return lines


def read_pictures(
    folder: Path, prompts: Mapping[str, Sequence[str]], problems: Problems, wanted: Collection[str] | None
) -> CompPictures:
    """Which pictures there are; none is decoded. A category without a folder is not submitted.

    Args:
        wanted: sample ids that must be there in the categories that are; None takes whichever are.
    """
    there = tuple(name for name in prompts if (folder / name / SAMPLES).is_dir())
    files: dict[str, str] = {}
    for category in there:
        files |= _category(folder, category, prompts[category], problems)
    check_complete(there, files, SAMPLES, problems, wanted)
    return CompPictures(folder, dict(sorted(files.items())), there)


def check_complete(
    categories: Sequence[str], there: Collection[str], place: str, problems: Problems, wanted: Collection[str] | None
) -> None:
    """Report what is missing of categories that are there in part."""
    for category in categories:
        missing = [id for id in wanted or () if category_of(id) == category and id not in there]
        if missing:
            shown = ", ".join(missing[:_SHOWN]) + (" …" if len(missing) > _SHOWN else "")
            fix = "Ten pictures a prompt, numbered without gaps; or --partial scores those that are there."
            message = f"{len(missing)} picture(s) are missing: {shown}"
            problems.add("T2I_PICTURE_MISSING", message, file=f"{category}/{place}", fix=fix)


def _category(folder: Path, category: str, prompts: Sequence[str], problems: Problems) -> dict[str, str]:
    """Sample id → path of one category; everything wrong with a name is told."""
    files: dict[str, str] = {}
    for path in sorted((folder / category / SAMPLES).iterdir()):
        place = f"{category}/{SAMPLES}/{path.name}"
        found = _NAME.fullmatch(path.name)
        if found is None:
            fix = "Name it PROMPT_NNNNNN.png; the official scripts stop at any other file."
            problems.add("T2I_NAME", "is not named like a picture of the benchmark", file=place, fix=fix)
            continue
        index, id = int(found["index"]), sample_id(category, int(found["index"]))
        if index >= PER_PROMPT * len(prompts):
            message = f"has the number {index}; the category has {PER_PROMPT * len(prompts)} pictures from 0"
            problems.add("T2I_NUMBER", message, file=place, fix="Ten pictures a prompt, in the order of the prompts.")
        elif found["prompt"] != prompts[index // PER_PROMPT]:
            message = f"is picture {index}, whose prompt is {prompts[index // PER_PROMPT]!r}"
            fix = "Picture k of prompt p (from 0) has the number 10·p + k; for other versions see the card's protocols."
            problems.add("T2I_PROMPT", message, file=place, value=found["prompt"], fix=fix)
        elif id in files:
            problems.add("T2I_TWICE", f"picture {index} is there twice", file=place, fix="Keep one.")
        else:
            files[id] = place
    return files

"""What people said about pictures for GenEval's prompts: five answers a picture, in the published tables."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from vismark.formats import strict_json
from vismark.formats.geneval import Prompt
from vismark.problems import Problems

SOURCES = ("sdv2", "if-xl", "clip")
PER_PICTURE = 5

_LIMIT = 64 << 20
_NEEDED = ("Input.prompt_id", "Input.image_id", "Answer.task-count-0", "Answer.task-count-1")
# In annotations_if-xl.csv four answers hold a line end without quotes: rows of 17 and 6 fields instead of one of 22.
_TORN = (17, 6)

Picture = tuple[int, int]  # prompt, image


def read_votes(path: Path, prompts: Sequence[Prompt], problems: Problems) -> dict[Picture, tuple[bool, ...]]:
    """(prompt, image) → whether each of five people saw what the prompt asks for."""
    data = strict_json.read_bytes(path, problems, file=path.name, limit=_LIMIT)
    if data is None:
        return {}
    votes: dict[Picture, list[bool]] = defaultdict(list)
    for number, row in enumerate(_rows(data, path.name, problems), 2):
        try:
            place = int(row["Input.prompt_id"]), int(row["Input.image_id"])
            votes[place].append(saw(prompts[place[0]], row))
        except (ValueError, IndexError, KeyError) as error:
            fix = "Get the official file again."
            problems.add("GENEVAL_VOTE", f"is no annotation: {error}", file=path.name, where=f"row {number}", fix=fix)
    for (prompt, image), found in votes.items():
        if len(found) != PER_PICTURE:
            message = f"the picture has {len(found)} annotations, not {PER_PICTURE}"
            fix = "Get the official file again."
            problems.add("GENEVAL_VOTES", message, file=path.name, item=f"{prompt:05}/{image}", fix=fix)
    return {place: tuple(found) for place, found in votes.items()}


def saw(prompt: Prompt, row: Mapping[str, str]) -> bool:
    """Whether an annotation says that the picture shows what is asked, by the rules of the scorer.

    `counting` wants the exact number; all else wants each object at least once, the colour among those named, and the
    relation among the two that were chosen.
    """
    counts = [_count(row.get(f"Answer.task-count-{number}", "")) for number in range(len(prompt.include))]
    if prompt.tag == "counting":
        return counts[0] == prompt.include[0].count
    chosen = {row.get("Answer.task-position-x"), row.get("Answer.task-position-y")}
    for number, clause in enumerate(prompt.include):
        colours = row.get(f"Answer.task-color-{number}", "").split("|")
        placed = clause.position is None or _ANSWERS[clause.position[0]] in chosen
        if counts[number] < 1 or (clause.color is not None and clause.color not in colours) or not placed:
            return False
    return True


_ANSWERS = {"left of": "left", "right of": "right", "above": "above", "below": "below"}


def _count(text: str) -> int:
    return int(float(text)) if text else 0


def _rows(data: bytes, file: str, problems: Problems) -> Iterator[dict[str, str]]:
    """The rows by column name, torn ones mended."""
    lines = list(csv.reader(io.StringIO(data.decode("utf-8", "replace"), newline="")))
    header = lines[0] if lines else []
    absent = [name for name in _NEEDED if name not in header]
    if absent:
        problems.add("GENEVAL_VOTE", f"there is no column {absent[0]}", file=file, fix="Get the official file again.")
        return
    place = 1
    while place < len(lines):
        row = lines[place]
        if place + 1 < len(lines) and (len(row), len(lines[place + 1])) == _TORN:
            rest = lines[place + 1]
            row = [*row[:-1], f"{row[-1]}\n{rest[0]}", *rest[1:]]
            place += 1
        place += 1
        yield dict(zip(header, row, strict=False))

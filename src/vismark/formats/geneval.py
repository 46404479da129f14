"""GenEval's prompts: what each picture must show, and the vocabulary (github.com/djghosh13/geneval af4902f, MIT)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import UNSET, UnsetType

from vismark.formats import strict_json
from vismark.formats.coco_categories import official_categories
from vismark.problems import Problems

TAGS = ("single_object", "two_object", "counting", "colors", "position", "color_attr")
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white")
RELATIONS = ("left of", "right of", "above", "below")

# GenEval's names for three classes of COCO: detectors are mapped by index, never by name.
_RENAMED = {"mouse": "computer mouse", "remote": "tv remote", "keyboard": "computer keyboard"}

Box = tuple[float, float, float, float]

# The official file has 85,209 bytes.
_LIMIT = 64 << 20


class Clause(msgspec.Struct, frozen=True, rename={"category": "class"}, omit_defaults=True):
    """What must be (or must not be) in a picture: `count` objects of a class.

    Attributes:
        color: the colour the objects must have.
        position: (relation, index of the include clause that is its target): where the objects must be.
    """

    category: str
    count: int
    color: str | None = None
    position: tuple[str, int] | None = None


class Prompt(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line of ``evaluation_metadata.jsonl``; key order and spaces of the official file are restored by `line`."""

    tag: str
    include: tuple[Clause, ...]
    exclude: tuple[Clause, ...] = ()
    prompt: str = ""

    def line(self) -> str:
        """The prompt as the official file and ``metadata.jsonl`` have it, without the line end."""
        import json

        return json.dumps(msgspec.to_builtins(self))


class Mask(msgspec.Struct, frozen=True):
    """A run-length mask of COCO: `size` is (height, width), `counts` the compressed string."""

    size: tuple[int, int]
    counts: str


class Found(msgspec.Struct, frozen=True, rename={"category": "class"}, omit_defaults=True):
    """An object that a detector found.

    Attributes:
        category: its class, a name of `object_names`.
        box: left, top, right, bottom in pixels, right and bottom exclusive; float32 values.
        score: confidence in 0 … 1; a float32 value.
        color: the most likely colour; None when none can be told, UNSET when it was not looked at.
        color_logits: one number for each of `COLOURS`.
        mask: the pixels of the object.
    """

    category: str
    box: Box
    score: float
    color: str | UnsetType | None = UNSET
    color_logits: tuple[float, ...] | None = None
    mask: Mask | None = None


def object_names() -> tuple[str, ...]:
    """The 80 class names in the order of COCO's things, as in the official ``object_names.txt``."""
    things = [category.name for category in official_categories().values() if category.isthing]
    return tuple(_RENAMED.get(name, name) for name in things)


def read_prompts(path: Path, classes: Sequence[str], problems: Problems) -> tuple[Prompt, ...] | None:
    """The prompts of an ``evaluation_metadata.jsonl``; None with errors in `problems`.

    Args:
        classes: the class names that clauses may use.
    """
    data = strict_json.read_bytes(path, problems, file=path.name, limit=_LIMIT)
    if data is None or not strict_json.is_utf8_text(data, problems, path.name):
        return None
    before, prompts = problems.errors, []
    for number, line in enumerate(data.splitlines(), 1):
        if line.strip():
            prompt = parse_prompt(line, problems, path.name, f"line {number}")
            if prompt is not None:
                check_prompt(prompt, classes, problems, path.name, f"line {number}")
                prompts.append(prompt)
    if not prompts and problems.errors == before:
        problems.add("GENEVAL_PROMPTS_EMPTY", "there is no prompt in the file", file=path.name, fix="Get it again.")
    return tuple(prompts) if problems.errors == before else None


def parse_prompt(data: bytes, problems: Problems, file: str, where: str = "") -> Prompt | None:
    """One JSON object as a prompt, or None with an error."""
    try:
        return msgspec.json.decode(data, type=Prompt)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        fix = "Write one object with tag, include, (exclude) and prompt, as in the official evaluation_metadata.jsonl."
        problems.add("GENEVAL_PROMPT_FORMAT", f"is no GenEval prompt: {error}", file=file, where=where, fix=fix)
        return None


def check_prompt(prompt: Prompt, classes: Sequence[str], problems: Problems, file: str, where: str) -> None:
    """Report tags, classes, colours, relations and targets that GenEval does not know."""

    def report(what: str, value: object, known: Sequence[str]) -> None:
        fix = f"Use one of {', '.join(known[:12])}{' …' if len(known) > 12 else ''}."
        message = f"the {what} {value!r} is unknown"
        problems.add("GENEVAL_PROMPT_UNKNOWN", message, file=file, where=where, value=str(value), fix=fix)

    if prompt.tag not in TAGS:
        report("tag", prompt.tag, TAGS)
    for number, clause in enumerate(prompt.include + prompt.exclude):
        if clause.category not in classes:
            report("class", clause.category, classes)
        if clause.color is not None and clause.color not in COLOURS:
            report("colour", clause.color, COLOURS)
        if clause.position and clause.position[0] not in RELATIONS:
            report("relation", clause.position[0], RELATIONS)
        if clause.position and not 0 <= clause.position[1] < min(number, len(prompt.include)):
            message = (
                f"clause {number} is placed relative to clause {clause.position[1]}, which does not come before it"
            )
            problems.add(
                "GENEVAL_PROMPT_TARGET", message, file=file, where=where, fix="Name an earlier include clause."
            )

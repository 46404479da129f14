"""Lists of prompts for text-to-image: from COCO captions, from MJHQ-30K's meta data, or as a list of one's own.

A list is part of a protocol: the same file gives the same prompts on any machine, and its digest is in every result.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from vismark.formats import strict_json
from vismark.problems import Problems

_LIMIT = 1 << 30


class Prompt(msgspec.Struct, frozen=True):
    """A prompt; `id` names the image that is generated for it, `group` is its category or "", `picture` a real one."""

    id: str
    prompt: str
    group: str = ""
    picture: str = ""


class _Image(msgspec.Struct):
    id: int
    file_name: str = ""


class _Caption(msgspec.Struct):
    id: int
    image_id: int
    caption: str


class _Captions(msgspec.Struct):
    images: list[_Image]
    annotations: list[_Caption]


class _Meta(msgspec.Struct):
    category: str
    prompt: str


def read_prompts(path: Path, count: int | None, problems: Problems) -> tuple[Prompt, ...] | None:
    """The prompts in a file; None with errors in `problems`.

    Args:
        path: COCO captions (``annotations``, ``images``); meta data of MJHQ-30K (id → category, prompt); or one JSON
            object a line with ``id``, ``prompt`` and perhaps ``group``, as `vismark requests` writes them.
        count: of COCO captions, how many images are drawn, without replacement, each with one of its captions.
    """
    data = strict_json.read_bytes(path, problems, file=path.name, limit=_LIMIT)
    if data is None:
        return None
    try:
        if path.suffix == ".jsonl":
            lines = [line for line in data.splitlines() if line.strip() and not line.startswith(b'{"benchmark"')]
            found = tuple(msgspec.json.decode(line, type=Prompt) for line in lines)
        elif b'"annotations"' in data:
            found = _drawn(msgspec.json.decode(data, type=_Captions), count)
        else:
            meta = msgspec.json.decode(data, type=dict[str, _Meta])
            found = tuple(Prompt(id, one.prompt, one.category, f"{one.category}/{id}") for id, one in meta.items())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        fix = "Get the official file again, or write lines of {id, prompt}."
        problems.add("REF_PROMPTS", f"holds no prompts: {error}", file=path.name, fix=fix)
        return None
    _check(found, path.name, problems)
    return found if not problems.errors else None


def _drawn(captions: _Captions, count: int | None) -> tuple[Prompt, ...]:
    """One caption for each of `count` images, drawn with the seed 0 from images and captions in the order of ids."""
    import numpy as np

    names = {image.id: image.file_name.rpartition(".")[0] for image in captions.images}
    texts: dict[int, list[str]] = {id: [] for id in sorted(names)}
    for caption in sorted(captions.annotations, key=lambda one: one.id):
        if caption.image_id in texts:
            texts[caption.image_id].append(caption.caption)
    ids = [id for id, own in texts.items() if own]
    random = np.random.default_rng(0)
    chosen = [ids[place] for place in random.permutation(len(ids))[:count].tolist()]
    picks = random.integers(0, 1 << 30, len(chosen)).tolist()
    pairs = zip(chosen, picks, strict=True)
    return tuple(Prompt(f"{id:012d}", texts[id][pick % len(texts[id])].strip(), "", names[id]) for id, pick in pairs)


def _check(prompts: Sequence[Prompt], file: str, problems: Problems) -> None:
    seen: set[str] = set()
    faults: list[tuple[str, Any]] = []
    for one in prompts:
        if one.id in seen:
            faults.append(("the id occurs twice", one.id))
        if not one.id or any(part in ("", ".", "..") for part in one.id.split("/")) or not one.id.isprintable():
            faults.append(("the id is no safe file name", one.id))
        seen.add(one.id)
    for message, id in faults:
        problems.add("REF_PROMPTS", message, file=file, item=id, fix="Give every prompt a name of its own.")
    if not prompts:
        problems.add("REF_PROMPTS", "holds no prompts", file=file)

"""GenEval's prompts from a seed, as the official sampler draws them (``prompts/create_prompts.py``, af4902f).

Seed 43 and 100 prompts a tag give the published ``evaluation_metadata.jsonl`` byte for byte, so that nothing has to be
downloaded; another seed gives another set of prompts of the same kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from vismark.formats.geneval import COLOURS, RELATIONS, Clause, Prompt, object_names
from vismark.problems import Missing
from vismark.runtime.atomic import write_bytes
from vismark.runtime.digests import digest_of
from vismark.runtime.folders import cache_root

SEED, COUNT = 43, 100
METADATA = "evaluation_metadata.jsonl"
PLACE = f"geneval/{METADATA}"
DIGEST = "sha256:5c48e0813e812e3c373fa5c8ed07a8f0a483be30272b4427b0559c8048e67c13"

_NUMBERS = ("zero", "one", "two", "three", "four")


def sample(seed: int, count: int, classes: Sequence[str], colours: Sequence[str] = COLOURS) -> list[Prompt]:
    """Up to `count` prompts of each tag (every class once for ``single_object``), without duplicates.

    Args:
        classes: the first of them, ``person``, is never given a colour.
    """
    rng = np.random.default_rng(seed)
    every = [*_single(rng, classes), *_two(rng, count, classes), *_counting(rng, count, classes)]
    every += [*_colours(rng, count, classes, colours), *_position(rng, count, classes)]
    return list(dict.fromkeys((*every, *_attributes(rng, count, classes, colours))))


def published() -> bytes:
    """The bytes of the official ``evaluation_metadata.jsonl``.

    Raises:
        Missing: this version of numpy draws other numbers.
    """
    data = lines(sample(SEED, COUNT, object_names()))
    if digest_of(data) != DIGEST:
        raise Missing(
            f"numpy {np.__version__} draws other prompts than those published: `vismark download geneval`, "
            "and name the file with --references prompts=PATH."
        )
    return data


def lines(prompts: Sequence[Prompt]) -> bytes:
    """Prompts as JSON lines in the official form."""
    return "".join(prompt.line() + "\n" for prompt in prompts).encode()


def ensure() -> Path:
    """A folder laid out like a data root that holds the published prompts; made when it is not there."""
    folder = cache_root() / "made"
    if not (folder / PLACE).is_file():
        write_bytes(folder / PLACE, published())
    return folder


def _single(rng: np.random.Generator, classes: Sequence[str]) -> Iterator[Prompt]:
    for index in rng.choice(len(classes), size=len(classes), replace=False).tolist():
        name = classes[index]
        yield Prompt("single_object", (Clause(name, 1),), prompt=f"a photo of {article(name)}")


def _two(rng: np.random.Generator, count: int, classes: Sequence[str]) -> Iterator[Prompt]:
    for _ in range(count):
        a, b = (classes[index] for index in rng.choice(len(classes), size=2, replace=False).tolist())
        text = f"a photo of {article(a)} and {article(b)}"
        yield Prompt("two_object", (Clause(a, 1), Clause(b, 1)), prompt=text)


def _counting(rng: np.random.Generator, count: int, classes: Sequence[str]) -> Iterator[Prompt]:
    for _ in range(count):
        name, number = classes[int(rng.choice(len(classes)))], int(rng.integers(2, 4, endpoint=True))
        text = f"a photo of {_NUMBERS[number]} {name + ('es' if name.endswith('s') else 's')}"
        yield Prompt("counting", (Clause(name, number),), (Clause(name, number + 1),), text)


def _colours(rng: np.random.Generator, count: int, classes: Sequence[str], colours: Sequence[str]) -> Iterator[Prompt]:
    for _ in range(count):
        name, colour = classes[int(rng.choice(len(classes) - 1)) + 1], colours[int(rng.choice(len(colours)))]
        text = f"a photo of {article(colour)} {name}"
        yield Prompt("colors", (Clause(name, 1, color=colour),), prompt=text)


def _position(rng: np.random.Generator, count: int, classes: Sequence[str]) -> Iterator[Prompt]:
    for _ in range(count):
        a, b = (classes[index] for index in rng.choice(len(classes), size=2, replace=False).tolist())
        relation = RELATIONS[int(rng.choice(len(RELATIONS)))]
        text = f"a photo of {article(a)} {relation} {article(b)}"
        # The target comes first, though the sentence names the subject first.
        yield Prompt("position", (Clause(b, 1), Clause(a, 1, position=(relation, 0))), prompt=text)


def _attributes(
    rng: np.random.Generator, count: int, classes: Sequence[str], colours: Sequence[str]
) -> Iterator[Prompt]:
    for _ in range(count):
        a, b = (classes[index + 1] for index in rng.choice(len(classes) - 1, size=2, replace=False).tolist())
        one, other = (colours[index] for index in rng.choice(len(colours), size=2, replace=False).tolist())
        text = f"a photo of {article(one)} {a} and {article(other)} {b}"
        yield Prompt("color_attr", (Clause(a, 1, color=one), Clause(b, 1, color=other)), prompt=text)


def article(words: str) -> str:
    """`words` with its indefinite article."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"

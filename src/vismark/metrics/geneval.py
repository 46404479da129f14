"""GenEval: does a picture show what its prompt asks for? From detected objects to verdicts (arXiv 2310.11513).

Equal to ``evaluation/evaluate_images.py`` and ``summary_scores.py`` of github.com/djghosh13/geneval af4902f: thresholds
and geometry are float32, because scores lie exactly on float32(0.3). Detectors come before this, files after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from vismark.formats.geneval import COLOURS, RELATIONS, TAGS, Box, Clause, Found, Prompt
from vismark.metrics.bootstrap import interval

# The official evaluator ignores an offset below this, in pixels, on both axes.
_NO_OFFSET = np.float32(1e-3)


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The options of the official script, with its defaults.

    Attributes:
        threshold, counting_threshold: keep objects with a score above; the second for the tag ``counting``.
        max_objects: keep so many of a class.
        max_overlap: drop objects whose IoU with a better one of their class is at least this; 1 keeps all.
        position_threshold: part of the added sizes by which centres must be apart.
        any_object: colour and position may be shown by any object of the class; the official script looks at the
            `count` most confident ones only, so that a second object of the right colour does not help.
    """

    threshold: float = 0.3
    counting_threshold: float = 0.9
    max_objects: int = 16
    max_overlap: float = 1.0
    position_threshold: float = 0.1
    any_object: bool = False


class Verdict(msgspec.Struct, frozen=True):
    """What was decided about a picture: `reasons` are empty when it is correct; `kept` are the objects by class."""

    tag: str
    prompt: str
    correct: bool
    reasons: tuple[str, ...]
    kept: dict[str, list[Found]]


def kept(found: Sequence[Found], options: Options, *, counting: bool = False) -> dict[str, list[Found]]:
    """The objects that count, by class, the most confident first; of equal ones the later in `found` first."""
    threshold = float(np.float32(options.counting_threshold if counting else options.threshold))
    groups: dict[str, list[Found]] = {}
    for one in reversed(found):
        if one.score > threshold:
            groups.setdefault(one.category, []).append(one)
    for name, group in groups.items():
        if len(group) > 1:
            group.sort(key=_score, reverse=True)
            del group[options.max_objects :]
            if options.max_overlap != 1:
                groups[name] = _distinct(group, np.float32(options.max_overlap))
    return groups


def judge(prompt: Prompt, objects: Mapping[str, Sequence[Found]], options: Options) -> list[str]:
    """Why the picture does not show what the prompt asks for; no reasons: it does.

    Args:
        objects: what `kept` gives.
    """
    reasons: list[str] = []
    groups: list[Sequence[Found] | None] = []
    for clause in prompt.include:
        there = objects.get(clause.category, ())
        group = there if options.any_object else there[: clause.count]
        faults = _faults(clause, group, groups, options)
        reasons += faults
        groups.append(None if faults else group)
    for clause in prompt.exclude:
        count = len(objects.get(clause.category, ()))
        if count >= clause.count:
            reasons.append(f"expected {clause.category}<{clause.count}, found {count}")
    return reasons


def relations(a: Box, b: Box, threshold: float = 0.1) -> list[str]:
    """Where `a` is relative to `b`: none, one or two of ``left of``, ``right of``, ``above``, ``below``."""
    corners = np.array((a, b), np.float32).reshape(2, 2, 2)
    centres = (corners[:, 0] + corners[:, 1]) / np.float32(2)
    sizes = np.abs(corners[:, 1] - corners[:, 0])
    offset = centres[0] - centres[1]
    beyond = np.maximum(np.abs(offset) - np.float32(threshold) * (sizes[0] + sizes[1]), np.float32(0)) * np.sign(offset)
    if (np.abs(beyond) < _NO_OFFSET).all():
        return []
    x, y = (beyond / np.linalg.norm(offset)).tolist()
    return [name for name, holds in zip(RELATIONS, (x < -0.5, x > 0.5, y < -0.5, y > 0.5), strict=True) if holds]


def _score(one: Found) -> float:
    return one.score


def _faults(
    clause: Clause, group: Sequence[Found], before: Sequence[Sequence[Found] | None], options: Options
) -> list[str]:
    """What is wrong with the objects that an include clause asks for, in the official words."""
    name, count = clause.category, clause.count
    if len(group) < count:
        return [f"expected {name}>={count}, found {len(group)}"]
    if clause.color is not None:
        colours = [one.color for one in group]
        right = colours.count(clause.color)
        if right < count:
            others = ", ".join(f"{colours.count(colour)} {colour}" for colour in COLOURS if colour in colours)
            return [f"expected {clause.color} {name}>={count}, found {right} {clause.color}; and {others}"]
    return _misplaced(clause, group, before, options) if clause.position else []


def _misplaced(
    clause: Clause, group: Sequence[Found], before: Sequence[Sequence[Found] | None], options: Options
) -> list[str]:
    """What is wrong with where the objects are; all pairs must be right, or with `any_object` one for each object."""
    assert clause.position is not None
    relation, target = clause.position
    targets = before[target]
    if targets is None:
        return [f"no target for {clause.category} to be {relation}"]
    placed, wrong = 0, ""
    for one in group:
        found = [relations(one.box, other.box, options.position_threshold) for other in targets]
        failed = [" and ".join(names) for names in found if relation not in names]
        placed += len(failed) < len(found)
        if failed and not wrong:
            wrong = f"expected {clause.category} {relation} target, found {failed[0]} target"
    enough = placed >= clause.count if options.any_object else not wrong
    return [] if enough else [wrong]


def _distinct(group: Sequence[Found], limit: np.float32) -> list[Found]:
    """Greedy suppression: the best stays, what overlaps it by `limit` or more goes."""
    left, chosen = list(group), []
    while left:
        chosen.append(left.pop(0))
        left = [one for one in left if _iou(chosen[-1].box, one.box) < limit]
    return chosen


def _iou(a: Box, b: Box) -> np.float32:
    """Intersection over union with boxes one pixel larger on either axis, in float32; 0 for an empty union."""
    first, second = np.array(a, np.float32), np.array(b, np.float32)
    inner = np.concatenate((np.maximum(first[:2], second[:2]), np.minimum(first[2:], second[2:])))
    area = [np.prod(np.maximum(box[2:] - box[:2] + np.float32(1), np.float32(0))) for box in (first, second, inner)]
    union = area[0] + area[1] - area[2]
    return np.float32(area[2] / union if union else 0)


class GenEval:
    """The share of correct pictures of each tag, and their unweighted mean `overall`, all in 0 … 1.

    ``images`` and ``prompts`` are the shares of pictures, and of prompts with at least one correct picture. `overall`
    is the mean over the tags that are there, as officially: on a part of the prompts it is another number.
    """

    name = "overall"
    outputs = ("overall", *TAGS, "images", "prompts")

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()

    def row(self, prompt: Prompt, found: Sequence[Found]) -> Verdict:
        """The verdict about one picture."""
        objects = kept(found, self.options, counting=prompt.tag == "counting")
        reasons = tuple(judge(prompt, objects, self.options))
        return Verdict(prompt.tag, prompt.prompt, not reasons, reasons, objects)

    def reduce(self, rows: Sequence[Verdict]) -> dict[str, float | None]:
        """The numbers; None for a tag without pictures."""
        if not rows:
            return dict.fromkeys(self.outputs)
        scores = {tag: right / total for tag, (right, total) in tally(rows).items()}
        prompts: dict[str, bool] = {}
        for row in rows:
            prompts[row.prompt] = prompts.get(row.prompt, False) or row.correct
        return {
            "overall": sum(scores.values()) / len(scores),
            **{tag: scores.get(tag) for tag in TAGS},
            "images": sum(row.correct for row in rows) / len(rows),
            "prompts": sum(prompts.values()) / len(prompts),
        }

    def intervals(
        self, rows: Sequence[Verdict], replicates: int = 1000, seed: int = 0
    ) -> dict[str, tuple[float, float]]:
        """95 % intervals: of tags by Wilson, as if a prompt were one trial; of `overall` by bootstrap within tags.

        Pictures of one prompt are alike, so that the number of pictures would promise too much; Wilson's interval does
        not collapse where all pictures are right. The bootstrap draws prompts with replacement within each tag.
        """
        means = _by_prompt(rows)
        scores = {tag: right / total for tag, (right, total) in tally(rows).items()}
        found = {tag: wilson(scores[tag], len(values)) for tag, values in means.items()}
        random, sums = np.random.default_rng(seed), np.zeros(replicates)
        for values in means.values():
            sums += np.array(values)[random.integers(0, len(values), (replicates, len(values)))].mean(axis=1)
        return {"overall": interval(sums / len(means)), **found} if means else {}


def tally(rows: Sequence[Verdict]) -> dict[str, tuple[int, int]]:
    """Tag → (correct pictures, pictures), in the order of first appearance."""
    counts: dict[str, tuple[int, int]] = {}
    for row in rows:
        right, total = counts.get(row.tag, (0, 0))
        counts[row.tag] = right + row.correct, total + 1
    return counts


def wilson(share: float, trials: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (Wilson 1927)."""
    z = 1.959963984540054
    middle = share + z * z / (2 * trials)
    reach = z * ((share * (1 - share) + z * z / (4 * trials)) / trials) ** 0.5
    scale = 1 + z * z / trials
    return max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale)


def summary(rows: Sequence[Verdict]) -> str:
    """The text that the official ``summary_scores.py`` prints; tags in the order of their first picture."""
    numbers, counts = GenEval().reduce(rows), tally(rows)
    if not rows:
        return ""
    shares = {name: numbers[name] or 0.0 for name in ("overall", "images", "prompts")}
    tasks = "".join(f"{tag:<16} = {right / total:.2%} ({right} / {total})\n" for tag, (right, total) in counts.items())
    return (
        "Summary\n=======\n"
        f"Total images: {len(rows)}\nTotal prompts: {len({row.prompt for row in rows})}\n"
        f"% correct images: {shares['images']:.2%}\n% correct prompts: {shares['prompts']:.2%}\n\n"
        f"Task breakdown\n==============\n{tasks}\n"
        f"Overall score (avg. over tasks): {shares['overall']:.5f}\n"
    )


def _by_prompt(rows: Sequence[Verdict]) -> dict[str, list[float]]:
    """Tag → the share of correct pictures of each of its prompts."""
    counts: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        counts.setdefault((row.tag, row.prompt), []).append(row.correct)
    means: dict[str, list[float]] = {}
    for (tag, _), right in counts.items():
        means.setdefault(tag, []).append(sum(right) / len(right))
    return means

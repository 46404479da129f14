"""Reading what GenEval scores: the references, and detections files with all that scoring will ask of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from pathlib import Path
from typing import Any

from msgspec import UNSET

from vismark.benchmarks.base import Opened
from vismark.benchmarks.geneval_steps import GenEvalTruth, Recorded
from vismark.formats import strict_json
from vismark.formats.geneval import Prompt, object_names, read_prompts
from vismark.formats.geneval_detections import Detected, DetectionsFile, read_detections
from vismark.formats.geneval_images import Pictures, check_complete, sample_id
from vismark.metrics.geneval import Options, kept
from vismark.problems import Problems
from vismark.runtime.digests import digest_of

_CLASSES_LIMIT = 1 << 20


def read_references(prompts: Path, classes: Path | None, problems: Problems) -> GenEvalTruth | None:
    """The prompts, and the class names in a file (one a line), else those of GenEval; None with errors."""
    names = _names(classes, problems) if classes is not None else object_names()
    read = read_prompts(prompts, names, problems)
    if read is None or problems.errors:
        return None
    return GenEvalTruth(read, names, digest_of([[one.line() for one in read], names]))


def _names(path: Path, problems: Problems) -> tuple[str, ...]:
    data = strict_json.read_bytes(path, problems, file=path.name, limit=_CLASSES_LIMIT) or b""
    names = tuple(line.strip() for line in data.decode("utf-8", "replace").splitlines() if line.strip())
    if not names or len(set(names)) < len(names):
        fix = "Write one class name a line."
        problems.add("GENEVAL_CLASSES", "there is no class in it, or one twice", file=path.name, fix=fix)
    return names


def recorded_from(
    path: Path, truth: GenEvalTruth, options: Options, problems: Problems, wanted: Collection[str] | None
) -> Opened[Pictures | Recorded] | None:
    """A detections file as a submission; the n-th picture of a prompt by number is its sample n."""
    read = read_detections(path, truth.prompts, truth.classes, problems)
    if read is None:
        return None
    by_prompt: dict[int, list[Detected]] = defaultdict(list)
    for one in read.pictures.values():
        by_prompt[one.prompt_index].append(one)
    pictures = {
        sample_id(prompt, rank): one for prompt, ones in sorted(by_prompt.items()) for rank, one in enumerate(ones)
    }
    check_complete(path.name, pictures, wanted, problems)
    _check_floor(read, options, path.name, problems)
    for one in pictures.values():
        check_colours(one, truth.prompts[one.prompt_index], options, path.name, problems)
    if not pictures:
        return None
    submission = Recorded(pictures, str(read.header.detector.get("name", "")), {})
    return Opened(submission, tuple(pictures), read.digest, instruments=identities(read))


def _check_floor(read: DetectionsFile, options: Options, file: str, problems: Problems) -> None:
    lowest = min(options.threshold, options.counting_threshold)
    if read.header.floor > lowest:
        message = f"objects under {read.header.floor} were left out, the protocol wants those over {lowest}"
        problems.add("GENEVAL_DET_FLOOR", message, file=file, where="line 1", fix="Detect again with a lower floor.")


def check_colours(picture: Detected, prompt: Prompt, options: Options, file: str, problems: Problems) -> None:
    """Report objects whose colour the prompt is about, but which has not been told."""
    objects: Any = None
    for clause in prompt.include:
        if clause.color is None:
            continue
        objects = objects or kept(picture.detections, options, counting=prompt.tag == "counting")
        group = objects.get(clause.category, ())
        needed = group if options.any_object else group[: clause.count]
        if len(group) >= clause.count and any(one.color is UNSET for one in needed):
            message = f"a {clause.category} has no colour, which the prompt {prompt.prompt!r} asks for"
            fix = "Write `color` (null where none can be told) for objects of the classes whose colour is asked."
            problems.add("GENEVAL_DET_COLOR_MISSING", message, file=file, item=picture.image, fix=fix)


def identities(read: DetectionsFile) -> dict[str, dict[str, str]]:
    """Who found the objects, as the file says."""
    header = read.header
    told = {"detector": header.detector, "colour": header.colour}
    return {
        str(one.get("name", f"an unnamed {role}")): {key: str(value) for key, value in _identity(one).items()}
        for role, one in told.items()
    }


def _identity(told: dict[str, Any]) -> dict[str, Any]:
    identity = told.get("identity")
    return identity if isinstance(identity, dict) else told

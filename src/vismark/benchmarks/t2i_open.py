"""Reading what T2I-CompBench scores: prompts and their grammar, pictures, detections, answers of the scripts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from vismark.benchmarks.t2i_steps import CompSubmission, CompTruth
from vismark.formats import png
from vismark.formats.t2i_answers import DETECTIONS, PLACES, CompDetected, read_answers, read_detections
from vismark.formats.t2i_compbench import (
    CATEGORIES,
    PER_PROMPT,
    CompPictures,
    check_complete,
    read_lines,
    read_pictures,
    sample_id,
)
from vismark.formats.t2i_parses import FILE, parses_of, read_forms, read_parses
from vismark.metrics.t2i_compbench.combine import routed
from vismark.problems import Problems
from vismark.runtime.digests import digest_of

# Part of a score → place of its answers, and the categories that have them.
_ANSWERED = {
    "attribute": ("blip", ("color", "shape", "texture", "complex")),
    "spatial": ("spatial", ("spatial", "complex")),
    "3d_spatial": ("3d_spatial", ("3d_spatial",)),
    "numeracy": ("numeracy", ("numeracy",)),
    "clip": ("clip", ("non_spatial", "complex")),
}
_DEPTH_BYTES = 1 << 24


def read_references(files: Mapping[str, Path], problems: Problems) -> CompTruth | None:
    """Prompts and grammar from the prompt files by name; None with errors."""
    lines = {name: read_lines(path, problems) for name, path in files.items()}
    if problems.errors:
        return None
    prompts = {name: lines[name] + lines.get(f"{name}_unseen", ()) for name in CATEGORIES}
    frozen_file = files["shape"].with_name(FILE)
    frozen = read_parses(frozen_file, problems) if frozen_file.is_file() else {}
    parses = parses_of(prompts, read_forms(lines["new_objects"]), frozen)
    sets = [frozenset(map(routed, lines[f"complex_{kind}"])) for kind in ("spatial", "action")]
    digest = digest_of([prompts, sorted(sets[0]), sorted(sets[1]), [digest_of(one) for one in parses.values()]])
    return None if problems.errors else CompTruth(prompts, parses, sets[0], sets[1], digest)


def read_submission(
    path: Path, truth: CompTruth, problems: Problems, wanted: Collection[str] | None, *, answers: bool
) -> tuple[CompSubmission, str] | None:
    """A submission and the digest of what holds its samples together; None with errors."""
    if not path.is_dir():
        fix = "Name the folder that holds the categories."
        problems.add("T2I_SUBMISSION", "is no folder", file=path.name, fix=fix)
        return None
    if answers:
        told = _answers(path, problems)
        submission = CompSubmission(CompPictures(path, {}, ()), {}, told)
        if not any(told.values()) and not problems.errors:
            fix = f"Below each category lie the files of the scripts, such as color/{PLACES['blip']}."
            problems.add("T2I_EMPTY", "there is no answer file of any category", file=path.name, fix=fix)
        return submission, digest_of({name: dict(column) for name, column in told.items()})
    pictures = read_pictures(path, truth.prompts, problems, wanted)
    detections: dict[str, CompDetected] = {}
    for category, lines in truth.prompts.items():
        for name in DETECTIONS:
            file = path / category / name
            if file.is_file():
                found = read_detections(file, f"{category}/{name}", lines, PER_PROMPT, problems)
                own = {sample_id(category, number): one for number, one in found.items()}
                check_complete([category], own, name, problems, wanted)
                detections |= own
    for id, one in detections.items():
        if id.startswith("3d_spatial/"):
            _check_depth(path, id, one, problems)
    if not pictures.files and not detections:
        fix = f"Name the folder that holds {', '.join(CATEGORIES)}, each with samples/PROMPT_NNNNNN.png."
        problems.add("T2I_EMPTY", "there is no picture of any category", file=path.name, fix=fix)
        return None
    facts = [list(pictures.files), {id: digest_of(one) for id, one in detections.items()}]
    return CompSubmission(pictures, detections, {}), digest_of(facts)


def _answers(path: Path, problems: Problems) -> dict[str, dict[str, float]]:
    told: dict[str, dict[str, float]] = {}
    for part, (place, categories) in _ANSWERED.items():
        told[part] = {}
        for category in categories:
            file = path / category / PLACES[place]
            if file.is_file():
                found = read_answers(file, f"{category}/{PLACES[place]}", problems)
                told[part] |= {sample_id(category, number): value for number, value in found.items()}
    return told


def _check_depth(folder: Path, id: str, one: CompDetected, problems: Problems) -> None:
    """Report a depth map that is not there, or of another size than the detector's picture."""
    parts = Path(one.depth).parts
    name, fix = f"3d_spatial/{one.depth}", "Write an 8 bit grey PNG of the detector's picture; larger is nearer."
    if not parts or not all(map(png.plain_name, parts)):
        problems.add("T2I_DEPTH", "there is no depth map for the picture", item=id, value=one.depth, fix=fix)
        return
    try:
        header = png.inspect(png.read_file(folder / name, _DEPTH_BYTES))
        png.expect(header, (one.height, one.width))
        if (header.colour, header.depth) != ("grey", 8):
            raise png.PngFault("FORMAT", f"is {header.colour} with {header.depth} bits", fix)
    except png.PngFault as fault:
        problems.add("T2I_DEPTH", f"the depth map {fault}", file=name, item=id, fix=fault.fix or fix)

"""T2I-CompBench (++): are attributes, places, depth and numbers bound to the right objects? (arXiv 2307.06350)

Four columns are measured here (BLIP-VQA and CLIP); places, depth and numbers need what UniDet found, from a file, as
UniDet has no form that installs today; ``3-in-1`` needs both.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vismark.benchmarks.base import Mode, Opened, Source, Step
from vismark.benchmarks.panels import Bar, Bars, Panel
from vismark.benchmarks.t2i_columns import columns_of
from vismark.benchmarks.t2i_open import read_references, read_submission
from vismark.benchmarks.t2i_steps import ClipStep, CompSubmission, CompTruth, FilesStep, JudgeStep, VqaStep
from vismark.cards import BenchmarkCard
from vismark.formats.t2i_answers import answer_file
from vismark.formats.t2i_compbench import PER_PROMPT, SAMPLES, category_of, file_name, index_of, sample_id
from vismark.formats.t2i_parses import OFFICIAL
from vismark.instruments.base import Tools
from vismark.metrics.bootstrap import FEWEST, interval
from vismark.problems import Problem, Problems, Usage, refuse
from vismark.results import Scores
from vismark.runtime.atomic import write_bytes
from vismark.runtime.seeds import seed_for
from vismark.tasks import Image, Request, TextToImage

# Column → the detector whose objects the official numbers are made of.
_DETECTORS = {
    "spatial": "unidet-rs200",
    "3d_spatial": "unidet-rs200",
    "complex_3in1": "unidet-rs200",
    "numeracy": "unidet-r50",
}


class CompBenchmark:
    """Scores pictures of up to eight categories; a category that is not submitted has no number.

    Settings of a protocol: `source` is ``pictures`` (measure here), ``answers`` (of the official scripts) or ``judge``;
    `repaired` turns the scripts' faults off.
    """

    tolerated: frozenset[str] = frozenset()

    def __init__(self, card: BenchmarkCard) -> None:
        self.card = card

    def references(self, source: Source, problems: Problems, mode: Mode) -> CompTruth | None:
        """The prompt files of the eight categories, and frozen parses (``parses.jsonl`` beside them) where they are."""
        files = {name: source.need(self.card, name) for name in self.card.references}
        return read_references(files, problems)

    def requests(self, truth: CompTruth, seed: int) -> CompRequests:
        """Ten questions a prompt, category by category."""
        return CompRequests(truth, seed)

    def answer(self, truth: CompTruth, request: Request) -> Image:
        """Raises `Usage`: there are no true pictures."""
        raise Usage(f"{self.card.name} has no true pictures that a control could draw; `blank` works.")

    def majority(self, truth: CompTruth, request: Request) -> Image:
        """Raises `Usage`: there are no true pictures."""
        return self.answer(truth, request)

    def writer(self, path: Path, truth: CompTruth) -> CompWriter:
        """Writes ``CATEGORY/samples/PROMPT_NNNNNN.png`` below `path`."""
        return CompWriter(path)

    def open(
        self,
        path: Path,
        truth: CompTruth,
        problems: Problems,
        mode: Mode,
        wanted: Collection[str] | None,
        settings: Mapping[str, Any],
    ) -> Opened[CompSubmission] | None:
        """Look which pictures, detections and answers there are."""
        read = read_submission(path, truth, problems, wanted, answers=settings["source"] == "answers")
        if read is None:
            return None
        submission, digest = read
        there = {
            *submission.pictures.files,
            *submission.detections,
            *(id for a in submission.answers.values() for id in a),
        }
        ids = tuple(id for id in CompRequests(truth, 0).ids if id in there)
        detectors = {one.detector or "an unnamed detector" for one in submission.detections.values()}
        return Opened(submission, ids, digest, {name: {"name": name} for name in sorted(detectors)})

    def steps(self, mode: Mode, settings: Mapping[str, Any], metrics: Collection[str], tools: Tools) -> Sequence[Step]:
        """What the wanted columns need of instruments."""
        found: list[Step] = [] if settings["source"] == "answers" else [FilesStep(self.card.references.keys())]
        if settings["source"] == "judge":
            return [*found, JudgeStep(tools.load("judge", "judge-endpoint"))]
        if settings["source"] == "pictures":
            if {"color", "shape", "texture", "complex_3in1"} & set(metrics):
                found.append(VqaStep(tools.load("vqa", "blip-vqa")))
            if {"non_spatial_clip", "complex_3in1"} & set(metrics):
                found.append(ClipStep(tools.load("clip", "clip-vit-b32")))
        return found

    def score(
        self,
        submission: CompSubmission,
        truth: CompTruth,
        evidence: Mapping[str, Sequence[Any]],
        mode: Mode,
        settings: Mapping[str, Any],
    ) -> Scores:
        """The mean of each column over its pictures, with 95 % bootstrap intervals over prompts."""
        columns = columns_of(submission, truth, evidence, settings)
        wanted = [spec.name for spec in self.card.metrics]
        values = {name: columns.get(name, {}) for name in wanted}
        whole = {id: (name, value) for name, column in values.items() for id, value in column.items()}
        return Scores(
            metrics={
                name: math.fsum(column.values()) / len(column) if column else None for name, column in values.items()
            },
            intervals={name: span for name, column in values.items() if (span := _interval(column)) is not None},
            counts={name: len(column) for name, column in values.items()},
            table={
                "id": list(whole),
                "score": [value for _, value in whole.values()],
                "column": [name for name, _ in whole.values()],
                "prompt": [truth.parse(id).prompt for id in whole],
            },
            why=_why(submission, truth, settings, wanted),
            warnings=[
                _absent(name, settings) for name in self.card.measured(_named(self.card, settings)) if not values[name]
            ],
            files={
                f"{name}.vqa_result.json": answer_file({index_of(id): value for id, value in column.items()})
                for name, column in values.items()
                if column
            },
        )

    def panels(
        self,
        truth: CompTruth,
        submission: CompSubmission,
        breakdown: Mapping[str, Mapping[str, float | int | None]],
        worst: Sequence[tuple[str, str]],
    ) -> list[Panel]:
        """How many pictures each category has."""
        counts: dict[str, int] = defaultdict(int)
        for id in submission.pictures.files:
            counts[category_of(id)] += 1
        bars = [Bar(category, float(count)) for category, count in counts.items()]
        return [Bars("Pictures", "Pictures of each category.", bars, digits=0)] if bars else []


class CompRequests:
    """The questions, made when asked for."""

    def __init__(self, truth: CompTruth, seed: int) -> None:
        self.truth = truth
        self.seed = seed
        counts = {name: PER_PROMPT * len(lines) for name, lines in truth.prompts.items()}
        self.ids = tuple(sample_id(name, number) for name, count in counts.items() for number in range(count))

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int, /) -> TextToImage:
        id = self.ids[index]
        group, prompt = f"{category_of(id)}/{index_of(id) // PER_PROMPT}", self.truth.parse(id).prompt
        return TextToImage(id=id, seed=seed_for(self.seed, id), group=group, prompt=prompt, size=None)

    def __iter__(self) -> Iterator[TextToImage]:
        return (self[index] for index in range(len(self)))


class CompWriter:
    """Writes the official layout picture by picture."""

    entry = str

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, request: TextToImage, prediction: Any) -> str:
        """Write one picture and return its path below the folder.

        Raises:
            Refused: it is no uint8 RGB picture.
        """
        import io

        from PIL import Image as Pillow

        if not isinstance(prediction, Image):
            message = f"the answer to a TextToImage is a vismark.tasks.Image, this is {type(prediction).__name__}"
            raise refuse("PREDICTION_TYPE", message, item=request.id)
        place = f"{category_of(request.id)}/{SAMPLES}/{file_name(request.prompt, index_of(request.id))}"
        buffer = io.BytesIO()
        Pillow.fromarray(prediction.pixels).save(buffer, format="PNG")
        write_bytes(self.path / place, buffer.getvalue())
        return place

    def finish(self, entries: Sequence[str]) -> None:
        """Nothing: no file holds all pictures together."""


def _named(card: BenchmarkCard, settings: Mapping[str, Any]) -> str:
    """The protocol that has these settings."""
    return next(name for name, known in card.protocols.items() if known == dict(settings))


def _interval(column: Mapping[str, float], replicates: int = 1000) -> tuple[float, float] | None:
    """95 % percentile interval of a mean, prompts drawn with replacement; none below ten prompts."""
    import numpy as np

    groups: dict[int, list[float]] = defaultdict(list)
    for id, value in column.items():
        groups[index_of(id) // PER_PROMPT].append(value)
    if len(groups) < FEWEST:
        return None
    means = np.array([sum(values) / len(values) for values in groups.values()])
    drawn = np.random.default_rng(0).integers(0, len(means), (replicates, len(means)))
    return interval(means[drawn].mean(axis=1))


def _why(
    submission: CompSubmission, truth: CompTruth, settings: Mapping[str, Any], wanted: Sequence[str]
) -> dict[str, str]:
    """How the columns deviate from the official ones."""
    reasons: dict[str, list[str]] = defaultdict(list)
    parsers = sorted({one.parser for one in truth.parses.values()} - {OFFICIAL})
    detectors = {one.detector for one in submission.detections.values()}
    for name in wanted:
        if settings["source"] == "judge" or name == "non_spatial_clip":
            continue
        if settings["repaired"]:
            reasons[name].append("the repaired rules of the protocol `fixed`")
        if parsers and settings["source"] == "pictures":
            reasons[name].append(f"phrases and nouns by {', '.join(parsers)}, officially by {OFFICIAL}")
        others = sorted(detectors - {_DETECTORS.get(name, "")})
        if name in _DETECTORS and others:
            reasons[name].append(f"objects by {', '.join(o or 'an unnamed detector' for o in others)}")
    return {name: "; ".join(found) for name, found in reasons.items()}


def _absent(name: str, settings: Mapping[str, Any]) -> Problem:
    if name in _DETECTORS and settings["source"] == "pictures":
        fix = f"Put a detections.jsonl of {_DETECTORS[name]} into the folder of the category, see the documentation."
    else:
        fix = "Submit the category, or name the columns you want with --metrics."
    message = f"{name} has no number: what it needs was not submitted"
    return Problem(code="T2I_COLUMN_ABSENT", severity="warning", message=message, fix=fix)

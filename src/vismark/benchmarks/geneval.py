"""GenEval: do pictures show the objects, counts, colours and places that their prompts ask for (arXiv 2310.11513)?

Equal to github.com/djghosh13/geneval af4902f from the detections on; see `metrics.geneval`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from vismark import registry
from vismark.benchmarks.base import Mode, Opened, Source, Step
from vismark.benchmarks.geneval_open import read_references, recorded_from
from vismark.benchmarks.geneval_panels import grid
from vismark.benchmarks.geneval_steps import DetectStep, GenEvalTruth, PictureStep, Recorded, Seen
from vismark.benchmarks.panels import Bar, Bars, Panel, Tiles
from vismark.cards import BenchmarkCard, DatasetCard
from vismark.formats.geneval import TAGS
from vismark.formats.geneval_detections import is_detections
from vismark.formats.geneval_images import METADATA, PER_PROMPT, Pictures, prompt_of, read_pictures, sample_id
from vismark.instruments.base import Tools
from vismark.metrics.geneval import GenEval, Options, Verdict, summary, tally
from vismark.problems import Problem, Problems, Usage, refuse
from vismark.results import Scores
from vismark.runtime.atomic import write_bytes
from vismark.runtime.digests import digest_of
from vismark.runtime.seeds import seed_for
from vismark.tasks import Image, Request, TextToImage


class GenEvalBenchmark:
    """Scores pictures made from prompts, or what a detector found in them.

    Settings of a protocol: `detector` and `colour` are the instruments whose numbers are the official ones; the others
    are `metrics.geneval.Options`.
    """

    # The official script takes whatever folders and pictures there are, and believes their metadata.
    tolerated = frozenset(
        {
            "GENEVAL_METADATA_OTHER",
            "GENEVAL_PROMPT_MISSING",
            "GENEVAL_PROMPT_UNKNOWN",
            "GENEVAL_SAMPLE_COUNT",
            "GENEVAL_SAMPLE_FORMAT",
        }
    )

    def __init__(self, card: BenchmarkCard) -> None:
        self.card = card

    def references(self, source: Source, problems: Problems, mode: Mode) -> GenEvalTruth | None:
        """``prompts`` (evaluation_metadata.jsonl) and ``classes`` (object_names.txt; by default COCO's 80)."""
        return read_references(source.need(self.card, "prompts"), source.path(self.card, "classes"), problems)

    def requests(self, truth: GenEvalTruth, seed: int) -> GenEvalRequests:
        """Four questions a prompt, in the official order."""
        return GenEvalRequests(truth, seed)

    def answer(self, truth: GenEvalTruth, request: Request) -> Image:
        """A picture that shows what is asked, where the data set can draw one."""
        return self._drawn(truth, request, wrong=False)

    def wrong(self, truth: GenEvalTruth, request: Request) -> Image:
        """A picture that just does not show what is asked."""
        return self._drawn(truth, request, wrong=True)

    def majority(self, truth: GenEvalTruth, request: Request) -> Image:
        """The picture for the first prompt, whatever is asked."""
        first = GenEvalRequests(truth, request.seed)[0]
        return self._drawn(truth, first, wrong=False)

    def writer(self, path: Path, truth: GenEvalTruth) -> GenEvalWriter:
        """Writes the official tree into the folder `path`."""
        return GenEvalWriter(path, truth)

    def open(
        self,
        path: Path,
        truth: GenEvalTruth,
        problems: Problems,
        mode: Mode,
        wanted: Collection[str] | None,
        settings: Mapping[str, Any],
    ) -> Opened[Pictures | Recorded] | None:
        """Look which pictures there are, or read the detections file."""
        if path.is_dir():
            pictures = read_pictures(path, truth.prompts, truth.classes, problems, wanted)
            facts = [list(pictures.files), {str(number): one.line() for number, one in pictures.prompts.items()}]
            return Opened(pictures, tuple(pictures.files), digest_of(facts)) if pictures.files else None
        if is_detections(path):
            return recorded_from(path, truth, options_of(settings), problems, wanted)
        fix = "Name the folder with the pictures, or a detections file (.jsonl, .jsonl.gz)."
        problems.add("GENEVAL_SUBMISSION", "is no folder and no detections file", file=path.name, fix=fix)
        return None

    def steps(self, mode: Mode, settings: Mapping[str, Any], metrics: Collection[str], tools: Tools) -> Sequence[Step]:
        """Looking at the files, and detection; neither has anything to do for a detections file."""
        detector, colour = (tools.load(role, settings[role]) for role in ("detector", "colour"))
        return (PictureStep(), DetectStep(detector, colour, tools.batch_size))

    def score(
        self,
        submission: Pictures | Recorded,
        truth: GenEvalTruth,
        evidence: Mapping[str, Sequence[Any]],
        mode: Mode,
        settings: Mapping[str, Any],
    ) -> Scores:
        """Verdicts, their means with 95 % intervals, and the files of the official script."""
        seen: list[Seen] = list(evidence.get("geneval-detect", ())) or _replayed(submission)
        metric = GenEval(options_of(settings))
        prompts = [submission.prompts.get(prompt_of(one.id), truth.prompts[prompt_of(one.id)]) for one in seen]
        rows = [metric.row(prompt, one.detections) for prompt, one in zip(prompts, seen, strict=True)]
        numbers, counts = metric.reduce(rows), tally(rows)
        detectors = {one.detector for one in seen}
        return Scores(
            metrics=numbers,
            intervals=metric.intervals(rows),
            counts={"overall": len(counts), "images": len(rows), **{tag: total for tag, (_, total) in counts.items()}},
            breakdowns={"tag": _by_tag(counts), "prompt": _by_prompt(rows)},
            table=_table(seen, rows, truth.classes),
            why=_why(detectors, settings, counts, self.card, numbers),
            warnings=_suspicions(numbers),
            files={
                "results.jsonl": _official_lines(seen, rows, prompts, truth.classes),
                "summary.txt": summary(rows).encode(),
            },
        )

    def panels(
        self,
        truth: GenEvalTruth,
        submission: Pictures | Recorded,
        breakdown: Mapping[str, Mapping[str, float | int | None]],
        worst: Sequence[tuple[str, str]],
    ) -> list[Panel]:
        """A bar a tag."""
        bars = [Bar(tag, row["score"], details=tuple(row.items())) for tag, row in breakdown.items()]
        return [Bars("By tag", "Share of correct pictures.", bars, digits=3)]

    def grid(
        self,
        truth: GenEvalTruth,
        submission: Pictures | Recorded,
        columns: Mapping[str, Sequence[Any]],
        prompts: int,
    ) -> Tiles:
        """Prompts by samples, framed in green and red, with reasons and boxes."""
        return grid(truth, submission, columns, prompts)

    def _drawn(self, truth: GenEvalTruth, request: Request, *, wrong: bool) -> Image:
        dataset: DatasetCard = registry.card("datasets", self.card.dataset)
        if "painter" not in dataset.settings:
            raise Usage(f"{self.card.name} has no true pictures that a control could draw; `blank` works.")
        draw = registry.load(dataset.settings["painter"])
        return Image(draw(truth.prompts[prompt_of(request.id)], request.seed, wrong=wrong))


class GenEvalRequests:
    """The questions, made when asked for: sample n of a prompt is another picture of the same text."""

    def __init__(self, truth: GenEvalTruth, seed: int) -> None:
        self.truth = truth
        self.seed = seed
        self.ids = tuple(sample_id(prompt, n) for prompt in range(len(truth.prompts)) for n in range(PER_PROMPT))

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int, /) -> TextToImage:
        id = self.ids[index]
        prompt = self.truth.prompts[prompt_of(id)]
        return TextToImage(id=id, seed=seed_for(self.seed, id), group=id[:5], prompt=prompt.prompt, size=None)

    def __iter__(self) -> Iterator[TextToImage]:
        return (self[index] for index in range(len(self)))


class GenEvalWriter:
    """Writes the official tree picture by picture."""

    entry = str

    def __init__(self, path: Path, truth: GenEvalTruth) -> None:
        self.path = path
        self.truth = truth

    def write(self, request: TextToImage, prediction: Any) -> str:
        """Write one picture and return its path below the folder.

        Raises:
            Refused: it is no uint8 RGB picture.
        """
        import io

        import numpy as np
        from PIL import Image as Pillow

        pixels = getattr(prediction, "pixels", None)
        if not (
            isinstance(pixels, np.ndarray) and pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3
        ):
            message = "the answer to a TextToImage is a vismark.tasks.Image with uint8 RGB pixels"
            raise refuse("PREDICTION_TYPE", message, item=request.id, value=type(prediction).__name__)
        folder = self.path / request.id.split("/")[0]
        if not (folder / METADATA).is_file():
            write_bytes(folder / METADATA, self.truth.prompts[prompt_of(request.id)].line().encode() + b"\n")
        buffer = io.BytesIO()
        Pillow.fromarray(pixels).save(buffer, format="PNG")
        write_bytes(self.path / f"{request.id}.png", buffer.getvalue())
        return f"{request.id}.png"

    def finish(self, entries: Sequence[str]) -> None:
        """Nothing: no file holds all pictures together."""


def options_of(settings: Mapping[str, Any]) -> Options:
    """The options of the official script in the settings of a protocol."""
    return msgspec.convert({name: settings[name] for name in Options.__struct_fields__ if name in settings}, Options)


def _replayed(submission: Pictures | Recorded) -> list[Seen]:
    """The evidence that a detections file brings."""
    if isinstance(submission, Pictures):
        return []
    return [
        Seen(
            id=id,
            digest="",
            detector=submission.detector,
            width=one.width,
            height=one.height,
            detections=one.detections,
        )
        for id, one in submission.pictures.items()
    ]


def _by_tag(counts: Mapping[str, tuple[int, int]]) -> dict[str, dict[str, float | int | None]]:
    return {
        tag: {"score": right / total, "correct": right, "pictures": total} for tag, (right, total) in counts.items()
    }


def _by_prompt(rows: Sequence[Verdict]) -> dict[str, dict[str, float | int | None]]:
    found: dict[str, dict[str, float | int | None]] = {}
    for row in rows:
        one = found.setdefault(row.prompt, {"correct": 0, "pictures": 0})
        one["correct"] = (one["correct"] or 0) + row.correct
        one["pictures"] = (one["pictures"] or 0) + 1
    return found


def _details(row: Verdict, classes: Sequence[str]) -> str:
    """The objects that count, as the official script writes them."""
    return json.dumps({name: [[*one.box, one.score] for one in row.kept[name]] for name in classes if name in row.kept})


def _table(seen: Sequence[Seen], rows: Sequence[Verdict], classes: Sequence[str]) -> dict[str, Sequence[Any]]:
    return {
        "id": [one.id for one in seen],
        "correct": [int(row.correct) for row in rows],
        "tag": [row.tag for row in rows],
        "prompt": [row.prompt for row in rows],
        "reason": ["\n".join(row.reasons) for row in rows],
        "objects": [_details(row, classes) for row in rows],
    }


def _official_lines(
    seen: Sequence[Seen], rows: Sequence[Verdict], prompts: Sequence[Any], classes: Sequence[str]
) -> bytes:
    """``results.jsonl`` as ``summary_scores.py`` reads it; `metadata` and `details` are JSON texts within JSON."""
    lines = [
        {
            "filename": f"{one.id}.png",
            "tag": row.tag,
            "prompt": row.prompt,
            "correct": row.correct,
            "reason": "\n".join(row.reasons),
            "metadata": prompt.line(),
            "details": _details(row, classes),
        }
        for one, row, prompt in zip(seen, rows, prompts, strict=True)
    ]
    return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)


def _why(
    detectors: set[str],
    settings: Mapping[str, Any],
    counts: Mapping[str, tuple[int, int]],
    card: BenchmarkCard,
    numbers: Mapping[str, float | None],
) -> dict[str, str]:
    """How the numbers deviate from the official ones."""
    reasons = []
    others = sorted(name or "a detector that the file does not name" for name in detectors - {settings["detector"]})
    if others:
        reasons.append(f"objects by {', '.join(others)}; the official detector is {settings['detector']}")
    if settings.get("any_object"):
        reasons.append("the repaired rules of the protocol `fixed`")
    why = dict.fromkeys(numbers, "; ".join(reasons)) if reasons else {}
    if len(counts) < len(TAGS):
        absent = ", ".join(tag for tag in TAGS if tag not in counts)
        why["overall"] = "; ".join([*reasons, f"a mean without {absent}"])
    return why


def _suspicions(numbers: Mapping[str, float | None]) -> list[Problem]:
    single = numbers["single_object"]
    if single is None or single >= 0.5:
        return []
    message = f"only {single:.1%} of the pictures with a single object are correct"
    fix = "Even weak models reach 70 %: check the detector with `vismark selftest geneval`."
    return [Problem(code="GENEVAL_SUSPICIOUS", severity="warning", message=message, fix=fix)]

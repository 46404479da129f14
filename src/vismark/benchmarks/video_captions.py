"""Captions of videos: the judge's score of ViCaS, and word metrics beside it (`vicas-caption` and its kin).

The official tool (github.com/Ali2500/ViCaS 3d10993) asks Llama-3-70B-Instruct, sampling, on eight GPUs: its scores are
random draws. What follows the answers (reading, clipping, float32 means) is equal to it to the last digit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from vismark.benchmarks import video_caption_numbers as numbers
from vismark.benchmarks.base import Mode, Opened, Source, Step
from vismark.benchmarks.caption_rows import WordStep
from vismark.benchmarks.panels import Panel
from vismark.benchmarks.vicas_folder import open_folder
from vismark.benchmarks.vicas_panels import captioned
from vismark.benchmarks.vicas_truth import read_truth
from vismark.benchmarks.video_caption_judge import CaptionFolder, CaptionReferences, JudgeStep
from vismark.benchmarks.video_caption_wording import read_wording
from vismark.cards import BenchmarkCard
from vismark.formats.lgvis import caption_of, encode_video, read_content
from vismark.instruments.base import Tools
from vismark.problems import Problems, refuse
from vismark.results import Scores
from vismark.runtime.atomic import write_bytes
from vismark.runtime.digests import digest_of
from vismark.runtime.seeds import seed_for
from vismark.tasks import Request, Text, VideoToText

# What a model is asked.
PROMPT = "Describe what happens in the video, its main objects and actors, and briefly the background."

DEFAULT_JUDGE = "judge-local"


class VideoCaptionBenchmark:
    """Scores one caption a video. The setting `draws` is how often the judge is asked the same."""

    # Accepted by the official evaluator in silence.
    tolerated = frozenset({"JSON_DUPLICATE_KEY", "SUB_VIDEO_ID"})

    def __init__(self, card: BenchmarkCard) -> None:
        self.card = card

    def references(self, source: Source, problems: Problems, mode: Mode) -> CaptionReferences | None:
        """The annotations and the split (see `read_truth`), and ``prompt``, the official file with the judge's text."""
        videos = read_truth(self.card, source, problems)
        wording = read_wording(source.path(self.card, "prompt"), problems)
        if videos is None or wording is None:
            return None
        captions = {name: outline.captions for name, outline in videos.outlines.items()}
        for name, texts in captions.items():
            if not all(text.strip() for text in texts[:2]):
                message, fix = "a reference caption is missing or empty", "Download the data set again."
                problems.add("REF_CAPTION", message, file=videos.paths[name].name, item=name, fix=fix)
        return CaptionReferences(captions, wording, videos, digest_of([videos.digest, wording.digest]))

    def requests(self, truth: CaptionReferences, seed: int) -> VideoRequests:
        """One question a video, in the order of their ids."""
        return VideoRequests(truth, seed)

    def answer(self, truth: CaptionReferences, request: Request) -> Text:
        """The language-cleaned reference as a prediction."""
        return Text(truth.captions[request.id][1])

    def majority(self, truth: CaptionReferences, request: Request) -> Text:
        """One caption for all videos: the reference with the median number of words."""
        texts = sorted((one[1] for one in truth.captions.values()), key=lambda text: (len(text.split()), text))
        return Text(texts[(len(texts) - 1) // 2])

    def writer(self, path: Path, truth: CaptionReferences) -> VideoCaptionWriter:
        """Writes ``000011.json`` and so on into the folder `path`."""
        return VideoCaptionWriter(path)

    def open(
        self,
        path: Path,
        truth: CaptionReferences,
        problems: Problems,
        mode: Mode,
        wanted: Collection[str] | None,
        settings: Mapping[str, Any],
    ) -> Opened[CaptionFolder] | None:
        """Read every caption; masks in the files are not looked at."""
        there = open_folder(path, truth.videos, problems, wanted)
        if there is None:
            return None
        captions, digests = {}, {}
        for name in there:
            content = read_content(path / f"{name}.json", problems, official=mode == "official")
            if content is not None:
                captions[name] = caption_of(content[0], f"{name}.json", problems)
                digests[name] = digest_of(captions[name].encode())
        return Opened(CaptionFolder(path, captions), tuple(captions), digest_of(digests))

    def steps(self, mode: Mode, settings: Mapping[str, Any], metrics: Collection[str], tools: Tools) -> Sequence[Step]:
        """The judge where its numbers are wanted; tokenizing and counting where word metrics are."""
        found: list[Step] = []
        if set(metrics) & set(numbers.JUDGED):
            judge = tools.load("judge", DEFAULT_JUDGE)
            found.append(JudgeStep(judge, settings["draws"]))
        if set(metrics) - set(numbers.JUDGED):
            found.append(WordStep(metrics))
        return found

    def score(
        self,
        submission: CaptionFolder,
        truth: CaptionReferences,
        evidence: Mapping[str, Sequence[Any]],
        mode: Mode,
        settings: Mapping[str, Any],
    ) -> Scores:
        """The judge's means, official and repaired; word metrics; by kind of reference; by video."""
        return numbers.scores(evidence, truth.wording)

    def panels(
        self,
        truth: CaptionReferences,
        submission: CaptionFolder,
        breakdown: Mapping[str, Mapping[str, float | int | None]],
        worst: Sequence[tuple[str, str]],
    ) -> list[Panel]:
        """The videos named in `worst` (id, note): a frame with its tracks, the reference in their colours."""
        return [captioned("Worst videos", truth.videos, worst, submission.captions)]


class VideoRequests:
    """The questions, made when asked for; `ids` are names of videos."""

    def __init__(self, truth: CaptionReferences, seed: int) -> None:
        self.truth = truth
        self.seed = seed
        self.ids = tuple(truth.captions)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int, /) -> VideoToText:
        id = self.ids[index]
        video = self.truth.videos.frames(id)
        return VideoToText(id=id, seed=seed_for(self.seed, id), group="", video=video, prompt=PROMPT)

    def __iter__(self) -> Iterator[VideoToText]:
        return (self[index] for index in range(len(self)))


class VideoCaptionWriter:
    """Writes a file a video."""

    entry = str

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, request: VideoToText, prediction: Any) -> str:
        """Write the caption of one video and return the name of its file.

        Raises:
            Refused: the caption is empty, or no text.
        """
        if not isinstance(prediction, Text):
            message = f"a prediction is a vismark.tasks.Text, this is {type(prediction).__name__}"
            raise refuse("PREDICTION_TYPE", message, item=request.id)
        if not prediction.text.strip():
            raise refuse("PREDICTION_EMPTY", "the caption is empty", item=request.id, fix="Say something.")
        name = f"{request.id}.json"
        write_bytes(self.path / name, encode_video(int(request.id), prediction.text, None))
        return name

    def finish(self, entries: Sequence[str]) -> None:
        """Nothing: no file holds all captions together."""

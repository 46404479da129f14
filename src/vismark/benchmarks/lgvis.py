"""Language-guided video instance segmentation: track mAP of ViCaS (`vicas-lgvis` and its kin).

Equal to the official evaluator (github.com/Ali2500/ViCaS 3d10993) to the last bit, for each of the tie orders that its
sort has on one build of NumPy or another.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vismark.benchmarks import lgvis_numbers as numbers
from vismark.benchmarks.base import Mode, Opened, Source, Step
from vismark.benchmarks.lgvis_panels import panels
from vismark.benchmarks.lgvis_tracks import TrackStep, VideoFolder, VideoRows
from vismark.benchmarks.lgvis_write import LgvisWriter, as_rle
from vismark.benchmarks.panels import Panel
from vismark.benchmarks.vicas_folder import open_folder
from vismark.benchmarks.vicas_truth import VicasTruth, parts, read_truth
from vismark.cards import BenchmarkCard
from vismark.formats.lgvis import MOST_OBJECTS
from vismark.formats.rle import compress, empty_mask
from vismark.instruments.base import Tools
from vismark.metrics import tracks as ap
from vismark.metrics.bootstrap import interval
from vismark.problems import Problems, Refused
from vismark.results import Scores
from vismark.runtime.digests import digest_of
from vismark.runtime.seeds import seed_for
from vismark.tasks import Request, Tracks, VideoSegment


class LgvisBenchmark:
    """Scores the tracks predicted for expressions.

    Settings of a protocol: `order`, a key of `metrics.tracks.ORDERS`; `regions`, whether J and F are measured.
    """

    # Accepted by the official evaluator in silence, whatever it does to the number.
    tolerated = frozenset(
        {"JSON_DUPLICATE_KEY", "REF_TRACK_UNKNOWN", "SUB_OBJECTS_MANY", "SUB_RLE_SIZE", "SUB_VIDEO_ID"}
    )

    def __init__(self, card: BenchmarkCard) -> None:
        self.card = card

    def references(self, source: Source, problems: Problems, mode: Mode) -> VicasTruth | None:
        """The annotations and the split; see `read_truth`."""
        return read_truth(self.card, source, problems)

    def requests(self, truth: VicasTruth, seed: int) -> ExpressionRequests:
        """One question an expression, in the order of evaluation."""
        return ExpressionRequests(truth, seed)

    def answer(self, truth: VicasTruth, request: Request) -> Tracks:
        """The truth as a prediction."""
        name, number = parts(request.id)
        problems = Problems()
        video = truth.video(name, problems)
        if video is None:
            raise Refused(problems)
        masks = [frame.masks for frame in video.scored]
        empty = empty_mask(video.image_size)
        ids = video.object_referrals[number].track_ids[:MOST_OBJECTS]
        return Tracks(tuple(tuple(as_rle(one.get(id, empty)) for one in masks) for id in ids))

    def majority(self, truth: VicasTruth, request: Request) -> Tracks:
        """One object that fills every frame."""
        outline = truth.outlines[parts(request.id)[0]]
        full = as_rle(compress(np.array([0, outline.size[0] * outline.size[1]]), outline.size))
        return Tracks(((full,) * len(outline.scored),))

    def writer(self, path: Path, truth: VicasTruth) -> LgvisWriter:
        """Writes ``000011.json`` and so on into the folder `path`."""
        return LgvisWriter(path, truth)

    def open(
        self,
        path: Path,
        truth: VicasTruth,
        problems: Problems,
        mode: Mode,
        wanted: Collection[str] | None,
        settings: Mapping[str, Any],
    ) -> Opened[VideoFolder] | None:
        """Look which files there are; a video's file is read when it is measured."""
        asked = ExpressionRequests(truth, 0).ids
        if wanted is not None:
            part = frozenset(wanted)
            asked = tuple(id for id in asked if id in part)
        videos = None if wanted is None else {parts(id)[0] for id in asked}
        there = open_folder(path, truth, problems, videos)
        if there is None:
            return None
        numbers: dict[str, tuple[int, ...]] = dict.fromkeys(there, ())
        ids = tuple(id for id in asked if parts(id)[0] in numbers)
        for name, number in map(parts, ids):
            numbers[name] += (number,)
        # Workers may have been started in another folder.
        return Opened(VideoFolder(path.absolute(), numbers), ids, digest_of(numbers))

    def steps(self, mode: Mode, settings: Mapping[str, Any], metrics: Collection[str], tools: Tools) -> Sequence[Step]:
        """Counting overlaps."""
        return (TrackStep(mode, settings),)

    def score(
        self,
        submission: VideoFolder,
        truth: VicasTruth,
        evidence: Mapping[str, Sequence[VideoRows]],
        mode: Mode,
        settings: Mapping[str, Any],
    ) -> Scores:
        """Track mAP with the spread over tie orders; by threshold and number of targets; by expression."""
        (videos,) = evidence.values()
        rows = {f"{video.id}/{row.number}": row for video in videos for row in video.rows}
        order = settings["order"]
        matched = [numbers.matched(row, order) for row in rows.values()]
        reduce = ap.official_numbers if mode == "official" and matched else ap.reduce
        spread = ap.tie_spread(matched)
        metrics = reduce(matched, order) | numbers.ties(matched, spread["mAP"])
        metrics |= numbers.region_means(rows.values()) if settings["regions"] else {}
        return Scores(
            metrics=metrics,
            intervals={name: interval(values) for name, values in spread.items() if values.size},
            counts=dict.fromkeys(metrics, len(rows)),
            breakdowns={"IoU": numbers.by_threshold(matched, order), "targets": numbers.by_targets(matched)},
            table=numbers.table(rows, matched, truth, settings["regions"]),
            warnings=list(numbers.remarks(matched, metrics)),
        )

    def panels(
        self,
        truth: VicasTruth,
        submission: VideoFolder,
        breakdown: Mapping[str, Mapping[str, float | int | None]],
        worst: Sequence[tuple[str, str]],
    ) -> list[Panel]:
        """A curve of AP over thresholds, and film strips of the expressions named in `worst`."""
        return panels(truth, submission, breakdown, worst)


class ExpressionRequests:
    """The questions, made when asked for; `ids` are ``<video>/<number of the expression>``."""

    def __init__(self, truth: VicasTruth, seed: int) -> None:
        self.truth = truth
        self.seed = seed
        self.ids = tuple(
            f"{name}/{number}" for name, one in truth.outlines.items() for number in range(len(one.expressions))
        )

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int, /) -> VideoSegment:
        id = self.ids[index]
        name, number = parts(id)
        outline = self.truth.outlines[name]
        return VideoSegment(
            id=id,
            seed=seed_for(self.seed, id),
            group=name,
            video=self.truth.frames(name),
            expression=outline.expressions[number].prompt,
            frames=outline.scored,
            most=MOST_OBJECTS,
        )

    def __iter__(self) -> Iterator[VideoSegment]:
        return (self[index] for index in range(len(self)))

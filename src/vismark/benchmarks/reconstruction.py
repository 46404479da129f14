"""Reconstruction by tokenizers (`imagenet-recon`): rFID, Inception Score, PSNR, SSIM, MSE and MAE of pairs of images.

Equal to the evaluators of MaskBit 5ea3d73 and 1d-tokenizer 942a96f, whose network works in float64. The two crop the
validation images in another way, so that their numbers are on other references.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from vismark.benchmarks.base import Mode, Opened, Source, Step
from vismark.benchmarks.features import departures
from vismark.benchmarks.image_evidence import feature_steps, sides_of
from vismark.benchmarks.image_folder import ImageSubmission, ImageWriter, open_named
from vismark.benchmarks.image_references import ImageReferences, read_image_references
from vismark.benchmarks.image_scores import Number, numbers, undefined
from vismark.benchmarks.panels import Panel, Tile, TileRow, Tiles
from vismark.benchmarks.reconstruction_steps import PairStep, PerceptionStep
from vismark.cards import BenchmarkCard
from vismark.formats.image_sets import FolderImages
from vismark.instruments.base import Tools
from vismark.problems import Problems
from vismark.results import Scores
from vismark.runtime.seeds import seed_for
from vismark.tasks import Image, Picture, Reconstruct, Request

_PAIRED = ("PSNR", "SSIM", "MSE", "MAE")
_CUT = "of images with 8 bits a channel, where the official evaluator takes the decoder's floats"


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of a protocol: `tool` is the protocol itself, `network` the instrument, `size` the side in pixels."""

    tool: str
    network: str
    size: int
    kid_subset: int = 1000


class ReconstructionBenchmark:
    """Scores reconstructions, named after their originals."""

    tolerated = frozenset({"SUB_IMAGE_UNKNOWN"})

    def __init__(self, card: BenchmarkCard) -> None:
        self.card = card

    def references(self, source: Source, problems: Problems, mode: Mode) -> ImageReferences | None:
        """``images``: the originals, cropped to the size of the protocol."""
        size = self._settings(next(iter(self.card.protocols.values()))).size
        found = read_image_references(source.need(self.card, "images"), {}, problems, (size, size))
        return None if problems.errors else found

    def requests(self, references: ImageReferences, seed: int) -> ReconstructRequests:
        """One question an original."""
        return ReconstructRequests(references, self._settings(next(iter(self.card.protocols.values()))).size, seed)

    def answer(self, references: ImageReferences, request: Request) -> Image:
        """The original."""
        assert references.surveyed is not None
        return Image(references.surveyed.images.pixels(request.id))

    def majority(self, references: ImageReferences, request: Request) -> Image:
        """A plain image in the mean colour of the first originals: the best that knows nothing of the image."""
        import numpy as np

        assert references.surveyed is not None
        some = [references.surveyed.images.pixels(id) for id in references.surveyed.ids[:100]]
        return Image(np.broadcast_to(np.rint(np.stack(some).mean(axis=(0, 1, 2))).astype(np.uint8), some[0].shape))

    def writer(self, path: Path, references: ImageReferences) -> ImageWriter:
        """Writes ``<id>.png`` into the folder `path`."""
        return ImageWriter(path)

    def open(
        self,
        path: Path,
        references: ImageReferences,
        problems: Problems,
        mode: Mode,
        wanted: Collection[str] | None,
        settings: Mapping[str, Any],
    ) -> Opened[ImageSubmission] | None:
        """Look at every image: named after an original, of its size, readable."""
        assert references.surveyed is not None
        size = self._settings(settings).size
        found = open_named(path, references.surveyed.digests, wanted, problems, (size, size))
        return found.opened() if found else None

    def steps(self, mode: Mode, settings: Mapping[str, Any], metrics: Collection[str], tools: Tools) -> Sequence[Step]:
        """Comparing pixels, which also decodes every image; then features."""
        instrument = tools.load("features", self._settings(settings).network)
        steps = [PairStep(), *feature_steps(instrument, metrics)]
        if "LPIPS" in metrics:
            steps.append(PerceptionStep(tools.load("lpips", "lpips-vgg16")))
        return steps

    def score(
        self,
        submission: ImageSubmission,
        references: ImageReferences,
        evidence: Mapping[str, Sequence[Any]],
        mode: Mode,
        settings: Mapping[str, Any],
    ) -> Scores:
        """Means over images with their intervals, and the numbers of both sets."""
        chosen = self._settings(settings)
        found = numbers(self.card.measured(chosen.tool), sides_of(evidence, references, chosen.kid_subset))
        pairs = evidence["pairs"]
        columns = {name: [getattr(pair, name.lower()) for pair in pairs] for name in _PAIRED}
        perceived = evidence.get("lpips-vgg16", ())
        if perceived:
            columns["LPIPS"] = [one.distance for one in perceived]
            found["LPIPS"] = Number(None, why="; ".join(filter(None, (_CUT, departures(perceived)))))
        means = {name: sum(values) / len(values) for name, values in columns.items()}
        spreads = {name: _reach(values) for name, values in columns.items()}
        return Scores(
            metrics={name: number.value for name, number in found.items()} | means,
            intervals={name: (mean - spreads[name], mean + spreads[name]) for name, mean in means.items()}
            | {name: number.interval for name, number in found.items() if number.interval},
            counts={name: len(pairs) for name in [*means, *found]},
            table={"id": [pair.id for pair in pairs], **columns},
            why={name: number.why for name, number in found.items() if number.why},
            warnings=undefined({name: number for name, number in found.items() if name not in means}),
        )

    def panels(
        self,
        references: ImageReferences,
        submission: ImageSubmission,
        breakdown: Mapping[str, Mapping[str, float | int | None]],
        worst: Sequence[tuple[str, str]],
    ) -> list[Panel]:
        """The worst reconstructions beside their originals."""
        real, made = references.surveyed, submission.surveyed
        assert real is not None
        rows = [
            TileRow(id, [Tile(Image(real.images.pixels(id)), "original"), Tile(Image(made.images.pixels(id)), note)])
            for id, note in worst
        ]
        return [Tiles("Worst reconstructions", "By PSNR, the worst first.", rows)] if rows else []

    def _settings(self, settings: Mapping[str, Any]) -> Settings:
        return msgspec.convert(settings, Settings)


@dataclass(frozen=True)
class ReconstructRequests:
    """The questions, made when asked for."""

    references: ImageReferences
    size: int
    seed: int

    @property
    def ids(self) -> tuple[str, ...]:
        """Ids of the originals."""
        assert self.references.surveyed is not None
        return self.references.surveyed.ids

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int, /) -> Reconstruct:
        id, images = self.ids[index], self.references.surveyed and self.references.surveyed.images
        path = images.folder / images.files[id] if isinstance(images, FolderImages) else None
        image = Picture(path, self.size, self.size)
        return Reconstruct(id=id, seed=seed_for(self.seed, id), group="", image=image, text="")

    def __iter__(self) -> Iterator[Reconstruct]:
        return (self[index] for index in range(len(self)))


def _reach(values: Sequence[float]) -> float:
    """Half of the 95 % interval of a mean."""
    mean = sum(values) / len(values)
    return float(1.96 * (sum((one - mean) ** 2 for one in values) / max(1, len(values) - 1) / len(values)) ** 0.5)

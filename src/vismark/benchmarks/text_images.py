"""Text-to-image generation (`coco-t2i`, `mjhq30k`): Fréchet and kernel distances to real images, and CLIPScore.

Papers differ in crop, resize and network around one formula; each protocol here is one tool's way, by its name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from vismark.benchmarks.base import Mode, Opened, Source, Step
from vismark.benchmarks.features import CosineStep
from vismark.benchmarks.image_evidence import feature_steps, sides_of
from vismark.benchmarks.image_folder import ImageSubmission, ImageWriter, open_named
from vismark.benchmarks.image_panels import image_panels
from vismark.benchmarks.image_references import ImageReferences, grey, read_image_references
from vismark.benchmarks.image_scores import Number, by_group, clip_score, kept, neighbours, numbers, precise, undefined
from vismark.benchmarks.image_steps import DecodeStep
from vismark.benchmarks.panels import Panel
from vismark.cards import BenchmarkCard
from vismark.formats.prompts import Prompt, read_prompts
from vismark.instruments.base import Tools
from vismark.problems import Problems
from vismark.results import Scores
from vismark.runtime.digests import digest_of
from vismark.runtime.seeds import seed_for
from vismark.tasks import Image, Request, TextToImage


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of a protocol.

    Attributes:
        tool: the protocol itself.
        network: the instrument that takes the features.
        real_crop, made_crop: how real and generated images are brought to `side` pixels before (`formats.crops`).
        kid_subset: images in a subset of KID.
    """

    tool: str
    network: str
    real_crop: str = ""
    made_crop: str = ""
    side: int = 256
    kid_subset: int = 1000


@dataclass(frozen=True)
class TextReferences:
    """The prompts, and what the images are compared with."""

    prompts: tuple[Prompt, ...]
    real: ImageReferences

    @cached_property
    def digest(self) -> str:
        """Of the list of prompts and of the real side."""
        return digest_of([digest_of(self.prompts), self.real.digest])

    @cached_property
    def by_id(self) -> dict[str, Prompt]:
        """The prompts by id."""
        return {one.id: one for one in self.prompts}

    def picture(self, id: str) -> Any:
        """The real image that belongs to a prompt, or None."""
        images, name = self.real.surveyed, self.by_id[id].picture
        return images.images.pixels(name) if images and name in images.digests else None


class TextImagesBenchmark:
    """Scores images generated from prompts; images are named after the prompts."""

    tolerated = frozenset({"SUB_IMAGE_UNKNOWN"})

    def __init__(self, card: BenchmarkCard) -> None:
        self.card = card

    def references(self, source: Source, problems: Problems, mode: Mode) -> TextReferences | None:
        """``prompts``; ``images``, a set of real ones; statistics of them, named after the treatment of the input."""
        prompts = read_prompts(source.need(self.card, "prompts"), self.card.samples, problems)
        files = {name: path for name in self.card.references if (path := source.path(self.card, name))}
        statistics: dict[str, Path] = {
            k: files[k] for k in ("half-pixel", "clean") if k in files and files[k].is_file()
        }
        # Where statistics are at hand, tens of thousands of images need not be read, unless they were named.
        images = files.get("images") if "images" in source.named or not statistics else None
        real = read_image_references(images if images and images.exists() else None, statistics, problems)
        return TextReferences(prompts, real) if prompts is not None and real is not None else None

    def requests(self, references: TextReferences, seed: int) -> TextRequests:
        """One question a prompt, in the order of the list."""
        return TextRequests(references, seed)

    def answer(self, references: TextReferences, request: Request) -> Image:
        """The real image of the prompt; a plain one where it is not here."""
        return Image(grey(references.picture(request.id)))

    def majority(self, references: TextReferences, request: Request) -> Image:
        """The real image of the first prompt, whatever the prompt."""
        return Image(grey(references.picture(references.prompts[0].id)))

    def writer(self, path: Path, references: TextReferences) -> ImageWriter:
        """Writes ``<id>.png`` into the folder `path`."""
        return ImageWriter(path)

    def open(
        self,
        path: Path,
        references: TextReferences,
        problems: Problems,
        mode: Mode,
        wanted: Collection[str] | None,
        settings: Mapping[str, Any],
    ) -> Opened[ImageSubmission] | None:
        """Look at every image: named after a prompt, readable, no copy of another; any size will do."""
        found = open_named(path, references.by_id, wanted, problems)
        return found.opened() if found else None

    def steps(self, mode: Mode, settings: Mapping[str, Any], metrics: Collection[str], tools: Tools) -> Sequence[Step]:
        """Decoding, then the features and cosines that the metrics need."""
        chosen = msgspec.convert(settings, Settings)
        instrument = tools.load("features", chosen.network)
        crops = (chosen.made_crop, chosen.real_crop, chosen.side)
        steps = [DecodeStep(), *feature_steps(instrument, metrics, lambda one: one.real, crops)]
        if "CLIPScore" in metrics:
            clip = tools.load("clip", "clip-vit-b32")
            steps.append(CosineStep(clip, lambda one, _: one.surveyed, lambda one, id: one.by_id[id].prompt))
        return steps

    def score(
        self,
        submission: ImageSubmission,
        references: TextReferences,
        evidence: Mapping[str, Sequence[Any]],
        mode: Mode,
        settings: Mapping[str, Any],
    ) -> Scores:
        """The numbers for which there is evidence, by category, and the nearest real images of a few samples."""
        chosen = msgspec.convert(settings, Settings)
        sides = sides_of(evidence, references.real, chosen.kid_subset)
        found: dict[str, Number] = numbers(self.card.measured(chosen.tool), sides)
        cosines = next((rows for name, rows in evidence.items() if name.startswith("cosine-")), ())
        table: dict[str, Sequence[Any]] = {"id": list(submission.surveyed.ids)}
        if cosines:
            found["CLIPScore"] = clip_score(cosines)
            table["cosine"] = [record.cosine for record in cosines]
        near: dict[str, Mapping[str, float | int | None]] = {}
        groups: dict[str, Mapping[str, float | int | None]] = {}
        for side in list(sides.values())[:1]:
            near = neighbours(side)
            pictures = {one.picture: one.group for one in references.prompts}
            made = {one.id: one.group for one in references.prompts}
            groups = by_group(side, precise(found, side), made, pictures)
        return Scores(
            metrics={name: number.value for name, number in found.items()},
            intervals={name: number.interval for name, number in found.items() if number.interval},
            counts={name: len(submission.surveyed.ids) for name in found},
            breakdowns=kept({"nearest": near, "category": groups}),
            table=table,
            why={name: number.why for name, number in found.items() if number.why},
            warnings=undefined(found),
        )

    def panels(
        self,
        references: TextReferences,
        submission: ImageSubmission,
        breakdown: Mapping[str, Mapping[str, float | int | None]],
        worst: Sequence[tuple[str, str]],
    ) -> Sequence[Panel]:
        """A grid of samples with their prompts, and the nearest real images of a few of them."""
        return image_panels(
            submission.surveyed, references.real.surveyed, breakdown, lambda id: references.by_id[id].prompt
        )


@dataclass(frozen=True)
class TextRequests:
    """The questions, made when asked for; the model chooses the size, resizing is the protocol's."""

    references: TextReferences
    seed: int

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Ids of the prompts."""
        return tuple(self.references.by_id)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int, /) -> TextToImage:
        one = self.references.prompts[index]
        return TextToImage(id=one.id, seed=seed_for(self.seed, one.id), group=one.group, prompt=one.prompt, size=None)

    def __iter__(self) -> Iterator[TextToImage]:
        return (self[index] for index in range(len(self)))

"""Class-conditional generation (`imagenet256` and its kin): FID, sFID, Inception Score, KID, precision and recall.

Under the protocol ``adm`` equal to guided-diffusion 22e0df8, under ``torch-fidelity`` to torch-fidelity 0.4.0 and its
fork by LTH14, under ``clean-fid`` to clean-fid e88c4d6; ``all`` takes every image once and gives all numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from vismark.benchmarks.base import Mode, Opened, Source, Step
from vismark.benchmarks.image_evidence import NO_IMAGES, feature_steps, sides_of
from vismark.benchmarks.image_folder import ImageSubmission, ImageWriter, open_images
from vismark.benchmarks.image_panels import image_panels
from vismark.benchmarks.image_references import ImageReferences, grey, read_image_references
from vismark.benchmarks.image_scores import (
    Side,
    Sides,
    by_group,
    kept,
    neighbours,
    numbers,
    order_warning,
    precise,
    undefined,
)
from vismark.benchmarks.image_steps import DecodeStep
from vismark.benchmarks.image_vectors import vector_numbers, vector_steps
from vismark.benchmarks.panels import Panel
from vismark.cards import BenchmarkCard
from vismark.formats.image_survey import classes, count, survey
from vismark.instruments.base import Tools
from vismark.problems import Problems
from vismark.results import Scores
from vismark.runtime.seeds import seed_for
from vismark.tasks import ClassToImage, Image


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of a protocol.

    Attributes:
        tool: the protocol itself, whose conventions the numbers follow.
        network: the instrument that takes the features.
        labels: the data set whose classes these are; `classes` is how many.
        size: height and width of every image in pixels.
        kid_subset: images in a subset of KID.
    """

    tool: str
    network: str
    labels: str
    classes: int
    size: int
    kid_subset: int = 1000


class ClassImagesBenchmark:
    """Scores sets of images drawn by class; what counts is the set, so images may have any names."""

    # The official tools resize, and count whatever they are given.
    tolerated = frozenset({"SUB_COUNT", "SUB_IMAGE_SIZE", "SUB_CLASS_MISSING", "SUB_CLASS_UNKNOWN"})

    def __init__(self, card: BenchmarkCard) -> None:
        self.card = card

    def references(self, source: Source, problems: Problems, mode: Mode) -> ImageReferences | None:
        """``batch``: ADM's reference batch, a statistics file, or real images; ``clean``: statistics of clean-fid."""
        path = source.need(self.card, "batch")
        clean = source.path(self.card, "clean") if "clean" in self.card.references else None
        return read_image_references(path, {"clean": clean} if clean and clean.is_file() else {}, problems)

    def requests(self, references: ImageReferences, seed: int) -> ClassRequests:
        """One question an image; classes take turns, so that any part of the samples holds all of them."""
        return ClassRequests(self.card, self._settings(next(iter(self.card.protocols.values()))), seed)

    def answer(self, references: ImageReferences, request: Any) -> Image:
        """A real image of the class, of the references; a plain one where they hold no images."""
        number = int(request.id) // self._settings(next(iter(self.card.protocols.values()))).classes
        return Image(grey(references.nth(request.label, number), request.size))

    def majority(self, references: ImageReferences, request: Any) -> Image:
        """The same real image every time, whatever the class."""
        return Image(grey(references.nth(0, 0), request.size))

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
        """Look at every image: count, size, readable, copies, classes."""
        chosen = self._settings(settings)
        images = open_images(path, problems)
        if images is None:
            return None
        surveyed = survey(images, problems, size=(chosen.size, chosen.size))
        expected = self.card.samples or 0 if wanted is None else len(wanted)
        count(surveyed, expected, problems, partial=wanted is None)
        if not surveyed.ids:
            return None
        found = classes(surveyed, self._numbers(chosen, references, surveyed.images.classes.values()), problems)
        asked = self.requests(references, 0)
        if not found and set(surveyed.ids) <= set(asked.ids):
            found = {id: asked.label(id) for id in surveyed.ids}
        return ImageSubmission(surveyed, found).opened()

    def steps(self, mode: Mode, settings: Mapping[str, Any], metrics: Collection[str], tools: Tools) -> Sequence[Step]:
        """Decoding, then the features that the metrics need, of the submission and of the references."""
        chosen = self._settings(settings)
        instrument = tools.load("features", chosen.network)
        vectors = vector_steps(metrics, tools, lambda references: references.surveyed or NO_IMAGES)
        return [DecodeStep(), *feature_steps(instrument, metrics), *vectors]

    def score(
        self,
        submission: ImageSubmission,
        references: ImageReferences,
        evidence: Mapping[str, Sequence[Any]],
        mode: Mode,
        settings: Mapping[str, Any],
    ) -> Scores:
        """The numbers for which there is evidence, by class, and the nearest real images of a few samples."""
        chosen = self._settings(settings)
        sides = sides_of(evidence, references, chosen.kid_subset)
        wanted = self.card.measured(chosen.tool)
        found = numbers(wanted, sides) | vector_numbers(wanted, evidence)
        first = next(iter(sides.values()), Sides(Side()))
        groups = {id: self._class_name(references, label) for id, label in submission.classes.items()}
        inside, near = precise(found, first), neighbours(first)
        order = order_warning(first) if "IS" in found else []
        table: dict[str, Sequence[Any]] = {"id": list(submission.surveyed.ids)}
        if submission.classes:
            table["class"] = [submission.classes[id] for id in submission.surveyed.ids]
        if inside is not None:
            table["precise"] = [int(one) for one in inside]
        return Scores(
            metrics={name: number.value for name, number in found.items()},
            intervals={name: number.interval for name, number in found.items() if number.interval},
            counts=dict.fromkeys(found, len(submission.surveyed.ids)),
            breakdowns=kept({"nearest": near, "class": by_group(first, inside, groups)}),
            table=table,
            why={name: number.why for name, number in found.items() if number.why},
            warnings=[*undefined(found), *order],
        )

    def panels(
        self,
        references: ImageReferences,
        submission: ImageSubmission,
        breakdown: Mapping[str, Mapping[str, float | int | None]],
        worst: Sequence[tuple[str, str]],
    ) -> Sequence[Panel]:
        """A grid of samples, and the nearest real images of a few of them."""

        def note(id: str) -> str:
            return self._class_name(references, submission.classes[id]) if id in submission.classes else id

        return image_panels(submission.surveyed, references.surveyed, breakdown, note)

    def _class_name(self, references: ImageReferences, label: int) -> str:
        return references.classes[label] if references.classes else f"class {label}"

    def _settings(self, settings: Mapping[str, Any]) -> Settings:
        return msgspec.convert(settings, Settings)

    def _numbers(self, chosen: Settings, references: ImageReferences, stated: Collection[str]) -> dict[str, int]:
        """Name or number of a class, as a submission may state it → its number."""
        names: Sequence[str] = references.classes or sorted({name for name in stated if not name.isdigit()})
        known = {str(number): number for number in range(chosen.classes)}
        return known | ({name: k for k, name in enumerate(names)} if len(names) == chosen.classes else {})


class ClassRequests:
    """The questions, made when asked for; number i is for class i modulo the number of classes."""

    def __init__(self, card: BenchmarkCard, settings: Settings, seed: int) -> None:
        self.settings = settings
        self.seed = seed
        self.ids = tuple(f"{number:06d}" for number in range(card.samples or 0))

    def label(self, id: str) -> int:
        """The class of the sample `id`."""
        return int(id) % self.settings.classes

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int, /) -> ClassToImage:
        id, label = self.ids[index], index % self.settings.classes
        size = (self.settings.size, self.settings.size)
        return ClassToImage(
            id=id, seed=seed_for(self.seed, id), group=str(label), label=label, labels=self.settings.labels, size=size
        )

    def __iter__(self) -> Iterator[ClassToImage]:
        return (self[index] for index in range(len(self)))

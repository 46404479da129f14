"""From metrics to the features they need, and from features back to both sides of a comparison."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from vismark.benchmarks.base import Step
from vismark.benchmarks.features import FeatureStep
from vismark.benchmarks.image_references import ImageReferences
from vismark.benchmarks.image_scores import ENDINGS, METRICS, Side, Sides, base_of, treatment_of
from vismark.formats.crops import cropped
from vismark.formats.image_sets import FolderImages
from vismark.formats.image_survey import Surveyed
from vismark.formats.statistics import Statistics
from vismark.instruments.base import Absent

NO_IMAGES = Surveyed(FolderImages(Path(), {}, {}, links=False), (), {})
# Metric → the statistics that serve it; every other metric but the Inception Scores needs real images.
_STATISTICS = {"FID": "pool", "rFID": "pool", "FID_infinity": "pool", "sFID": "spatial"}


def feature_steps(
    instrument: Any,
    metrics: Collection[str],
    real: Callable[[Any], ImageReferences] = lambda references: references,
    crops: tuple[str, str, int] = ("", "", 0),
) -> list[Step]:
    """The steps that take the features which `metrics` need: every image once behind each treatment.

    Args:
        real: finds the image references in the benchmark's.
        crops: how generated and real images are cropped before, and to which side in pixels.
    """
    made_crop, real_crop, side = crops
    steps: list[Step] = []
    for treatment in ENDINGS:
        wanted = [name for name in metrics if base_of(name) in METRICS and treatment_of(name) == treatment]
        if wanted:
            behind = instrument if isinstance(instrument, Absent) else instrument.treated(treatment)
            steps.append(FeatureStep(behind, "submission", lambda made, _: cropped(made.surveyed, made_crop, side)))
            steps.append(FeatureStep(behind, "references", _needed(wanted, treatment, real, real_crop, side)))
    return steps


def sides_of(evidence: Mapping[str, Sequence[Any]], references: ImageReferences, kid_subset: int) -> dict[str, Sides]:
    """Both sides behind each treatment for which there is evidence."""
    found = {}
    for treatment in ENDINGS:
        made, real = (_evidence(evidence, f"-{treatment}{ending}") for ending in ("", "-references"))
        if made:
            single = treatment != "half-pixel"  # pytorch-fid copies its features to float64 first
            found[treatment] = Sides(Side(made), Side(real), _known(treatment, references), kid_subset, single)
    return found


def _needed(
    metrics: Sequence[str], treatment: str, real: Callable[[Any], ImageReferences], crop: str, side: int
) -> Callable[[Any, Any], Surveyed]:
    """Finds the real images that are needed: none where statistics serve all of `metrics`."""

    def images(_: Any, references: Any) -> Surveyed:
        found = real(references)
        known = _known(treatment, found)
        needed = any(
            not base_of(name).startswith("IS") and _STATISTICS.get(base_of(name), "") not in known for name in metrics
        )
        return cropped(found.surveyed, crop, side) if found.surveyed and needed else NO_IMAGES

    return images


def _known(treatment: str, references: ImageReferences) -> dict[str, Statistics]:
    """Part of the features → the statistics of it behind `treatment`."""
    kinds = {"pool": treatment, "spatial": f"{treatment}-spatial"}
    return {part: references.statistics[kind] for part, kind in kinds.items() if kind in references.statistics}


def _evidence(evidence: Mapping[str, Sequence[Any]], ending: str) -> Sequence[Any]:
    return next((rows for name, rows in evidence.items() if name.startswith("features-") and name.endswith(ending)), ())

"""Distances of sets of images as other networks see them: FD-DINOv2 and CMMD.

Both are implemented from their papers; their official packages were not run, and the numbers say so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from vismark.benchmarks.base import Step
from vismark.benchmarks.features import FeatureStep, Vector, departures, stacked
from vismark.benchmarks.image_scores import Number
from vismark.formats.image_survey import Surveyed
from vismark.instruments.base import Absent, Tools
from vismark.metrics.generation.errors import frechet_interval
from vismark.metrics.generation.frechet import Gaussian, frechet
from vismark.metrics.generation.kernel import cmmd

# Metric → role and default of its instrument, and the treatment of images.
_NETWORKS = {"FD_DINOv2": ("dinov2", "dinov2-vitl14", "squash"), "CMMD": ("clip", "clip-vit-l14-336", "squash")}
_WHY = "implemented from the paper; the official package was not run beside it"
_NO_IMAGES = "the references hold no images, and statistics of Inception do not serve"


def vector_steps(metrics: Collection[str], tools: Tools, real: Callable[[Any], Surveyed]) -> list[Step]:
    """The steps that take the vectors which `metrics` need, of the submission and of the references."""
    steps: list[Step] = []
    for role, default, treatment in (_NETWORKS[name] for name in metrics if name in _NETWORKS):
        found = tools.load(role, default)
        network = found if isinstance(found, Absent) else found.treated(treatment)
        steps.append(FeatureStep(network, "submission", lambda made, _: made.surveyed, Vector))
        steps.append(FeatureStep(network, "references", lambda _, references: real(references), Vector))
    return steps


def vector_numbers(metrics: Collection[str], evidence: Mapping[str, Sequence[Any]]) -> dict[str, Number]:
    """The metrics for which there are vectors."""
    found = {}
    for name in metrics:
        role = _NETWORKS[name][0] if name in _NETWORKS else None
        own = {step: rows for step, rows in evidence.items() if role and step.startswith(f"features-{role}")}
        made = [rows for step, rows in own.items() if not step.endswith("-references")]
        real = [rows for step, rows in own.items() if step.endswith("-references")]
        if made:
            found[name] = _number(name, made[0], real[0] if real else ())
    return found


def _number(name: str, made: Sequence[Any], real: Sequence[Any]) -> Number:
    if min(len(made), len(real)) < 2:
        return Number(None, _NO_IMAGES if not real else "one image has no covariance")
    x, y = stacked(made, "vector"), stacked(real, "vector")
    why = "; ".join(filter(None, (_WHY, departures(made, real))))
    if name == "CMMD":
        return Number(cmmd(x, y), why=why)
    reference = Gaussian.of_features(y)
    return Number(frechet(Gaussian.of_features(x), reference), interval=frechet_interval(x, reference), why=why)

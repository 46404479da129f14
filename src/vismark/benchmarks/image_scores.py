"""The numbers of a set of generated images, each by its name, from the features of both sides.

The names say which treatment of the input is behind a number: ``FID`` is that of TensorFlow 1 (the original, ADM and
torch-fidelity), ``FID_pytorch`` that of pytorch-fid, ``FID_clean`` that of clean-fid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from vismark.benchmarks.features import blocks, departures, stacked
from vismark.formats.statistics import Statistics
from vismark.metrics.generation import errors, inception_score, kernel
from vismark.metrics.generation.frechet import Gaussian, frechet
from vismark.metrics.generation.moments import Moments, single_mean
from vismark.metrics.generation.neighbours import balls, covered, nearest, squared_radii
from vismark.problems import Problem

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

# Treatment of the input → what the names of its metrics end in.
ENDINGS = {"tf1": "", "tf1-float64": "_float64", "half-pixel": "_pytorch", "clean": "_clean"}
# Names of the field for what the evaluators of tokenizers measure, whose network works in float64.
_FLOAT64 = ("rFID", "IS_tokenizer")

_K = 3
_SHOWN, _NEIGHBOURS = 12, 4
# Share of the Inception Score that the order of the samples may take away unsaid; at random it is a few per mille.
_ORDER = 0.02


@dataclass(frozen=True)
class Number:
    """A metric: its value or None, why it is not defined, its 95 % interval, how it deviates."""

    value: float | None
    undefined: str = ""
    interval: tuple[float, float] | None = None
    why: str = ""


@dataclass(frozen=True)
class Rows:
    """One part of the features of many images as a matrix of which only what is asked for is in memory."""

    records: Sequence[Any]
    part: str
    ndim: int = 2

    @property
    def shape(self) -> tuple[int, int]:
        """Number of images, number of features."""
        return len(self.records), len(getattr(self.records[0], self.part)) // 4

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, rows: Any) -> Matrix:
        chosen = self.records[rows] if isinstance(rows, slice) else [self.records[row] for row in rows]
        return stacked(chosen, self.part)


@dataclass(frozen=True)
class Side:
    """The features of one side behind one treatment, in the order of the images; empty where none were taken."""

    records: Sequence[Any] = ()

    @cached_property
    def pool(self) -> Matrix:
        """The pooled features: float32 of shape (n, d)."""
        return stacked(self.records, "pool")

    def gaussian(self, part: str, single: bool) -> Gaussian:
        """The Gaussian of one part; with fewer images than features by the data themselves, else streamed.

        Args:
            single: means in float32, see `single_mean`.
        """
        width = len(getattr(self.records[0], part)) // 4
        if len(self.records) <= width:
            return Gaussian.of_features(stacked(self.records, part), single)
        found = Gaussian.of_moments(Moments.stream(blocks(self.records, part)))
        return replace(found, mean=single_mean(blocks(self.records, part))) if single else found


@dataclass(frozen=True)
class Sides:
    """Both sides behind one treatment, and what is known of the reference set.

    Attributes:
        statistics: part (``pool``, ``spatial``) → statistics of the whole reference set, which go before `real`.
        kid_subset: images in a subset of KID.
        single: whether the official tools keep means in float32 behind this treatment.
    """

    generated: Side
    real: Side = field(default_factory=Side)
    statistics: Mapping[str, Statistics] = field(default_factory=dict)
    kid_subset: int = 1000
    single: bool = True

    def reference(self, part: str) -> Gaussian | None:
        """The Gaussian of the reference set, or None where nothing is known of it."""
        if part in self.statistics:
            return Gaussian.of_statistics(self.statistics[part].mu, self.statistics[part].sigma)
        return self.real.gaussian(part, self.single) if self.real.records else None

    @cached_property
    def near(self) -> tuple[Any, Any] | None:
        """Which generated images lie among real ones, and which real ones among generated; None without real ones."""
        if min(len(self.real.records), len(self.generated.records)) <= _K:
            return None
        x, y = self.generated.pool, self.real.pool
        return covered(x, y, squared_radii(x, _K), squared_radii(y, _K))

    def distance(self, part: str) -> Number:
        """The Fréchet distance of one part."""
        reference, n = self.reference(part), len(self.generated.records)
        if reference is None:
            return Number(None, f"the references hold neither images nor statistics of the {part} features")
        if n < 2:
            return Number(None, "one image has no covariance")
        own, few = self.generated.gaussian(part, self.single), ""
        if own.mean.shape != reference.mean.shape:
            return Number(None, f"{own.mean.size} features against {reference.mean.size} in the statistics")
        if n <= own.mean.size:
            few = (
                f"{n} images have fewer directions than the {own.mean.size} features: the official tools stop or differ"
            )
        rows: Any = Rows(self.generated.records, part)
        interval = errors.frechet_interval(rows, reference) if part == "pool" else None
        return Number(frechet(own, reference), interval=interval, why=few)

    def infinity(self) -> Number:
        """The Fréchet distance for infinitely many images."""
        reference = self.reference("pool")
        rows: Any = Rows(self.generated.records, "pool")
        value = errors.frechet_at_infinity(rows, reference) if reference else None
        return Number(value, "" if value is not None else "it takes 10,000 images and references")

    def kid(self) -> Number:
        """The kernel distance."""
        there = min(len(self.generated.records), len(self.real.records))
        if there < self.kid_subset:
            return Number(None, f"subsets have {self.kid_subset:,} images; there are {there:,} on one side")
        return Number(kernel.kid(self.generated.pool, self.real.pool, size=self.kid_subset)[0])

    def precision(self) -> Number:
        """The share of generated images among the real ones; real balls do not depend on the generated set."""
        if self.near is None:
            return _without_images()
        value, n = float(self.near[0].mean()), len(self.near[0])
        reach = 1.96 * (value * (1 - value) / n) ** 0.5
        return Number(value, interval=(max(0.0, value - reach), min(1.0, value + reach)))

    def recall(self) -> Number:
        """The share of real images among the generated ones."""
        return Number(float(self.near[1].mean())) if self.near is not None else _without_images()

    def ball(self, name: str) -> Number:
        """Density or coverage."""
        return Number(getattr(self._balls, name)) if self.near is not None else _without_images()

    @cached_property
    def _balls(self) -> Any:
        return balls(self.generated.pool, self.real.pool)

    def score(self, convention: Callable[[Any], float], least: int = 1) -> Number:
        """An Inception Score."""
        logits = stacked(self.generated.records, "logits")
        if len(logits) < least:
            return Number(None, f"{len(logits)} images cannot be cut into {least} parts")
        value = convention(logits)
        if value != value:
            return Number(None, "a probability underflowed to 0, which guided-diffusion turns into NaN")
        return Number(value, interval=errors.interval(lambda rows: convention(logits[rows]), len(logits)))


METRICS: dict[str, Callable[[Sides], Number]] = {
    "FID": lambda sides: sides.distance("pool"),
    "rFID": lambda sides: sides.distance("pool"),
    "sFID": lambda sides: sides.distance("spatial"),
    "FID_infinity": lambda sides: sides.infinity(),
    "IS": lambda sides: sides.score(inception_score.adm),
    "IS_shuffled": lambda sides: sides.score(lambda logits: inception_score.torch_fidelity(logits)[0], 20),
    "IS_tokenizer": lambda sides: sides.score(inception_score.tokenizer),
    "KID": lambda sides: sides.kid(),
    "precision": lambda sides: sides.precision(),
    "recall": lambda sides: sides.recall(),
    "density": lambda sides: sides.ball("density"),
    "coverage": lambda sides: sides.ball("coverage"),
}


def treatment_of(metric: str) -> str:
    """The treatment of the input behind a metric of `METRICS`, by the ending of its name."""
    if metric in _FLOAT64:
        return "tf1-float64"
    return next((one for one, ending in ENDINGS.items() if ending and metric.endswith(ending)), "tf1")


def base_of(metric: str) -> str:
    """The metric without its ending: a key of `METRICS`."""
    return metric.removesuffix(ENDINGS[treatment_of(metric)])


def numbers(metrics: Sequence[str], sides: Mapping[str, Sides]) -> dict[str, Number]:
    """The metrics for which features were taken; `sides` by treatment."""
    found = {}
    for name in metrics:
        if base_of(name) in METRICS and treatment_of(name) in sides:
            own = sides[treatment_of(name)]
            number = METRICS[base_of(name)](own)
            departs = departures(own.generated.records, own.real.records)
            found[name] = Number(
                number.value, number.undefined, number.interval, "; ".join(filter(None, (number.why, departs)))
            )
    return found


def undefined(found: Mapping[str, Number]) -> list[Problem]:
    """A warning for each number that is not defined."""
    return [
        Problem(code="METRIC_UNDEFINED", severity="warning", message=f"{name} is not defined: {number.undefined}")
        for name, number in found.items()
        if number.value is None
    ]


def order_warning(sides: Sides) -> list[Problem]:
    """A warning where samples are sorted by class, which ADM's Inception Score does not bear."""
    lost = inception_score.order_matters(stacked(sides.generated.records, "logits"))
    if not lost >= _ORDER:  # not a number where the score is none
        return []
    message = f"the order of the samples takes {lost:.0%} from IS, which is a mean over chunks of 5,000 in that order"
    fix = "Interleave or shuffle the classes before the samples are numbered."
    return [Problem(code="SUB_ORDER", severity="warning", message=message, fix=fix)]


def kept(
    breakdowns: Mapping[str, Mapping[str, Mapping[str, float | int | None]]],
) -> dict[str, Mapping[str, Mapping[str, float | int | None]]]:
    """The breakdowns that hold something."""
    return {name: one for name, one in breakdowns.items() if one}


def neighbours(sides: Sides) -> dict[str, Mapping[str, float | int | None]]:
    """For a few generated images, evenly spread, the nearest real ones with their distances."""
    made, real = sides.generated.records, sides.real.records
    if not made or not real:
        return {}
    rows = sorted({number * len(made) // _SHOWN for number in range(_SHOWN)})
    places, distances = nearest(sides.generated.pool[rows], sides.real.pool, _NEIGHBOURS)
    return {
        made[row].id: {real[int(p)].id: float(d) for p, d in zip(places[k], distances[k], strict=True)}
        for k, row in enumerate(rows)
    }


def precise(found: Mapping[str, Number], sides: Sides) -> Any:
    """Which generated images lie among real ones, where precision was measured; else None: it is dear."""
    return sides.near[0] if "precision" in found and sides.near is not None else None


def by_group(
    sides: Sides, inside: Any, made: Mapping[str, str], real: Mapping[str, str] | None = None
) -> dict[str, Mapping[str, float | int | None]]:
    """Images, precision, and with enough images on both sides the Fréchet distance, of each class or category.

    Args:
        inside: which generated images are precise, or None.
        made, real: id of an image → its group, "" for none; groups in the order of `made`.
    """
    groups: dict[str, list[int]] = {}
    for row, record in enumerate(sides.generated.records):
        if made.get(record.id):
            groups.setdefault(made[record.id], []).append(row)
    others: dict[str, list[int]] = {}
    for row, record in enumerate(sides.real.records if real else ()):
        others.setdefault((real or {}).get(record.id, ""), []).append(row)
    return {
        group: {"images": len(rows)}
        | ({"precision": float(inside[rows].mean())} if inside is not None else {})
        | _group_distance(sides, rows, others.get(group, []))
        for group, rows in groups.items()
    }


def clip_score(cosines: Sequence[Any]) -> Number:
    """The mean of max(cosine, 0) of images and their prompts (CrossFlow's formula)."""
    values = [max(record.cosine, 0.0) for record in cosines]
    mean = sum(values) / len(values)
    spread = (sum((one - mean) ** 2 for one in values) / max(1, len(values) - 1)) ** 0.5
    reach = 1.96 * spread / len(values) ** 0.5
    return Number(mean, interval=(mean - reach, mean + reach), why=departures(cosines))


def _group_distance(sides: Sides, made: list[int], real: list[int]) -> dict[str, float]:
    """The Fréchet distance of a group where both sides have more images than features."""
    width = sides.generated.pool.shape[1]
    if min(len(made), len(real)) <= width:
        return {}
    both = (Gaussian.of_features(side.pool[rows]) for side, rows in ((sides.generated, made), (sides.real, real)))
    return {"FID": frechet(*both)}


def _without_images() -> Number:
    return Number(None, f"it takes more than {_K} images on each side, and statistics are none")

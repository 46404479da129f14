"""Features as evidence: one record an image, made once by a feature network, whatever metrics are computed from it.

A record of Inception holds 20 KB: 50,000 images are 1.0 GB in memory while they are scored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from vismark.benchmarks.base import About, Evidence, Opened
from vismark.formats.image_files import ImageFault
from vismark.formats.image_survey import Surveyed
from vismark.metrics.generation.clip_score import cosines
from vismark.problems import Problem
from vismark.runtime.ahead import batches_ahead
from vismark.runtime.parallel import default_jobs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Over = Literal["submission", "references"]

# Batches between two entries in the journal: a kill costs at most so many.
_BATCHES = 8
# Rows that are unpacked at once.
_BLOCK = 1024


class Inception(Evidence, frozen=True, kw_only=True, omit_defaults=True):
    """What Inception says of an image, float32 little-endian: `pool` (2048), `spatial` (2023), `logits` (1008).

    `departs` says how and why it is not the official network's word.
    """

    pool: bytes = b""
    spatial: bytes = b""
    logits: bytes = b""
    departs: str = ""


class Vector(Evidence, frozen=True, kw_only=True, omit_defaults=True):
    """What another network says of an image: `vector`, float32 little-endian."""

    vector: bytes = b""
    departs: str = ""


class Cosine(Evidence, frozen=True, kw_only=True, omit_defaults=True):
    """The cosine of the embeddings of an image and of its text."""

    cosine: float = 0.0
    departs: str = ""


@dataclass(frozen=True)
class FeatureStep:
    """Measures images with Inception or another feature network.

    Args:
        instrument: see `vismark.instruments.features`.
        over: the submission or the references.
        images: (submission, references) → the images.
        record: `Inception` for networks that give its parts, `Vector` for those that give one vector.
    """

    instrument: Any
    over: Over
    images: Callable[[Any, Any], Surveyed]
    record: type[Any] = Inception

    @property
    def about(self) -> About:
        """Named after network, treatment, and what is measured."""
        return _about(self.instrument, self.over, "features", self.record)

    def ids(self, opened: Opened[Any], references: Any) -> Sequence[str]:
        """The ids of the images."""
        return opened.ids if self.over == "submission" else self.images(None, references).ids

    def fingerprint(self, submission: Any, references: Any, id: str) -> tuple[str, str]:
        """The digest of the image's bytes, as they were looked at."""
        return self.images(submission, references).digests.get(id, ""), ""

    def run(self, submission: Any, references: Any, ids: Sequence[str]) -> list[Evidence]:
        """One record an image; an image that cannot be decoded gives a record with a finding."""
        images = self.images(submission, references)
        found: list[Evidence] = []
        for pairs in _decoded(images, ids, self.about.batch // _BATCHES):
            features = iter(self.instrument.measure([pixels for _, pixels in pairs if not _failed(pixels)]))
            for id, pixels in pairs:
                known: dict[str, Any] = {"id": id, "digest": images.digests.get(id, "")}
                found.append(
                    self.record(**known, problems=(_problem(images, id, pixels, self.over),))
                    if _failed(pixels)
                    else self.record(**known, **_packed(next(features)), departs=self.instrument.departs)
                )
        return found


@dataclass(frozen=True)
class CosineStep:
    """Measures how well images fit their texts with CLIP.

    Args:
        clip: see `vismark.instruments.features.clip`.
        images: (submission, references) → the images.
        text: (references, id) → the text of an image.
    """

    clip: Any
    images: Callable[[Any, Any], Surveyed]
    text: Callable[[Any, str], str]

    @property
    def about(self) -> About:
        """Named after network and treatment."""
        return _about(self.clip, "submission", "cosine", Cosine)

    def ids(self, opened: Opened[Any], references: Any) -> Sequence[str]:
        """The ids of the images."""
        return opened.ids

    def fingerprint(self, submission: Any, references: Any, id: str) -> tuple[str, str]:
        """The digest of the image's bytes; texts are part of the references' digest."""
        return self.images(submission, references).digests.get(id, ""), ""

    def run(self, submission: Any, references: Any, ids: Sequence[str]) -> list[Evidence]:
        """One record an image; an image that cannot be decoded gives a record with a finding."""
        import numpy as np

        images = self.images(submission, references)
        found: list[Evidence] = []
        for pairs in _decoded(images, ids, self.about.batch // _BATCHES):
            good = {id: pixels for id, pixels in pairs if not _failed(pixels)}
            rows = np.array(self.clip.measure([*good.values(), *(self.text(references, id) for id in good)]))
            fits = cosines(rows[: len(good)], rows[len(good) :]) if good else ()
            values = dict(zip(good, fits, strict=True))
            for id, pixels in pairs:
                known: dict[str, Any] = {"id": id, "digest": images.digests.get(id, "")}
                if id in values:
                    found.append(Cosine(**known, cosine=float(values[id]), departs=self.clip.departs))
                else:
                    found.append(Cosine(**known, problems=(_problem(images, id, pixels, "submission"),)))
        return found


def stacked(records: Sequence[Any], part: str) -> NDArray[np.float32]:
    """One part of all records as a matrix, float32, a row a record in their order."""
    import numpy as np

    width = len(getattr(records[0], part)) // 4 if records else 0
    found = np.empty((len(records), width), dtype=np.float32)
    for number, record in enumerate(records):
        found[number] = np.frombuffer(getattr(record, part), dtype="<f4")
    return found


def blocks(records: Sequence[Any], part: str) -> Iterator[NDArray[np.float32]]:
    """The same in blocks of rows, for what is streamed; the blocks depend on nothing but the order of the records."""
    return (stacked(records[start : start + _BLOCK], part) for start in range(0, len(records), _BLOCK))


def with_statistics(features: Sequence[Any]) -> dict[str, NDArray[np.float32]]:
    """The parts of features that have statistics, as matrices, by the suffix of their names in statistics files."""
    import numpy as np

    names = {"pool": "", "vector": "", "spatial": "_s"}
    parts = [_parts(one) for one in features]
    return {names[name]: np.stack([one[name] for one in parts]) for name in parts[0] if name in names}


def departures(*evidence: Sequence[Any]) -> str:
    """How and why the records are not the official networks' word, or ""."""
    return "; ".join(dict.fromkeys(record.departs for records in evidence for record in records if record.departs))


def _about(instrument: Any, over: Over, what: str, record: type[Evidence]) -> About:
    treatment = getattr(instrument, "treatment", "absent")
    name = f"{what}-{instrument.name}-{treatment}" + ("-references" if over == "references" else "")
    size = _BATCHES * getattr(instrument, "batch", 1)
    # One protocol may use a network behind several treatments.
    identity = {f"{instrument.name}/{treatment}": instrument.identity}
    return About(name, 1, record, over, identity, size, "alone")


def _decoded(images: Surveyed, ids: Sequence[str], size: int) -> Iterator[list[tuple[str, Any]]]:
    """(id, pixels or the fault) in batches, decoded ahead of the network."""

    def make(id: str) -> tuple[str, Any]:
        try:
            return id, images.images.pixels(id)
        except ImageFault as fault:
            return id, fault

    return batches_ahead(make, ids, size, default_jobs())


def _failed(pixels: Any) -> bool:
    return isinstance(pixels, ImageFault)


def _problem(images: Surveyed, id: str, fault: ImageFault, over: Over) -> Problem:
    code = f"{'SUB' if over == 'submission' else 'REF'}_IMAGE_{fault.fault}"
    return Problem(
        code=code, severity="error", message=str(fault), fix=fault.fix, file=images.images.place(id), item=id
    )


def _packed(features: Any) -> dict[str, bytes]:
    """Features of an image as the fields of a record."""
    return {name: values.astype("<f4").tobytes() for name, values in _parts(features).items()}


def _parts(features: Any) -> dict[str, Any]:
    return features._asdict() if hasattr(features, "_asdict") else {"vector": features}

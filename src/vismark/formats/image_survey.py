"""A look at every image of a set before any work: readable, of one size, no copy of another; and its digest.

Bytes and headers only: what a broken file hides behind a good header is found when it is decoded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from vismark.formats.image_files import ImageFault, inspect
from vismark.formats.image_sets import ArrayImages, ImageSet
from vismark.problems import Problems
from vismark.runtime.digests import digest_of, digest_of_parts
from vismark.runtime.parallel import chunks, default_jobs, map_chunks
from vismark.runtime.progress import Bar

_CHUNK = 64
# Names that are listed one by one in a finding.
_SHOWN = 10


@dataclass(frozen=True)
class Surveyed:
    """A set whose images were looked at; `digests` are of the bytes of each, `ids` are those that can be read."""

    images: ImageSet
    ids: tuple[str, ...]
    digests: Mapping[str, str]

    @property
    def digest(self) -> str:
        """Of all images together."""
        return digest_of_parts(self.digests)


def survey(
    images: ImageSet,
    problems: Problems,
    *,
    size: tuple[int, int] | None = None,
    prefix: str = "SUB",
    wanted: Collection[str] | None = None,
    jobs: int | None = None,
) -> Surveyed:
    """Look at every image.

    Args:
        size: the (height, width) that each must have.
        prefix: of the codes of the findings.
        wanted: only these ids.
    """
    ids = [id for id in images.ids if wanted is None or id in wanted]
    digests: dict[str, str] = {}
    found: dict[str, Problems] = {}
    if isinstance(images, ArrayImages) and size is not None:
        _check_array(images, size, problems, prefix)

    def work(part: Sequence[str]) -> list[tuple[str, str, Problems]]:
        return [_look(images, id, size, prefix) for id in part]

    with Bar(f"looking at {images.name}", len(ids)) as bar:
        for looked in map_chunks(work, chunks(ids, _CHUNK), jobs=jobs or default_jobs()):
            for id, digest, own in looked:
                digests[id] = digest
                if len(own):
                    found[id] = own
            bar.advance(len(looked))
    for id in ids:
        problems.extend(found.get(id, ()))
    good = tuple(id for id in ids if digests[id])
    _copies(images, {id: digests[id] for id in good}, problems, prefix)
    return Surveyed(images, good, {id: digests[id] for id in good})


def count(surveyed: Surveyed, expected: int, problems: Problems, *, partial: bool) -> None:
    """Whether there are as many images as the protocol takes; fewer are no error when `partial`."""
    there = len(surveyed.images.ids)
    if there == expected or (partial and there < expected):
        return
    message = f"holds {there:,} images; the protocol takes {expected:,}"
    fix = "FID and its kin depend on the number of images" + (": --partial scores fewer." if there < expected else ".")
    problems.add("SUB_COUNT", message, file=surveyed.images.name, value=there, fix=fix)


def classes(surveyed: Surveyed, known: Mapping[str, int], problems: Problems) -> dict[str, int]:
    """id → number of its class, for sets that state classes; `known` are the numbers by folder name and by number.

    Random labels are legal (SiT and DiT draw theirs), so uneven classes are a note; a class without any image is not.
    """
    stated = surveyed.images.classes
    if not stated:
        return {}
    unknown = sorted({name for name in stated.values() if name not in known})
    if unknown:
        message = f"{len(unknown)} names are no classes of the data set: {_listed(unknown)}"
        fix = "Class folders are named like those of the data set, or by number from 0."
        problems.add("SUB_CLASS_UNKNOWN", message, file=surveyed.images.name, fix=fix)
        return {}
    found = {id: known[stated[id]] for id in surveyed.ids if id in stated}
    counts, every = Counter(found.values()), sorted(set(known.values()))
    absent = [str(label) for label in every if not counts[label]]
    if absent:
        message = f"{len(absent)} of {len(every)} classes have no image: {_listed(absent)}"
        fix = "Sample every class; the references hold all of them."
        problems.add("SUB_CLASS_MISSING", message, file=surveyed.images.name, value=len(absent), fix=fix)
    elif len(set(counts.values())) > 1:
        message = f"classes have {min(counts.values())} to {max(counts.values())} images: labels drawn at random?"
        fix = "Legal (SiT and DiT sample so); most papers draw the same number for each class."
        problems.add("SUB_CLASS_UNEVEN", message, severity="note", file=surveyed.images.name, fix=fix)
    return found


def _look(images: ImageSet, id: str, size: tuple[int, int] | None, prefix: str) -> tuple[str, str, Problems]:
    """Id, digest ("" for an image that cannot be used) and findings of one image."""
    problems, place = Problems(), images.place(id)
    try:
        data = images.data(id)
        if images.encoded:
            header = inspect(data)
            if size is not None and (header.height, header.width) != size:
                stated = f"is {header.width}×{header.height} pixels, not {size[1]}×{size[0]} (width×height)"
                fix = "Sample at the size of the benchmark; a resized image has other statistics."
                problems.add(f"{prefix}_IMAGE_SIZE", stated, file=place, item=id, fix=fix)
            if prefix == "SUB":
                _remark(header.format, header.mode, place, id, problems)
    except ImageFault as fault:
        problems.add(f"{prefix}_IMAGE_{fault.fault}", str(fault), file=place, item=id, fix=fault.fix)
        return id, "", problems
    return id, digest_of(data), problems


def _remark(format: str, mode: str, place: str, id: str, problems: Problems) -> None:
    """What the official tools accept in silence, to the cost of the number."""
    if format == "JPEG" or format == "WEBP":
        message = f"is a {format}: its artefacts are measured as if the model had made them"
        problems.add("SUB_IMAGE_LOSSY", message, severity="warning", file=place, item=id, fix="Write PNG files.")
    if mode != "RGB":
        message = f"is {mode}, not RGB, and is converted"
        fix = "Write RGB; transparency is dropped, not blended."
        problems.add("SUB_IMAGE_COLOUR", message, severity="warning", file=place, item=id, fix=fix)


def _check_array(images: ArrayImages, size: tuple[int, int], problems: Problems, prefix: str) -> None:
    _, height, width, _ = images.array.shape
    if (height, width) != size:
        message = f"arr_0 holds images of {width}×{height} pixels, not {size[1]}×{size[0]} (width×height)"
        fix = "Sample at the size of the benchmark; a resized image has other statistics."
        problems.add(f"{prefix}_IMAGE_SIZE", message, file=images.name, item="arr_0", fix=fix)


def _copies(images: ImageSet, digests: Mapping[str, str], problems: Problems, prefix: str) -> None:
    """Images whose bytes are those of an earlier one, in one finding."""
    first: dict[str, str] = {}
    twice = [f"{id} = {first[digest]}" for id, digest in digests.items() if first.setdefault(digest, id) != id]
    if twice:
        message = f"{len(twice):,} images are copies of others: {_listed(twice)}"
        fix = "Give each sample its own seed; copies make a set look less varied than the model is."
        problems.add(f"{prefix}_IMAGE_TWICE", message, severity="warning", file=images.name, value=len(twice), fix=fix)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")

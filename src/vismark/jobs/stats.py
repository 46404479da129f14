"""`vismark stats`: mean and covariance of the features of a set of images, the reference of every Fréchet distance."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from vismark import registry
from vismark.benchmarks.features import with_statistics
from vismark.formats.image_files import ImageFault
from vismark.formats.image_sets import open_set
from vismark.formats.image_survey import Surveyed, survey
from vismark.instruments.base import Absent, Tools
from vismark.instruments.features.treatments import NAMES
from vismark.jobs.stats_file import About, Parts, merge, read, read_resumed, write, write_resumed
from vismark.metrics.generation.moments import Moments
from vismark.problems import Problems, Refused, Usage, refuse
from vismark.runtime.ahead import batches_ahead
from vismark.runtime.digests import digest_of, digest_of_parts
from vismark.runtime.folders import cache_root
from vismark.runtime.parallel import chunks, default_jobs
from vismark.runtime.progress import Bar
from vismark.runtime.shards import Shard
from vismark.runtime.shards import shard as parse_shard

# Images whose features are reduced at once; a fixed number, so that a run that goes on gives the same bits.
_BLOCK = 1024
# Seconds of work that a kill may cost.
_PATIENCE = 60


class Made(msgspec.Struct, frozen=True):
    """What was made: over how many images, and how many features each has."""

    images: int
    features: int


def stats(
    sources: Sequence[str | Path],
    output: str | Path,
    *,
    treatment: str | None = None,
    shard: str | None = None,
    tools: Tools | None = None,
    jobs: int | None = None,
) -> Made:
    """Make a statistics file from images, or one from those of the shards.

    Args:
        sources: one set of images (a folder, ``.npz`` or ``.tar``), or the files that the shards made.
        treatment: how images are brought to the network, see `vismark.instruments.features.treatments`.
        shard: ``I/N``: every N-th image from the I-th; merge the N files with another call.
        tools: the instrument (``inception-v3`` by default), its weights and device.
        jobs: threads that decode.

    Raises:
        Refused: images have errors, or files of shards do not belong together; all are listed.
        Missing: the weights of the instrument are not there.
        Usage: sources of both kinds, or there is no such instrument or treatment.
    """
    paths, problems = [Path(source) for source in sources], Problems()
    kept = [read(path, problems) for path in paths if path.suffix == ".npz"]
    if any(kept):
        if None in kept or len(kept) < len(paths):
            raise Usage("Name one set of images, or statistics files that `vismark stats` made, not both.")
        about, parts = merge([one for one in kept if one], problems)
    elif len(paths) != 1:
        raise Usage("Name one set of images; shards of it are made with --shard I/N.")
    else:
        about, parts = _measured(paths[0], _instrument(tools or Tools(), treatment), parse_shard(shard), problems, jobs)
    if problems.errors:
        raise Refused(problems)
    write(Path(output), about, parts)
    first = next(iter(parts.values()))
    return Made(first.n, first.mean.size)


def _instrument(tools: Tools, treatment: str | None) -> Any:
    name = tools.names[0] if tools.names else "inception-v3"
    found = tools.load(registry.card("instruments", name).role, name)
    if isinstance(found, Absent):
        raise found.reason
    if treatment is None:
        return found
    if treatment not in NAMES or not hasattr(found, "treated"):
        raise Usage(f"{name} has no treatment {treatment!r}; there are {', '.join(NAMES)}.")
    return found.treated(treatment)


def _measured(path: Path, instrument: Any, part: Shard, problems: Problems, jobs: int | None) -> tuple[About, Parts]:
    """The moments of every part of the features of the images of a shard."""
    images = open_set(path, links=True)
    looked = survey(images, problems, prefix="REF", wanted=frozenset(part.of(images.ids)), jobs=jobs)
    if problems.errors:
        raise Refused(problems)
    about = About(identity=instrument.identity, images=digest_of_parts(looked.digests), shard=part)
    place = cache_root() / "statistics" / f"{digest_of(about).removeprefix('sha256:')[:32]}.npz"
    done, parts = read_resumed(place)
    saved = time.monotonic()
    with Bar(f"measuring {images.name}", len(looked.ids), done) as bar:
        for ids in chunks(looked.ids[done:], _BLOCK):
            for name, rows in with_statistics(_features(looked, ids, instrument, jobs)).items():
                block = Moments.of(rows)
                parts[name] = parts[name].merge(block) if name in parts else block
            done += len(ids)
            bar.advance(len(ids))
            if time.monotonic() - saved > _PATIENCE:
                write_resumed(place, done, parts)
                saved = time.monotonic()
    place.unlink(missing_ok=True)
    return about, parts


def _features(looked: Surveyed, ids: Sequence[str], instrument: Any, jobs: int | None) -> list[Any]:
    found: list[Any] = []
    try:
        for pixels in batches_ahead(looked.images.pixels, ids, instrument.batch, jobs or default_jobs()):
            found += instrument.measure(pixels)
    except ImageFault as fault:
        raise refuse(f"REF_IMAGE_{fault.fault}", str(fault), file=looked.images.name, fix=fault.fix) from fault
    return found

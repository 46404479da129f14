"""Statistics files: what other tools read of them, and what merging and checking needs beside.

``mu`` and ``sigma`` are read by pytorch-fid, clean-fid and torch-fidelity's fork, ``mu_s`` and ``sigma_s`` by ADM, too.
Beside them stand the number of images ``n``, exact means ``mean``, ``mean_s``, and ``about``, JSON as bytes.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import msgspec

from vismark.formats.npz import Npz
from vismark.metrics.generation.moments import Moments
from vismark.problems import Problems, Refused
from vismark.runtime.atomic import write_bytes
from vismark.runtime.digests import digest_of_parts
from vismark.runtime.shards import Shard

# Suffix of the arrays in the file → moments.
Parts = dict[str, Moments]

# Treatments whose tools keep means in float32; torch-fidelity's fork refuses another type.
_SINGLE = ("tf1", "clean")


class About(msgspec.Struct, frozen=True):
    """What was measured: with what, which images (by their digests), and which part of them."""

    identity: Mapping[str, str]
    images: str
    shard: Shard = Shard()


def write(path: Path, about: About, parts: Parts) -> None:
    """Write a statistics file, atomically."""
    import numpy as np

    single = about.identity.get("treatment") in _SINGLE
    text = np.frombuffer(msgspec.json.encode(about, order="sorted"), np.uint8)
    arrays: dict[str, Any] = {"about": text, "n": np.int64(next(iter(parts.values())).n)}
    for suffix, moments in parts.items():
        arrays[f"mu{suffix}"] = moments.mean.astype(np.float32) if single else moments.mean
        arrays[f"sigma{suffix}"] = moments.sigma
        arrays[f"mean{suffix}"] = moments.mean
    _save(path, arrays)


def read(path: Path, problems: Problems) -> tuple[About, Parts] | None:
    """What `write` wrote, for merging; None for a file that holds no statistics.

    Files of other tools lack the number of images and cannot be merged: a finding (STATS_FOREIGN).

    Raises:
        Refused: it is no ``.npz``, or a hostile one.
    """
    npz = Npz(path)
    if "mu" not in npz.headers:
        return None
    try:
        about = msgspec.json.decode(bytes(npz.array("about")), type=About)
        n = int(npz.array("n"))
        suffixes = [name.removeprefix("mean") for name in npz.headers if name.startswith("mean")]
        return about, {s: Moments(n, npz.array(f"mean{s}"), npz.array(f"sigma{s}") * (n - 1)) for s in suffixes}
    except (KeyError, msgspec.DecodeError, TypeError, ValueError):
        message = "does not say over how many images, so it cannot be merged"
        problems.add("STATS_FOREIGN", message, file=path.name, fix="Merge files that `vismark stats --shard` made.")
        raise Refused(problems) from None


def merge(files: Sequence[tuple[About, Parts]], problems: Problems) -> tuple[About, Parts]:
    """The statistics of all shards together; what does not fit is a finding (STATS_OTHER, STATS_SHARDS)."""
    files = sorted(files, key=lambda one: one[0].shard.rank)
    abouts = [about for about, _ in files]
    for about in abouts[1:]:
        if about.identity != abouts[0].identity:
            fix = "Make all shards with the same instrument, weights, treatment and dtype."
            problems.add("STATS_OTHER", f"shard {about.shard} was measured otherwise", value=about.identity, fix=fix)
    world = abouts[0].shard.world
    ranks = [about.shard.rank for about in abouts]
    if {about.shard.world for about in abouts} != {world} or ranks != list(range(world)):
        told = ", ".join(str(about.shard) for about in abouts)
        fix = f"Name the files of all shards of one run, 0/{world} to {world - 1}/{world}, each once."
        problems.add("STATS_SHARDS", f"these are no whole: {told}", fix=fix)
    if problems.errors:
        raise Refused(problems)
    images = digest_of_parts({str(about.shard): about.images for about in abouts})
    every = [parts for _, parts in files]
    return About(abouts[0].identity, images), {
        suffix: reduce(Moments.merge, [parts[suffix] for parts in every]) for suffix in every[0]
    }


def write_resumed(path: Path, done: int, parts: Parts) -> None:
    """Keep the moments of the first `done` images."""
    import numpy as np

    arrays: dict[str, Any] = {"done": np.int64(done)}
    for suffix, one in parts.items():
        arrays |= {f"mean{suffix}": one.mean, f"scatter{suffix}": one.scatter, f"n{suffix}": np.int64(one.n)}
    _save(path, arrays)


def read_resumed(path: Path) -> tuple[int, Parts]:
    """What `write_resumed` kept; (0, {}) when there is nothing."""
    import numpy as np

    if not path.is_file():
        return 0, {}
    with np.load(path, allow_pickle=False) as file:
        suffixes = [name.removeprefix("mean") for name in file.files if name.startswith("mean")]
        parts = {s: Moments(int(file[f"n{s}"]), file[f"mean{s}"], file[f"scatter{s}"]) for s in suffixes}
        return int(file["done"]), parts


def _save(path: Path, arrays: Mapping[str, Any]) -> None:
    import numpy as np

    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    write_bytes(path, buffer.getvalue())

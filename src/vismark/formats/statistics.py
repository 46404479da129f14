"""Statistics files: mean and covariance of the features of a reference set, as every FID tool keeps them.

``mu``, ``sigma`` of the pooled features (pytorch-fid, clean-fid, torch-fidelity, ADM), and in ADM's reference batches
also ``mu_s``, ``sigma_s`` of the spatial ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vismark.formats.npz import Npz
from vismark.problems import refuse
from vismark.runtime.digests import digest_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FIX = "Get the official file again, or make one with `vismark stats`."


@dataclass(frozen=True)
class Statistics:
    """A mean (d,) and a covariance (d, d) in the precision of the file, and the digest of both."""

    mu: NDArray[np.floating]
    sigma: NDArray[np.floating]
    digest: str


def read_statistics(npz: Npz, suffix: str = "") -> Statistics | None:
    """``mu`` and ``sigma`` of a file, or ``mu_s`` and ``sigma_s`` with the suffix ``_s``; None where it has none.

    Raises:
        Refused: they do not fit one another, are not finite, or are no floats.
    """
    names = (f"mu{suffix}", f"sigma{suffix}")
    if not npz.headers.keys() & set(names):
        return None
    missing = [name for name in names if name not in npz.headers]
    if missing:
        raise refuse("REF_STATISTICS", f"has no {missing[0]}", file=npz.path.name, fix=_FIX)
    mu, sigma = (np.array(npz.array(name)) for name in names)
    if mu.ndim != 1 or sigma.shape != (mu.size, mu.size) or {mu.dtype.kind, sigma.dtype.kind} != {"f"}:
        message = f"{names[0]} is {_told(mu)}, {names[1]} is {_told(sigma)}: no mean and covariance"
        raise refuse("REF_STATISTICS", message, file=npz.path.name, fix=_FIX)
    if not (np.isfinite(mu).all() and np.isfinite(sigma).all()):
        raise refuse("REF_STATISTICS", "holds numbers that are not finite", file=npz.path.name, fix=_FIX)
    return Statistics(mu, sigma, digest_of([digest_of(one.tobytes()) for one in (mu, sigma)]))


def has_statistics(path: Path) -> bool:
    """Whether a file is an ``.npz`` with ``mu``."""
    return path.suffix == ".npz" and path.is_file() and "mu" in Npz(path).headers


def _told(array: NDArray[Any]) -> str:
    return f"{array.dtype} of shape {array.shape}"

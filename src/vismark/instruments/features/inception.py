"""The features of FID, sFID, IS, KID, precision and recall: Inception of 2015-12-05 in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vismark.instruments.features import treatments
from vismark.instruments.features.base import FeatureNetwork, batches
from vismark.instruments.features.inception_network import SIZE, Inception
from vismark.problems import Problems


class InceptionFeatures(NamedTuple):
    """Of one image, float32: `pool` (2048,), `spatial` (2023,) for sFID, `logits` (1008,) without the bias."""

    pool: NDArray[np.float32]
    spatial: NDArray[np.float32]
    logits: NDArray[np.float32]


class InceptionV3(FeatureNetwork):
    """Measures uint8 RGB images of any sizes; behind ``tf1-float64`` the network is float64, too."""

    usual = "tf1"

    @cached_property
    def network(self) -> Inception:
        """The network, made on first use."""
        import torch

        dtype = torch.float64 if self.treatment == "tf1-float64" else self.dtype
        return Inception(self.path, self.device, dtype)

    def measure(self, items: Sequence[NDArray[np.uint8]]) -> list[InceptionFeatures]:
        """The features of images, shape (height, width, 3) each."""
        scale = treatments.INCEPTION_UNIT if self.treatment == "half-pixel" else treatments.INCEPTION
        found: list[InceptionFeatures] = []
        for images, real in batches(items, self.batch):
            parts = [part[:real].cpu().numpy() for part in self.network(self.treat(images, SIZE, scale))]
            found += [InceptionFeatures(*one) for one in zip(*parts, strict=True)]
        return found

    def selftest(self) -> Problems:
        """Whether one image gives the same features alone and among others, and features that are finite."""
        problems, random = Problems(), np.random.default_rng(0)
        images = list(random.integers(0, 256, (2, 64, 64, 3), dtype=np.uint8))
        alone, among = self.measure(images[:1])[0], self.measure(images)[0]
        if not all(np.isfinite(part).all() for part in alone):
            problems.add("INSTRUMENT_SELFTEST", "features are not finite", item=self.name)
        if not all(np.array_equal(one, other) for one, other in zip(alone, among, strict=True)):
            problems.add("INSTRUMENT_SELFTEST", "features depend on what else is in a batch", item=self.name)
        return problems

"""The feature network of shapes: NumPy computes what torch does, and the features are worth something."""

from __future__ import annotations

import numpy as np
import pytest

from vismark import registry
from vismark.datasets.shapes.portraits import CLASSES, picture
from vismark.instruments.base import Tools
from vismark.instruments.shapes_features import _WEIGHTS, ShapesFeatures, Treatment, shrunk

CARD = registry.card("instruments", "shapes-features")
TREATMENTS: tuple[Treatment, ...] = ("tf1", "half-pixel", "clean")


@pytest.mark.parametrize("treatment", TREATMENTS)
def test_this_machine_gives_the_known_value(treatment: Treatment) -> None:
    assert not list(ShapesFeatures(CARD, Tools(), treatment).selftest())


def test_features_equal_those_of_torch() -> None:
    torch = pytest.importorskip("torch", reason="torch computes the twin")
    pictures = [picture(label, 5) for label in range(len(CLASSES))]
    instrument = ShapesFeatures(CARD, Tools()).treated("clean")
    x = torch.from_numpy(np.stack([shrunk(one, "clean") for one in pictures])).permute(0, 3, 1, 2)
    with np.load(_WEIGHTS, allow_pickle=False) as weights:
        for layer in range(3):
            kernel = torch.from_numpy(weights[f"conv{layer}.weight"]).permute(3, 2, 0, 1)
            raw = torch.nn.functional.conv2d(x, kernel, torch.from_numpy(weights[f"conv{layer}.bias"]), 2, 1)
            x = torch.relu(raw)
        pool = x.mean(dim=(2, 3))
        logits = pool @ torch.from_numpy(weights["fc.weight"])
    found = instrument.measure(pictures)
    assert np.allclose(np.stack([one.pool for one in found]), pool, atol=1e-3)
    assert np.allclose(np.stack([one.logits for one in found]), logits, atol=1e-3)
    spatial = raw[:, :2].permute(0, 2, 3, 1).flatten(1)
    assert np.allclose(np.stack([one.spatial for one in found]), spatial, atol=1e-3)


@pytest.mark.parametrize("treatment", TREATMENTS)
def test_classes_are_told_apart(treatment: Treatment) -> None:
    """Portraits of the validation series were not trained on; chance is 1 in 8."""
    labels = np.repeat(np.arange(len(CLASSES)), 10)
    found = ShapesFeatures(CARD, Tools(), treatment).measure(
        [picture(int(label), k % 10) for k, label in enumerate(labels)]
    )
    assert np.mean([one.logits.argmax() for one in found] == labels) > 0.7


def test_the_weights_are_small_and_hold_numbers_only() -> None:
    assert _WEIGHTS.stat().st_size < 1_000_000
    with np.load(_WEIGHTS, allow_pickle=False) as weights:
        assert {weights[name].dtype for name in weights.files} == {np.dtype(np.float32)}

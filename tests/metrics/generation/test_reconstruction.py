"""PSNR, SSIM, MSE, MAE and codebooks: MaskBit's evaluator, and values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from generation_goldens import golden, images
from vismark.metrics.generation.reconstruction import codebook, mae, mse, psnr, ssim


def test_maskbits_evaluator() -> None:
    figures, arrays = golden("recon_eval")
    official = figures["maskbit"]
    real = images(figures["n"], figures["h"], figures["w"], figures["seed"]) / np.float32(255)
    fake = arrays["fake"].transpose(0, 2, 3, 1)
    for name, function in {"MSE": mse, "MAE": mae, "PSNR": psnr, "SSIM": ssim}.items():
        found = np.mean([function(one, other) for one, other in zip(real, fake, strict=True)])
        assert found == pytest.approx(official[name], rel=1e-6), name
    codes = next(values for key, values in arrays.items() if values.dtype.kind == "i")
    assert codebook(codes, 64) == pytest.approx((official["CodebookUsage"], official["CodebookEntropy"]), rel=1e-6)


def test_by_hand() -> None:
    real, made = np.zeros((16, 16, 3)), np.full((16, 16, 3), 0.1)
    assert mse(real, made) == pytest.approx(0.01)
    assert mae(real, made) == pytest.approx(0.1)
    assert psnr(real, made) == pytest.approx(20, abs=1e-6)
    assert psnr(real, real) == pytest.approx(100)
    assert ssim(real, real) == 1
    # Constant images have no structure: only the luminance term is left.
    assert ssim(real, made) == pytest.approx(1e-4 / (0.01 + 1e-4), rel=1e-5)


def test_codebook_by_hand() -> None:
    usage, entropy = codebook(np.array([0, 0, 1, 1]), 4)
    assert (usage, entropy) == pytest.approx((0.5, 1.0), abs=1e-6)

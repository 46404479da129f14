"""The goldens of the official generation tools, beside the repository, and what their recipes describe."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "shared" / "golden" / "generation_metrics"


Array = np.ndarray[Any, Any]


def golden(name: str) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
    """(figures, arrays) of a golden; the test is skipped where the goldens are not."""
    if not FOLDER.exists():
        pytest.skip(f"the goldens of the official tools (../shared/golden/{FOLDER.name}) are not here")
    with np.load(FOLDER / f"{name}.npz") as file:
        return json.loads((FOLDER / f"{name}.json").read_text()), dict(file)


def images(n: int, height: int, width: int, seed: int) -> Array:
    """uint8 of shape (n, height, width, 3): blocks of 8 plus noise, from torch's generator."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    g = torch.Generator().manual_seed(seed)
    low = torch.randint(0, 192, (n, 3, -(-height // 8), -(-width // 8)), generator=g, dtype=torch.int64)
    high = torch.randint(0, 64, (n, 3, height, width), generator=g, dtype=torch.int64)
    low = low.repeat_interleave(8, 2).repeat_interleave(8, 3)[:, :, :height, :width]
    return (low + high).to(torch.uint8).permute(0, 2, 3, 1).numpy()


def stub_logits(fake: Array) -> Array:
    """Logits of float images (n, 3, h, w) as the stub extractor gives them."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    g = torch.Generator().manual_seed(77)
    torch.randn(192, 2048, generator=g, dtype=torch.float64)
    last = torch.randn(192, 1008, generator=g, dtype=torch.float64) / 3
    pixels = (torch.from_numpy(fake).clamp(0, 1) * 255).to(torch.uint8).double()
    pooled = torch.nn.functional.adaptive_avg_pool2d(pixels, (8, 8)).flatten(1) / 128 - 1
    return (pooled @ last).numpy()

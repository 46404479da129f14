"""Feature networks with weights filled from a recipe, as the goldens of the official tools were made with."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any


def filled(state: dict[str, Any]) -> dict[str, Any]:
    """A state dict with every floating entry drawn from a seed that its name gives."""
    import torch

    found = {}
    for name, value in state.items():
        if not value.is_floating_point():
            found[name] = value
            continue
        g = torch.Generator().manual_seed(int(hashlib.sha256(name.encode()).hexdigest()[:8], 16))
        weights = torch.randn(value.shape, generator=g)
        if value.ndim == 4:
            weights *= math.sqrt(1 / math.prod(value.shape[1:]))
        elif value.ndim == 2:
            weights *= 3 / math.sqrt(value.shape[1])
        else:
            weights *= 0.02
        if name.endswith("running_var"):
            weights = weights.abs() + 0.5
        elif value.ndim == 1 and name.endswith(".weight"):
            weights += 1
        found[name] = weights
    return found


def inception_file(folder: Path) -> Path:
    """A file of weights for Inception, 96 MB."""
    import torch

    from vismark.instruments.features.inception_network import assembled

    path = folder / "inception.pth"
    torch.save(filled(dict(assembled().state_dict())), path)
    return path

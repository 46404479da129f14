"""torchvision beside another torch than it was compiled for, as after a plain installation on a machine without a GPU.

Its compiled library then does not load, and importing it dies on the two operators for which it registers shapes
without asking whether they are there; timm, open_clip and torch-fidelity, which only need its Python parts, die with
it. Declaring the two lets all of them be imported; what is compiled (non-maximum suppression, ROI pooling) still
says that it is missing, when it is called. Tried with torch 2.13.0 and torchvision 0.28.0.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# As torchvision's ops/nms.cpp and ops/quantized declare them.
_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


@cache
def make_importable() -> Any:
    """To be called before anything is imported that imports torchvision; without torchvision it does nothing.

    Returns:
        What keeps the declarations alive, or None when none are needed.

    Raises:
        ModuleNotFoundError: torch is not installed.
    """
    import torch

    spec = find_spec("torchvision") if "torchvision" not in sys.modules else None
    if spec is None or spec.origin is None or _loads(Path(spec.origin).parent):
        return None
    declared = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for schema in _SCHEMAS:
        declared.define(schema)  # type: ignore[no-untyped-call]
    return declared


def _loads(package: Path) -> bool:
    """Whether the compiled library of torchvision is there and fits this torch."""
    import torch

    for suffix in EXTENSION_SUFFIXES:
        if (package / f"_C{suffix}").exists():
            try:
                torch.ops.load_library(str(package / f"_C{suffix}"))  # type: ignore[no-untyped-call]
            except OSError:
                return False
            return True
    return False

"""Whether this machine's detections can be trusted: the network computed with known weights, and a drawing.

A broken GPU build gives small scores in silence, and a GenEval of 0. With weights that a recipe fills in, the logits of
mmdet's own Mask2Former on a fixed input are known (``canary.json``), so that the check needs no download.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from vismark.problems import Problems
from vismark.runtime.devices import device as chosen

if TYPE_CHECKING:
    import torch

# Logits of order 1; mmdet and transformers differ by 1e-6 on a CPU, GPUs in float32 by less than this.
_TOLERANCE = 1e-3
# Scores of two devices, and the least that a plain drawing of a stop sign should get.
_SCORES, _LEAST = 1e-2, 0.3
_SEED, _SIZE = 11, (96, 128)


class Known(msgspec.Struct, frozen=True):
    """Logits of mmdet 2.28.2: of every 10th query and 8th class, and of a grid of every 10th mask."""

    class_logits: list[list[float]]
    mask_logits: list[list[list[float]]]


@cache
def known() -> Known:
    """What the network must give."""
    return msgspec.json.decode(Path(__file__).with_name("canary.json").read_bytes(), type=Known)


def recipe(shapes: Mapping[str, Sequence[int]]) -> dict[str, torch.Tensor]:
    """Every parameter drawn from a seed that its name gives: normal · 0.02, weights of normalisations + 1."""
    import torch

    filled = {}
    for name, shape in shapes.items():
        random = torch.Generator().manual_seed(int(hashlib.sha256(name.encode()).hexdigest()[:8], 16))
        drawn = torch.randn(*shape, generator=random) * 0.02
        filled[name] = drawn + 1 if len(shape) == 1 and name.endswith(".weight") else drawn
    return filled


def check(name: str) -> Problems:
    """Compute the network with known weights on the device called `name` and compare with mmdet."""
    import torch

    problems, device = Problems(), chosen(name)
    network = _known_network().to(device)
    pixels = torch.randn((1, 3, *_SIZE), generator=torch.Generator().manual_seed(_SEED)).to(device)
    with torch.inference_mode():
        out = network(pixel_values=pixels)
    classes, masks = out.class_queries_logits[0].cpu().numpy(), out.masks_queries_logits[0].cpu().numpy()
    pairs = ((classes[::10, ::8], known().class_logits), (masks[::10, ::6, ::8], known().mask_logits))
    off = max(float(np.abs(ours - np.array(theirs)).max()) for ours, theirs in pairs)
    if not off <= _TOLERANCE:
        message = f"the detector's network differs from mmdet's by {off:.2g} on {device.type}, more than {_TOLERANCE}"
        fix = "Do not trust scores of this machine: another torch build or driver, or --device cpu."
        problems.add("DETECTOR_DEVICE", message, fix=fix, value=off)
    return problems


def compare(detector: Any, problems: Problems) -> None:
    """Run the detector on a drawn stop sign, on its device and on the CPU, and report what differs or is not found."""
    import torch

    (found,) = detector.measure([stop_sign()])
    best = max((one.score for one in found if one.category == "stop sign"), default=0.0)
    if best < _LEAST:
        message = f"a drawn stop sign gets the score {best:.3f}; the largest of all is {_largest(found):.3f}"
        fix = "Scores near 0 for everything mean a broken installation; compare with --device cpu."
        problems.add("DETECTOR_DRAWING", message, severity="warning", fix=fix, value=best)
    if detector.device.type != "cpu":
        other, where = detector.network.to("cpu"), detector.device
        detector.device = torch.device("cpu")
        (again,) = detector.measure([stop_sign()])
        detector.device = where
        other.to(where)
        if abs(_largest(found) - _largest(again)) > _SCORES:
            message = f"the best score is {_largest(found):.4f} on {where.type}, {_largest(again):.4f} on the CPU"
            problems.add("DETECTOR_DEVICE", message, fix="Another torch build or driver, or --device cpu.")


def stop_sign() -> NDArray[np.uint8]:
    """A red octagon with a white rim on a pole before sky and grass: uint8 RGB of 512 × 512."""
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (512, 512), (135, 190, 235))
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 400, 512, 512), fill=(96, 142, 70))
    pen.rectangle((248, 300, 264, 512), fill=(120, 120, 125))
    for radius, colour in ((150, (245, 245, 245)), (138, (190, 20, 30))):
        angles = (np.arange(8) + 0.5) * np.pi / 4
        corners = [(256 + radius * np.cos(at), 200 + radius * np.sin(at)) for at in angles]
        pen.polygon(corners, fill=colour)
    pen.text((256, 200), "STOP", fill=(245, 245, 245), anchor="mm", font_size=88)
    return np.asarray(picture, np.uint8)


def _largest(found: Any) -> float:
    return max((one.score for one in found), default=0.0)


@cache
def _known_network() -> Any:
    from vismark.instruments.mask2former.detector import assembled, filled_from_mmdet
    from vismark.instruments.mask2former.keys import mmdet_shapes

    network = assembled()
    return filled_from_mmdet(recipe(mmdet_shapes(network.state_dict()))).eval()

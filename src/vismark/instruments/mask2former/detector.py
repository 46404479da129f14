"""Mask2Former as GenEval's detector: mmdet's official weights, or a checkpoint of transformers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vismark.cards import InstrumentCard
from vismark.formats.detection_write import encode_mask
from vismark.formats.geneval import Found, Mask, object_names
from vismark.instruments.base import Tools
from vismark.instruments.mask2former import canary
from vismark.instruments.mask2former.keys import converted
from vismark.instruments.mask2former.processing import Objects, Prepared, find, prepare
from vismark.problems import Missing, Problems, refuse
from vismark.runtime.devices import device
from vismark.runtime.digests import digest_of_file, digest_of_parts
from vismark.runtime.torchvision import make_importable

if TYPE_CHECKING:
    import torch

# OpenMMLab puts the first digits of the sha256 into the name of a checkpoint.
_OFFICIAL = "sha256:743b7d99"
# What may be absent in a checkpoint: a normalisation that nothing uses, and a weight of the loss.
_UNUSED = {
    "model.pixel_level_module.encoder.swin.layernorm.weight",
    "model.pixel_level_module.encoder.swin.layernorm.bias",
    "criterion.empty_weight",
}


class Mask2Former:
    """Finds COCO's 80 classes; pictures of one size after preparation go through the network together.

    Args:
        name: of the card.
        weights: digest of the weights.
        make: gives the network, on the CPU in float32.
        tools: device, dtype and batch size; by default four pictures at once on a GPU, one on a CPU.

    Attributes:
        batch: pictures given to `measure` at once.
        floor: objects with a lower score are left out.
    """

    batch = 8
    floor = float(np.float32(0.05))

    def __init__(self, name: str, weights: str, make: Callable[[], torch.nn.Module], tools: Tools) -> None:
        self.name = name
        self.identity: Mapping[str, str] = {"weights": weights, "processing": "mmdet 2.28.2", "dtype": tools.dtype}
        self.tools = tools
        self._make = make

    @cached_property
    def device(self) -> torch.device:
        """Where the network runs."""
        return device(self.tools.device)

    @cached_property
    def network(self) -> Any:
        """The network, made when it is first used."""
        import torch

        return self._make().eval().requires_grad_(False).to(self.device, getattr(torch, self.tools.dtype))

    def measure(self, items: Sequence[NDArray[np.uint8]]) -> list[tuple[Found, ...]]:
        """The objects in each picture (uint8 RGB of any size), with masks, in no order."""
        prepared = [prepare(pixels) for pixels in items]
        shapes = sorted({one.tensor.shape for one in prepared})
        size = self.tools.batch_size or (4 if self.device.type == "cuda" else 1)
        found: dict[int, tuple[Found, ...]] = {}
        for shape in shapes:
            rows = [row for row, one in enumerate(prepared) if one.tensor.shape == shape]
            for start in range(0, len(rows), size):
                part = rows[start : start + size]
                found |= dict(zip(part, self._batch([prepared[row] for row in part], size), strict=True))
        return [found[row] for row in range(len(items))]

    def selftest(self) -> Problems:
        """Whether this device finds something in a drawing, and the same as the CPU does."""
        problems = Problems()
        canary.compare(self, problems)
        return problems

    def _batch(self, prepared: Sequence[Prepared], size: int) -> list[tuple[Found, ...]]:
        """A batch of always one size: products of matrices are rounded differently in batches of another."""
        import torch

        empty = np.zeros_like(prepared[0].tensor)
        stacked = np.stack([*(one.tensor for one in prepared), *[empty] * (size - len(prepared))])
        with torch.inference_mode():
            pixels = torch.from_numpy(stacked).to(self.device, next(self.network.parameters()).dtype)
            out = self.network(pixel_values=pixels)
            pairs = zip(out.class_queries_logits, out.masks_queries_logits, prepared, strict=False)
            return [self._listed(find(classes, masks, one)) for classes, masks, one in pairs]

    def _listed(self, objects: Objects) -> tuple[Found, ...]:
        names = object_names()
        kept = (objects.scores >= self.floor).nonzero()[:, 0].tolist()
        found = []
        for row in kept:
            mask = encode_mask(objects.masks[row].cpu().numpy())
            left, top, right, bottom = objects.boxes[row].tolist()
            name, score = names[int(objects.labels[row])], float(objects.scores[row])
            found.append(Found(name, (left, top, right, bottom), score, mask=Mask(mask.size, mask.counts.decode())))
        return tuple(found)


def official(card: InstrumentCard, tools: Tools) -> Mask2Former:
    """The official detector: mmdet's checkpoint in transformers.

    Raises:
        Missing: the weights are not there.
        Refused: the file is another one.
    """
    path = tools.place(card)
    digest = digest_of_file(path)
    if not digest.startswith(_OFFICIAL):
        message = f"the digest {digest[:20]}… does not begin with {_OFFICIAL}: this is not the official checkpoint"
        fix = "Get it again; other weights of this network are the instrument mask2former-transformers."
        raise refuse("DETECTOR_WEIGHTS", message, file=path.name, fix=fix)
    return Mask2Former(card.name, digest, lambda: from_mmdet(path), tools)


def transformers(card: InstrumentCard, tools: Tools) -> Mask2Former:
    """A Mask2Former in transformers' format with 80 classes in COCO's order; a folder of config and safetensors.

    Raises:
        Missing: the folder is not there.
    """
    folder = tools.place(card)
    if not (folder / "config.json").is_file():
        raise Missing(f"{card.name} needs a folder with config.json and model.safetensors: --weights {card.name}=DIR.")
    files = sorted(path for path in folder.glob("*") if path.suffix in (".json", ".safetensors"))
    digest = digest_of_parts({path.name: digest_of_file(path) for path in files})
    return Mask2Former(card.name, digest, lambda: _from_transformers(folder), tools)


def assembled() -> Any:
    """The network of the official detector, with random weights."""
    make_importable()
    from transformers import Mask2FormerConfig, Mask2FormerForUniversalSegmentation, SwinConfig

    stages = ["stage1", "stage2", "stage3", "stage4"]
    swin: dict[str, Any] = {"embed_dim": 96, "depths": (2, 2, 18, 2), "num_heads": (3, 6, 12, 24), "window_size": 7}
    swin["out_features"] = stages
    whole: dict[str, Any] = {"backbone_config": SwinConfig(**swin), "num_labels": 80}
    config = Mask2FormerConfig(**whole)
    return Mask2FormerForUniversalSegmentation(config)


def filled_from_mmdet(state: Mapping[str, torch.Tensor]) -> Any:
    """The network with the parameters of an mmdet checkpoint.

    Raises:
        Refused: parameters are unknown or missing.
    """
    network = assembled()
    try:
        own = converted(state)
        left = network.load_state_dict(own, strict=False)
        wrong = [*left.unexpected_keys, *(name for name in left.missing_keys if name not in _UNUSED)]
    except (KeyError, RuntimeError) as error:
        wrong = [str(error)]
    if wrong:
        message = f"{len(wrong)} parameter(s) do not fit the detector, e.g. {wrong[0]}"
        raise refuse("DETECTOR_WEIGHTS", message, fix="Use the checkpoint that the card names.")
    return network


def from_mmdet(path: Path) -> Any:
    """The network from mmdet's file; nothing in the file runs.

    Raises:
        Refused: it cannot be read, or holds another network.
    """
    import torch

    try:
        data = torch.load(path, map_location="cpu", weights_only=True)
        state = data["state_dict"]
    except Exception as error:  # the reader raises whatever a broken file leads it to
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        fix = "Get it again; it is a checkpoint of mmdet."
        raise refuse("DETECTOR_WEIGHTS", f"cannot be read: {reason}", file=path.name, fix=fix) from error
    return filled_from_mmdet(state)


def _from_transformers(folder: Path) -> Any:
    make_importable()
    from transformers import Mask2FormerForUniversalSegmentation

    network = Mask2FormerForUniversalSegmentation.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    classes = network.config.num_labels
    if classes != len(object_names()):
        message = f"the checkpoint knows {classes} classes, GenEval's are COCO's 80 in order"
        raise refuse("DETECTOR_WEIGHTS", message, file=folder.name, fix="Use a checkpoint for COCO instances.")
    return network

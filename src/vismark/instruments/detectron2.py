"""A detector of detectron2's model zoo for GenEval: another detector than the official one, and said to be so.

detectron2 is on no package index: ``pip install --no-build-isolation git+https://github.com/facebookresearch/detectron2``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vismark.cards import InstrumentCard
from vismark.formats.detection_write import encode_mask
from vismark.formats.geneval import Found, Mask, object_names
from vismark.instruments.base import Tools
from vismark.problems import Missing, Problems
from vismark.runtime.checkpoints import load, tensors
from vismark.runtime.devices import device
from vismark.runtime.digests import digest_of_file

_CONFIG = "COCO-InstanceSegmentation/mask_rcnn_X_101_32x8d_FPN_3x.yaml"


class Detectron2:
    """Mask R-CNN with a configuration of the zoo and its weights as safetensors or a state dict of torch.

    Raises:
        Missing: detectron2 or the weights are not there.
    """

    batch = 1
    floor = float(np.float32(0.05))

    def __init__(self, card: InstrumentCard, tools: Tools) -> None:
        try:
            import detectron2.model_zoo  # type: ignore[import-not-found]  # noqa: F401
        except ModuleNotFoundError as error:
            how = "pip install --no-build-isolation git+https://github.com/facebookresearch/detectron2"
            raise Missing(f"{card.name} needs detectron2, which is on no package index: `{how}`.") from error
        self.name = card.name
        self.tools = tools
        self.path = tools.place(card)
        self.config = str(tools.settings.get("detector", {}).get("config", _CONFIG))
        self.identity: Mapping[str, str] = {"weights": digest_of_file(self.path), "config": self.config}

    @cached_property
    def network(self) -> Any:
        """The network on its device."""
        from detectron2 import model_zoo
        from detectron2.modeling import build_model  # type: ignore[import-not-found]

        config = model_zoo.get_config(self.config)
        config.MODEL.DEVICE = str(device(self.tools.device))
        config.MODEL.ROI_HEADS.SCORE_THRESH_TEST = self.floor
        network = build_model(config)
        load(network, self.path, tensors(self.path))
        return network.eval()

    def measure(self, items: Sequence[NDArray[np.uint8]]) -> list[tuple[Found, ...]]:
        """The objects in each picture (uint8 RGB); the network takes BGR, shorter side 800."""
        import torch

        inputs = []
        for pixels in items:
            height, width = pixels.shape[:2]
            scale = min(800 / min(height, width), 1333 / max(height, width))
            tensor = torch.from_numpy(np.ascontiguousarray(pixels[..., ::-1].transpose(2, 0, 1))).float()
            size = (round(height * scale), round(width * scale))
            resized = torch.nn.functional.interpolate(tensor[None], size, mode="bilinear")[0]
            inputs.append({"image": resized, "height": height, "width": width})
        with torch.inference_mode():
            return [_listed(out["instances"]) for out in self.network(inputs)]

    def selftest(self) -> Problems:
        """Whether a plain picture goes through."""
        self.measure([np.full((64, 64, 3), 128, np.uint8)])
        return Problems()


def _listed(instances: Any) -> tuple[Found, ...]:
    names, found = object_names(), []
    boxes, masks = instances.pred_boxes.tensor.tolist(), instances.pred_masks.cpu().numpy()
    rows = zip(boxes, instances.scores.tolist(), instances.pred_classes.tolist(), masks, strict=True)
    for (left, top, right, bottom), score, label, pixels in rows:
        mask = encode_mask(pixels)
        box = (left, top, right, bottom)
        found.append(Found(names[label], box, score, mask=Mask(mask.size, mask.counts.decode())))
    return tuple(found)

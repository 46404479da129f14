"""The features of FD-DINOv2: the class token of a vision transformer (Stein et al., arXiv:2306.04675)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vismark.instruments.features import treatments
from vismark.instruments.features.base import FeatureNetwork, rows
from vismark.problems import Missing, Problems
from vismark.runtime.checkpoints import load, tensors
from vismark.runtime.torchvision import make_importable

if TYPE_CHECKING:
    import torch

SIZE = 224
_PATCH = 14
# timm's name for the layout of each official width.
_LAYOUTS = {384: "vit_small_patch14_dinov2", 768: "vit_base_patch14_dinov2", 1024: "vit_large_patch14_dinov2"}


class DinoV2(FeatureNetwork):
    """Measures uint8 RGB images of any sizes: one float32 vector (1024,) each.

    The package of the paper treats images by ``squash``, torch-fidelity by ``tf1``.
    """

    usual = "squash"

    @cached_property
    def network(self) -> Any:
        """The network, made on first use.

        Raises:
            Missing: timm is not installed.
            Refused: the weights are those of another network.
        """
        state = {name: value for name, value in tensors(self.path).items() if name != "mask_token"}
        network = _network(int(state["cls_token"].shape[-1]) if "cls_token" in state else 1024)
        load(network, self.path, _at_size(state))
        return network.requires_grad_(False).to(self.device, self.dtype)

    def measure(self, items: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        """The class token of each image."""
        import torch

        def run(images: list[NDArray[np.uint8]]) -> torch.Tensor:
            x = self.treat(images, SIZE, treatments.IMAGENET)
            with torch.inference_mode():
                found: torch.Tensor = self.network.forward_features(x.to(self.dtype))[:, 0]
            return found

        return rows(items, self.batch, run)

    def selftest(self) -> Problems:
        """Whether features are finite."""
        problems = Problems()
        if not np.isfinite(self.measure([np.zeros((SIZE, SIZE, 3), np.uint8)])[0]).all():
            problems.add("INSTRUMENT_SELFTEST", "features are not finite", item=self.name)
        return problems


def _network(width: int) -> torch.nn.Module:
    make_importable()
    try:
        import timm
    except ModuleNotFoundError as error:
        raise Missing("DINOv2 needs timm: `pip install 'vismark[models]'`.") from error
    layout = _LAYOUTS.get(width, _LAYOUTS[1024])
    network: torch.nn.Module = timm.create_model(layout, pretrained=False, img_size=SIZE, num_classes=0)
    return network.eval()


def _at_size(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights with the positions of 37×37 patches (518 pixels) brought to 16×16, as the official code does it.

    Bicubic, not antialiased, with the factor (16 + 0.1) / 37, which reads the places slightly off; timm does it
    otherwise.
    """
    import torch

    if "pos_embed" not in state:
        return dict(state)
    token, places = state["pos_embed"][:, :1], state["pos_embed"][:, 1:]
    side, wanted = round(places.shape[1] ** 0.5), SIZE // _PATCH
    if side != wanted:
        grid = places.reshape(1, side, side, -1).permute(0, 3, 1, 2).float()
        factor = (wanted + 0.1) / side
        grid = torch.nn.functional.interpolate(grid, scale_factor=(factor, factor), mode="bicubic")
        places = grid.permute(0, 2, 3, 1).reshape(1, wanted * wanted, -1)
    return dict(state) | {"pos_embed": torch.cat([token, places], dim=1)}

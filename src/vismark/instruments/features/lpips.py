"""LPIPS (Zhang et al., arXiv:1801.03924) with VGG16, as MaskBit's tokenizer evaluator calls it (5ea3d73).

Maps after five ReLUs are scaled to length 1 in each place; their squared differences are weighted by channel, averaged
over places, and summed over the five.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vismark.cards import InstrumentCard
from vismark.instruments.base import Tools
from vismark.instruments.features.base import batches
from vismark.problems import Missing, Problems
from vismark.runtime.checkpoints import load, tensors
from vismark.runtime.devices import device
from vismark.runtime.digests import digest_of_file
from vismark.runtime.torchvision import make_importable

if TYPE_CHECKING:
    import torch

# Layers of VGG16 after which its maps are compared: relu1_2, relu2_2, relu3_3, relu4_3, relu5_3.
_ENDS = (3, 8, 15, 22, 29)
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
_BATCH = 8


class Lpips:
    """Measures pairs (original, reconstruction) of float images in 0 … 1, shape (height, width, 3): one number each.

    Raises:
        Missing: the weights are not there: a folder with both files of the card.
    """

    def __init__(self, card: InstrumentCard, tools: Tools) -> None:
        self.name = card.name
        self.card = card
        self.tools = tools
        self.batch = tools.batch_size or _BATCH
        folder = tools.place(card)
        self.paths = [folder / one.path.rpartition("/")[2] for one in card.files]
        for path in self.paths:
            if not path.is_file():
                raise Missing(f"{card.name} needs {path.name} in {folder}: `vismark download {card.name}`.")

    @cached_property
    def identity(self) -> dict[str, str]:
        """Network, weights, dtype."""
        digests = {path.name: digest_of_file(path) for path in self.paths}
        return {"network": f"{self.name} {self.card.version}", "dtype": "float32"} | digests

    @property
    def departs(self) -> str:
        """How and why distances are not the official ones, or ""."""
        other = [
            path.name
            for path, file in zip(self.paths, self.card.files, strict=True)
            if file.digest and self.identity[path.name] != file.digest
        ]
        return f"the weights of {self.name} are not the official ones ({', '.join(other)})" if other else ""

    @cached_property
    def network(self) -> tuple[Any, list[torch.Tensor]]:
        """VGG16's layers, and the weight of each channel of the five maps; made on first use.

        Raises:
            Refused: the weights are those of another network.
        """
        make_importable()
        try:
            from torchvision.models.vgg import cfgs, make_layers
        except ModuleNotFoundError as error:
            raise Missing("LPIPS needs torchvision: `pip install 'vismark[models]'`.") from error
        layers = make_layers(cfgs["D"]).eval().requires_grad_(False)  # VGG16 without its classifier
        state = tensors(self.paths[0])
        prefix = "features."
        load(layers, self.paths[0], {n.removeprefix(prefix): w for n, w in state.items() if n.startswith(prefix)})
        channels = tensors(self.paths[1])
        where = device(self.tools.device)
        return layers.to(where), [channels[f"lin{n}.model.1.weight"].to(where) for n in range(len(_ENDS))]

    def measure(self, items: Sequence[tuple[NDArray[np.floating], NDArray[np.floating]]]) -> list[float]:
        """The distance of each pair; pairs given at once have images of one size."""
        import torch

        found: list[float] = []
        for pairs, real in batches(items, self.batch):
            both = [np.stack([pair[side] for pair in pairs]).astype(np.float32) for side in (0, 1)]
            with torch.inference_mode():
                found += self._distances(*(torch.from_numpy(x).permute(0, 3, 1, 2) for x in both))[:real].tolist()
        return found

    def selftest(self) -> Problems:
        """Whether an image is at distance 0 of itself and further from another."""
        problems, image = Problems(), np.random.default_rng(0).random((64, 64, 3))
        same, other = self.measure([(image, image), (image, 1 - image)])
        if same != 0 or not other > 0:
            problems.add("INSTRUMENT_SELFTEST", f"distances are {same} and {other}", item=self.name)
        return problems

    def _distances(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        import torch

        layers, weights = self.network
        where = weights[0].device
        shift, scale = (torch.tensor(one, device=where).view(1, 3, 1, 1) for one in (_SHIFT, _SCALE))
        x, y = ((one.to(where) * 2 - 1 - shift) / scale for one in (first, second))
        total = torch.zeros(len(x), device=where)
        for number, layer in enumerate(layers[: _ENDS[-1] + 1]):
            x, y = layer(x), layer(y)
            if number in _ENDS:
                difference = (_unit(x) - _unit(y)) ** 2
                weighted = torch.nn.functional.conv2d(difference, weights[_ENDS.index(number)])
                total = total + weighted.mean(dim=(1, 2, 3))
        return total


def _unit(maps: torch.Tensor) -> torch.Tensor:
    """Each place scaled to length 1 over its channels."""
    return maps / ((maps**2).sum(dim=1, keepdim=True).sqrt() + 1e-10)

"""Embeddings of CLIPScore and CMMD: OpenAI's CLIP in open_clip's form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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

# Instrument → open_clip's name of the layout, input size in pixels.
_LAYOUTS = {
    "clip-vit-b32": ("ViT-B-32", 224),
    "clip-vit-l14": ("ViT-L-14", 224),
    "clip-vit-l14-336": ("ViT-L-14-336", 336),
}


class Clip(FeatureNetwork):
    """Measures uint8 RGB images of any sizes, and texts (cut to 77 tokens): one float32 vector each, of any length.

    CLIP itself treats images by ``crop``, CMMD by ``squash``, torch-fidelity by ``tf1``, CrossFlow ``as-is``.
    """

    usual = "crop"

    @property
    def layout(self) -> str:
        """open_clip's name of the network."""
        return _LAYOUTS[self.name][0]

    @property
    def size(self) -> int:
        """Height and width of its input in pixels."""
        return _LAYOUTS[self.name][1]

    @cached_property
    def network(self) -> Any:
        """The network, made on first use.

        Raises:
            Missing: open_clip is not installed.
            Refused: the weights are those of another network.
        """
        network = _open_clip().create_model(self.layout, pretrained=None, force_quick_gelu=True)
        load(network, self.path, tensors(self.path))
        return network.eval().requires_grad_(False).to(self.device, self.dtype)

    def measure(self, items: Sequence[NDArray[np.uint8] | str]) -> list[NDArray[np.float32]]:
        """The embedding of each image or text, in order, not normalised."""
        found: list[Any] = [None] * len(items)
        for kind, run in ((str, self._texts), (np.ndarray, self._images)):
            own = [number for number, item in enumerate(items) if isinstance(item, kind)]
            for number, row in zip(own, rows([items[n] for n in own], self.batch, run), strict=True):
                found[number] = row
        return found

    def selftest(self) -> Problems:
        """Whether embeddings are finite."""
        problems = Problems()
        image = np.zeros((self.size, self.size, 3), np.uint8)
        if not all(np.isfinite(one).all() for one in self.measure([image, "nothing"])):
            problems.add("INSTRUMENT_SELFTEST", "embeddings are not finite", item=self.name)
        return problems

    def _images(self, images: list[Any]) -> torch.Tensor:
        x = self.treat(images, self.size, treatments.CLIP)
        return self._run(self.network.encode_image, x.to(self.dtype))

    def _texts(self, texts: list[str]) -> torch.Tensor:
        tokens = _open_clip().get_tokenizer(self.layout)(texts)
        return self._run(self.network.encode_text, tokens.to(self.device))

    def _run(self, encode: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        import torch

        with torch.inference_mode():
            return encode(x)


def _open_clip() -> Any:
    make_importable()
    try:
        import open_clip
    except ModuleNotFoundError as error:
        raise Missing("CLIP needs open_clip: `pip install 'vismark[models]'`.") from error
    return open_clip

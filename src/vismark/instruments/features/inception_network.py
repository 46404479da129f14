"""The Inception network of FID (2015-12-05), assembled from the blocks of torch-fidelity's port.

Batch normalisation is folded into the convolutions and channels are last in memory: half as fast again on a CPU, and
features move by less than 1e-6 of their largest. One pass gives all that the metrics need.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vismark.problems import Missing
from vismark.runtime.checkpoints import load, tensors
from vismark.runtime.torchvision import make_importable

if TYPE_CHECKING:
    import torch

SIZE = 299
# sFID takes the first channels of this convolution, before normalisation and ReLU.
_SPATIAL, _CHANNELS = "Mixed_6d.branch1x1.conv.weight", 7
# Name in the port, class of the port, its arguments.
_BLOCKS: tuple[tuple[str, str, dict[str, int]], ...] = (
    ("Conv2d_1a_3x3", "BasicConv2d", {"in_channels": 3, "out_channels": 32, "kernel_size": 3, "stride": 2}),
    ("Conv2d_2a_3x3", "BasicConv2d", {"in_channels": 32, "out_channels": 32, "kernel_size": 3}),
    ("Conv2d_2b_3x3", "BasicConv2d", {"in_channels": 32, "out_channels": 64, "kernel_size": 3, "padding": 1}),
    ("MaxPool_1", "", {}),
    ("Conv2d_3b_1x1", "BasicConv2d", {"in_channels": 64, "out_channels": 80, "kernel_size": 1}),
    ("Conv2d_4a_3x3", "BasicConv2d", {"in_channels": 80, "out_channels": 192, "kernel_size": 3}),
    ("MaxPool_2", "", {}),
    ("Mixed_5b", "InceptionA", {"in_channels": 192, "pool_features": 32}),
    ("Mixed_5c", "InceptionA", {"in_channels": 256, "pool_features": 64}),
    ("Mixed_5d", "InceptionA", {"in_channels": 288, "pool_features": 64}),
    ("Mixed_6a", "InceptionB", {"in_channels": 288}),
    ("Mixed_6b", "InceptionC", {"in_channels": 768, "channels_7x7": 128}),
    ("Mixed_6c", "InceptionC", {"in_channels": 768, "channels_7x7": 160}),
    ("Mixed_6d", "InceptionC", {"in_channels": 768, "channels_7x7": 160}),
    ("Mixed_6e", "InceptionC", {"in_channels": 768, "channels_7x7": 192}),
    ("Mixed_7a", "InceptionD", {"in_channels": 768}),
    ("Mixed_7b", "InceptionE_1", {"in_channels": 1280}),
    ("Mixed_7c", "InceptionE_2", {"in_channels": 2048}),
)


class Output(NamedTuple):
    """One pass over n images: `pool` (n, 2048); `spatial` (n, 2023), row by row, channels last; `logits` (n, 1008).

    The logits are those of the Inception Score: without the bias.
    """

    pool: torch.Tensor
    spatial: torch.Tensor
    logits: torch.Tensor


class Inception:
    """The network, ready to run.

    Args:
        path: the port's weights: the 566 entries of its state dict.
        dtype: of the network; the output is float32 in any case.

    Raises:
        vismark.problems.Missing: torch-fidelity is not installed.
        vismark.problems.Refused: the weights are those of another network.
    """

    def __init__(self, path: Path, device: torch.device, dtype: torch.dtype) -> None:
        import torch

        state = tensors(path)
        network = assembled()
        load(network, path, state)
        self.spatial = state[_SPATIAL][:_CHANNELS].to(device, dtype)
        self.last = state["fc.weight"].to(device, dtype)
        self.dtype = dtype
        self.blocks = torch.nn.ModuleDict({name: network[name] for name, _, _ in _BLOCKS})
        _fold(self.blocks)
        self.blocks.requires_grad_(False).to(device, dtype)
        self.blocks.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def __call__(self, x: torch.Tensor) -> Output:
        """Features of treated images (n, 3, 299, 299)."""
        import torch
        from torch.nn.functional import conv2d

        with torch.inference_mode():
            x = x.to(self.dtype, memory_format=torch.channels_last)
            for name, block in self.blocks.items():
                if name == "Mixed_6d":
                    spatial = conv2d(x, self.spatial).permute(0, 2, 3, 1).flatten(1)
                x = block(x)
            pool = x.mean(dim=(2, 3))
            return Output(*(one.float() for one in (pool, spatial, pool @ self.last.T)))


def assembled() -> torch.nn.ModuleDict:
    """The network by its parts, with the names of the port, in evaluation mode; weights are random.

    Raises:
        vismark.problems.Missing: torch-fidelity is not installed.
    """
    import torch

    make_importable()
    try:
        from torch_fidelity import feature_extractor_inceptionv3 as port
    except ModuleNotFoundError as error:
        raise Missing("Inception needs torch-fidelity: `pip install 'vismark[models]'`.") from error
    parts = {
        name: getattr(port, kind)(**arguments) if kind else torch.nn.MaxPool2d(kernel_size=3, stride=2)
        for name, kind, arguments in _BLOCKS
    }
    return torch.nn.ModuleDict(parts | {"fc": torch.nn.Linear(2048, 1008)}).eval()


def _fold(network: torch.nn.Module) -> None:
    """Fold every batch normalisation into its convolution."""
    import torch
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    for block in network.modules():
        conv, bn = getattr(block, "conv", None), getattr(block, "bn", None)
        if isinstance(conv, torch.nn.Conv2d) and isinstance(bn, torch.nn.BatchNorm2d):
            block.conv, block.bn = fuse_conv_bn_eval(conv, bn), torch.nn.Identity()

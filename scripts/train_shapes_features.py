"""Trains the feature network of the shapes miniature: `python scripts/train_shapes_features.py OUT.npz`.

Three convolutions over 32 × 32 pixels learn the shape, its colour and its ground from portraits that no benchmark
uses. The same seed gives nearly, not exactly, the same weights on another machine, so the trained file is kept in the
package and its digest is the instrument's identity. Needs torch; takes a few minutes on two cores.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import nn

from vismark.datasets.shapes.drawing import COLOURS
from vismark.datasets.shapes.portraits import CLASSES, FIRST, SIZE
from vismark.datasets.shapes.scenes import STUFF, THINGS, portrait
from vismark.instruments.shapes_features import SIDE, convolved, shrunk

WIDTHS = (16, 32, 32)


class Network(nn.Module):
    """The network that `vismark.instruments.shapes_features` computes with NumPy, and two heads that it leaves out."""

    def __init__(self) -> None:
        super().__init__()
        pairs = zip((3, *WIDTHS), WIDTHS, strict=False)
        self.convolutions = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairs)
        self.heads = nn.ModuleList(nn.Linear(WIDTHS[-1], n) for n in (len(CLASSES), len(COLOURS), len(STUFF)))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Logits of the shape, the colour and the ground for images (n, 3, 32, 32) in −1 … 1."""
        for convolution in self.convolutions:
            x = torch.relu(convolution(x))
        return [head(x.mean(dim=(2, 3))) for head in self.heads]


def draw(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """`count` portraits (n, 3, 32, 32) and their labels (n, 3)."""
    images, labels = [], []
    for index in range(FIRST["train"], FIRST["train"] + count):
        rng = np.random.default_rng([seed, 0, index])
        kind, colour, ground = (int(rng.integers(n)) for n in (len(CLASSES), len(COLOURS), len(STUFF)))
        pixels = portrait(rng, THINGS[kind], tuple(COLOURS)[colour], STUFF[ground], SIZE)
        images.append(shrunk(pixels, "clean"))
        labels.append((kind, colour, ground))
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous(), torch.tensor(labels)


def calm(weights: dict[str, np.ndarray], images: torch.Tensor) -> None:
    """Scale features to a deviation of 0.4, as Inception's are, and logits to one of 5: KID takes third powers, and
    probabilities must not underflow. ReLU passes the scale of the last convolution on."""
    x = images.permute(0, 2, 3, 1).numpy()
    for layer in range(len(WIDTHS)):
        x = np.maximum(convolved(x, weights[f"conv{layer}.weight"]) + weights[f"conv{layer}.bias"], 0)
    pool = x.mean(axis=(1, 2))
    scale = 0.4 / pool.std(axis=0).mean()
    for name in ("weight", "bias"):
        weights[f"conv{len(WIDTHS) - 1}.{name}"] = weights[f"conv{len(WIDTHS) - 1}.{name}"] * scale
    weights["fc.weight"] = weights["fc.weight"] * (5 / (scale * pool @ weights["fc.weight"]).std())


def main() -> None:
    """Draw, train, report the accuracy on portraits that were not trained on, write the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--images", type=int, default=16_000)
    parser.add_argument("--epochs", type=int, default=40)
    chosen = parser.parse_args()
    torch.manual_seed(0)
    images, labels = draw(chosen.images, seed=1)
    held, held_labels = draw(1000, seed=2)
    network = Network()
    steps = chosen.epochs * (chosen.images // 128)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=steps)
    for _ in range(chosen.epochs):
        for batch in torch.randperm(len(images))[: chosen.images // 128 * 128].view(-1, 128):
            logits = network(images[batch])
            loss = sum(nn.functional.cross_entropy(one, labels[batch, k]) for k, one in enumerate(logits))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    with torch.no_grad():
        right = [(one.argmax(1) == held_labels[:, k]).float().mean().item() for k, one in enumerate(network(held))]
    print("accuracy: shape {:.3f}, colour {:.3f}, ground {:.3f}".format(*right))
    weights = {}
    for number, convolution in enumerate(network.convolutions):
        weights[f"conv{number}.weight"] = convolution.weight.detach().permute(2, 3, 1, 0).numpy()
        weights[f"conv{number}.bias"] = convolution.bias.detach().numpy()
    weights["fc.weight"] = network.heads[0].weight.detach().numpy().T
    calm(weights, held)
    np.savez(chosen.out, **{name: np.ascontiguousarray(value, np.float32) for name, value in weights.items()})
    assert images.shape[2:] == (SIDE, SIDE)


if __name__ == "__main__":
    main()

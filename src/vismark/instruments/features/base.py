"""What the feature networks have in common: their weights, their identity, batches of one size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeVar

from vismark.cards import InstrumentCard
from vismark.instruments.base import Tools
from vismark.instruments.features import treatments
from vismark.problems import Missing
from vismark.runtime.devices import device
from vismark.runtime.digests import digest_of_file

if TYPE_CHECKING:
    import torch

Item = TypeVar("Item")

BATCH = 32


class FeatureNetwork:
    """A network with frozen weights behind a treatment of images; it is made when it is first used.

    Args:
        treatment: how images are brought to the network, see `treatments`; None is the network's usual one.

    Attributes:
        batch: how many images the network gets at once.

    Raises:
        Missing: the weights are not there; the message says how to get them.
    """

    usual: treatments.Name

    def __init__(self, card: InstrumentCard, tools: Tools, treatment: treatments.Name | None = None) -> None:
        self.name = card.name
        self.card = card
        self.tools = tools
        self.treatment = treatment or self.usual
        self.path = tools.place(card)
        if not self.path.is_file():
            raise Missing(f"The weights of {card.name}, {self.path}, are no file.")
        self.batch = tools.batch_size or BATCH

    def treated(self, treatment: treatments.Name) -> Self:
        """The same network behind another treatment."""
        return type(self)(self.card, self.tools, treatment)

    @cached_property
    def digest(self) -> str:
        """Of the weights."""
        return digest_of_file(self.path)

    @property
    def identity(self) -> dict[str, str]:
        """What measured values depend on: network, weights, dtype, treatment."""
        return {
            "network": f"{self.card.name} {self.card.version}",
            "weights": self.digest,
            "dtype": self.tools.dtype,
            "treatment": self.treatment,
        }

    @property
    def departs(self) -> str:
        """How and why values are not those of the official network, or ""."""
        reasons = []
        official = self.card.files[0].digest if self.card.files else None
        if official and self.digest != official:
            reasons.append(f"the weights of {self.name} are not the official ones ({official[:19]}…)")
        if self.tools.dtype != "float32":
            reasons.append(f"{self.name} was run in {self.tools.dtype}, which moves every feature")
        return "; ".join(reasons)

    @cached_property
    def device(self) -> torch.device:
        """Where the network runs."""
        return device(self.tools.device)

    @property
    def dtype(self) -> torch.dtype:
        """What the network calculates in."""
        import torch

        found: torch.dtype = getattr(torch, self.tools.dtype)
        return found

    def treat(self, images: Sequence[treatments.Pixels], size: int, scale: treatments.Normalisation) -> torch.Tensor:
        """The input of the network: (n, 3, size, size) on its device."""
        return treatments.treated(images, self.treatment, size, scale, self.device)


def batches(items: Sequence[Item], size: int) -> Iterator[tuple[list[Item], int]]:
    """`items` in lists of exactly `size`, the last filled up with its last item, and how many of each are real.

    Products of matrices are rounded differently in batches of another size; in batches of one size, what else is in
    them changes nothing.
    """
    for start in range(0, len(items), size):
        part = list(items[start : start + size])
        yield part + [part[-1]] * (size - len(part)), len(part)


def rows(items: Sequence[Any], size: int, run: Callable[[list[Any]], torch.Tensor]) -> list[Any]:
    """One float32 vector an item, from a network that takes lists of `size` and gives a row for each."""
    found: list[Any] = []
    for batch, real in batches(items, size):
        found += list(run(batch)[:real].float().cpu().numpy())
    return found

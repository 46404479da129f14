"""The shape of an instrument, and what the user chose for the instruments of a measurement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from vismark import registry
from vismark.cards import InstrumentCard
from vismark.problems import Missing, Problems, Usage
from vismark.runtime.folders import data_root


class Instrument(Protocol):
    """A frozen measurer. Its class takes ``(card, tools)``; nothing heavy is imported before `measure`.

    `identity` is everything that a measured value depends on, as name → digest or version: weights, preprocessing,
    dtype. Values measured under another identity are never mixed with these. `selftest` tells whether this machine's
    values can be trusted.
    """

    @property
    def name(self) -> str: ...
    @property
    def identity(self) -> Mapping[str, str]: ...
    def measure(self, items: Sequence[Any], /) -> Sequence[Any]: ...
    def selftest(self) -> Problems: ...


class Absent:
    """Stands for an instrument whose weights or packages are not there: `check` needs none, measuring says what to get.

    Args:
        name: of the card.
        reason: what `measure` raises.
    """

    def __init__(self, name: str, reason: Missing) -> None:
        self.name = name
        self.reason = reason
        self.identity: Mapping[str, str] = {"absent": str(reason)}

    def measure(self, items: Sequence[Any]) -> Sequence[Any]:
        """Raises `Missing`."""
        raise self.reason

    def selftest(self) -> Problems:
        """Raises `Missing`."""
        raise self.reason


@dataclass(frozen=True)
class Tools:
    """What the user chose for instruments; every step takes from it what it needs.

    Attributes:
        names: the instruments to use instead of the benchmark's defaults; the card of each says its role.
        weights: instrument → file or folder of its weights; the name "" is a path given without one.
        settings: role → settings of the instrument in it, e.g. ``{"judge": {"endpoint": "http://…"}}``.
        root: the data root, below which downloaded weights are.
        device: e.g. ``cuda:0``; "" is the best there is.
        dtype: of the network; anything but ``float32`` is another identity.
        batch_size: samples given to a network at once; None is the instrument's own.
    """

    names: Sequence[str] = ()
    weights: Mapping[str, Path] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    root: Path | None = None
    device: str = ""
    dtype: str = "float32"
    batch_size: int | None = None

    def load(self, role: str, default: str) -> Any:
        """The instrument in `role`: the one the user chose, else `default`; `Absent` when it cannot be had.

        Raises:
            Usage: there is no such instrument, or two were chosen for the role.
        """
        chosen = [name for name in self.names if registry.card("instruments", name).role == role]
        if len(chosen) > 1:
            raise Usage(f"There is one {role}, but {' and '.join(chosen)} were named.")
        card: InstrumentCard = registry.card("instruments", chosen[0] if chosen else default)
        try:
            return registry.load(card.code)(card, self)
        except Missing as reason:
            return Absent(card.name, reason)

    def place(self, card: InstrumentCard) -> Path:
        """The weights of an instrument: what was given, else what was downloaded; a folder where they are several.

        Raises:
            Missing: they are not there; the message says how to get them.
        """
        given = self.weights.get(card.name, self.weights.get(""))
        if given is not None:
            if not given.exists():
                raise Missing(f"The weights of {card.name}, {given}, do not exist.")
            return given
        if not card.files:
            raise Missing(f"{card.name} needs its weights: name them with --weights {card.name}=PATH.")
        first = PurePosixPath(card.files[0].path)
        place = data_root(self.root) / (first if len(card.files) == 1 else first.parent)
        if not place.exists():
            raise Missing(
                f"{card.name} needs its weights, {place}: `vismark download {card.name}`, "
                f"or name a file you have with --weights {card.name}=PATH."
            )
        return place

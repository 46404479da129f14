"""Numbers as text, by the benchmark's metric specifications: the only place of `pages` that scales and rounds."""

from __future__ import annotations

from typing import Any

import msgspec

from vismark.cards import BenchmarkCard, MetricSpec
from vismark.results import Basis, Result


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A metric of a result as text; `value` is "" where it is not defined, `interval` where there is none."""

    name: str
    title: str
    value: str
    unit: str
    interval: str
    n: str
    kind: str
    basis: str
    direction: str


class Numbers:
    """Shows numbers as the card of their benchmark says."""

    def __init__(self, card: BenchmarkCard) -> None:
        self._specs = {spec.name: spec for spec in card.metrics}

    def show(self, name: str, value: Any) -> str:
        """`value` of the column or metric `name`: scaled and rounded where the card knows it; None and NaN give ""."""
        if value is None or value != value:
            return ""
        spec = self._specs.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return str(value)
        if spec:
            return f"{value * spec.scale:.{spec.digits}f}"
        if isinstance(value, int):
            return str(value)
        return f"{value:.3f}" if value == 0 or abs(value) >= 0.001 else f"{value:.2e}"

    def entry(self, result: Result, name: str) -> Entry:
        """The metric `name` of `result`; one that the card does not have is shown plainly, as an extension."""
        spec = self._specs.get(name) or MetricSpec(name=name, better="higher")
        basis = result.basis.get(name) or Basis(kind="extension")
        interval = basis.interval
        return Entry(
            name=name,
            title=spec.title,
            value=self.show(name, result.metrics[name]),
            unit=spec.unit,
            interval=f"{self.show(name, interval[0])} – {self.show(name, interval[1])}" if interval else "",
            n="" if basis.n is None else f"{basis.n:,}",
            kind=basis.kind,
            basis=_basis(basis, spec),
            direction=spec.better,
        )


def _basis(basis: Basis, spec: MetricSpec) -> str:
    official = basis.equals or spec.equals or "the official tool"
    if basis.kind == "official":
        closeness = "to the last bit" if spec.tolerance == "bits" else f"within {spec.tolerance:g}"
        return f"equals {official}, {closeness}"
    if basis.kind == "deviates":
        return f"deviates from {official}: {basis.why}"
    return "an extension: no official tool gives this number"

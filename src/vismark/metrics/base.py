"""The shape of a metric, and the one accumulator that serves all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

Row = TypeVar("Row")


class Metric(Protocol[Row]):
    """`row(*sample)` measures one sample; `reduce(rows)` gives the numbers, None where one is not defined."""

    @property
    def name(self) -> str: ...
    @property
    def outputs(self) -> Sequence[str]: ...
    def row(self, *sample: Any) -> Row: ...
    def reduce(self, rows: Sequence[Row]) -> Mapping[str, float | None]: ...


class Accumulator(Generic[Row]):
    """Collects rows by sample id, for a training loop or a rank of one.

    Example:
        >>> from vismark.metrics.base import Accumulator
        >>> from vismark.metrics.panoptic import PanopticQuality
        >>> total = Accumulator(PanopticQuality(things=[1], stuff=[2]))
        >>> total.compute()["PQ"] is None
        True
    """

    def __init__(self, metric: Metric[Row]) -> None:
        self.metric = metric
        self.rows: dict[str, Row] = {}

    def update(self, id: str, *sample: Any) -> None:
        """Measure one sample.

        Raises:
            ValueError: the id was seen before (its number would be counted twice).
        """
        self._add(id, self.metric.row(*sample))

    def merge(self, other: Accumulator[Row]) -> None:
        """Take over the rows of another rank.

        Raises:
            ValueError: both hold the same id, as padded samplers of distributed loaders cause.
        """
        for id, row in other.rows.items():
            self._add(id, row)

    def compute(self) -> Mapping[str, float | None]:
        """The numbers over all rows, in the order of their ids: any order of updates gives the same bits."""
        return self.metric.reduce([self.rows[id] for id in sorted(self.rows)])

    def _add(self, id: str, row: Row) -> None:
        if id in self.rows:
            raise ValueError(f"Sample {id!r} was measured twice.")
        self.rows[id] = row

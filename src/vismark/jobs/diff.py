"""`vismark diff`: why two results differ: which identity moved, by how much each number, on which samples most."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from vismark import registry
from vismark.results import Result, read_result
from vismark.runtime.tables import read_table, table_path

# What two results must share for their numbers to be comparable: the measurement, the truth, and the samples.
_COMPARABLE = ("protocol_digest", "references", "partial")


class Change(msgspec.Struct, frozen=True):
    """A value that is `before` in A and `after` in B; `delta` where both are numbers."""

    name: str
    before: Any
    after: Any
    delta: float | None = None


class Difference(msgspec.Struct, frozen=True):
    """What differs: identities, numbers, and the samples that changed most in `column`."""

    a: str
    b: str
    comparable: bool
    identity: list[Change]
    metrics: list[Change]
    column: str = ""
    samples: list[Change] = []
    only_in_one: int = 0


def diff(a: str | Path, b: str | Path, *, samples: int = 20) -> Difference:
    """Compare two results.

    Args:
        samples: how many of the most changed samples to list.

    Raises:
        Refused: one of them is no result.
    """
    first, second = read_result(Path(a)), read_result(Path(b))
    column, changed, alone = _samples(Path(a), first, Path(b), second, samples)
    return Difference(
        a=first.model,
        b=second.model,
        comparable=all(getattr(first, name) == getattr(second, name) for name in _COMPARABLE),
        identity=_identity(first, second),
        metrics=[
            _change(name, first.metrics.get(name), second.metrics.get(name))
            for name in dict.fromkeys([*first.metrics, *second.metrics])
        ],
        column=column,
        samples=changed,
        only_in_one=alone,
    )


def _identity(first: Result, second: Result) -> list[Change]:
    pairs: dict[str, tuple[Any, Any]] = {
        name: (getattr(first, name), getattr(second, name))
        for name in ("model", *_COMPARABLE, "mode", "reference_samples", "submission", "samples")
    }
    pairs |= {"vismark": (first.made.vismark, second.made.vismark), "code": (first.made.code, second.made.code)}
    for name in sorted(first.made.packages.keys() | second.made.packages.keys()):
        pairs[name] = (first.made.packages.get(name), second.made.packages.get(name))
    return [Change(name, before, after) for name, (before, after) in pairs.items() if before != after]


def _samples(a: Path, first: Result, b: Path, second: Result, count: int) -> tuple[str, list[Change], int]:
    if not (first.table and second.table and table_path(a).exists() and table_path(b).exists()):
        return "", [], 0
    before, after = read_table(table_path(a)), read_table(table_path(b))
    headline = registry.card("benchmarks", first.protocol.benchmark).headline
    column = next((name for name in headline if name in before and name in after), "")
    if not column:
        return "", [], 0
    old, new = dict(zip(before["id"], before[column], strict=True)), dict(zip(after["id"], after[column], strict=True))
    changes = [_change(id, old[id], new[id]) for id in old if id in new and old[id] != new[id]]
    changes.sort(key=lambda change: (-abs(change.delta or 0.0), change.name))
    return column, changes[:count], len(old.keys() ^ new.keys())


def _change(name: str, before: Any, after: Any) -> Change:
    both = isinstance(before, int | float) and isinstance(after, int | float)
    return Change(name, before, after, after - before if both else None)

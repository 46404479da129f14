"""Numbers that are scored later join a result that is there: the same measurement of the same submission, more metrics.

Dear metrics need not hold up cheap ones, and nobody has to trust two files that say they belong together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from vismark.cards import BenchmarkCard
from vismark.problems import refuse
from vismark.results import Result, read_result
from vismark.runtime.tables import read_table, table_digest, table_path

Columns = dict[str, Sequence[Any]]

# What must be equal; `protocol` is compared without its instruments.
_SAME = ("mode", "references", "reference_samples", "submission", "partial", "samples")


def joined(card: BenchmarkCard, path: Path, new: Result, columns: Columns) -> tuple[Result, Columns]:
    """The numbers of `new` together with those of the result at `path`, and the columns of both tables.

    Raises:
        Refused: the file is no result, or one of something else (RESULT_OTHER lists what differs).
    """
    old = read_result(path)
    _check_same(old, new, path)
    told = {**old.metrics, **new.metrics}
    names = [spec.name for spec in card.metrics if spec.name in told]
    bases = {**old.basis, **new.basis}
    protocol = msgspec.structs.replace(
        new.protocol, instruments={**old.protocol.instruments, **new.protocol.instruments}
    )
    table: Columns = {**(read_table(table_path(path)) if old.table else {}), **columns}
    result = msgspec.structs.replace(
        new,
        protocol=protocol,
        protocol_digest=protocol.digest,
        metrics={name: told[name] for name in names},
        basis={name: bases[name] for name in names},
        breakdowns=_breakdowns(old, new),
        table=table_digest(table) if table else "",
        warnings=list(dict.fromkeys([*old.warnings, *new.warnings])),
    )
    return result, table


def _check_same(old: Result, new: Result, path: Path) -> None:
    differing = [name for name in _SAME if getattr(old, name) != getattr(new, name)]
    without = [msgspec.structs.replace(one.protocol, instruments={}) for one in (old, new)]
    differing += ["protocol"] if without[0] != without[1] else []
    shared = old.protocol.instruments.keys() & new.protocol.instruments.keys()
    differing += [
        f"instrument {name}"
        for name in sorted(shared)
        if old.protocol.instruments[name] != new.protocol.instruments[name]
    ]
    if old.made != new.made:
        differing.append("made (the numbers there come from other code or libraries)")
    if differing:
        message = f"holds numbers of another measurement, to which these cannot be added: {', '.join(differing)}"
        fix = "Name another file, or remove this one to score all metrics again."
        raise refuse("RESULT_OTHER", message, file=path.name, fix=fix)


def _breakdowns(old: Result, new: Result) -> dict[str, Mapping[str, Mapping[str, float | int | None]]]:
    found: dict[str, Mapping[str, Mapping[str, float | int | None]]] = {}
    for name in dict.fromkeys([*old.breakdowns, *new.breakdowns]):
        one, other = old.breakdowns.get(name, {}), new.breakdowns.get(name, {})
        found[name] = {key: {**one.get(key, {}), **other.get(key, {})} for key in dict.fromkeys([*one, *other])}
    return found

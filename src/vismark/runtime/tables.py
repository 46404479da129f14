"""Per-sample tables: plain columns, stored as Parquet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vismark.problems import refuse
from vismark.runtime.atomic import replacing
from vismark.runtime.digests import digest_of

Columns = Mapping[str, Sequence[Any]]


def table_path(result: Path) -> Path:
    """The table that belongs to a result file."""
    return result.with_suffix(".parquet")


def table_digest(columns: Columns) -> str:
    """Digest of the values, whatever wrote the Parquet file."""
    return digest_of({name: list(values) for name, values in columns.items()})


def write_table(path: Path, columns: Columns) -> None:
    """Write columns as Parquet, atomically."""
    import pyarrow
    import pyarrow.parquet

    with replacing(path) as temporary:
        pyarrow.parquet.write_table(pyarrow.table(dict(columns)), temporary)


def read_table(path: Path) -> dict[str, list[Any]]:
    """The columns of a Parquet table.

    Raises:
        vismark.problems.Refused: the file is absent or no Parquet.
    """
    import pyarrow
    import pyarrow.parquet

    try:
        columns: dict[str, list[Any]] = pyarrow.parquet.read_table(path).to_pydict()
    except (OSError, pyarrow.ArrowException) as error:
        fix = "Keep the .parquet file beside the result, or score again."
        raise refuse("TABLE_FILE", f"the per-sample table cannot be read: {error}", file=path.name, fix=fix) from error
    return columns

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
    """Write columns (each of text, integers, or floats and None) as Parquet, atomically."""
    import pyarrow
    import pyarrow.parquet

    names, arrays = list(columns), [_array(values) for values in columns.values()]
    with replacing(path) as temporary:
        pyarrow.parquet.write_table(pyarrow.Table.from_arrays(arrays, names=names), temporary)


def _array(values: Sequence[Any]) -> Any:
    """One column, laid out by hand: pyarrow's own conversion imports pandas where it is installed (¼ s)."""
    import numpy as np
    import pyarrow

    if all(isinstance(value, str) for value in values):
        texts = [value.encode() for value in values]
        ends = np.cumsum([0, *map(len, texts)], dtype=np.int32)
        return pyarrow.StringArray.from_buffers(len(texts), pyarrow.py_buffer(ends), pyarrow.py_buffer(b"".join(texts)))
    if all(isinstance(value, int) for value in values):
        numbers = np.array(values, dtype=np.int64)
        return pyarrow.Array.from_buffers(pyarrow.int64(), len(values), [None, pyarrow.py_buffer(numbers)])
    present = np.packbits([value is not None for value in values], bitorder="little")
    floats = np.array([0.0 if value is None else value for value in values], dtype=np.float64)
    return pyarrow.Array.from_buffers(
        pyarrow.float64(), len(values), [pyarrow.py_buffer(present), pyarrow.py_buffer(floats)]
    )


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

"""Loads COCONut's hub tables, which hold the PNG of each image, and knows where the other releases keep their names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vismark.problems import refuse

COLUMNS = frozenset({"mask", "segments_info", "image_info"})

# Rows decoded at once: 64 masks of 10 kB or so, whatever the size of a row group.
_ROWS = 64

_OBJECTS365 = re.compile(r"objects365_v\d_\d{8}")


@dataclass(frozen=True)
class Row:
    """A row of a hub table.

    Attributes:
        annotation: the panoptic annotation: `file_name`, `image_id`, `segments_info`; absent fields are left out.
        image: the image record: `id`, `file_name`, `width`, `height`, …
        mask: the PNG, as it was uploaded.
    """

    annotation: dict[str, Any]
    image: dict[str, Any]
    mask: bytes

    @property
    def stem(self) -> str:
        """The name of the PNG without its ending: what stands before the first dot of `file_name`."""
        return str(self.annotation.get("file_name", "")).partition(".")[0]


def tables(path: Path) -> list[Path]:
    """The parquet files that `path` names: itself, or those in the folder or its folder ``data``."""
    if path.is_file():
        return [path] if path.suffix == ".parquet" else []
    return sorted(path.glob("*.parquet")) or sorted((path / "data").glob("*.parquet"))


def xl_folder(path: Path) -> Path | None:
    """The folder of XL's release with ``panseg`` and ``panseg_info`` in it, if `path` is or holds it."""
    return next((one for one in (path, path / "coconuts_xlarge") if (one / "panseg_info").is_dir()), None)


def count_rows(path: Path) -> int:
    """The number of rows in all tables that `path` names.

    Raises:
        Refused: a file is no such table.
    """
    return sum(_open(one).metadata.num_rows for one in tables(path))


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of all tables that `path` names, in order; a few are in memory at a time.

    Raises:
        Refused: a file is no COCONut table.
    """
    from pyarrow import ArrowException

    for file in tables(path):
        table = _open(file)
        try:
            for batch in table.iter_batches(batch_size=_ROWS, columns=sorted(COLUMNS)):
                yield from map(_row, batch.to_pylist())
        except (ArrowException, OSError, ValueError) as error:
            fix = "Download it again."
            raise refuse("TABLE_FORMAT", f"the table cannot be read: {error}", file=file.name, fix=fix) from error


def objects365_name(annotation: Mapping[str, Any], image: Mapping[str, Any] | None) -> str | None:
    """The stem ``objects365_v2_<8 digits>`` of an annotation of L or XL; None when neither record has one.

    The releases keep it in various fields; the order is that of the official scripts.
    """
    fields = [annotation.get("object365_file_name"), annotation.get("file_name")]
    fields += [image.get(name) for name in ("object365_file_name", "object365_name", "file_name")] if image else []
    for value in fields:
        found = _OBJECTS365.search(value) if isinstance(value, str) else None
        if found:
            return found[0]
    return None


def _open(path: Path) -> Any:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        table = ParquetFile(path)
    except (ArrowException, OSError, ValueError) as error:
        fix = "Download it again."
        raise refuse("TABLE_FORMAT", f"this is no parquet table: {error}", file=path.name, fix=fix) from error
    missing = COLUMNS - set(table.schema_arrow.names)
    if missing:
        message = f"the table lacks the columns {', '.join(sorted(missing))}"
        fix = "Name a table of relabeled_coco_val, coconut_s or coconut_b."
        raise refuse("TABLE_COLUMNS", message, file=path.name, fix=fix)
    return table


def _row(row: dict[str, Any]) -> Row:
    """A row as arrow gives it: a struct has all fields of the schema, None where a record lacks them."""
    annotation, image = (_without_none(row[name]) for name in ("segments_info", "image_info"))
    mask = row["mask"].get("bytes") if isinstance(row["mask"], dict) else row["mask"]
    return Row(
        annotation if isinstance(annotation, dict) else {},
        image if isinstance(image, dict) else {},
        mask if isinstance(mask, bytes) else b"",
    )


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_none(one) for name, one in value.items() if one is not None}
    return [_without_none(one) for one in value] if isinstance(value, list) else value

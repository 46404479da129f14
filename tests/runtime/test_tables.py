"""Per-sample tables: what is read is what was written, and pandas is not needed for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vismark.problems import Refused
from vismark.runtime.tables import read_table, write_table

COLUMNS = st.integers(0, 20).flatmap(
    lambda n: st.fixed_dictionaries(
        {
            "id": st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=n, max_size=n),
            "TP": st.lists(st.integers(-(2**63), 2**63 - 1), min_size=n, max_size=n),
            "PQ": st.lists(st.none() | st.floats(allow_nan=False), min_size=n, max_size=n),
        }
    )
)


@given(COLUMNS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_round_trip(tmp_path: Path, columns: dict[str, list[Any]]) -> None:
    write_table(tmp_path / "t.parquet", columns)
    assert read_table(tmp_path / "t.parquet") == columns


def test_no_pandas(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from vismark.runtime.tables import write_table; "
    code += f"write_table(Path({str(tmp_path / 't.parquet')!r}), {{'id': ['a'], 'PQ': [None], 'TP': [1]}}); "
    subprocess.run([sys.executable, "-c", code + "assert 'pandas' not in sys.modules"], check=True)


def test_a_broken_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1 no")
    for name in ("t.parquet", "absent.parquet"):
        with pytest.raises(Refused, match="score again"):
            read_table(tmp_path / name)

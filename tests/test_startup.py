"""Help and lists start at once: no heavy module, and within a tenth of a second of typer and rich themselves."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

FORBIDDEN = ("torch", "scipy", "pandas", "numpy", "transformers", "pyarrow", "hotcoco", "PIL", "plotly", "httpx")

RUN = """
import sys
sys.argv = ["vismark", *{arguments!r}]
from vismark.cli.main import _run
try:
    code = _run()
except SystemExit as exit:
    code = exit.code
print("MODULES", *[name for name in {forbidden!r} if name in sys.modules])
sys.exit(code)
"""


@pytest.mark.parametrize(
    "arguments", [["--help"], ["list"], ["score", "--help"], ["info", "coco-panoptic"]], ids=" ".join
)
def test_no_heavy_module_is_imported(arguments: list[str]) -> None:
    code = RUN.format(arguments=arguments, forbidden=FORBIDDEN)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].split() == ["MODULES"]


def seconds(code: str) -> float:
    """The shortest of seven runs: the load of the machine only ever adds."""
    best = float("inf")
    for _ in range(7):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        best = min(best, time.perf_counter() - start)
    return best


@pytest.mark.perf
def test_help_and_lists_cost_little_beyond_typer_and_rich() -> None:
    base = seconds("import typer, rich.console, rich.table, rich.markup, typer.rich_utils")
    for arguments in (["--help"], ["list"]):
        ours = seconds(RUN.format(arguments=arguments, forbidden=()))
        print(f"\nvismark {arguments[0]:8} {ours:.3f} s, typer and rich alone {base:.3f} s: {ours - base:+.3f} s")

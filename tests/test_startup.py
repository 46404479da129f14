"""Help and lists start at once: no heavy module, and within a tenth of a second of typer and rich themselves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from timed import least

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


@pytest.mark.perf
def test_help_and_lists_cost_little_beyond_typer_and_rich(tmp_path: Path) -> None:
    codes = {"typer and rich": "import typer, rich.console, rich.table, rich.markup, typer.rich_utils"}
    codes |= {words[0]: RUN.format(arguments=words, forbidden=()) for words in (["--help"], ["list"])}
    found = least(codes, tmp_path, times=7)
    base = found.pop("typer and rich")
    for name, one in found.items():
        more = f"{one.seconds - base.seconds:+.3f} s (processor {one.processor - base.processor:+.3f} s)"
        print(f"\nvismark {name:8} {one.seconds:.3f} s, typer and rich alone {base.seconds:.3f} s: {more}")

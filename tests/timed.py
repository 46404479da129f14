"""Measures code in processes of their own, us and the peer by turns, as installed packages run.

The load of a machine only ever adds: of several runs the least counts. Modules are compiled before the first run that
counts, whatever the environment says of bytecode, because an installed package is.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cost:
    """What a whole process took: seconds on the wall, seconds of processors, bytes of memory at its peak."""

    seconds: float
    processor: float
    bytes: int


def cost(code: str, folder: Path) -> Cost:
    """Run some Python; cache and bytecode are kept in `folder`."""
    environment = os.environ | {"VISMARK_CACHE": str(folder / "cache"), "PYTHONPYCACHEPREFIX": str(folder / "bytecode")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    start = time.perf_counter()
    command = [sys.executable, "-c", code]
    child = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    assert status == 0, code
    return Cost(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def least(codes: Mapping[str, str], folder: Path, times: int = 5) -> dict[str, Cost]:
    """The least seconds and bytes of each code, over runs by turns; one run more of each goes first."""
    runs: dict[str, list[Cost]] = {name: [] for name in codes}
    for _ in range(times + 1):
        for name, code in codes.items():
            runs[name].append(cost(code, folder))
    return {
        name: Cost(*(min(getattr(one, field) for one in made[1:]) for field in ("seconds", "processor", "bytes")))
        for name, made in runs.items()
    }

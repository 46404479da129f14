"""Threat model §2, items 1 and 2: every hostile archive is refused within 1 s and 200 MB and leaves nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hostile_archives import cases

EXPECTED = {title: (code, name) for title, (code, name, _) in cases("/nowhere").items()}
TITLES = list(EXPECTED)

# One process measures all cases: its peak bounds the peak of each.
CHILD = """
import json, resource, sys, time
from pathlib import Path
from vismark.problems import Refused
from vismark.runtime.archives import unpack

found = {}
for folder in sorted(Path(sys.argv[1]).iterdir()):
    (archive,) = folder.iterdir()
    start = time.process_time()  # the time on the wall depends on what else the machine does
    try:
        unpack(archive, folder / "out")
        codes = []
    except Refused as error:
        codes = [problem.code for problem in error.problems]
    found[folder.name] = {"codes": codes, "seconds": time.process_time() - start}
status = Path("/proc/self/status")
if status.exists():  # ru_maxrss on Linux starts at the peak of the parent
    peak = next(int(line.split()[1]) << 10 for line in status.read_text().splitlines() if line.startswith("VmHWM"))
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"found": found, "peak": peak}))
"""


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder a case, with the archive in it."""
    work = tmp_path_factory.mktemp("hostile")
    for number, (_, name, data) in enumerate(cases(str(work / "outside")).values()):
        folder = work / "cases" / f"{number:03}"
        folder.mkdir(parents=True)
        (folder / name).write_bytes(data() if callable(data) else data)
    return work


@pytest.fixture(scope="module")
def report(work: Path) -> dict[str, Any]:
    """What a fresh process found."""
    command = [sys.executable, "-c", CHILD, str(work / "cases")]
    environment = {**os.environ, "VISMARK_CACHE": str(work / "cache")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=200)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.mark.parametrize("title", TITLES)
def test_refused_with_its_code_within_a_second(title: str, work: Path, report: dict[str, Any]) -> None:
    number = TITLES.index(title)
    found = report["found"][f"{number:03}"]
    code, name = EXPECTED[title]
    assert code in found["codes"]
    assert found["seconds"] < 1
    assert [path.name for path in (work / "cases" / f"{number:03}").iterdir()] == [name]


def test_nothing_outside_and_little_memory(work: Path, report: dict[str, Any]) -> None:
    assert {path.name for path in work.iterdir()} <= {"cases", "cache"}
    assert report["peak"] < 200 << 20

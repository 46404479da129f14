"""Checks hostile submissions in a child process that measures time and memory of each, and may not take much of either.

As a script it reads a list of calls from stdin and writes one `Report` a line: a crash or an abort shows as a missing
line, not as a dead test session.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
import traceback
from dataclasses import asdict, dataclass, field
from pathlib import Path

SECONDS = 1.0
MEGABYTES = 200
_ADDRESS_SPACE = 6 << 30
_FILE_SIZE = 8 << 20


@dataclass(frozen=True)
class Report:
    """What `check` did: `codes` of the errors, CPU seconds, peak megabytes above a clean check, or its traceback."""

    name: str
    codes: list[str] = field(default_factory=list)
    text: str = ""
    seconds: float = 0.0
    megabytes: float = 0.0
    raised: str = ""


def checked(calls: dict[str, dict[str, str]], clean: dict[str, str]) -> dict[str, Report]:
    """A report for each named call of `vismark.check`; `clean` is a valid call that warms everything up first.

    The benchmark is `coco-panoptic` where a call names no other.
    """
    child = subprocess.run(
        [sys.executable, __file__],
        input=json.dumps({"clean": clean, "calls": calls}),
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "RUST_BACKTRACE": "0"},
    )
    reports = [Report(**json.loads(line)) for line in child.stdout.splitlines()]
    done = {one.name: one for one in reports}
    for name in calls:
        done.setdefault(name, Report(name, raised=f"no answer: the process ended ({child.returncode})\n{child.stderr}"))
    return done


def vismark(*words: str | Path) -> subprocess.CompletedProcess[bytes]:
    """The real command line, in a process of its own."""
    start = "from vismark.cli.main import run; run()"
    return subprocess.run(
        [sys.executable, "-c", start, *map(str, words)], capture_output=True, timeout=60, preexec_fn=_limit
    )


def tree(folder: Path) -> dict[str, int]:
    """Every file below `folder` with its size: what must not change."""
    return {str(path.relative_to(folder)): path.lstat().st_size for path in sorted(folder.rglob("*"))}


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, _ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_SIZE, _FILE_SIZE))


def _peak() -> float:
    """Peak resident memory in MB: of this program alone where the system says it, else of the process."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 1024
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def _forget_peak() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:  # then the peak is that of all calls so far, which is only stricter
        return


def _report(name: str, call: dict[str, str], baseline: float) -> Report:
    from vismark import check
    from vismark.problems import Refused

    _forget_peak()
    start = time.process_time()  # of all threads; the time on the wall depends on what else the machine does
    try:
        try:
            problems = check(**{"benchmark": "coco-panoptic", "jobs": 2, **call})
        except Refused as refused:
            problems = refused.problems
    except BaseException:
        return Report(name, raised=traceback.format_exc())
    seconds = time.process_time() - start
    codes = sorted({one.code for one in problems if one.severity == "error"})
    text = "\n".join(map(str, list(problems)[:50]))
    return Report(name, codes, text, seconds, _peak() - baseline)


def main() -> None:
    work = json.load(sys.stdin)
    _limit()
    first = _report("", work["clean"], 0.0)
    assert not first.codes and not first.raised, first
    for name, call in work["calls"].items():
        sys.stdout.write(json.dumps(asdict(_report(name, call, first.megabytes))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

"""`vismark demo`: the whole road on embedded data: predict, check, score, report, rank."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vismark.jobs.check import check
from vismark.jobs.leaderboard import show
from vismark.jobs.predict import predict
from vismark.jobs.report import report
from vismark.jobs.score import score
from vismark.leaderboards.forms import printed
from vismark.problems import Refused
from vismark.results import Result

BENCHMARK = "shapes-panoptic"

# Name of the run → predictor and settings: from nearly right to nearly nothing.
RUNS: dict[str, tuple[str, dict[str, Any]]] = {
    "oracle-5": ("oracle", {"amount": 0.05}),
    "oracle-20": ("oracle", {"amount": 0.2}),
    "majority": ("majority", {}),
    "blank": ("blank", {}),
}


@dataclass(frozen=True)
class Demo:
    """What the demo made: the results, best first, the board to print, and the report of the second run."""

    results: list[Result]
    board: Any
    report: Path


def demo(output: str | Path, tell: Callable[[str], None]) -> Demo:
    """Run the main job on the shapes miniature with the controls.

    Args:
        output: folder for submissions, results and the report.
        tell: called with one line a step.
    """
    folder = Path(output)
    results = []
    for name, (who, settings) in RUNS.items():
        tell(f"{name}: predict, check, score")
        predict(who, BENCHMARK, folder / "runs" / name, settings=settings)
        problems = check(BENCHMARK, folder / "runs" / name)
        if problems.errors:
            raise Refused(problems)
        results.append(score(BENCHMARK, folder / "runs" / name, folder / "results" / f"{name}.json", model=name))
    page = folder / "report.html"
    tell("oracle-20: report")
    report(folder / "results" / "oracle-20.json", output=page)
    return Demo(results, printed(show(BENCHMARK, [folder / "results"])), page)

"""vismark: data sets, benchmarks and reference baselines for models that see and draw.

The four jobs, as functions: `download`, `validate`, `score` (with `requests`, `predict`, `submission`, `check`,
`verify`), and `leaderboard`. Everything is imported when it is first used, so ``import vismark`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from vismark.instruments.base import Tools
    from vismark.jobs.check import check
    from vismark.jobs.convert import convert
    from vismark.jobs.diff import diff
    from vismark.jobs.download import download
    from vismark.jobs.measure import measure
    from vismark.jobs.predict import predict, submission
    from vismark.jobs.report import report
    from vismark.jobs.requests import requests
    from vismark.jobs.score import score
    from vismark.jobs.stats import stats
    from vismark.jobs.submission import status
    from vismark.jobs.validate import validate
    from vismark.jobs.verify import verify

_HOMES = {
    "Tools": "vismark.instruments.base",
    "check": "vismark.jobs.check",
    "convert": "vismark.jobs.convert",
    "diff": "vismark.jobs.diff",
    "download": "vismark.jobs.download",
    "measure": "vismark.jobs.measure",
    "predict": "vismark.jobs.predict",
    "report": "vismark.jobs.report",
    "requests": "vismark.jobs.requests",
    "score": "vismark.jobs.score",
    "stats": "vismark.jobs.stats",
    "status": "vismark.jobs.submission",
    "submission": "vismark.jobs.predict",
    "validate": "vismark.jobs.validate",
    "verify": "vismark.jobs.verify",
}

__all__ = [
    "Tools",
    "__version__",
    "check",
    "convert",
    "diff",
    "download",
    "measure",
    "predict",
    "report",
    "requests",
    "score",
    "stats",
    "status",
    "submission",
    "validate",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'vismark' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__

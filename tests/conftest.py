"""What all tests share: a cache of their own, filled with the shapes miniature once a session."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def shapes_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache folder of this test session, with the 60 images of shapes drawn."""
    cache = tmp_path_factory.mktemp("cache")
    os.environ["VISMARK_CACHE"] = str(cache)
    for name in ("VISMARK_DATA", "DETECTRON2_DATASETS", "SLURM_ARRAY_TASK_ID", "RANK"):
        os.environ.pop(name, None)
    from vismark.datasets.shapes.write import ensure

    ensure()
    return cache

"""Measuring the features of images: the same result from clusters and after kills as from one process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dying
from vismark import registry
from vismark.benchmarks.base import Source
from vismark.benchmarks.features import FeatureStep
from vismark.datasets.shapes.portraits import ensure
from vismark.instruments.base import Tools
from vismark.jobs.evidence import Measurement
from vismark.problems import Missing, Problems, Usage
from vismark.runtime.cluster import Engine, engine

NAME = "shapes-class"


@pytest.fixture(scope="module")
def dask() -> Iterator[str]:
    """The address of a cluster of two workers on this machine."""
    distributed = pytest.importorskip("distributed", reason="Dask is not installed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None, silence_logs=50
    ) as cluster:
        yield cluster.scheduler_address


def measured(marker: Path | None, on: Engine | None) -> list[Any]:
    """The features of all portraits in pieces of 64; the process that meets one in the middle dies when `marker`."""
    benchmark = registry.benchmark(NAME)
    problems = Problems()
    references = benchmark.references(Source(), problems, "strict")
    settings = benchmark.card.protocols["adm"]
    opened = benchmark.open(ensure() / "val", references, problems, "strict", None, settings)
    assert opened is not None and not problems.errors
    step = benchmark.steps("strict", settings, ["FID"], Tools(batch_size=8))[1]
    step = dying.DyingStep(step, marker, opened.ids[300]) if marker else step
    return Measurement(step, opened, references, "strict").records(2, engine=on)


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What one process measures; nothing of it is kept."""
    ensure()
    cache = Path(os.environ["VISMARK_CACHE"])
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "shapes").symlink_to(cache / "shapes")
    monkeypatch.setenv("VISMARK_CACHE", str(tmp_path / "one"))
    found = measured(None, None)
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "shapes").symlink_to(cache / "shapes")
    monkeypatch.setenv("VISMARK_CACHE", str(tmp_path / "two"))
    return found


def test_a_dask_cluster_gives_the_result_of_one_process_though_a_worker_is_killed(
    dask: str, alone: list[Any], tmp_path: Path
) -> None:
    marker = tmp_path / "killed"
    assert measured(marker, Engine("dask", dask)) == alone
    assert marker.exists(), "no worker was killed"
    # All is in the journal of this process: nothing is measured again.
    assert measured(None, None) == alone


_KILLED = """
from pathlib import Path
import test_cluster
test_cluster.measured(Path({marker!r}), None)
"""


def test_a_killed_process_goes_on_where_its_journal_ends(
    alone: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It dies at the 300th image of 512; the four pieces of 64 before are not measured again."""
    places = [Path(__file__).parent, Path(dying.__file__).parent, Path(registry.__file__).parents[1]]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, places)))
    code = _KILLED.format(marker=str(tmp_path / "killed"))
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == -signal.SIGKILL
    seen: list[str] = []
    run = FeatureStep.run
    monkeypatch.setattr(FeatureStep, "run", lambda *given: (seen.extend(given[3]), run(*given))[1])
    assert measured(None, None) == alone
    assert len(seen) == 512 - 256


@pytest.mark.slow
def test_a_ray_cluster_gives_the_result_of_one_process(
    alone: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    places = [Path(dying.__file__).parent, Path(registry.__file__).parents[1], os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, places)))  # workers are new processes
    marker = tmp_path / "killed"
    assert measured(marker, Engine("ray")) == alone
    assert marker.exists(), "no worker was killed"


def test_engines_have_a_name_and_perhaps_an_address() -> None:
    assert engine(None) is None
    assert engine("dask") == Engine("dask")
    assert engine("dask=tcp://10.0.0.1:8786") == Engine("dask", "tcp://10.0.0.1:8786")
    for text in ("spark", "dask=", "", "ray:1"):
        with pytest.raises(Usage, match="--engine"):
            engine(text)


def test_no_cluster_at_the_address_is_said() -> None:
    pytest.importorskip("distributed", reason="Dask is not installed")
    import dask

    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        pytest.raises(Missing, match="No Dask scheduler"),
    ):
        measured(None, Engine("dask", "tcp://127.0.0.1:1"))

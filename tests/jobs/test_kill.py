"""A killed job goes on where it stopped: the same bytes in the end, and no finished work done again."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from dying import always_die, die_once
from vismark.runtime.parallel import map_chunks

# A predictor that is slow enough to be killed and writes down every sample it is asked for.
SLOW_MODEL = """
import os, time
import numpy as np
from vismark.tasks import Panoptic, PanopticSegment, Segment

class Slow:
    name = "slow"
    tasks = (PanopticSegment,)
    def predict(self, requests):
        for request in requests:
            with open(os.environ["CALLS"], "a") as file:
                file.write(request.id + "\\n")
            time.sleep(0.01)
        rng = [np.random.default_rng(request.seed) for request in requests]
        return [
            Panoptic(r.integers(1, 3, (q.image.height, q.image.width)).astype("u4"), (Segment(1, 1), Segment(2, 21)))
            for r, q in zip(rng, requests)
        ]
"""

PREDICT = """
import sys
sys.path.insert(0, {here!r})
import vismark
vismark.predict("slow_model:Slow", "shapes-panoptic", {output!r}, batch_size=2)
"""

SCORE = """
import os, time
import vismark
from vismark.benchmarks.panoptic_match import MatchStep
run = MatchStep.run
def slow(self, submission, truth, ids):
    time.sleep(0.05)
    records = run(self, submission, truth, ids)
    with open(os.environ["CALLS"], "a") as file:
        file.writelines(id + "\\n" for id in ids)
    return records
MatchStep.run = slow
vismark.{verb}("shapes-panoptic", {submission!r}{output})
"""


def run_until_done(code: str, environment: dict[str, str], chance: random.Random, longest: float) -> int:
    """Run `code`, kill it at random points until an attempt ends by itself; the number of kills."""
    for kills in range(40):
        child = subprocess.Popen([sys.executable, "-c", code], env=environment, start_new_session=True)
        try:
            assert child.wait(timeout=chance.uniform(0.2, longest) if kills < 8 else 60) == 0
            return kills
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
    raise AssertionError("never ended")


def tree(folder: Path, *, without: str = "") -> dict[str, str]:
    """Digest of every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != without
    }


@pytest.fixture
def world(tmp_path: Path, shapes_cache: Path) -> dict[str, str]:
    (tmp_path / "slow_model.py").write_text(SLOW_MODEL)
    return os.environ | {"VISMARK_CACHE": str(shapes_cache), "CALLS": str(tmp_path / "calls.txt")}


def test_killed_predict_ends_byte_identical_and_repeats_only_what_was_in_flight(
    tmp_path: Path, world: dict[str, str]
) -> None:
    chance = random.Random(os.urandom(8))
    subprocess.run(
        [sys.executable, "-c", PREDICT.format(here=str(tmp_path), output=str(tmp_path / "whole"))],
        env=world,
        check=True,
    )
    (tmp_path / "calls.txt").unlink()
    killed = PREDICT.format(here=str(tmp_path), output=str(tmp_path / "killed"))
    kills = run_until_done(killed, world, chance, longest=0.9)
    assert tree(tmp_path / "killed", without="run.json") == tree(tmp_path / "whole", without="run.json")
    calls = Counter((tmp_path / "calls.txt").read_text().split())
    assert len(calls) == 60
    # At most the batch in flight (two samples) is lost with each kill.
    assert sum(calls.values()) - 60 <= 2 * kills


DIE_BEFORE_TIDYING = """
import os, signal
from vismark.jobs.submission import Submission
Submission._tidy = lambda self: os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_between_the_manifest_and_its_tidying_leaves_nothing_behind(
    tmp_path: Path, world: dict[str, str]
) -> None:
    whole, killed = (PREDICT.format(here=str(tmp_path), output=str(tmp_path / name)) for name in ("whole", "killed"))
    subprocess.run([sys.executable, "-c", whole], env=world, check=True)
    died = subprocess.run([sys.executable, "-c", DIE_BEFORE_TIDYING + killed], env=world)
    assert died.returncode == -signal.SIGKILL
    assert (tmp_path / "killed" / "manifest.json").is_file()
    assert tree(tmp_path / "killed", without="run.json").keys() > tree(tmp_path / "whole", without="run.json").keys()
    # Temporary files that an earlier kill left count too.
    (tmp_path / "killed" / "predictions" / ".000000000001.png.x.part").write_bytes(b"half")
    (tmp_path / "calls.txt").unlink()
    subprocess.run([sys.executable, "-c", killed], env=world, check=True)
    assert tree(tmp_path / "killed", without="run.json") == tree(tmp_path / "whole", without="run.json")
    assert not (tmp_path / "calls.txt").exists(), "nothing was predicted again"


def test_killed_measure_and_score_end_identical_and_repeat_only_what_was_in_flight(
    tmp_path: Path, world: dict[str, str]
) -> None:
    import vismark

    chance = random.Random(os.urandom(8))
    submission = tmp_path / "oracle"
    vismark.predict("oracle", "shapes-panoptic", submission)
    whole = vismark.score("shapes-panoptic", submission, tmp_path / "whole" / "result.json")
    for verb, output in (("measure", ""), ("score", f", {str(tmp_path / 'killed' / 'result.json')!r}, jobs=1")):
        calls_file = tmp_path / f"calls-{verb}.txt"
        code = SCORE.format(verb=verb, submission=str(submission), output=output)
        world = world | {"CALLS": str(calls_file), "VISMARK_CACHE": str(tmp_path / f"cache-{verb}")}
        vismark_cache_with_shapes(Path(world["VISMARK_CACHE"]), Path(os.environ["VISMARK_CACHE"]))
        kills = run_until_done(code, world, chance, longest=0.9)
        calls = Counter(calls_file.read_text().split())
        assert len(calls) == 60
        assert sum(calls.values()) - 60 <= 2 * 16 * kills  # at most a chunk of sixteen a worker is lost with each kill
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole")
    assert whole.samples == 60


def vismark_cache_with_shapes(cache: Path, other: Path) -> None:
    """A cache of its own that shares the drawn shapes."""
    cache.mkdir()
    (cache / "shapes").symlink_to(other / "shapes")


def test_the_chunk_of_a_killed_worker_is_done_again(tmp_path: Path) -> None:
    marker = str(tmp_path / "died")
    pieces = [[marker, "a"], [marker, "victim"], [marker, "c"], [marker, "d"]]
    done = list(map_chunks(die_once, pieces, jobs=2, workers="processes"))
    assert Path(marker).exists()
    assert sorted(done) == [["a"], ["c"], ["d"], ["victim"]]


def test_a_chunk_that_always_kills_its_worker_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="killed 3 times"):
        list(map_chunks(always_die, [["a"], ["b"]], jobs=2, workers="processes"))

"""Caption metrics against pycocoevalcap: 5,000 images × 5 references × 1 candidate, tokenizing included, in one run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from caption_originals import needs_java
from vismark.instruments.caption_data import meteor_tables

pytestmark = [pytest.mark.perf, needs_java]

SIDES = Path(__file__).with_name("caption_sides.py")
PARTS = ("tokenizer", "BLEU", "ROUGE-L", "CIDEr", "CIDEr-D", "METEOR")
RUNS = 2


def side(name: str, cores: int) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(SIDES), name, str(cores)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.timeout(900)
@pytest.mark.parametrize("cores", [1, 2])
def test_all_metrics(cores: int) -> None:
    # Made once on a machine; that time is not part of the comparison.
    meteor_tables()
    runs = [(side("official", cores), side("ours", cores)) for _ in range(RUNS)]
    official, ours = ([run[number] for run in runs] for number in (0, 1))
    assert ours[0]["numbers"] == pytest.approx(official[0]["numbers"], abs=1e-10)
    print()
    for part in [*PARTS, "whole"]:
        if part in ours[0]["seconds"]:
            theirs, mine = (min(run["seconds"][part] for run in one) for one in (official, ours))
            print(f"{cores} cores, {part}: {theirs:.2f} s / {mine:.2f} s = {theirs / mine:.1f}×")
    theirs, mine = (max(run["peak"] for run in one) for one in (official, ours))
    print(f"{cores} cores, peak memory: {theirs:.0f} MB / {mine:.0f} MB")

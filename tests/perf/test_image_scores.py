"""A whole `score imagenet256` of PNG files against torch-fidelity: imports, decoding, network, metrics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from filled_networks import inception_file
from timed import least
from vismark.formats.image_files import encode

pytestmark = [pytest.mark.perf, pytest.mark.timeout(7200)]

GENERATED, REAL = 2000, 100

OURS = """
from vismark.jobs.score import score
from vismark.instruments.base import Tools
from pathlib import Path
score("imagenet256", {made!r}, references={real!r}, protocol="torch-fidelity", metrics=["FID", "IS_shuffled"],
      partial=True, tools=Tools(weights={{"": Path({weights!r})}}, device="cpu"))
import shutil, os
shutil.rmtree(os.environ["VISMARK_CACHE"])  # the next run measures again
"""
PEER = """
from vismark.runtime.torchvision import make_importable; make_importable()
from torch_fidelity import calculate_metrics
calculate_metrics(input1={made!r}, input2={real!r}, fid=True, isc=True, cuda=False, cache=False, verbose=False,
                  feature_extractor_weights_path={weights!r})
"""


def test_score_of_png_files(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for name, count in (("made", GENERATED), ("real", REAL)):
        (tmp_path / name).mkdir()
        for number in range(count):
            low = random.integers(0, 192, (32, 32, 3)).repeat(8, axis=0).repeat(8, axis=1)
            pixels = (low + random.integers(0, 64, (256, 256, 3))).astype(np.uint8)
            (tmp_path / name / f"{number:06d}.png").write_bytes(encode(pixels))
    places = {name: str(tmp_path / name) for name in ("made", "real")} | {"weights": str(inception_file(tmp_path))}
    costs = least({"ours": OURS.format(**places), "peer": PEER.format(**places)}, tmp_path, times=1)
    ratio = costs["peer"].seconds / costs["ours"].seconds
    told = ", ".join(f"{name} {one.seconds:.1f} s, {one.bytes / 1e6:.0f} MB" for name, one in costs.items())
    print(f"\nscore imagenet256, {GENERATED} PNG files: {ratio:.2f}× torch-fidelity ({told})")

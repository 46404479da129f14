"""Generation metrics against torch-fidelity and pytorch-fid's square root, on the same inputs, one thread and two.

Each side runs in a process of its own, by turns; imports and inputs are made before the clock starts.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from filled_networks import inception_file

pytestmark = [pytest.mark.perf, pytest.mark.timeout(3600)]

FEATURES = """
import numpy as np
def features(n, d, seed):
    random = np.random.default_rng(seed)
    mix = np.random.default_rng(0).standard_normal((24, d)) * 0.4
    return np.abs(random.standard_normal((n, 24)) @ mix + 0.3 * random.standard_normal((n, d))).astype(np.float32)
"""
STATISTICS = (
    FEATURES
    + """
x, y = features({n}, 2048, 1), features({n}, 2048, 2)
m1, m2, s1, s2 = x.mean(0), y.mean(0), np.cov(x, rowvar=False), np.cov(y, rowvar=False)
"""
)
SQRTM = """
from scipy import linalg
clock()
root = linalg.sqrtm(s1 @ s2)
root = root[0] if isinstance(root, tuple) else root
answer((m1 - m2) @ (m1 - m2) + np.trace(s1) + np.trace(s2) - 2 * np.trace(root.real))
"""
EIGENVALUES = """
from vismark.runtime.torchvision import make_importable; make_importable()
from torch_fidelity.metric_fid import fid_statistics_to_metric
clock()
answer(fid_statistics_to_metric(dict(mu=m1, sigma=s1), dict(mu=m2, sigma=s2), False)["frechet_inception_distance"])
"""
OURS = """
from vismark.metrics.generation.frechet import Gaussian, frechet
clock()
answer(frechet(Gaussian.of_statistics(m1, s1), Gaussian.of_statistics(m2, s2)))
"""
OURS_FEW = """
from vismark.metrics.generation.frechet import Gaussian, frechet
clock()
answer(frechet(Gaussian.of_features(x, single=True), Gaussian.of_features(y, single=True)))
"""
NEIGHBOURS = (
    FEATURES
    + """
x, y = features({n}, 2048, 1), features({n}, 2048, 2)
"""
)
OFFICIAL_PRC = """
from vismark.runtime.torchvision import make_importable; make_importable()
import torch
from torch_fidelity.metric_prc import calculate_precision_recall_full
torch.set_num_threads({threads})
x, y = torch.from_numpy(x), torch.from_numpy(y)
clock()
answer(calculate_precision_recall_full(x, y))
"""
OUR_PRC = """
from vismark.metrics.generation.neighbours import precision_recall
clock()
answer(tuple(precision_recall(x, y)))
"""
IMAGES = """
from vismark.runtime.torchvision import make_importable; make_importable()
import numpy as np, torch
torch.set_num_threads({threads})
images = np.random.default_rng(0).integers(0, 256, ({n}, 256, 256, 3), dtype=np.uint8)
"""
OFFICIAL_INCEPTION = """
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
network = FeatureExtractorInceptionV3("i", ["2048", "logits_unbiased"], feature_extractor_weights_path={weights!r})
def run(part):
    with torch.no_grad():
        return network(torch.from_numpy(part).permute(0, 3, 1, 2))[0].numpy()
run(images[:2])
clock()
answer(np.concatenate([run(images[at : at + 16]) for at in range(0, {n}, 16)]).sum(axis=0)[:3].tolist())
"""
OUR_INCEPTION = """
from pathlib import Path
from vismark.instruments.base import Tools
tools = Tools(weights={{"inception-v3": Path({weights!r})}}, device="cpu", batch_size=16)
network = tools.load("features", "inception-v3")
network.measure(list(images[:2]))
clock()
answer(np.stack([one.pool for one in network.measure(list(images))]).sum(axis=0)[:3].tolist())
"""
CLOCK = """
import time
def clock():
    global start
    start = time.perf_counter(), time.process_time()
def answer(value):
    print("RESULT", time.perf_counter() - start[0], time.process_time() - start[1], value)
"""


def least(codes: dict[str, str], threads: int, times: int) -> dict[str, tuple[float, float, str]]:
    """The least seconds on the wall, of processors, and the answer of each code, by turns."""
    limits = {f"{one}_NUM_THREADS": str(threads) for one in ("OMP", "OPENBLAS", "MKL")}
    found: dict[str, list[tuple[float, float, str]]] = {name: [] for name in codes}
    for _ in range(times):
        for name, code in codes.items():
            done = subprocess.run(
                [sys.executable, "-c", CLOCK + code],
                env=os.environ | limits,
                capture_output=True,
                text=True,
                check=True,
            )
            wall, processor, answer = done.stdout.split("RESULT ")[1].split(maxsplit=2)
            found[name].append((float(wall), float(processor), answer.strip()))
    return {
        name: (min(one[0] for one in runs), min(one[1] for one in runs), runs[0][2]) for name, runs in found.items()
    }


def show(title: str, ours: str, found: dict[str, tuple[float, float, str]]) -> None:
    print(f"\n{title}")
    for name, (wall, processor, answer) in found.items():
        ratios = f"{wall / found[ours][0]:6.1f} × on the wall, {processor / found[ours][1]:6.1f} × of processors"
        print(f"  {name:24} {wall:7.2f} s {processor:7.2f} s  {ratios}   {answer[:60]}")


@pytest.mark.parametrize("threads", [1, 2])
def test_frechet_distance(threads: int) -> None:
    codes = {"scipy sqrtm (pytorch-fid)": SQRTM, "torch-fidelity": EIGENVALUES, "vismark": OURS}
    for n, own in ((4000, OURS), (1000, OURS_FEW)):
        how = {name: STATISTICS.format(n=n) + (own if name == "vismark" else code) for name, code in codes.items()}
        show(f"Fréchet, d = 2048, {n} images, {threads} threads", "vismark", least(how, threads, 2))


@pytest.mark.parametrize("threads", [1, 2])
def test_precision_and_recall(threads: int) -> None:
    n = 10_000
    codes = {"torch-fidelity": OFFICIAL_PRC, "vismark": OUR_PRC}
    how = {name: (NEIGHBOURS + code).format(n=n, threads=threads) for name, code in codes.items()}
    show(f"precision and recall, {n} × {n} × 2048, {threads} threads", "vismark", least(how, threads, 2))


@pytest.mark.parametrize("threads", [1, 2])
def test_inception(threads: int, tmp_path: Path) -> None:
    weights, n = str(inception_file(tmp_path)), 64
    codes = {"torch-fidelity": OFFICIAL_INCEPTION, "vismark": OUR_INCEPTION}
    how = {name: (IMAGES + code).format(n=n, threads=threads, weights=weights) for name, code in codes.items()}
    found = least(how, threads, 3)
    show(f"Inception, {n} images of 256×256 in float32, {threads} threads", "vismark", found)
    print("  images/s:", ", ".join(f"{name} {n / wall:.1f}" for name, (wall, _, _) in found.items()))

"""Precision, recall, density, coverage: goldens, torch-fidelity, and a brute-force twin over any features."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generation_goldens import golden
from vismark.metrics.generation import neighbours
from vismark.metrics.generation.neighbours import balls, nearest, precision_recall, squared_radii

Rows = np.ndarray[Any, Any]


def brute(x: Rows, y: Rows) -> Rows:
    """All distances, from the definition."""
    found: Rows = ((x[:, None] - y[None]) ** 2).sum(axis=2)
    return found


def twin(generated: Rows, real: Rows, k: int) -> tuple[float, float]:
    """Precision and recall from all distances at once."""
    around_x, around_y = (np.sort(brute(one, one), axis=1)[:, k] for one in (generated, real))
    between = brute(generated, real)
    return float((between <= around_y).any(axis=1).mean()), float((between <= around_x[:, None]).any(axis=0).mean())


def test_exact_counts_of_guided_diffusion_in_float32() -> None:
    figures, arrays = golden("adm_d64_fp32path")
    assert not figures["float16_path_finite"]
    found = precision_recall(arrays["sample"], arrays["ref"], figures["k"])
    assert found == (figures["precision"], figures["recall"])


@pytest.mark.parametrize("name", ["adm_d64", "adm_d64_dups", "adm_rankdef_d256_n100"])
def test_near_guided_diffusion_in_float16(name: str) -> None:
    """The official float16 on a CPU accumulates in half precision: no other machine gives its digits."""
    figures, arrays = golden(name)
    found = precision_recall(arrays["sample"], arrays["ref"], figures["k"])
    assert found == pytest.approx((figures["precision"], figures["recall"]), abs=0.015)
    for kind in ("ref", "sample"):
        official = next(values for key, values in arrays.items() if key.startswith("radii") and kind in key)
        np.testing.assert_allclose(squared_radii(arrays[kind], 3), official.ravel(), rtol=0.05, atol=0.3)


@pytest.mark.parametrize("name", ["features_d96", "features_rankdef_d256"])
@pytest.mark.parametrize("k", [3, 5])
def test_prdc(name: str, k: int) -> None:
    figures, arrays = golden(name)
    assert balls(arrays["fake"], arrays["real"], k)._asdict() == figures[f"prdc_k{k}"]


def test_torch_fidelity(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from vismark.runtime.torchvision import make_importable

    make_importable()
    official = pytest.importorskip("torch_fidelity.metric_prc", reason="torch-fidelity is not installed")
    monkeypatch.setattr(neighbours, "_BLOCK", 64)
    random = np.random.default_rng(3)
    x = random.standard_normal((300, 12)).astype(np.float32)
    y = (1.2 * random.standard_normal((250, 12)) + 0.3).astype(np.float32)
    expected = official.prc_features_to_metric(
        torch.from_numpy(x), torch.from_numpy(y), prc_neighborhood=3, prc_batch_size=100, save_cpu_ram=False,
        verbose=False,
    )  # fmt: skip
    found = precision_recall(x, y)
    assert 0.1 < found.recall < 0.95 and 0.1 < found.precision < 0.95
    assert (found.precision, found.recall, found.f_score) == pytest.approx(tuple(expected.values()), rel=1e-6)


@given(st.integers(5, 40), st.integers(5, 40), st.integers(1, 4), st.integers(1, 9), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_blocks_and_shortcuts_change_nothing(n: int, m: int, k: int, block: int, seed: int) -> None:
    """Small integers: every distance is exact, and ties and copies abound."""
    random = np.random.default_rng(seed)
    x, y = (random.integers(-3, 4, (size, 3)).astype(np.float32) for size in (n, m))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "_BLOCK", block)
        np.testing.assert_array_equal(squared_radii(x, k), np.sort(brute(x, x), axis=1)[:, k])
        assert precision_recall(x, y, k) == pytest.approx(twin(x, y, k), abs=0)
        strict = brute(x, y) < np.sort(brute(y, y), axis=1)[:, k]
        found = balls(x, y, k)
    assert found.density == pytest.approx(strict.sum(axis=1).mean() / k)
    assert found.coverage == pytest.approx(strict.any(axis=0).mean())


def test_a_set_covers_itself_and_one_far_away_nothing() -> None:
    x = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
    assert precision_recall(x, x) == (1, 1)
    assert precision_recall(x, x + 100) == (0, 0)
    assert precision_recall(x, x + 100).f_score == 0


def test_neighbours_need_enough_images() -> None:
    with pytest.raises(ValueError, match="more than 3"):
        precision_recall(np.zeros((3, 2)), np.zeros((9, 2)))


def test_nearest_neighbours_in_order() -> None:
    points = np.array([[0.0], [10.0], [3.0], [4.0]])
    found, distances = nearest(np.array([[3.2]]), points, 3)
    assert found.tolist() == [[2, 3, 0]]
    np.testing.assert_allclose(distances, [[0.2, 0.8, 3.2]], atol=1e-7)

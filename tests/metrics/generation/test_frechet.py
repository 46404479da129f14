"""Moments and the Fréchet distance: official goldens, SciPy, torch-fidelity, and what must hold for any features."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generation_goldens import golden
from vismark.metrics.generation.frechet import Gaussian, frechet
from vismark.metrics.generation.moments import Moments, merged, single_mean

Rows = np.ndarray[Any, Any]


def features(n: int, d: int, seed: int) -> Rows:
    """Correlated, shifted features of unequal scale, float32."""
    random = np.random.default_rng(seed)
    mix = random.standard_normal((d, d)) / np.sqrt(d) * random.uniform(0.1, 2, d)
    return (random.standard_normal((n, d)) @ mix + random.standard_normal(d)).astype(np.float32)


def distance(x: Rows, y: Rows) -> float:
    return frechet(Gaussian.of_features(x), Gaussian.of_features(y))


@pytest.mark.parametrize("name", ["adm_d64", "adm_d64_fp32path", "adm_d64_dups"])
def test_fid_of_guided_diffusion(name: str) -> None:
    """To the digit with its float32 means; with exact means within what these are worth."""
    figures, arrays = golden(name)
    sets = arrays["sample"], arrays["ref"]
    assert frechet(*(Gaussian.of_features(one, single=True) for one in sets)) == pytest.approx(figures["fid"], rel=1e-7)
    assert distance(*sets) == pytest.approx(figures["fid"], rel=1e-5)


def test_fid_of_few_images_where_guided_diffusion_refuses() -> None:
    figures, arrays = golden("adm_rankdef_d256_n100")
    assert figures["fid"] is None and "Imaginary" in figures["fid_error"]
    found = distance(arrays["sample"], arrays["ref"])
    assert found == pytest.approx(figures["fid_other_routes"]["symmetric_eigh_float64"], rel=1e-6)


def test_fid_of_pytorch_fid_clean_fid_and_torchmetrics() -> None:
    figures, arrays = golden("features_d96")
    found = distance(arrays["fake"], arrays["real"])
    assert found == pytest.approx(figures["frechet"]["pytorch_fid"][0], rel=1e-6)  # its means are float32 here
    assert found == pytest.approx(figures["frechet"]["exact_nuclear_norm_float64"], rel=1e-9)


def test_fid_of_few_images_is_the_exact_one() -> None:
    figures, arrays = golden("features_rankdef_d256")
    found = distance(arrays["fake"], arrays["real"])
    assert found == pytest.approx(figures["frechet"]["exact_nuclear_norm_float64"], rel=1e-9)


def test_from_statistics_equals_scipy_as_pytorch_fid_calls_it() -> None:
    linalg = pytest.importorskip("scipy.linalg", reason="SciPy is not installed")
    one, other = (Moments.of(features(400, 40, seed)) for seed in (1, 2))
    root = linalg.sqrtm(one.sigma @ other.sigma).real
    shift = one.mean - other.mean
    expected = shift @ shift + np.trace(one.sigma) + np.trace(other.sigma) - 2 * np.trace(root)
    assert frechet(Gaussian.of_moments(one), Gaussian.of_moments(other)) == pytest.approx(expected, rel=1e-9)


def test_the_route_for_many_features_equals_the_exact_one(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = features(300, 64, 1), features(40, 64, 2)
    exact = distance(x, y), distance(x[:30], y)
    monkeypatch.setattr("vismark.metrics.generation.frechet._SVD_UP_TO", 0)
    assert (distance(x, y), distance(x[:30], y)) == pytest.approx(exact, rel=1e-7)


def test_closed_form_for_commuting_covariances() -> None:
    """For diagonal covariances F = |μ₁ − μ₂|² + Σ (σ₁ − σ₂)²."""
    a, b = np.array([1.0, 2.0, 0.0]), np.array([3.0, 0.5, 4.0])
    one = Gaussian.of_statistics(np.zeros(3), np.diag(a**2))
    other = Gaussian.of_statistics(np.ones(3), np.diag(b**2))
    assert frechet(one, other) == pytest.approx(3 + ((a - b) ** 2).sum(), rel=1e-12)


@given(st.integers(2, 60), st.integers(2, 60), st.integers(1, 30), st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_a_set_is_at_distance_0_of_itself_and_order_does_not_matter(n: int, m: int, d: int, seed: int) -> None:
    x, y = features(n, d, seed), features(m, d, seed + 1)
    scale = float(x.var(axis=0).sum()) + 1e-9
    assert abs(distance(x, x)) < 1e-7 * scale
    assert distance(x, y) == pytest.approx(distance(y, x), rel=1e-9)
    assert distance(x, y) > -1e-7 * scale


@given(st.integers(0, 1000), st.lists(st.integers(1, 40), min_size=1, max_size=8))
@settings(max_examples=50, deadline=None)
def test_any_split_and_order_of_merging_equals_one_pass(seed: int, sizes: list[int]) -> None:
    x = features(sum(sizes) + 2, 7, seed)
    parts = [Moments.of(part) for part in np.split(x, np.cumsum(sizes))]
    order = np.random.default_rng(seed).permutation(len(parts))
    for found in (merged(parts), merged(parts[number] for number in order), Moments.of(x)):
        assert found.n == len(x)
        np.testing.assert_allclose(found.mean, x.astype(np.float64).mean(axis=0), rtol=0, atol=1e-12)
        np.testing.assert_allclose(found.sigma, np.cov(x.astype(np.float64), rowvar=False), rtol=0, atol=1e-11)


@pytest.mark.parametrize("size", [1, 7, 1024, 5000])
def test_means_in_float32_are_numpys_bit_by_bit_in_any_blocks(size: int) -> None:
    x = features(5000, 33, 4) * 100
    blocks = [x[start : start + size] for start in range(0, len(x), size)]
    np.testing.assert_array_equal(single_mean(blocks), x.mean(axis=0))


def test_taking_a_part_out_is_the_reverse_of_merging() -> None:
    x = features(90, 8, 3)
    found, expected = Moments.of(x).without(Moments.of(x[20:50])), Moments.of(np.delete(x, np.s_[20:50], axis=0))
    assert found.n == 60
    np.testing.assert_allclose(found.mean, expected.mean, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.sigma, expected.sigma, rtol=0, atol=1e-11)
    with pytest.raises(ValueError, match="no features are left"):
        Moments.of(x).without(Moments.of(x))


def test_few_images_are_the_limit_of_a_vanishing_full_rank_part() -> None:
    """Covariances of rank n − 1, with a little of everything added, come back to the exact value as that goes to 0."""
    x, y = features(20, 50, 1), features(30, 50, 2)
    exact, errors = distance(x, y), []
    for little in (1e-4, 1e-6, 1e-8):
        full = [Gaussian.of_statistics(m.mean, m.sigma + little * np.eye(50)) for m in (Moments.of(x), Moments.of(y))]
        errors.append(abs(frechet(*full) - exact))
    assert errors == sorted(errors, reverse=True) and errors[-1] < 1e-2 * errors[0]


def test_statistics_of_few_images_equal_their_features() -> None:
    """A rank-deficient covariance from a file gives the number that the features give."""
    x, y = features(20, 50, 1), features(30, 50, 2)
    stated = [Gaussian.of_moments(Moments.of(one)) for one in (x, y)]
    assert frechet(*stated) == pytest.approx(distance(x, y), rel=1e-7)


@pytest.mark.parametrize("rows", [np.zeros((0, 3)), np.zeros(3)], ids=["no rows", "no matrix"])
def test_no_features_are_refused(rows: Rows) -> None:
    with pytest.raises(ValueError):
        Moments.of(rows)


def test_one_image_has_no_covariance_and_shapes_must_fit() -> None:
    with pytest.raises(ValueError, match="one image"):
        Gaussian.of_features(np.zeros((1, 4)))
    with pytest.raises(ValueError, match="one image"):
        _ = Moments.of(np.zeros((1, 4))).sigma
    with pytest.raises(ValueError, match="4 features against 3"):
        frechet(Gaussian.of_features(features(9, 4, 0)), Gaussian.of_features(features(9, 3, 0)))
    with pytest.raises(ValueError, match="does not fit"):
        Gaussian.of_statistics(np.zeros(3), np.eye(2))
    with pytest.raises(ValueError, match="finite"):
        Gaussian.of_statistics(np.zeros(2), np.array([[1, np.nan], [np.nan, 1]]))

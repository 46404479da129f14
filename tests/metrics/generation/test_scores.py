"""Inception Score, KID, CMMD, CLIPScore: each convention against the tool that it is named after."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from generation_goldens import golden, stub_logits
from vismark.metrics.generation import clip_score, inception_score
from vismark.metrics.generation.kernel import cmmd, gaussian, kid, kid_clean

Rows = np.ndarray[Any, Any]


def logits(n: int, classes: int = 30, seed: int = 0) -> Rows:
    """float32 logits, each with a favourite class, classes in random order."""
    random = np.random.default_rng(seed)
    found = random.standard_normal((n, classes))
    found[np.arange(n), random.integers(classes, size=n)] += 4
    return found.astype(np.float32)


@pytest.mark.parametrize("name", ["adm_d64", "adm_d64_fp32path", "adm_d64_dups", "adm_rankdef_d256_n100"])
def test_inception_score_of_guided_diffusion(name: str) -> None:
    figures, arrays = golden(name)
    found = inception_score.adm(arrays["sample"] @ arrays["softmax_w"], figures["is_split_size"])
    if np.isnan(figures["inception_score"] or np.nan):  # a probability underflowed to 0, in both
        assert np.isnan(found)
    else:
        assert found == pytest.approx(figures["inception_score"], rel=1e-6)


@pytest.mark.parametrize("splits", [1, 10])
@pytest.mark.parametrize("shuffle", [True, False])
def test_inception_score_of_torch_fidelity(splits: int, shuffle: bool) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from vismark.runtime.torchvision import make_importable

    make_importable()
    official = pytest.importorskip("torch_fidelity.metric_isc", reason="torch-fidelity is not installed")
    values = logits(203)
    expected = official.isc_features_to_metric(torch.from_numpy(values), splits, shuffle, 2020)
    assert inception_score.torch_fidelity(values, splits, shuffle) == pytest.approx(tuple(expected.values()), rel=1e-9)


def test_inception_score_of_the_tokenizer_evaluators() -> None:
    figures, arrays = golden("recon_eval")
    assert inception_score.tokenizer(stub_logits(arrays["fake"])) == pytest.approx(
        figures["maskbit"]["InceptionScore"], rel=1e-6
    )
    assert figures["maskbit"]["InceptionScore"] == pytest.approx(
        figures["one_d_tokenizer"]["InceptionScore"], rel=1e-12
    )


def test_inception_score_from_its_definition() -> None:
    """Sure of a class each, of c classes: the score is c. Sure of nothing: it is 1."""
    sure = np.eye(7, dtype=np.float32).repeat(5, axis=0) * 60
    assert inception_score.adm(sure, 35) == pytest.approx(7, rel=1e-5)
    assert inception_score.tokenizer(sure) == pytest.approx(7, rel=1e-9)
    assert inception_score.torch_fidelity(sure, splits=1) == pytest.approx((7, 0), rel=1e-9)
    assert inception_score.adm(np.zeros((9, 4), np.float32)) == pytest.approx(1)


def test_sorted_samples_are_noticed_and_random_ones_are_not() -> None:
    values = logits(600)
    by_class = values[np.argsort(values.argmax(axis=1), kind="stable")]
    assert abs(inception_score.order_matters(values, 60)) < 0.1
    assert inception_score.order_matters(by_class, 60) > 0.3


def test_too_few_images_for_the_parts() -> None:
    with pytest.raises(ValueError, match="9 images"):
        inception_score.torch_fidelity(logits(9))


@pytest.mark.parametrize("kernel", ["poly", "rbf"])
def test_kid_of_torch_fidelity(kernel: str) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from vismark.runtime.torchvision import make_importable

    make_importable()
    official = pytest.importorskip("torch_fidelity.metric_kid", reason="torch-fidelity is not installed")
    x, y = (np.abs(logits(n, 64, n)) for n in (70, 90))
    expected = official.kid_features_to_metric(
        torch.from_numpy(x),
        torch.from_numpy(y),
        kid_subsets=20,
        kid_subset_size=50,
        rng_seed=2020,
        kid_kernel=kernel,
        kid_kernel_rbf_sigma=10.0,
        verbose=False,
    )
    own = {"kernel": gaussian} if kernel == "rbf" else {}
    assert kid(x, y, subsets=20, size=50, **own) == pytest.approx(tuple(expected.values()), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("name", ["features_d96", "features_rankdef_d256"])
def test_kid_of_clean_fid_and_cmmd(name: str) -> None:
    """CMMD's golden is an independent evaluation of the published formula, no official run."""
    figures, arrays = golden(name)
    how = figures["kid_args"]
    found = kid_clean(
        arrays["fake"],
        arrays["real"],
        subsets=how["num_subsets"],
        size=how["max_subset_size"],
        random=np.random.RandomState(123),
    )
    assert found == pytest.approx(figures["kid_clean_fid"], rel=1e-5)
    expected = figures["cmmd_formula_float64"]
    assert cmmd(arrays["fake"], arrays["real"], block=64) == pytest.approx(expected, rel=1e-6)


def test_kid_is_unbiased_and_needs_enough_images() -> None:
    """Two halves of one set: zero on average, so the mean over subsets lies within a few of its standard errors."""
    values = logits(800, 16)
    mean, deviation = kid(values[:400], values[400:], size=100)
    assert abs(mean) < deviation
    with pytest.raises(ValueError, match="subsets of 1000"):
        kid(values, values)


def test_cmmd_from_its_definition() -> None:
    """One point against another: 2 − 2·exp(−|x − y|² / 200), times 1000."""
    x, y = np.array([[3.0, 0.0]]), np.array([[0.0, 0.5]])
    assert cmmd(x, y) == pytest.approx(1000 * (2 - 2 * np.exp(-2 / 200)), rel=1e-9)
    assert cmmd(x, x) == pytest.approx(0, abs=1e-12)


def test_clip_scores_from_their_formulas() -> None:
    images, texts = np.array([[3.0, 4.0], [1.0, 0.0]]), np.array([[1.0, 0.0], [-2.0, 0.0]])
    np.testing.assert_allclose(clip_score.cosines(images, texts), [0.6, -1.0])
    assert clip_score.hessel(images, texts) == pytest.approx(2.5 * 0.6 / 2)
    assert clip_score.crossflow(images, texts) == pytest.approx(0.6 / 2)
    assert clip_score.torchmetrics(images, texts) == 0.0  # 100 · (0.6 − 1)/2 < 0
    with pytest.raises(ValueError, match="no pairs"):
        clip_score.cosines(images, texts[:1])

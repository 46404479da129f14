"""Inception: torch-fidelity's goldens with filled weights, and torch-fidelity itself; what is told without weights."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from filled_networks import inception_file
from generation_goldens import FOLDER, golden, images
from vismark import registry
from vismark.instruments.base import Absent, Tools
from vismark.instruments.features.inception import InceptionV3
from vismark.metrics.generation.frechet import Gaussian, frechet
from vismark.problems import Missing, Refused

torch = pytest.importorskip("torch", reason="torch is not installed")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return inception_file(tmp_path_factory.mktemp("weights"))


def instrument(weights: Path, **how: Any) -> InceptionV3:
    found = Tools(weights={"inception-v3": weights}, device="cpu", batch_size=2, **how).load("features", "inception-v3")
    assert isinstance(found, InceptionV3)
    return found


def test_the_network_is_the_ports_entry_by_entry() -> None:
    from vismark.instruments.features.inception_network import assembled

    if not FOLDER.exists():
        pytest.skip("the manifest of the official network (../shared/golden) is not here")
    manifest = json.loads((FOLDER / "inception_state_manifest.json").read_text())
    entries = next(value for value in manifest.values() if isinstance(value, list | dict) and len(value) == 566)
    official = [(one["key"], tuple(one["shape"])) if isinstance(one, dict) else tuple(one)[:2] for one in entries]
    own = [(name, tuple(value.shape)) for name, value in assembled().state_dict().items()]
    assert [(name, tuple(shape)) for name, shape in official] == own


@pytest.mark.parametrize("name", ["inception_64px", "inception_64px_float64"])
def test_golden_features(name: str, weights: Path) -> None:
    figures, arrays = golden(name)
    how = figures["images"]
    every = images(how["n_a"], how["h"], how["w"], how["seed_a"])
    assert hashlib.sha256(np.ascontiguousarray(every.transpose(0, 3, 1, 2)).tobytes()).hexdigest() == how["sha256_a"]
    own = instrument(weights).treated("tf1-float64" if "float64" in name else "tf1")
    found = own.measure(list(every[:2]))
    expected = {"pool": "a_2048", "spatial": "a_spatial7_first8", "logits": "a_logits_unbiased_first8"}
    for part, key in expected.items():
        values = arrays[key][:2]
        got = np.stack([getattr(one, part) for one in found])
        tolerance = 2e-5 if "float64" not in name else 1e-6  # the stated ones are 2e-4 and 1e-6
        np.testing.assert_allclose(got, values, rtol=tolerance, atol=tolerance * np.abs(values).max())


def test_fid_sfid_and_scores_from_golden_features() -> None:
    """The metrics from torch-fidelity's own features give its own numbers."""
    from vismark.metrics.generation.kernel import gaussian, kid

    figures, arrays = golden("inception_64px")
    official = figures["metrics"]
    for layer in ("2048", "64", "192"):
        sets = [Gaussian.of_features(arrays[f"{side}_{layer}"], single=True) for side in "ab"]
        # Fewer images than features: torch-fidelity's eigenvalues are good to 1e-4 of the traces.
        traces = sum(float(np.vdot(one.root, one.root)) for one in sets)
        assert frechet(*sets) == pytest.approx(official[f"fid_{layer}"], abs=1e-4 * traces)
    a, b = arrays["a_2048"], arrays["b_2048"]
    assert kid(a, b, subsets=10, size=16) == pytest.approx(official["kid_poly"], rel=1e-4)
    assert kid(a, b, subsets=10, size=16, kernel=gaussian) == pytest.approx(official["kid_rbf"], rel=1e-4)


def test_features_of_torch_fidelity_itself(weights: Path) -> None:
    """Within 1e-5 of the largest feature; each image alone gives the same bits as among others."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3 as Official

    official = Official("official", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(weights))
    random = np.random.default_rng(1)
    pictures = [random.integers(0, 256, (80, 96, 3), dtype=np.uint8) for _ in range(3)]
    with torch.inference_mode():
        expected = official(torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2))
    own = instrument(weights)
    found = own.measure(pictures)
    for part, values in zip(("pool", "logits"), expected, strict=True):
        got = np.stack([getattr(one, part) for one in found])
        assert np.abs(got - values.numpy()).max() < 1e-5 * np.abs(values.numpy()).max()
    assert np.array_equal(own.measure(pictures[1:2])[0].pool, found[1].pool)
    assert not own.selftest().errors


def test_identity_and_departures(weights: Path) -> None:
    plain, half = instrument(weights), instrument(weights, dtype="bfloat16")
    assert plain.identity["treatment"] == "tf1"
    assert plain.treated("half-pixel").identity == plain.identity | {"treatment": "half-pixel"}
    assert half.identity != plain.identity
    assert "not the official ones (sha256:6726825d0af5" in plain.departs
    assert "bfloat16" in half.departs


def test_missing_weights_say_how_to_get_them(tmp_path: Path) -> None:
    absent = Tools(root=tmp_path).load("features", "inception-v3")
    assert isinstance(absent, Absent)
    with pytest.raises(Missing, match=r"vismark download inception-v3.*--weights inception-v3=PATH"):
        absent.measure([])


def test_weights_that_are_none(tmp_path: Path, weights: Path) -> None:
    def code(path: Path) -> str:
        with pytest.raises(Refused) as refused:
            instrument(path).measure([np.zeros((9, 9, 3), np.uint8)])
        (problem,) = refused.value.problems
        return problem.code

    (tmp_path / "noise.pth").write_bytes(b"no weights at all")
    torch.save({"a": torch.zeros(3)}, tmp_path / "other.pth")
    torch.save({"epoch": 3}, tmp_path / "no_tensors.pth")
    (tmp_path / "cut.pth").write_bytes(weights.read_bytes()[:100_000])
    torch.save({"a": print}, tmp_path / "code.pth")
    assert code(tmp_path / "other.pth") == "WEIGHTS_OTHER_NETWORK"
    for name in ("noise", "no_tensors", "cut", "code"):
        assert code(tmp_path / f"{name}.pth") == "WEIGHTS_FILE", name


def test_the_card_is_what_the_specification_pins() -> None:
    (file,) = registry.card("instruments", "inception-v3").files
    assert file.bytes == 95_628_359
    assert file.digest == "sha256:6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"

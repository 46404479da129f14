"""LPIPS: torch-fidelity's own module on the same weights, and what must hold for any weights."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from vismark.instruments.base import Absent, Tools
from vismark.instruments.features.lpips import Lpips
from vismark.problems import Missing
from vismark.runtime.torchvision import make_importable

torch = pytest.importorskip("torch", reason="torch is not installed")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights in the form of the official files; the classifier of VGG16, which is not used, is left out."""
    make_importable()
    vgg = pytest.importorskip("torchvision.models.vgg", reason="torchvision is not installed")
    folder = tmp_path_factory.mktemp("lpips")
    torch.manual_seed(0)
    state = vgg.make_layers(vgg.cfgs["D"]).state_dict()
    torch.save({f"features.{name}": value for name, value in state.items()}, folder / "vgg16-397923af.pth")
    lines = {f"lin{n}.model.1.weight": torch.rand(1, c, 1, 1) for n, c in enumerate((64, 128, 256, 512, 512))}
    torch.save(lines, folder / "vgg_lpips.pth")
    return folder


def instrument(weights: Path) -> Lpips:
    found = Tools(weights={"lpips-vgg16": weights}, device="cpu", batch_size=2).load("lpips", "lpips-vgg16")
    assert isinstance(found, Lpips)
    return found


def test_torch_fidelitys_module_on_the_same_weights(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    official = pytest.importorskip("torch_fidelity.sample_similarity_lpips", reason="torch-fidelity is not installed")
    from torchvision.models.vgg import cfgs, make_layers

    def vgg16() -> object:
        layers = make_layers(cfgs["D"])
        state = torch.load(weights / "vgg16-397923af.pth", weights_only=True)
        layers.load_state_dict({name.removeprefix("features."): value for name, value in state.items()})
        return SimpleNamespace(features=layers)

    lines = torch.load(weights / "vgg_lpips.pth", weights_only=True)
    monkeypatch.setattr(official, "torchvision_load_pretrained_vgg16", vgg16)
    monkeypatch.setattr(official, "load_state_dict_from_url", lambda *a, **k: lines)
    theirs = official.SampleSimilarityLPIPS("lpips-vgg16")
    random = np.random.default_rng(0)
    pairs = [tuple(random.integers(0, 256, (2, 48, 40, 3), dtype=np.uint8)) for _ in range(3)]
    x, y = (torch.from_numpy(np.stack([pair[side] for pair in pairs])).permute(0, 3, 1, 2) for side in (0, 1))
    with torch.no_grad():
        expected = theirs(x, y)
    found = instrument(weights).measure([(a / 255, b / 255) for a, b in pairs])
    np.testing.assert_allclose(found, expected.flatten().tolist(), rtol=1e-4)


def test_identity_and_what_is_told(weights: Path, tmp_path: Path) -> None:
    own = instrument(weights)
    assert not own.selftest().errors
    assert own.departs == "the weights of lpips-vgg16 are not the official ones (vgg_lpips.pth)"
    (tmp_path / "vgg16-397923af.pth").write_bytes(b"")
    absent = Tools(weights={"lpips-vgg16": tmp_path}).load("lpips", "lpips-vgg16")
    assert isinstance(absent, Absent)
    with pytest.raises(Missing, match=r"vgg_lpips.pth.*vismark download lpips-vgg16"):
        absent.measure([])

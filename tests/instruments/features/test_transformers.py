"""DINOv2 and CLIP with random weights: what their own libraries compute from the same files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vismark.instruments.base import Tools
from vismark.instruments.features import clip, dinov2, treatments
from vismark.problems import Refused
from vismark.runtime.torchvision import make_importable

torch = pytest.importorskip("torch", reason="torch is not installed")


def load(name: str, weights: Path) -> Any:
    tools = Tools(weights={name: weights}, device="cpu", batch_size=2)
    return tools.load("dinov2" if name.startswith("dino") else "clip", name)


def picture(height: int, width: int, seed: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def small_dino(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small official checkpoint in form: 518 pixels, so 37×37 places, and a mask token."""
    make_importable()
    timm = pytest.importorskip("timm", reason="timm is not installed")
    torch.manual_seed(0)
    state = timm.create_model("vit_small_patch14_dinov2", num_classes=0).state_dict()
    assert state["pos_embed"].shape == (1, 1 + 37 * 37, 384)
    path = tmp_path_factory.mktemp("dino") / "dino.pth"
    torch.save(state | {"mask_token": torch.zeros(1, 384)}, path)
    return path


def test_dinov2_gives_the_class_token_at_224_pixels(small_dino: Path) -> None:
    import timm

    own = load("dinov2-vitl14", small_dino)
    images = [picture(300, 200, 0), picture(224, 224, 1)]
    found = own.measure(images)
    state = torch.load(small_dino, weights_only=True)
    network = timm.create_model("vit_small_patch14_dinov2", num_classes=0, img_size=224).eval()
    state.pop("mask_token")
    state["pos_embed"] = dinov2._at_size(state)["pos_embed"]
    network.load_state_dict(state)
    x = treatments.treated(images, "squash", 224, treatments.IMAGENET, torch.device("cpu"))
    with torch.no_grad():
        expected = network(x).numpy()  # timm's own head: the class token
    np.testing.assert_allclose(np.stack(found), expected, rtol=0, atol=2e-5 * np.abs(expected).max())
    assert not own.selftest().errors


def test_places_are_read_with_the_official_offset() -> None:
    """Output i of 16 lies at (i + ½)·37/16.1 − ½ of 37; a linear ramp shows it, to what a bicubic wiggles."""
    ramp = torch.arange(37.0).repeat(37).view(1, 37 * 37, 1)
    found = dinov2._at_size({"pos_embed": torch.cat([torch.zeros(1, 1, 1), ramp], dim=1)})["pos_embed"][0, 1:, 0]
    places = (np.arange(16) + 0.5) * 37 / 16.1 - 0.5
    np.testing.assert_allclose(found.view(16, 16)[0, 1:15], places[1:15], atol=0.06)


def test_clip_is_open_clips_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_importable()
    open_clip = pytest.importorskip("open_clip", reason="open_clip is not installed")
    from PIL import Image
    from safetensors.torch import save_file

    layout = {
        "embed_dim": 32,
        "vision_cfg": {"image_size": 64, "layers": 2, "width": 64, "patch_size": 16, "head_width": 32},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
    }
    (tmp_path / "tiny-clip.json").write_text(json.dumps(layout))
    open_clip.add_model_config(tmp_path / "tiny-clip.json")
    monkeypatch.setitem(clip._LAYOUTS, "clip-vit-b32", ("tiny-clip", 64))
    official = open_clip.create_model("tiny-clip", force_quick_gelu=True).eval()
    save_file(official.state_dict(), tmp_path / "tiny.safetensors")

    images = [picture(100, 80, 0), picture(64, 64, 1)]
    texts = ["a red square", "many " * 200]
    found = load("clip-vit-b32", tmp_path / "tiny.safetensors").measure([images[0], texts[0], images[1], texts[1]])
    transform = open_clip.image_transform(64, is_train=False)
    with torch.no_grad():
        seen = official.encode_image(torch.stack([transform(Image.fromarray(one)) for one in images])).numpy()
        read = official.encode_text(open_clip.get_tokenizer("tiny-clip")(texts)).numpy()
    np.testing.assert_allclose(np.stack([found[0], found[2]]), seen, atol=1e-5 * np.abs(seen).max())
    np.testing.assert_allclose(np.stack([found[1], found[3]]), read, atol=1e-5 * np.abs(read).max())


def test_weights_of_another_network_are_named(small_dino: Path) -> None:
    with pytest.raises(Refused, match="WEIGHTS_OTHER_NETWORK"):
        load("clip-vit-b32", small_dino).measure([picture(9, 9, 0)])

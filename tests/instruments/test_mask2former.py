"""GenEval's detector: names, processing and network against mmdet's own, and what is said when something is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vismark.instruments.base import Absent, Tools
from vismark.instruments.mask2former.processing import Prepared, find, prepare
from vismark.problems import Missing, Refused

torch = pytest.importorskip("torch", reason="needs vismark[models]")
pytest.importorskip("transformers", reason="needs vismark[models]")

GOLDEN = Path(__file__).parents[2].parent / "shared" / "golden" / "geneval"
needs_golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason="the official golden is not here")


@pytest.fixture(scope="module")
def network() -> Any:
    """The official network with the weights of the recipe."""
    from vismark.instruments.mask2former.canary import _known_network

    return _known_network()


def detector(network: Any, **choice: Any) -> Any:
    from vismark.instruments.mask2former.detector import Mask2Former

    return Mask2Former("test", "sha256:0", lambda: network, Tools(device="cpu", **choice))


@needs_golden
def test_every_parameter_of_the_checkpoint_has_its_place() -> None:
    from vismark.instruments.mask2former.detector import assembled
    from vismark.instruments.mask2former.keys import mmdet_shapes, targets

    manifest = json.loads((GOLDEN / "mask2former_state_manifest.json").read_text())
    assert [list(targets(name) or ()) for name, *_, places in manifest["entries"]] == [
        places for *_, places in manifest["entries"]
    ]
    shapes = {name: tuple(shape) for name, shape, _, places in manifest["entries"] if places}
    with torch.device("meta"):
        empty = assembled()
    assert mmdet_shapes(empty.state_dict()) == shapes
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == manifest["parameters"]
    assert targets("backbone.something.else") is None


@needs_golden
def test_pictures_are_prepared_as_mmdet_does() -> None:
    golden = np.load(GOLDEN / "mask2former_pre_11.npz")
    for number in range(3):
        prepared = prepare(np.ascontiguousarray(golden[f"bgr_{number}"][..., ::-1]))
        assert list(prepared.tensor.shape) == golden[f"shape_{number}"].tolist()
        assert list(prepared.resized) == golden[f"img_shape_{number}"][:2].tolist()
        # One grey level is 0.018: OpenCV's own versions differ by as much.
        difference = np.abs(prepared.tensor[:, ::23, ::29] - golden[f"sample_{number}"])
        assert difference.max() < 0.02
        assert (difference > 1e-4).mean() < 0.01
        assert (prepared.tensor[:, -3:, -3:] == golden[f"corner_{number}"]).all()
        assert prepared.tensor.mean() == pytest.approx(float(golden[f"mean_{number}"]), abs=1e-4)


@needs_golden
def test_objects_are_found_in_logits_as_mmdet_does() -> None:
    golden = np.load(GOLDEN / "mask2former_post_11.npz")
    height, width, inner_height, inner_width, *size = golden["sizes"].tolist()
    prepared = Prepared(np.zeros((3, height, width), np.float32), (inner_height, inner_width), (size[0], size[1]))
    found = find(torch.tensor(golden["class_logits"]), torch.tensor(golden["mask_logits_quarter"]), prepared)
    labels, scores, boxes = (getattr(found, name).numpy() for name in ("labels", "scores", "boxes"))
    order = np.lexsort((boxes[:, 0], boxes[:, 1], -scores, labels))
    assert (labels[order] == golden["labels"]).all()
    assert (boxes[order] == golden["boxes"]).all()
    assert np.abs(scores[order] - golden["scores"]).max() < 1e-6
    masks = found.masks.numpy()[order]
    assert (np.packbits(masks.reshape(len(masks), -1), axis=1) == golden["masks_packed"]).all()


@pytest.mark.slow
@needs_golden
def test_the_network_is_mmdets(network: Any) -> None:
    golden = np.load(GOLDEN / "mask2former_forward_11.npz")
    with torch.inference_mode():
        out = network(pixel_values=torch.tensor(golden["input"]))
    assert np.abs(out.class_queries_logits.numpy() - golden["class_logits"]).max() < 1e-4
    assert np.abs(out.masks_queries_logits.numpy() - golden["mask_logits"]).max() < 1e-4


@pytest.mark.slow
def test_the_canary_sings_and_falls_silent(network: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from vismark.instruments.mask2former import canary

    assert not canary.check("cpu").errors
    right = canary.known()
    wrong = canary.Known([[value + 0.01 for value in row] for row in right.class_logits], right.mask_logits)
    monkeypatch.setattr(canary, "known", lambda: wrong)
    assert "DETECTOR_DEVICE" in canary.check("cpu")


class Stub(torch.nn.Module):
    """A network that says where the bright part of a picture is, as class 11 (stop sign)."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.batches: list[tuple[int, ...]] = []

    def forward(self, pixel_values: Any) -> Any:
        self.batches.append(tuple(pixel_values.shape))
        quarter = torch.nn.functional.avg_pool2d(pixel_values.mean(1, keepdim=True), 4)
        classes = torch.full((len(pixel_values), 2, 81), -9.0)
        classes[:, 0, 11] = 9.0
        classes[:, 1, 80] = 9.0
        from types import SimpleNamespace

        masks = torch.cat([20 * quarter, torch.full_like(quarter, -9.0)], 1)
        return SimpleNamespace(class_queries_logits=classes, masks_queries_logits=masks)


def test_pictures_of_one_size_go_through_together_in_batches_of_one_size() -> None:
    stub = Stub()
    pictures = []
    for height, width in ((64, 64), (64, 96), (64, 64), (64, 64)):
        pixels = np.zeros((height, width, 3), np.uint8)
        pixels[16:32, 24:48] = 255
        pictures.append(pixels)
    found = detector(stub, batch_size=2).measure(pictures)
    assert [shape[0] for shape in stub.batches] == [2, 2, 2]
    for objects in found:
        (sign,) = (one for one in objects if one.score > 0.5)
        assert sign.category == "stop sign"
        assert sign.box == pytest.approx((24, 16, 48, 32), abs=2)
        assert sign.mask is not None


def test_a_drawing_that_gets_no_score_is_told() -> None:
    assert not list(detector(Stub()).selftest())
    blind = Stub()
    blind.forward = lambda pixel_values: Stub.forward(blind, pixel_values * 0 - 9)  # type: ignore[method-assign]
    assert "DETECTOR_DRAWING" in detector(blind).selftest()


def test_weights_that_are_missing_or_others(tmp_path: Path) -> None:
    absent = Tools().load("detector", "mask2former-mmdet")
    assert isinstance(absent, Absent)
    with pytest.raises(Missing):
        absent.measure([])
    other = tmp_path / "other.pth"
    torch.save({"state_dict": {"a": torch.zeros(1)}}, other)
    with pytest.raises(Refused, match="743b7d99"):
        Tools(weights={"": other}).load("detector", "mask2former-mmdet")
    from vismark.instruments.mask2former.detector import filled_from_mmdet, from_mmdet

    with pytest.raises(Refused, match="do not fit"):
        from_mmdet(other)
    other.write_bytes(b"nonsense")
    with pytest.raises(Refused, match="cannot be read"):
        from_mmdet(other)
    with pytest.raises(Refused, match="do not fit"):
        filled_from_mmdet({"panoptic_head.cls_embed.weight": torch.zeros(3, 3)})


def test_detectron2_says_where_it_is_to_be_had() -> None:
    with pytest.raises(Missing, match="detectron2"):
        Tools().load("detector", "detectron2").measure([])

"""Text-to-image end to end on portraits of shapes: prompts, crops, categories, and what check finds."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vismark import registry
from vismark.benchmarks.base import Source
from vismark.datasets.shapes.portraits import ensure
from vismark.formats.crops import CROPS, stretched
from vismark.formats.image_files import encode
from vismark.formats.image_sets import open_set
from vismark.formats.prompts import read_prompts
from vismark.jobs.check import check
from vismark.jobs.report import report
from vismark.jobs.requests import requests
from vismark.jobs.score import score
from vismark.problems import Problems

NAME = "shapes-t2i"


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real images under the names of their prompts."""
    folder = tmp_path_factory.mktemp("truth")
    references = registry.benchmark(NAME).references(Source(), Problems(), "strict")
    for one in references.prompts:
        shutil.copy(ensure() / "val" / f"{one.picture}.png", folder / f"{one.id}.png")
    return folder


def codes(path: Path, **how: Any) -> dict[str, str]:
    return {problem.code: problem.severity for problem in check(NAME, path, **how)}


def test_the_truth_is_no_distance_away_under_any_protocol(truth: Path, tmp_path: Path) -> None:
    result = score(NAME, truth, tmp_path / "a.json", protocol="all")
    for name in ("FID", "FID_pytorch", "FID_clean"):
        assert result.metrics[name] == pytest.approx(0, abs=1e-6)
    assert set(result.protocol.instruments) == {f"shapes-features/{one}" for one in ("tf1", "half-pixel", "clean")}
    (page,) = report(tmp_path / "a.json", output=tmp_path / "a.html")
    assert all(text in page.read_text() for text in ("Nearest real images", "circle on "))


def test_generated_images_may_have_any_size(truth: Path, tmp_path: Path) -> None:
    """What is twice as large is brought to the protocol's side before features are taken."""
    for number, file in enumerate(sorted(truth.iterdir())):
        pixels = np.asarray(Image.open(file))
        larger = np.repeat(np.repeat(pixels, 2, axis=0), 2, axis=1) if number % 2 else pixels
        (tmp_path / file.name).write_bytes(encode(larger))
    assert codes(tmp_path) == {}
    value = score(NAME, tmp_path, protocol="pytorch-fid").metrics["FID_pytorch"]
    assert value is not None and 0 < value < 0.1


def test_check_names_what_is_missing_and_what_answers_nothing(truth: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bad"
    shutil.copytree(truth, folder)
    first, second, third, *_ = sorted(folder.iterdir())
    first.unlink()
    second.rename(folder / "stray.png")
    Image.open(third).convert("RGBA").save(third)
    assert codes(folder) == {
        "SUB_IMAGE_UNKNOWN": "error", "SUB_IMAGE_MISSING": "error", "SUB_IMAGE_COLOUR": "warning",
    }  # fmt: skip
    assert codes(folder, mode="official")["SUB_IMAGE_UNKNOWN"] == "warning"
    assert str(score(NAME, folder, mode="official", partial=True).partial) == "PARTIAL 510/512"


def test_a_list_of_ones_own_is_another_measurement(truth: Path, tmp_path: Path) -> None:
    """The list that `vismark requests` writes gives the same prompts; another order of it has another digest."""
    requests(NAME, tmp_path / "list.jsonl")
    lines = (tmp_path / "list.jsonl").read_text().splitlines()
    (tmp_path / "other.jsonl").write_text("\n".join([*lines[:1], *reversed(lines[1:])]))
    results = [
        score(NAME, truth, references={"prompts": tmp_path / name, "images": ensure() / "val"})
        for name in ("list.jsonl", "other.jsonl")
    ]
    assert results[0].references != results[1].references
    assert results[0].metrics["FID_pytorch"] == pytest.approx(0, abs=1e-6)


def test_categories_have_their_own_numbers(truth: Path, tmp_path: Path) -> None:
    """In the form of MJHQ-30K: meta data, folders of categories, images with or without the folders."""
    meta, images, made = {}, tmp_path / "images", tmp_path / "made"
    for number, file in enumerate(sorted(truth.iterdir())):
        group = ("animals", "art")[number % 2]
        meta[file.stem] = {"category": group, "prompt": f"picture {number}"}
        for place in (images / group, made / group):
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, place / file.name)
    (tmp_path / "meta_data.json").write_text(json.dumps(meta))
    references = {"prompts": tmp_path / "meta_data.json", "images": images}
    for submission in (made, truth):
        result = score(NAME, submission, references=references, protocol="torch-fidelity")
        table = result.breakdowns["category"]
        assert {group: row["images"] for group, row in table.items()} == {"animals": 256, "art": 256}
        assert [row["FID"] for row in table.values()] == pytest.approx([0, 0], abs=1e-6)


def test_coco_prompts_are_drawn_without_replacement_and_always_the_same(tmp_path: Path) -> None:
    images = [{"id": id, "file_name": f"x_{id:03d}.jpg"} for id in range(1, 101)]
    texts = [{"id": 10 * id + k, "image_id": id, "caption": f"{id} {k}"} for id in range(1, 101) for k in range(5)]
    found = []
    for name, order in (("a", texts), ("b", texts[::-1])):
        (tmp_path / name).write_text(json.dumps({"images": images, "annotations": order}))
        found.append(read_prompts(tmp_path / name, 30, Problems()))
    assert found[0] == found[1] and found[0] is not None
    assert len({one.id for one in found[0]}) == 30
    assert all(one.prompt.split()[0] == str(int(one.id)) and one.picture == f"x_{int(one.id):03d}" for one in found[0])
    assert len({one.prompt.split()[1] for one in found[0]}) > 1


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"a": {"prompt": "no category"}}', '{"../a": {"category": "", "prompt": ""}}']
)
def test_files_without_prompts_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "meta.json").write_text(text)
    problems = Problems()
    assert read_prompts(tmp_path / "meta.json", None, problems) is None and problems.errors


def recipe(seed: int, height: int, width: int) -> Any:
    """The made-up picture of the goldens: blocks of 8 × 8 pixels and noise."""
    import torch

    g = torch.Generator().manual_seed(seed)
    low = torch.randint(0, 192, (1, 3, -(-height // 8), -(-width // 8)), generator=g)
    low = low.repeat_interleave(8, dim=2).repeat_interleave(8, dim=3)[:, :, :height, :width]
    high = torch.randint(0, 64, (1, 3, height, width), generator=g)
    return (low + high).to(torch.uint8)[0].permute(1, 2, 0).contiguous().numpy()


def test_the_centre_crop_is_that_of_adm() -> None:
    """The golden holds digests of what guided-diffusion 22e0df8 makes of pictures of several sizes."""
    golden = Path(__file__).parents[3] / "shared" / "golden" / "generation_metrics" / "adm_center_crop.json"
    if not golden.is_file():
        pytest.skip(f"{golden.name} is not beside the repository")
    pytest.importorskip("torch", reason="the pictures come from its generator")
    rows = json.loads(golden.read_text())["rows"]
    for row in rows:
        pixels = recipe(row["seed"], row["height"], row["width"])
        assert hashlib.sha256(pixels.tobytes()).hexdigest() == row["input_sha256"]
        found = np.ascontiguousarray(CROPS["adm"](pixels, row["size"]))
        assert hashlib.sha256(found.tobytes()).hexdigest() == row["output_sha256"], row


@pytest.mark.parametrize("how", CROPS)
@pytest.mark.parametrize("size", [(40, 70), (70, 40), (32, 32), (200, 333)])
def test_crops_give_squares(how: str, size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    assert CROPS[how](pixels, 32).shape == (32, 32, 3)


@pytest.mark.parametrize(("how", "mode"), [("shorter-bicubic", "BICUBIC"), ("shorter-bilinear", "BILINEAR")])
@pytest.mark.parametrize("size", [(47, 70), (71, 40), (32, 45)])
def test_the_shorter_side_is_resized_as_torchvision_does(how: str, mode: str, size: tuple[int, int]) -> None:
    pytest.importorskip("torch", reason="torchvision is the reference")
    from vismark.runtime.torchvision import make_importable

    make_importable()
    from torchvision import transforms

    pixels = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    official = transforms.Compose(
        [transforms.Resize(32, interpolation=transforms.InterpolationMode[mode]), transforms.CenterCrop(32)]
    )
    assert (CROPS[how](pixels, 32) == np.asarray(official(Image.fromarray(pixels)))).all()


def test_stretching_leaves_what_fits() -> None:
    pixels = np.zeros((32, 32, 3), np.uint8)
    assert stretched(pixels, 32) is pixels


def test_twins_are_the_same_class() -> None:
    cards = [registry.card("benchmarks", name) for name in ("coco-t2i", "mjhq30k", NAME)]
    assert len({card.code for card in cards}) == 1
    names = [{spec.name for spec in card.metrics} - {"CLIPScore"} for card in cards]
    assert names[0] == names[1] == names[2]


def test_images_of_the_truth_are_found() -> None:
    assert len(open_set(ensure() / "val").ids) == 512

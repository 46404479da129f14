"""`coco-semantic` and its twin: the official numbers, every finding, controls, protocols, and the report."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import vismark
from panoptic_builder import SIZE, Case, build, png_bytes
from vismark import registry
from vismark.formats.panoptic import read_ids
from vismark.problems import Missing, Problem, Refused, Usage
from vismark.tasks import LabelMap, SemanticSegment

SAMPLE = Path(__file__).parents[3] / "shared" / "data" / "panoptic_sample"
SHAPES = "shapes-semantic"
NUMBERS = ("mIoU", "fwIoU", "mACC", "pACC")


def labels_of(folder: Path, annotation: Mapping[str, Any], label: Mapping[int, int]) -> NDArray[np.uint8]:
    """A panoptic map as labels, segment by segment as detectron2 prepares its files; void is 255."""
    ids = read_ids(folder / annotation["file_name"])
    labels = np.full(ids.shape, 255, dtype=np.uint8)
    for segment in annotation["segments_info"]:
        labels[ids == segment["id"]] = label[segment["category_id"]]
    return labels


def contiguous(truth: Mapping[str, Any]) -> dict[int, int]:
    """All categories by position: detectron2's `panoptic_semseg`."""
    return {one["id"]: label for label, one in enumerate(truth["categories"])}


def stuff_only(truth: Mapping[str, Any]) -> dict[int, int]:
    """Things are 0, stuff counts from 1: detectron2's `panoptic_stuff`."""
    stuff = [one["id"] for one in truth["categories"] if not one["isthing"]]
    return {one["id"]: stuff.index(one["id"]) + 1 if one["id"] in stuff else 0 for one in truth["categories"]}


def detectron2(pairs: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]], classes: int) -> dict[str, float]:
    """After detectron2 02b5c4e, `SemSegEvaluator`: the matrix of `process`, the formulas of `evaluate`."""
    matrix = np.zeros((classes + 1, classes + 1), dtype=np.int64)
    for truth, predicted in pairs:
        true, ours = (np.where(one == 255, classes, one).astype(np.int64) for one in (truth, predicted))
        matrix += np.bincount((classes + 1) * ours.ravel() + true.ravel(), minlength=matrix.size).reshape(matrix.shape)
    tp = matrix.diagonal()[:-1].astype(float)
    gt, pred = (matrix[:-1, :-1].sum(axis=axis).astype(float) for axis in (0, 1))
    valid = gt > 0
    iou, acc = tp[valid] / (gt + pred - tp)[valid], tp[valid] / gt[valid]
    numbers = (
        iou.sum() / valid.sum(),
        (iou * gt[valid] / gt.sum()).sum(),
        acc.sum() / valid.sum(),
        tp.sum() / gt.sum(),
    )
    return {name: 100 * float(number) for name, number in zip(NUMBERS, numbers, strict=True)}


@pytest.mark.skipif(not SAMPLE.exists(), reason="the COCO panoptic sample (../shared/data/panoptic_sample) is not here")
@pytest.mark.parametrize("name", ["pred_a", "pred_b"])
def test_real_coco_sample(tmp_path: Path, name: str) -> None:
    """Void in these predictions is left out by the official formula: a number for official mode only."""
    expected = json.loads((SAMPLE / "expected.json").read_text())["semantic"]["results"][name]
    truth = json.loads((SAMPLE / "panoptic_examples.json").read_text())
    for one in json.loads((SAMPLE / f"{name}.json").read_text())["annotations"]:
        labels = labels_of(SAMPLE / name, one, contiguous(truth))
        Image.fromarray(labels).save(tmp_path / one["file_name"])
    given = {"references": SAMPLE / "panoptic_examples.json"}
    result = vismark.score("coco-semantic", tmp_path, mode="official", **given)
    assert {n: result.metrics[n] for n in NUMBERS} == pytest.approx({n: expected[n] for n in NUMBERS}, abs=1e-10)
    assert result.basis["mIoU"].n == expected["classes"]
    with pytest.raises(Refused) as refused:
        vismark.score("coco-semantic", tmp_path, **given)
    assert set(refused.value.problems.totals) == {"SUB_LABEL_VOID", "REF_OTHER_SPLIT"}


@pytest.fixture(scope="module")
def shapes(shapes_cache: Path) -> tuple[Path, dict[str, Any]]:
    """The folder of the true PNGs of shapes, and the JSON."""
    (folder,) = (shapes_cache / "shapes").glob("*-60-val")
    truth = json.loads((folder / "annotations" / "panoptic_val.json").read_text())
    return folder / "annotations" / "panoptic_val", truth


@pytest.mark.parametrize("amount", [0.0, 0.1, 0.6])
def test_shapes_equal_the_official_formula(tmp_path: Path, shapes: tuple[Path, dict[str, Any]], amount: float) -> None:
    folder, truth = shapes
    vismark.predict("oracle", SHAPES, tmp_path / "run", settings={"amount": amount})
    pairs = [
        (
            labels_of(folder, one, contiguous(truth)),
            np.asarray(Image.open(tmp_path / "run" / one["file_name"]), dtype=np.uint8),
        )
        for one in truth["annotations"]
    ]
    results = [vismark.score(SHAPES, tmp_path / "run", jobs=jobs) for jobs in (1, 2)]
    assert results[0].metrics == pytest.approx(detectron2(pairs, 12), abs=1e-10)
    assert results[0] == results[1]
    assert results[0].basis["mIoU"].interval is not None
    if amount == 0:
        assert set(results[0].metrics.values()) == {100.0}


def test_stuff_protocol(tmp_path: Path, shapes: tuple[Path, dict[str, Any]]) -> None:
    """Five labels: things and four grounds; the truth, and one with two grounds swapped in every fourth image."""
    folder, truth = shapes
    pairs = []
    for number, one in enumerate(truth["annotations"]):
        true = labels_of(folder, one, stuff_only(truth))
        swap = np.array([0, 2, 1, 3, 4] if number % 4 == 0 else range(5), dtype=np.uint8)
        labels = np.append(swap, np.zeros(251, np.uint8))[true]
        Image.fromarray(labels).save(tmp_path / one["file_name"])
        pairs.append((true, labels))
    result = vismark.score(SHAPES, tmp_path, protocol="stuff")
    assert result.metrics == pytest.approx(detectron2(pairs, 5), abs=1e-10)
    assert str(result.protocol) == "shapes-semantic-stuff@1"
    assert set(result.breakdowns["category"]) == {"things", "grass", "sand", "water", "brick"}
    confused = result.breakdowns["confusion"]["grass → sand"]
    assert confused["pixels"] == sum(int(((t == 1) & (p == 2)).sum()) for t, p in pairs)


def test_controls_bound_the_benchmark(tmp_path: Path) -> None:
    scores = {}
    for who, settings in (("oracle", {"amount": 0.05}), ("majority", {}), ("blank", {})):
        vismark.predict(who, SHAPES, tmp_path / who, settings=settings)
        result = vismark.score(SHAPES, tmp_path / who)
        assert result.kind == "control"
        scores[who] = result.metrics["pACC"] or 0.0
    assert scores["oracle"] > 90 > scores["majority"] > scores["blank"]


def test_twins_share_their_class_and_numbers() -> None:
    coco, shapes = (registry.card("benchmarks", name) for name in ("coco-semantic", SHAPES))
    assert (coco.code, coco.metrics, coco.protocols) == (shapes.code, shapes.metrics, shapes.protocols)


def test_shards_verify_and_report(tmp_path: Path) -> None:
    for index in (1, 0):
        vismark.predict("oracle", SHAPES, tmp_path / "run", shard=f"{index}/2")
    result = vismark.score(SHAPES, tmp_path / "run", tmp_path / "result.json")
    assert result.samples == 60
    assert not vismark.verify(tmp_path / "result.json").errors
    vismark.report(tmp_path / "result.json", output=tmp_path / "report.html", worst=2)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    worst = min(zip(*read(tmp_path / "result.parquet", "mIoU", "id"), strict=True))[1]
    assert f"<h3>{worst}" in page and "By class" in page and "Table by confusion" in page


def read(path: Path, *columns: str) -> list[list[Any]]:
    from vismark.runtime.tables import read_table

    table = read_table(path)
    return [table[name] for name in columns]


class Model:
    """A predictor that says the last category everywhere."""

    name = "last"
    tasks = (SemanticSegment,)

    def predict(self, requests: list[SemanticSegment]) -> list[LabelMap]:
        return [LabelMap(np.full(r.image.pixels().shape[:2], len(r.categories) - 1, np.int32)) for r in requests]


def test_a_model_of_ones_own(tmp_path: Path) -> None:
    vismark.predict(Model(), SHAPES, tmp_path / "run", limit=4)
    result = vismark.score(SHAPES, tmp_path / "run")
    assert str(result.partial) == "PARTIAL 4/60"
    assert result.breakdowns["category"]["brick"]["predicted"] > 0


@dataclass(frozen=True)
class Row:
    """A defect of a submission and its finding."""

    code: str
    change: Callable[[Path], object]
    says: str = ""
    item: str = "000000000139"
    severity: str = "error"


def _paint(folder: Path, labels: NDArray[Any], mode: str | None = None) -> None:
    image = Image.fromarray(labels)
    (image.convert(mode) if mode else image).save(folder / "000000000139.png")


def _map(value: int = 0, size: tuple[int, int] = SIZE, kind: type = np.uint8) -> NDArray[Any]:
    return np.full(size, value, dtype=kind)


def _spots(labels: NDArray[Any], values: Mapping[int, int]) -> NDArray[Any]:
    """Another label on the first so many pixels, one label after the other."""
    start = 0
    for value, count in values.items():
        labels.ravel()[start : start + count] = value
        start += count
    return labels


ROWS = [
    Row("SUB_IMAGE_MISSING", lambda f: (f / "000000000139.png").unlink(), "1 image(s) have no label map: 000000000139",
        item=""),
    Row("SUB_EMPTY", lambda f: [p.rename(f / p.name.lstrip("0")) for p in f.iterdir()], "no label map", item=""),
    Row("SUB_PNG_EXTRA", lambda f: (f / "extra.png").write_bytes(b""), "1 PNG(s) belong to no image: extra",
        item="", severity="warning"),
    Row("SUB_PNG_FORMAT", lambda f: _paint(f, _map(), "RGB"), "is RGB with 8 bits, not one channel"),
    Row("SUB_PNG_FORMAT", lambda f: _paint(f, _map(), "LA"), "grey with alpha"),
    Row("SUB_PNG_FORMAT", lambda f: _paint(f, _map(), "1"), "is grey with 1 bits"),
    Row("SUB_PNG_FORMAT", lambda f: Image.fromarray(_map()).save(f / "000000000139.png", format="JPEG"), "a JPEG"),
    Row("SUB_PNG_SIZE", lambda f: _paint(f, _map(size=SIZE[::-1])), "is 20×30 pixels, the image is 30×20"),
    Row("SUB_PNG_SIZE", lambda f: (f / "000000000139.png").write_bytes(png_bytes(60_000, 60_000, colour=0, idat=b"")),
        "is 60000×60000 pixels"),
    Row("SUB_PNG_UNREADABLE", lambda f: (f / "000000000139.png").write_bytes(png_bytes(30, 20, colour=0, idat=b"x")),
        "cannot be decoded"),
    Row("SUB_PNG_BYTES", lambda f: (f / "000000000139.png").write_bytes(bytes(2 << 20)), "bytes"),
    Row("SUB_PATH", lambda f: ((f / "000000000139.png").unlink(),
                               (f / "000000000139.png").symlink_to(f / "000000000285.png")), "link"),
    Row("SUB_LABEL_RANGE", lambda f: _paint(f, _spots(_map(), {4: 3, 187: 2})),
        "labels are 0 … 3 or 255; the map also has 4 (3 px), 187 (2 px)"),
    Row("SUB_LABEL_RANGE", lambda f: _paint(f, _map(300, kind=np.uint16)), "300 (600 px)"),
    Row("SUB_LABEL_VOID", lambda f: _paint(f, _spots(_map(), {255: 5})), "5 pixels that have a true label are 255"),
    Row("SUB_LABEL_VOID", lambda f: _paint(f, _map(255)), "all pixels that have a true label are 255"),
]  # fmt: skip


@pytest.fixture
def case(tmp_path: Path) -> tuple[Case, Path]:
    """The tiny panoptic ground truth, and a folder of label maps that are all of the first category."""
    folder = tmp_path / "maps"
    folder.mkdir()
    made = build(tmp_path).save()
    for id in made.true_maps:
        Image.fromarray(_map()).save(folder / f"{id:012}.png")
    return made, folder


def check(case: Case, folder: Path, mode: str = "strict", **more: Any) -> list[Problem]:
    found = vismark.check("coco-semantic", folder, references=case.references, mode=mode, **more)
    return [one for one in found if one.code != "REF_OTHER_SPLIT"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.code}: {row.says}"[:60])
def test_finding(row: Row, case: tuple[Case, Path]) -> None:
    made, folder = case
    assert check(made, folder) == []
    row.change(folder)
    (found,) = [one for one in check(made, folder) if one.code == row.code]
    assert (found.severity, found.item) == (row.severity, row.item)
    assert row.says in found.message and (found.fix or row.code.startswith("SUB_PATH"))
    assert str(folder.parent) not in str(found)


def test_several_defects_at_once(case: tuple[Case, Path]) -> None:
    made, folder = case
    _paint(folder, _map(7))
    (folder / "000000000285.png").write_bytes(b"GIF89a")
    (folder / "000000000632.png").unlink()
    (folder / "more.png").write_bytes(b"")
    codes = sorted(one.code for one in check(made, folder))
    assert codes == ["SUB_IMAGE_MISSING", "SUB_LABEL_RANGE", "SUB_PNG_EXTRA", "SUB_PNG_FORMAT"]


@pytest.mark.parametrize(
    ("kind", "mode"), [(np.uint8, None), (np.uint8, "P"), (np.uint16, None)], ids=["8 bits", "palette", "16 bits"]
)
def test_forms_of_the_same_map(case: tuple[Case, Path], kind: type, mode: str | None) -> None:
    made, folder = case
    given = {"references": made.references, "jobs": 1}
    plain = vismark.score("coco-semantic", folder, **given)
    if mode:
        image = Image.fromarray(_map(), mode="P")
        image.putpalette([7, 8, 9] * 256)
        image.save(folder / "000000000139.png")
    else:
        _paint(folder, _map(kind=kind))
    assert vismark.score("coco-semantic", folder, **given).metrics == plain.metrics


def test_void_is_left_out_in_official_mode_and_said(case: tuple[Case, Path]) -> None:
    made, folder = case
    for path in folder.iterdir():
        Image.fromarray(_map(255)).save(path)
    result = vismark.score("coco-semantic", folder, references=made.references, mode="official")
    assert result.metrics == dict.fromkeys(NUMBERS)
    assert {one.code for one in result.warnings} == {"SUB_LABEL_VOID", "METRIC_UNDEFINED", "REF_OTHER_SPLIT"}


def test_a_gap_is_scored_as_a_part(case: tuple[Case, Path]) -> None:
    made, folder = case
    (folder / "000000000139.png").unlink()
    assert check(made, folder, partial=True) == []


@pytest.mark.parametrize(
    ("labels", "code"),
    [
        (np.zeros((5, 5), np.int32), "PREDICTION_SIZE"),
        (np.zeros((128, 128), np.float32), "PREDICTION_LABELS"),
        (np.full((128, 128), 12, np.int32), "PREDICTION_LABELS"),
        (np.full((128, 128), -1, np.int32), "PREDICTION_LABELS"),
    ],
)
def test_answers_that_do_not_fit_are_refused_at_writing(tmp_path: Path, labels: NDArray[Any], code: str) -> None:
    with vismark.submission(SHAPES, tmp_path / "run") as folder, pytest.raises(Refused) as refused:
        folder.write(next(folder.pending()), LabelMap(labels))
    assert code in refused.value.problems


def test_a_truth_that_cannot_be_read_is_named(case: tuple[Case, Path]) -> None:
    made, folder = case
    true = made.references.with_suffix("") / "000000000139.png"
    true.write_bytes(png_bytes(30, 20, colour=0))
    assert [(one.code, one.item) for one in check(made, folder)] == [("REF_PNG_FORMAT", "000000000139")]


def test_usage(tmp_path: Path) -> None:
    vismark.predict("blank", SHAPES, tmp_path / "run", limit=1)
    with pytest.raises(Usage, match="no metric PQ; it has mIoU, fwIoU, mACC, pACC"):
        vismark.score(SHAPES, tmp_path / "run", metrics=["PQ"])
    with pytest.raises(Usage, match="it has semseg, stuff"):
        vismark.score(SHAPES, tmp_path / "run", protocol="things")
    with pytest.raises(Missing):
        vismark.score("coco-semantic", tmp_path / "run", root=tmp_path)
    assert "SUB_FILE" in vismark.check(SHAPES, tmp_path / "run" / "000000000001.png")

"""Grounded captioning through the command line: numbers, every finding, conversion, the report."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vismark
from running import marked_outputs, run
from vismark import registry
from vismark.benchmarks.base import Source
from vismark.datasets.shapes.write import ensure
from vismark.formats.panoptic import encode_ids, read_ids
from vismark.formats.tags import parse, tagged
from vismark.problems import Problems, Refused
from vismark.tasks import GroundedText, Panoptic, Segment, Span

SCORE = "vismark score shapes-pancap runs -o result.json"
# All but METEOR, which takes longer than everything else.
FAST = ("PQ", "CIDEr", "BLEU-4", "ROUGE-L", "phrase_recall", "phrase_precision", "tags_resolved")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("grounded") / "oracle"
    vismark.predict("oracle", "shapes-pancap", folder, settings={"amount": 0.2})
    return folder


@pytest.fixture
def runs(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the oracle's submission in the folder `runs`."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made, "runs")
    return Path("runs")


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]


def rewrite(folder: Path, entries: list[Any]) -> None:
    (folder / "predictions.jsonl").write_text("".join(json.dumps(one) + "\n" for one in entries))


def test_numbers_are_those_of_the_parts(runs: Path) -> None:
    """Panoptic quality equals that of the maps alone, caption numbers those of the plain texts alone."""
    whole = vismark.score("shapes-pancap", runs)
    entries = lines(runs)
    Path("maps").mkdir()
    shutil.copytree(runs / "panoptic", "maps/maps")
    annotations = [{name: one[name] for name in ("image_id", "file_name", "segments_info")} for one in entries]
    Path("maps/maps.json").write_text(json.dumps({"annotations": annotations}))
    maps = vismark.score("shapes-panoptic", "maps")
    assert {name: whole.metrics[name] for name in maps.metrics} == maps.metrics
    Path("texts").mkdir()
    truth = ensure() / "annotations"
    for path in (truth / "pancap_val").glob("*.txt"):
        Path("texts", path.name).write_text(parse(path.read_text()).plain)
    plain = [{"image_id": one["image_id"], "caption": parse(one["caption"]).plain} for one in entries]
    Path("captions.json").write_text(json.dumps(plain))
    references = {"captions": "texts", "panoptic": truth / "panoptic_val.json"}
    words = vismark.score("pancap-caption", "captions.json", references=references)
    for name, value in words.metrics.items():
        assert whole.metrics[name] == pytest.approx(value, abs=1e-12), name


def test_controls_bound_the_numbers(tmp_path: Path) -> None:
    found = {}
    for name in ("oracle", "majority", "blank"):
        vismark.predict(name, "shapes-pancap", tmp_path / name)
        found[name] = vismark.score("shapes-pancap", tmp_path / name, metrics=FAST).metrics
    for metric in ("PQ", "CIDEr", "BLEU-4"):
        values = [found[name][metric] for name in ("oracle", "majority", "blank")]
        assert values[0] > values[1] >= values[2] >= 0  # type: ignore[operator]
    assert found["blank"]["phrase_recall"] == 0 and found["blank"]["phrase_precision"] is None
    vismark.predict("oracle", "shapes-pancap", tmp_path / "perfect", settings={"amount": 0.0})
    perfect = vismark.score("shapes-pancap", tmp_path / "perfect", metrics=FAST).metrics
    assert {perfect[name] for name in ("PQ", "phrase_recall", "phrase_precision", "tags_resolved")} == {1.0}
    assert perfect["ROUGE-L"] == 1.0


def test_parts_are_scored_and_joined(runs: Path) -> None:
    assert run(f"{SCORE} --metrics PQ,CIDEr").code == 0
    assert set(json.loads(Path("result.json").read_text())["metrics"]) == {"PQ", "CIDEr"}
    assert run(f"{SCORE} --metrics phrase_recall").code == 0
    assert list(json.loads(Path("result.json").read_text())["metrics"]) == ["PQ", "phrase_recall", "CIDEr"]
    assert run("vismark verify result.json").code == 0


ENTRY_FAULTS: dict[str, tuple[dict[str, Any], bool]] = {
    # finding → change of the first line (None removes a key), whether it is an error
    "SUB_CAPTION_TYPE": ({"caption": 3}, True),
    "MISSING_FIELD": ({"caption": None}, True),
    "SUB_CAPTION_EMPTY": ({"caption": " "}, False),
    "TAG_NONE": ({"caption": "nothing is tied"}, False),
    "TAG_STRAY_CLOSE": ({"caption": "a > b"}, False),
    "TAG_UNCLOSED": ({"caption": "a <1:b"}, False),
    "TAG_MALFORMED": ({"caption": "<x:a>"}, False),
    "TAG_NESTED": ({"caption": "<1:a <2:b>>"}, False),
    "TAG_PHRASE_STARTS_WITH_DIGIT": ({"caption": "<1:2 cups>"}, False),
    "SUB_TAG_SEGMENT": ({"caption": "<0:a position>"}, False),
    "SUB_PATH": ({"file_name": "../a.png"}, True),
    "SUB_PNG_MISSING": ({"file_name": "absent.png"}, True),
    "SUB_IMAGE_UNKNOWN": ({"image_id": 12345}, True),
    "SUB_IMAGE_DUP": ({"image_id": 2}, True),
    "SUB_SEG_NOT_IN_JSON": ({"segments_info": []}, True),
    "FIELD_TYPE": ({"segments_info": {}}, True),
}


@pytest.mark.parametrize("code", ENTRY_FAULTS)
def test_faults_of_lines(runs: Path, code: str) -> None:
    change, is_error = ENTRY_FAULTS[code]
    entries = lines(runs)
    entries[0] = {name: value for name, value in (entries[0] | change).items() if value is not None}
    rewrite(runs, entries)
    ran = run("vismark check shapes-pancap runs --json")
    found = json.loads(ran.output.partition("\nNext")[0])
    assert code in found["totals"], found["totals"]
    assert bool(found["errors"]) is is_error and ran.code == is_error


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1\n" * (1 << 20), "FILE_TOO_LARGE"),
        ("{", "JSON_PARSE"),
        ("[]", "FIELD_TYPE"),
        ("\x00", "JSON_ENCODING"),
        ('{"a": 1, "a": 2}', "JSON_DUPLICATE_KEY"),
    ],
)
def test_lines_that_are_none(runs: Path, text: str, code: str) -> None:
    path = runs / "predictions.jsonl"
    path.write_text(text + "\n\n" + path.read_text())
    ran = run("vismark check shapes-pancap runs --json")
    assert ran.code == 1
    places = [one.get("where", "") for one in json.loads(ran.output)["problems"] if one["code"] == code]
    assert places and (places[0].startswith("line 1") or code == "FILE_TOO_LARGE")


def test_folders_that_are_no_submission(runs: Path) -> None:
    shutil.rmtree(runs / "panoptic")
    assert "SUB_PNG_FOLDER" in run("vismark check shapes-pancap runs").output
    (runs / "predictions.jsonl").unlink()
    assert "SUB_FILE" in run("vismark check shapes-pancap runs").output
    assert "FILE_MISSING" in run("vismark check shapes-pancap absent.jsonl").output


def test_meta_is_read(runs: Path) -> None:
    meta = runs / "meta.json"
    meta.write_text('{"model": "mine", "split": "train", "id_base": "position"}')
    ran = run("vismark check shapes-pancap runs")
    assert ran.code == 1 and "META_ID_BASE" in ran.output and "META_SPLIT" in ran.output
    meta.write_text('{"model": 5}')
    ran = run("vismark check shapes-pancap runs")
    assert ran.code == 0 and "META_FORMAT" in ran.output


def test_png_faults_are_found_once_and_score_nothing(runs: Path) -> None:
    (runs / "panoptic" / "000000000001.png").write_bytes(b"no png")
    (runs / "panoptic" / "000000000002.png").write_bytes(encode_ids(np.ones((4, 4), np.uint32)))
    ran = run("vismark score shapes-pancap runs --json")
    found = json.loads(ran.output[: ran.output.rindex("}") + 1])
    assert ran.code == 1
    assert found["totals"]["SUB_PNG_FORMAT"] == found["totals"]["SUB_PNG_SIZE"] == 1


@pytest.mark.parametrize("mode", ["L", "P", "I;16", "RGBA", "1", "LA"])
def test_pngs_of_other_kinds_are_findings(runs: Path, mode: str) -> None:
    from PIL import Image

    Image.new(mode, (128, 128)).save(runs / "panoptic" / "000000000001.png")
    for how in ("strict", "official"):
        ran = run(f"vismark check shapes-pancap runs --mode {how}")
        assert ran.code == 1 and "Traceback" not in ran.output
        assert "SUB_PNG_ALPHA" in ran.output if mode == "RGBA" else "SUB_PNG_FORMAT" in ran.output


def test_a_caption_of_nothing_but_tags_is_measured(runs: Path) -> None:
    entries = lines(runs)
    entries[0]["caption"] = "".join(f"<{number}:a>" for number in range(1, 1500))
    rewrite(runs, entries)
    ran = run("vismark score shapes-pancap runs --metrics phrase_precision,tags_resolved")
    assert ran.code == 0 and "SUB_TAG_SEGMENT" in ran.output, ran.output


def test_captions_of_another_image_are_not_moved(runs: Path) -> None:
    assert run(SCORE).code == 0
    from vismark.runtime.tables import read_table

    before = read_table(Path("result.parquet"))
    entries = lines(runs)
    entries[9]["caption"] = "one\u2028two\u2029three\x0bfour\x0cfive\r" + "😀\u202e<1:six>" * 5
    rewrite(runs, entries)
    ran = run(SCORE)
    assert ran.code == 0, ran.output
    after = read_table(Path("result.parquet"))
    for name in before:
        differing = [id for id, a, b in zip(before["id"], before[name], after[name], strict=True) if a != b]
        assert set(differing) <= {"000000000010"}, name
    # The plain text has blanks there, so the official tool would not stumble over it.
    kinds = {name: basis["kind"] for name, basis in json.loads(Path("result.json").read_text())["basis"].items()}
    assert kinds["CIDEr"] == kinds["PQ"] == "official" and kinds["phrase_recall"] == "extension"


def test_marked_outputs_are_converted(runs: Path) -> None:
    """What a grounding model would have written of the oracle's answer becomes the oracle's answer again."""
    marked_outputs(runs, Path("outputs.jsonl"))
    ran = run("vismark convert shapes-pancap outputs.jsonl -o converted")
    assert ran.code == 0, ran.output
    converted = lines(Path("converted"))
    assert [parse(one["caption"]).plain for one in converted] == [parse(one["caption"]).plain for one in lines(runs)]
    for mine, other in zip(converted, lines(runs), strict=True):
        ids, true = (
            read_ids(folder / "panoptic" / one["file_name"])
            for folder, one in ((Path("converted"), mine), (runs, other))
        )
        tags, true_tags = parse(mine["caption"]).tags, parse(other["caption"]).tags
        assert [tag.phrase for tag in tags] == [tag.phrase for tag in true_tags]
        for tag, true_tag in zip(tags, true_tags, strict=True):
            assert (np.isin(ids, tag.numbers) == np.isin(true, true_tag.numbers)).all()
    ran = run("vismark convert shapes-pancap outputs.jsonl -o converted")
    assert ran.code == 2 and "exists already" in ran.output


def rle(rows: slice, columns: slice) -> dict[str, Any]:
    from vismark.formats.detection_write import encode_mask

    mask = np.zeros((128, 128), np.bool_)
    mask[rows, columns] = True
    found = encode_mask(mask)
    return {"size": list(found.size), "counts": found.counts.decode()}


def test_masks_are_painted_by_score_and_never_over_one_another(runs: Path) -> None:
    everywhere = slice(None)
    output = {
        "image_id": 1,
        "caption": "a circle on grass, and grass again",
        "phrases": ["a circle", "grass", "grass"],
        "phrase_seg_counts": [1, 1, 2],
        "pred_masks": [
            rle(slice(0, 64), everywhere),
            rle(slice(32, 128), everywhere),
            rle(slice(120, 128), everywhere),
            rle(slice(0, 8), everywhere),
        ],
        "categories": ["circle", "grass", "grass", "star"],
        "scores": [0.5, 0.9, 0.1, 0.2],
    }
    Path("outputs.jsonl").write_text(json.dumps(output))
    ran = run("vismark convert shapes-pancap outputs.jsonl -o converted")
    assert ran.code == 0 and "CONVERT_COVERED" in ran.output
    # Of 64 + 96 + 8 + 8 rows, the circle loses 32 to the grass and the star all 8 to the circle.
    assert f"{40 / 176:.2%}" in ran.output and "1 mask(s) vanished" in ran.output
    (entry,) = lines(Path("converted"))
    ids = read_ids(Path("converted/panoptic/000000000001.png"))
    assert (ids[:32] == 1).all() and (ids[32:] == 2).all()
    assert entry["segments_info"] == [{"id": 1, "category_id": 1}, {"id": 2, "category_id": 21}]
    assert entry["caption"] == "<1:a circle> on <2:grass>, and <2:grass> again"


UNFIT: dict[str, dict[str, Any]] = {
    "pred_masks": {"pred_masks": 5},
    "markers for": {"text": "<p>a</p> [SEG] [SEG] [SEG]"},
    "categories for": {"category_ids": [1]},
    "unknown": {"category_ids": [1, 999]},
    "scores": {"scores": [1.0, None]},
    "mask 0": {"pred_masks": [{"size": [2, 2], "counts": "04"}, rle(slice(0, 3), slice(0, 3))]},
    "no `text`": {"text": None},
}


@pytest.mark.parametrize("told", UNFIT)
def test_outputs_that_do_not_fit_are_listed_and_nothing_is_written(runs: Path, told: str) -> None:
    good = {
        "image_id": 1,
        "text": "<p>a</p> [SEG] and <p>b</p><SEG_s>.</s>",
        "pred_masks": [rle(slice(0, 9), slice(0, 9)), rle(slice(20, 30), slice(0, 9))],
        "category_ids": [1, 21],
    }
    Path("outputs.jsonl").write_text(json.dumps(good) + "\n" + json.dumps(good | {"image_id": 2} | UNFIT[told]) + "\n")
    ran = run("vismark convert shapes-pancap outputs.jsonl -o converted")
    assert ran.code == 1 and told in ran.output and "line 2" in ran.output, ran.output
    assert not Path("converted").exists()
    Path("outputs.jsonl").write_text(json.dumps(good))
    assert run("vismark convert shapes-pancap outputs.jsonl -o converted").code == 0
    assert lines(Path("converted"))[0]["caption"] == "<1:a> and <2:b>."


def test_only_benchmarks_with_another_form_convert(runs: Path) -> None:
    Path("outputs.jsonl").write_text("{}")
    assert run("vismark convert shapes-panoptic outputs.jsonl -o x").code == 2


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("a b", (Span(0, 9, (1,)),)),
        ("a b", (Span(0, 2, (1,)), Span(1, 3, (1,)))),
        ("a b", (Span(0, 1, ()),)),
        ("a b", (Span(0, 1, (9,)),)),
        ("a <1:b>", ()),
        ("a b", (Span(1, 2, (1,)),)),
        ("a \ud800", ()),
    ],
)
def test_answers_that_cannot_be_written(runs: Path, text: str, spans: tuple[Span, ...]) -> None:
    bench = registry.benchmark("shapes-pancap")
    truth = bench.references(Source(), Problems(), "strict")
    request = bench.requests(truth, 0)[0]
    panoptic = Panoptic(np.ones((128, 128), np.uint32), (Segment(1, 21),))
    with pytest.raises(Refused, match="PREDICTION_SPANS"):
        bench.writer(Path("x"), truth).write(request, GroundedText(text, spans, panoptic))
    bench.writer(Path("x"), truth).write(request, GroundedText("a b", (Span(0, 1, (1,)),), panoptic))


def test_tags_are_written_as_they_are_read() -> None:
    text, spans = "Two cups on a table.", (Span(0, 8, (3, 4)), Span(12, 19, (7,)))
    assert tagged(text, spans) == "<3,4:Two cups> on <7:a table>."
    read = parse(tagged(text, spans))
    assert read.plain == text and [(tag.start, tag.stop, tag.numbers) for tag in read.tags] == [
        (span.start, span.stop, span.segments) for span in spans
    ]


def test_the_report_colours_phrases_like_their_masks(runs: Path) -> None:
    assert run(SCORE).code == 0
    assert run("vismark report result.json -o report.html --worst 2").code == 0
    page = Path("report.html").read_text()
    assert page.count('<dl class="told">') == 2
    marks = re.findall(
        r'<mark style="background-image:linear-gradient\(90deg,(#[0-9a-f]{6})66 [^"]*" title="([^"]+)">', page
    )
    legend = dict(re.findall(r'<i style="background:(#[0-9a-f]{6})"></i>([a-z]+)', page))
    names = {name: colour for colour, name in legend.items()}
    assert marks
    for colour, title in marks:
        if "," not in title and title in ("grass", "sand", "water", "brick"):
            assert names.get(title, colour) == colour  # stuff has one shade, that of the legend


def test_text_from_strangers_is_escaped_in_the_report(runs: Path) -> None:
    entries = lines(runs)
    for entry in entries:
        entry["caption"] = "<script>alert(1)</script> \u202e & \x07"
    rewrite(runs, entries)
    assert run(SCORE).code == 0
    assert run("vismark report result.json -o report.html --worst 2").code == 0
    page = Path("report.html").read_text()
    assert "<script>alert(1)" not in page and "&lt;script&gt;alert(1)" in page
    assert "\u202e" not in page and "\x07" not in page


def test_twin_has_the_same_class_metrics_and_protocols() -> None:
    real, twin = (registry.card("benchmarks", name) for name in ("pancap-grounded", "shapes-pancap"))
    assert (real.code, real.metrics, real.protocols) == (twin.code, twin.metrics, twin.protocols)


def test_the_hold_out_is_scored_as_an_extension(runs: Path) -> None:
    """A data root in which shapes stand at the places of COCONut-S; about one in 59 names is held out."""
    from vismark.datasets.coconut_pancap.holdout import held_out

    truth = ensure() / "annotations"
    chosen = [number for number in range(1, 4000) if held_out(f"{number:012}", 59)]
    assert 40 < len(chosen) < 100
    assert chosen[:3] == [108, 182, 831]  # the rule is for ever
    root, number = Path("data"), chosen[0]
    (root / "coconut" / "coconut_s").mkdir(parents=True)
    (root / "coconut_pancap" / "caption_train2017").mkdir(parents=True)
    content = json.loads((truth / "panoptic_val.json").read_text())
    for image, annotation, name in zip(content["images"], content["annotations"], (number, number + 1), strict=False):
        shutil.copy(
            truth / "panoptic_val" / annotation["file_name"], root / "coconut" / "coconut_s" / f"{name:012}.png"
        )
        text = (truth / "pancap_val" / f"{annotation['image_id']:012}.txt").read_text()
        (root / "coconut_pancap" / "caption_train2017" / f"{name:012}.txt").write_text(text)
        image["id"] = annotation["image_id"] = name
        annotation["file_name"] = f"{name:012}.png"
    content |= {"images": content["images"][:2], "annotations": content["annotations"][:2]}
    (root / "coconut" / "coconut_s.json").write_text(json.dumps(content))
    ran = run("vismark predict oracle pancap-grounded-holdout -o held --root data --set amount=0")
    assert ran.code == 0 and "1 predictions" in ran.output, ran.output
    result = vismark.score("pancap-grounded-holdout", "held", root="data")
    assert {basis.kind for basis in result.basis.values()} == {"extension"}
    assert result.metrics["PQ"] == 1.0 and result.protocol.settings["holdout"] == 59
    ran = run("vismark validate coconut-pancap --root data")
    assert ran.code == 0 and "TAG_BASE" in ran.output, ran.output

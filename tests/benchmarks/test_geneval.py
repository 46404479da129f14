"""GenEval end to end: the whole road over shapes, the official golden through the benchmark, and every bad input."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vismark.formats.geneval_detections import Detected, Header, read_detections, write_detections
from vismark.jobs.check import check
from vismark.jobs.predict import predict
from vismark.jobs.score import score
from vismark.runtime.tables import read_table, table_path

GOLDEN = Path(__file__).parents[2].parent / "shared" / "golden" / "geneval"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete submission of shapes-geneval; 30 % of its pictures are wrong on purpose."""
    folder = tmp_path_factory.mktemp("geneval") / "drawn"
    predict("oracle", "shapes-geneval", folder, settings={"amount": 0.3})
    return folder


def planted(amount: float) -> dict[str, bool]:
    """Sample id → whether the oracle drew it right, by its own rule."""
    from vismark import registry
    from vismark.jobs.prepare import read_references, source
    from vismark.problems import Problems

    bench = registry.benchmark("shapes-geneval")
    truth = read_references(bench, source(None, None), Problems())
    return {one.id: np.random.default_rng(one.seed).random() >= amount for one in bench.requests(truth, 0)}


def test_the_score_is_the_planted_rate_picture_by_picture(drawn: Path, tmp_path: Path) -> None:
    result = score("shapes-geneval", drawn, tmp_path / "result.json")
    table = read_table(table_path(tmp_path / "result.json"))
    right = planted(0.3)
    assert dict(zip(table["id"], map(bool, table["correct"]), strict=True)) == right
    assert result.metrics["images"] == sum(right.values()) / len(right)
    assert result.partial is None
    assert {basis.kind for basis in result.basis.values()} == {"official"}
    tags = result.breakdowns["tag"]
    assert result.metrics["overall"] == pytest.approx(np.mean([row["score"] for row in tags.values()]))
    # What the official summary script reads: metadata and details are JSON texts.
    lines = [json.loads(line) for line in (tmp_path / "result.results.jsonl").read_text().splitlines()]
    assert [line["correct"] for line in lines] == list(right.values())
    assert {json.loads(line["metadata"])["prompt"] == line["prompt"] for line in lines} == {True}
    assert all(isinstance(json.loads(line["details"]), dict) for line in lines)
    assert (tmp_path / "result.summary.txt").read_text().startswith("Summary\n=======\nTotal images: 216\n")


@pytest.mark.parametrize("protocol", ["official", "fixed"])
def test_perfect_pictures_are_perfect(protocol: str, tmp_path: Path) -> None:
    predict("oracle", "shapes-geneval", tmp_path / "right", settings={"amount": 0.0}, limit=100)
    predict("blank", "shapes-geneval", tmp_path / "blank", limit=20)
    assert score("shapes-geneval", tmp_path / "right", protocol=protocol).metrics["images"] == 1.0
    blank = score("shapes-geneval", tmp_path / "blank", protocol=protocol)
    assert blank.metrics["images"] == 0.0
    assert str(blank.partial) == "PARTIAL 20/216"
    assert "GENEVAL_SUSPICIOUS" in {warning.code for warning in blank.warnings}
    assert blank.basis["overall"].kind == "deviates"


def test_a_flat_folder_with_a_manifest_scores_the_same(drawn: Path, tmp_path: Path) -> None:
    lines = []
    for number, path in enumerate(sorted(drawn.glob("*/samples/*.png"))):
        shutil.copy(path, tmp_path / f"picture{number}.png")
        entry = {"prompt_index": int(path.parts[-3]), "sample_index": int(path.stem), "path": f"picture{number}.png"}
        lines.append(json.dumps(entry))
    (tmp_path / "manifest.jsonl").write_text("\n".join(lines))
    assert score("shapes-geneval", tmp_path).metrics == score("shapes-geneval", drawn).metrics


def test_measured_evidence_becomes_a_detections_file_that_scores_the_same(drawn: Path, tmp_path: Path) -> None:
    from vismark.jobs.measure import measure

    measure("shapes-geneval", drawn, output=tmp_path / "detections.jsonl.gz")
    again = score("shapes-geneval", tmp_path / "detections.jsonl.gz")
    direct = score("shapes-geneval", drawn)
    assert again.metrics == direct.metrics
    assert again.basis == direct.basis
    assert again.protocol_digest == direct.protocol_digest


@pytest.mark.skipif(not GOLDEN.is_dir(), reason="the official golden is not here")
def test_the_golden_through_the_benchmark(tmp_path: Path) -> None:
    told = json.loads((GOLDEN / "summary.json").read_text())["variants"]["default"]
    result = score("geneval", GOLDEN / "detections.jsonl.gz", tmp_path / "result.json")
    assert result.metrics["overall"] == told["overall"]
    assert {tag: result.metrics[tag] for tag in told["tags"]} == {t: v["score"] for t, v in told["tags"].items()}
    # Its file names no detector, so that nobody can take the numbers for official ones.
    assert {basis.kind for basis in result.basis.values()} == {"deviates"}
    with gzip.open(GOLDEN / "expected_default.jsonl.gz", "rt") as file:
        expected = [json.loads(line) for line in file]
    lines = [json.loads(line) for line in (tmp_path / "result.results.jsonl").read_text().splitlines()]
    assert [(line["filename"], line["correct"], line["reason"]) for line in lines] == [
        (one["image"], one["correct"], one["reason"]) for one in expected
    ]
    assert [line["details"] for line in lines] == [json.dumps(one["details"]) for one in expected]


def _metadata(folder: Path, **changes: Any) -> None:
    path = folder / "00003" / "metadata.jsonl"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


BAD: list[tuple[str, Callable[[Path], Any]]] = [
    ("GENEVAL_PROMPT_UNKNOWN", lambda f: _metadata(f, tag="smells")),
    ("GENEVAL_METADATA_OTHER", lambda f: _metadata(f, prompt="a photo of something else")),
    ("GENEVAL_METADATA", lambda f: (f / "00003" / "metadata.jsonl").write_text("{}\n{}")),
    ("FILE_MISSING", lambda f: (f / "00003" / "metadata.jsonl").unlink()),
    ("GENEVAL_PNG_FORMAT", lambda f: (f / "00003" / "samples" / "00001.png").write_bytes(b"")),
    ("GENEVAL_PNG_FORMAT", lambda f: Image.new("RGB", (64, 64)).save(f / "00003/samples/00001.png", format="JPEG")),
    ("GENEVAL_PNG_SMALL", lambda f: Image.new("RGB", (1, 1)).save(f / "00003" / "samples" / "00001.png")),
    ("GENEVAL_PNG_UNREADABLE", lambda f: _cut(f / "00003" / "samples" / "00001.png")),
    ("GENEVAL_PNG_UNREADABLE", lambda f: _flip(f / "00003" / "samples" / "00001.png")),
    ("GENEVAL_SAMPLE_TWICE", lambda f: _rename(f / "00003" / "samples", "00001.png", "0000.png")),
    ("GENEVAL_SAMPLE_COUNT", lambda f: (f / "00003" / "samples" / "00001.png").unlink()),
    ("GENEVAL_SAMPLE_COUNT", lambda f: shutil.copy(f / "00003/samples/00001.png", f / "00003/samples/00004.png")),
    ("GENEVAL_SAMPLE_FORMAT", lambda f: _rename(f / "00003" / "samples", "00001.png", "00001.jpg")),
    ("GENEVAL_PROMPT_MISSING", lambda f: shutil.rmtree(f / "00003")),
    ("GENEVAL_FOLDER", lambda f: (f / "00999").mkdir()),
    ("GENEVAL_FOLDER", lambda f: shutil.copytree(f / "00003", f / "3")),
    ("GENEVAL_EMPTY", lambda f: [shutil.rmtree(path) for path in f.iterdir() if path.is_dir()]),
    ("GENEVAL_MANIFEST", lambda f: (f / "manifest.jsonl").write_text('{"prompt_index": 0}')),
    ("GENEVAL_MANIFEST", lambda f: _manifest(f, "../../etc/passwd", 0)),
    ("GENEVAL_MANIFEST", lambda f: _manifest(f, "a.png", 999)),
    ("GENEVAL_PNG_PATH", lambda f: _link(f / "00003" / "samples" / "00001.png")),
]


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)


def _rename(folder: Path, old: str, new: str) -> None:
    (folder / old).rename(folder / new)


def _link(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("00000.png"))


def _manifest(folder: Path, path: str, prompt: int) -> None:
    (folder / "manifest.jsonl").write_text(json.dumps({"prompt_index": prompt, "sample_index": 0, "path": path}))


@pytest.mark.parametrize(("code", "change"), BAD, ids=[f"{n}-{code}" for n, (code, _) in enumerate(BAD)])
def test_what_is_wrong_with_a_folder_is_said(
    code: str, change: Callable[[Path], Any], drawn: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "spoilt"
    shutil.copytree(drawn, folder)
    change(folder)
    problems = check("shapes-geneval", folder)
    assert code in problems
    assert problems.errors
    assert all(one.fix for one in problems)


def test_official_mode_takes_what_the_official_script_takes(drawn: Path, tmp_path: Path) -> None:
    folder = tmp_path / "loose"
    shutil.copytree(drawn, folder)
    shutil.rmtree(folder / "00003")
    (folder / "00004" / "samples" / "00001.png").unlink()
    # The script believes the metadata in the folder: a triangle instead of what was asked is then right or wrong.
    asked = json.loads((folder / "00000" / "metadata.jsonl").read_text())
    asked["include"][0]["class"] = "heart" if asked["include"][0]["class"] != "heart" else "ring"
    (folder / "00000" / "metadata.jsonl").write_text(json.dumps(asked))
    result = score("shapes-geneval", folder, mode="official")
    assert result.samples == 216 - 4 - 1
    table = score("shapes-geneval", folder, tmp_path / "r.json", mode="official") and read_table(tmp_path / "r.parquet")
    first = [c for i, c in zip(table["id"], table["correct"], strict=True) if i.startswith("00000/")]
    assert first == [0, 0, 0, 0]


def record(**changes: Any) -> dict[str, Any]:
    found = {"class": "cow", "box": [10.0, 10.0, 60.0, 60.0], "score": 0.75, "color": "red"}
    found |= {
        key: value
        for key, value in changes.items()
        if key in {"class", "box", "score", "color", "color_logits", "mask"}
    }
    picture = {"image": "00001/samples/00000.png", "prompt_index": 1, "sample_index": 0, "width": 100, "height": 80}
    picture |= {key: value for key, value in changes.items() if key in picture}
    return picture | {"detections": [found]}


BAD_LINES: list[tuple[str, str]] = [
    ("GENEVAL_DET_BOX", json.dumps(record(box=[200.0, 10.0, 260.0, 60.0]))),
    ("GENEVAL_DET_BOX", json.dumps(record(box=[60.0, 10.0, 10.0, 60.0]))),
    ("GENEVAL_DET_BOX", json.dumps(record(box=[-90.0, 10.0, -60.0, 60.0]))),
    ("GENEVAL_DET_FORMAT", json.dumps(record()).replace("60.0", "1e999")),
    ("GENEVAL_DET_FORMAT", json.dumps(record(score=float("nan")))),
    ("GENEVAL_DET_SCORE", json.dumps(record(score=1.5))),
    ("GENEVAL_DET_MASK", json.dumps(record(mask={"size": [80, 99], "counts": "0"}))),
    ("GENEVAL_DET_MASK", json.dumps(record(mask={"size": [80, 100], "counts": "00"}))),
    ("GENEVAL_DET_CLASS", json.dumps(record(**{"class": "unicorn"}))),
    ("GENEVAL_DET_COLOR", json.dumps(record(color="gray"))),
    ("GENEVAL_DET_LOGITS", json.dumps(record(color_logits=[1.0, 2.0]))),
    ("GENEVAL_DET_LOGITS", json.dumps(record(color_logits=[0.0, 2.0] + [1.0] * 8))),
    ("GENEVAL_DET_PROMPT", json.dumps(record(prompt_index=553))),
    ("GENEVAL_DET_SIZE", json.dumps(record(width=0))),
    ("GENEVAL_DET_TWICE", json.dumps(record()) + "\n" + json.dumps(record())),
    ("GENEVAL_DET_HEADER", '{"format": "something else", "version": 1}\n' + json.dumps(record())),
    (
        "GENEVAL_DET_FLOOR",
        json.dumps({"format": "vismark.geneval.detections", "floor": 0.5}) + "\n" + json.dumps(record()),
    ),
    ("GENEVAL_DET_COLOR_MISSING", ""),
    ("GENEVAL_DET_EMPTY", "\n"),
    ("GENEVAL_PROMPT_MISSING", json.dumps(record())),
    ("GENEVAL_SAMPLE_COUNT", json.dumps(record())),
]


@pytest.mark.parametrize(("code", "line"), BAD_LINES, ids=[f"{n}-{code}" for n, (code, _) in enumerate(BAD_LINES)])
def test_what_is_wrong_with_a_detections_file_is_said(code: str, line: str, tmp_path: Path) -> None:
    if code == "GENEVAL_DET_COLOR_MISSING":
        # Prompt 300 asks for a colour of its class.
        prompt = _prompts()[300]
        found = {"class": prompt.include[0].category, "box": [0, 0, 9, 9], "score": 0.9}
        line = json.dumps(record(prompt_index=300) | {"detections": [found]})
    path = tmp_path / "detections.jsonl"
    path.write_text(line)
    problems = check("geneval", path)
    assert code in problems
    assert problems.errors


def _prompts() -> Any:
    import msgspec

    from vismark.datasets.geneval.prompts import published
    from vismark.formats.geneval import Prompt

    return [msgspec.json.decode(line, type=Prompt) for line in published().splitlines()]


def test_a_broken_archive_and_a_bomb_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vismark.formats import geneval_detections

    path = tmp_path / "detections.jsonl.gz"
    path.write_bytes(gzip.compress(bytes(range(256)) * 9)[:-9])
    assert "GENEVAL_DET_FILE" in check("geneval", path)
    monkeypatch.setattr(geneval_detections, "_LIMIT", 1000)
    path.write_bytes(gzip.compress(b"x" * 5000))
    assert "GENEVAL_DET_FILE" in check("geneval", path)


def test_numbers_are_rounded_to_float32_on_reading_and_written_files_are_the_same_bytes(tmp_path: Path) -> None:
    from vismark.formats.geneval import object_names
    from vismark.problems import Problems

    path, problems = tmp_path / "a.jsonl.gz", Problems()
    (tmp_path / "in.jsonl").write_text(json.dumps(record(score=0.3)))
    read = read_detections(tmp_path / "in.jsonl", _prompts(), object_names(), problems)
    assert read is not None
    (picture,) = read.pictures.values()
    assert picture.detections[0].score == float(np.float32(0.3)) != 0.3
    write_detections(path, Header(detector={"name": "x"}), [picture])
    first = path.read_bytes()
    write_detections(path, Header(detector={"name": "x"}), [picture])
    assert path.read_bytes() == first
    again = read_detections(path, _prompts(), object_names(), problems)
    assert again is not None
    assert list(again.pictures.values()) == [picture]
    assert again.header.detector == {"name": "x"}
    assert isinstance(picture, Detected)


def test_the_twin_is_the_same_class() -> None:
    from vismark import registry

    cards = [registry.card("benchmarks", name) for name in ("geneval", "shapes-geneval")]
    assert cards[0].code == cards[1].code
    assert [spec.name for spec in cards[0].metrics] == [spec.name for spec in cards[1].metrics]


def test_the_report_has_a_row_a_prompt_with_verdicts_reasons_and_boxes(drawn: Path, tmp_path: Path) -> None:
    from vismark.jobs.report import report

    result = score("shapes-geneval", drawn, tmp_path / "result.json")
    report(tmp_path / "result.json", output=tmp_path / "report.html", worst=5)
    page = (tmp_path / "report.html").read_text()
    assert page.count('<figure class="wrong">') + page.count('<figure class="right">') == 5 * 4
    assert "of 4 correct" in page
    reasons = [reason for reason in read_table(tmp_path / "result.parquet")["reason"] if reason]
    assert any(reason.split("\n")[0].replace(">", "&gt;").replace("<", "&lt;") in page for reason in reasons)
    score("geneval", _recorded(tmp_path), tmp_path / "recorded.json", partial=True)
    report(tmp_path / "recorded.json", output=tmp_path / "recorded.html")
    assert "the picture is not here" in (tmp_path / "recorded.html").read_text()
    assert result.samples == 216


def _recorded(folder: Path) -> Path:
    (folder / "few.jsonl").write_text(json.dumps(record()))
    return folder / "few.jsonl"

"""T2I-CompBench end to end: prompts, layout, columns from stubbed instruments, detections and answers, bad input."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vismark import registry
from vismark.benchmarks.t2i_steps import grade
from vismark.formats.t2i_answers import PLACES
from vismark.formats.t2i_compbench import CATEGORIES, file_name
from vismark.formats.t2i_parses import from_template, read_forms
from vismark.instruments.base import Tools
from vismark.instruments.judge.base import Reply
from vismark.jobs.check import check
from vismark.jobs.score import score
from vismark.problems import Problems

SHARED = Path(__file__).parents[2].parent / "shared"

PROMPTS = {
    "color_val": ["a green bench and a blue bowl", "a red cup and a blue orange"],
    "shape_val": ["an oblong cucumber and a round plum"],
    "texture_val": ["a fabric rug and a leather belt"],
    "spatial_val": ["a girl on the left of a lamp"],
    "3d_spatial_val": ["a dog in front of a desk"],
    "numeracy_val": ["two dogs"],
    "non_spatial_val": ["A cat is sleeping."],
    "complex_val": [
        "The red hat was on top of the brown coat rack.",
        "The black phone was resting on the brown charger.",
        "The purple vase sat next to the tall candlestick.",
    ],
    "complex_val_spatial": ["The red hat was on top of the brown coat rack."],
    "complex_val_action": ["The black phone was resting on the brown charger."],
    "new_objects": ["dog - dogs", "box - boxes"],
}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with few prompts, in the form of the official files."""
    folder = tmp_path_factory.mktemp("t2i") / "root"
    (folder / "t2i_compbench").mkdir(parents=True)
    for name, lines in PROMPTS.items():
        (folder / "t2i_compbench" / f"{name}.txt").write_bytes("\r\n".join(lines).encode() + b"\r\n")
    return folder


def draw(folder: Path, *categories: str) -> Path:
    for category in categories:
        samples = folder / category / "samples"
        samples.mkdir(parents=True)
        for index in range(10 * len(PROMPTS[f"{category}_val"])):
            prompt = PROMPTS[f"{category}_val"][index // 10]
            Image.new("RGB", (32, 32), (index, 0, 0)).save(samples / file_name(prompt, index))
    return folder


class FakeVqa:
    name, identity = "blip-vqa", {"weights": "sha256:0"}

    def measure(self, items: Sequence[Any]) -> list[tuple[float, ...]]:
        """0.5 for the first phrase, 0.25 for the second."""
        return [tuple(0.5**number for number in range(1, len(item.phrases) + 1)) for item in items]


class FakeClip:
    name, identity = "clip-vit-b32", {"weights": "sha256:0"}

    def measure(self, items: Sequence[Any]) -> list[Any]:
        return [np.array([3.0, 4.0] if isinstance(item, str) else [1.0, 0.0], np.float32) for item in items]


class FakeJudge:
    name, identity = "judge-endpoint", {"model": "m"}

    def measure(self, items: Sequence[Any]) -> list[Reply]:
        return [Reply(q.digest, q.id, ("a cat", '{"score": 4}' if q.id < "non_spatial/000005" else "?")) for q in items]


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    made = {"vqa": FakeVqa(), "clip": FakeClip(), "judge": FakeJudge()}
    monkeypatch.setattr(Tools, "load", lambda self, role, default: made[role])


def detect(folder: Path, category: str, things: Sequence[tuple[str, Sequence[float], float]], **more: Any) -> None:
    lines = []
    (folder / category).mkdir(parents=True, exist_ok=True)
    for index in range(10 * len(PROMPTS[f"{category}_val"])):
        prompt = PROMPTS[f"{category}_val"][index // 10]
        found = [{"label": label, "box": list(box), "score": score} for label, box, score in things]
        lines.append({"question_id": index, "prompt": prompt, "width": 479, "height": 479, "detections": found, **more})
    (folder / category / "detections.jsonl").write_text("\n".join(map(json.dumps, lines)))


LEFT, RIGHT = (10.0, 10.0, 60.0, 60.0), (300.0, 10.0, 360.0, 60.0)


@pytest.mark.usefixtures("fakes")
def test_every_column_from_its_evidence(root: Path, tmp_path: Path) -> None:
    folder = draw(tmp_path / "drawn", "color", "non_spatial", "complex")
    detect(folder, "spatial", [("person", LEFT, 0.8), ("lamp", RIGHT, 0.6)], detector="unidet-rs200")
    detect(folder, "numeracy", [("dog", LEFT, 0.9), ("dog", RIGHT, 0.9)], detector="unidet-r50")
    detect(folder, "complex", [("vase", LEFT, 0.8), ("candlestick", RIGHT, 0.8)], detector="unidet-rs200")
    detect(folder, "3d_spatial", [("dog", LEFT, 0.8), ("desk", (20.0, 10.0, 90.0, 60.0), 0.6)], depth="near.png")
    depth = np.zeros((479, 479), np.uint8)
    depth[:15] = 255  # officially rows are taken for columns: what is near is what begins before 15
    Image.fromarray(depth).save(folder / "3d_spatial" / "near.png")
    result = score("t2i-compbench", folder, tmp_path / "r.json", root=root)
    numbers = result.metrics
    assert numbers["color"] == 0.125
    assert numbers["shape"] is None
    assert numbers["non_spatial_clip"] == pytest.approx(0.6)
    assert numbers["spatial"] == pytest.approx(0.25 * 0.8 + 0.25 * 0.6 + 0.5)
    assert numbers["numeracy"] == 1.0
    # The dog's box begins in the near rows: nearer; IoU is 40·50 of 50·50 + 70·50 - 40·50.
    assert numbers["3d_spatial"] == pytest.approx(0.35 + 0.5 * min(1, 2000 / 4000 / 0.5) * (2000 / 4000 != 0.5))
    # Spatial: 0 for the missing hat and rack; action: clip; both: a third each, `next to` over 150 pixels apart.
    third = [0.0625 * 2, 0.125, 0.125]
    spatials = (third[0] + 0) / 2, (0.6 + third[1]) / 2, (third[2] + (0.4 + 0.5) + 0.6) / 3
    assert numbers["complex_3in1"] == pytest.approx(np.mean(spatials))
    assert {p.code for p in result.warnings} == {"REF_OTHER_SPLIT", "T2I_COLUMN_ABSENT"}
    assert result.basis["color"].kind == "deviates"  # phrases by templates
    assert result.basis["non_spatial_clip"].kind == "official"
    assert str(result.partial) == "PARTIAL 90/24000"
    written = json.loads((tmp_path / "r.spatial.vqa_result.json").read_text())
    assert written[3] == {"question_id": 3, "answer": pytest.approx(0.85)}


def test_answers_of_the_official_scripts_are_scored_as_they_are(root: Path, tmp_path: Path) -> None:
    for category, place, answer in (
        ("color", "blip", "0.2500"),
        ("complex", "blip", "0.5000"),
        ("complex", "spatial", 0.75),
        ("complex", "clip", 0.25),
    ):
        path = tmp_path / category / PLACES[place]
        path.parent.mkdir(parents=True, exist_ok=True)
        count = 10 * len(PROMPTS[f"{category}_val"])
        path.write_text(json.dumps([{"question_id": n, "answer": answer} for n in range(count)]))
    result = score("t2i-compbench", tmp_path, root=root, protocol="answers")
    assert result.metrics["color"] == 0.25
    assert result.metrics["complex_3in1"] == pytest.approx(np.mean([(0.75 + 0.5) / 2, (0.25 + 0.5) / 2, 1.5 / 3]))
    assert result.basis["color"].kind == "official"


@pytest.mark.usefixtures("fakes")
def test_a_judge_grades_and_what_cannot_be_read_is_left_out(root: Path, tmp_path: Path) -> None:
    result = score("t2i-compbench", draw(tmp_path, "non_spatial"), root=root, protocol="share-cot")
    assert result.metrics["non_spatial_share_cot"] == pytest.approx(0.8)
    assert result.basis["non_spatial_share_cot"].n == 5
    assert result.basis["non_spatial_share_cot"].kind == "extension"


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ('{"score": 3}', (0.6,)),
        ('Sure! {"score": "5", "reason": "all"} Done.', (1.0,)),
        ("score: 2", (0.4,)),
        ('{"score": 9}', ()),
        ("no", ()),
        ("{" * 5000, ()),
    ],
)
def test_grades(reply: str, value: tuple[float, ...]) -> None:
    assert grade(reply) == value


def _samples(folder: Path) -> Path:
    return folder / "color" / "samples"


def _first(folder: Path) -> Path:
    return sorted(_samples(folder).iterdir())[0]


BAD: list[tuple[str, Callable[[Path], Any]]] = [
    ("T2I_NAME", lambda f: (_samples(f) / ".DS_Store").write_bytes(b"")),
    ("T2I_PICTURE_MISSING", lambda f: _first(f).unlink()),
    ("T2I_NUMBER", lambda f: _first(f).rename(_samples(f) / "a green bench and a blue bowl_000099.png")),
    ("T2I_PROMPT", lambda f: _first(f).rename(_samples(f) / "a red cup and a blue orange_000000.png")),
    ("T2I_TWICE", lambda f: (_samples(f) / (_first(f).stem[:-6] + "0000000.png")).write_bytes(_first(f).read_bytes())),
    ("T2I_PNG_FORMAT", lambda f: _first(f).write_bytes(b"")),
    ("T2I_PNG_UNREADABLE", lambda f: _first(f).write_bytes(_first(f).read_bytes()[:-9])),
    ("T2I_DET_FORMAT", lambda f: (f / "color" / "detections.jsonl").write_text('{"question_id": NaN}')),
    ("T2I_DET_VALUE", lambda f: detect(f, "color", [("a", (500.0, 0.0, 600.0, 9.0), 0.5)])),
    ("T2I_DET_VALUE", lambda f: detect(f, "color", [("a", (0.0, 0.0, 9.0, 9.0), 1.5)])),
    ("T2I_DET_FILE", lambda f: (f / "color" / "detections.jsonl.gz").write_bytes(b"\x1f\x8bxx")),
    ("T2I_DEPTH", lambda f: detect(f, "3d_spatial", [])),
    ("T2I_DEPTH", lambda f: detect(f, "3d_spatial", [], depth="../../x.png")),
]


@pytest.mark.parametrize(("code", "change"), BAD, ids=[f"{n}-{code}" for n, (code, _) in enumerate(BAD)])
def test_what_is_wrong_is_said(code: str, change: Callable[[Path], Any], root: Path, tmp_path: Path) -> None:
    folder = draw(tmp_path / "bad", "color")
    change(folder)
    problems = check("t2i-compbench", folder, root=root)
    assert code in problems
    assert problems.errors
    assert all(one.fix for one in problems)


@pytest.mark.parametrize("content", ["{}", '[{"question_id": 0, "answer": "x"}]', '[{"question_id": 0}]', "[NaN]"])
def test_bad_answers_are_said(content: str, root: Path, tmp_path: Path) -> None:
    path = tmp_path / "color" / PLACES["blip"]
    path.parent.mkdir(parents=True)
    path.write_text(content)
    assert "T2I_ANSWERS" in check("t2i-compbench", tmp_path, root=root, protocol="answers")
    path.unlink()
    assert "T2I_EMPTY" in check("t2i-compbench", tmp_path, root=root, protocol="answers")


def test_both_versions_of_the_colour_prompts_have_a_card_of_one_class() -> None:
    now, before = (registry.card("benchmarks", name) for name in ("t2i-compbench", "t2i-compbench-2023"))
    assert now.code == before.code
    assert now.metrics == before.metrics
    assert before.references["color_unseen"].endswith("color_val_unseen.txt")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the official prompt files are not here")
def test_the_official_files_and_the_templates_of_the_golden(tmp_path: Path) -> None:
    import gzip

    from vismark.jobs.prepare import read_references, source

    data = SHARED / "data" / "t2i_compbench"
    (tmp_path / "t2i_compbench").symlink_to(data)
    truths = []
    for name in ("t2i-compbench", "t2i-compbench-2023"):
        bench = registry.benchmark(name)
        truths.append(read_references(bench, source(None, tmp_path), Problems()))
        assert len(bench.requests(truths[-1], 0)) == 24000
    now, before = (truth.prompts["color"] for truth in truths)
    assert [n for n, pair in enumerate(zip(now, before, strict=True)) if pair[0] != pair[1]] == [
        227,
        228,
        271,
        287,
        299,
    ]
    assert all(len(truths[0].prompts[category]) == 300 for category in CATEGORIES)
    forms = read_forms((data / "new_objects.txt").read_text().splitlines())
    for name, category in (("spatial_2d", "spatial"), ("spatial_3d", "3d_spatial"), ("numeracy", "numeracy")):
        with gzip.open(SHARED / "golden" / "t2i_compbench" / f"{name}.jsonl.gz", "rt") as file:
            for record in map(json.loads, file):
                ours, told = from_template(category, record["prompt"], forms), record["parse"]
                if category == "numeracy":
                    assert [list(pair) for pair in ours.numbers] == told["objects"]
                else:
                    assert (ours.first, ours.last) == (told["noun_first"], told["noun_last"])


def test_spacy_freezes_parses_where_its_model_is() -> None:
    spacy = pytest.importorskip("spacy", reason="needs spaCy")
    from spacy.tokens import Doc

    from vismark.datasets.t2i_compbench.parses import freeze, parsed
    from vismark.problems import Missing

    words = ["The", "red", "hat", "was", "on", "top", "of", "the", "brown", "coat", "rack", "."]
    pos = ["DET", "ADJ", "NOUN", "AUX", "ADP", "NOUN", "ADP", "DET", "ADJ", "NOUN", "NOUN", "PUNCT"]
    deps = ["det", "amod", "nsubj", "ROOT", "prep", "pobj", "prep", "det", "amod", "compound", "pobj", "punct"]
    heads = [2, 2, 3, 3, 3, 4, 5, 10, 10, 10, 6, 3]
    doc = Doc(spacy.blank("en").vocab, words, pos=pos, deps=deps, heads=heads)
    parse = parsed("complex", "x", doc, [], "test")
    assert parse.phrases == ("The red hat", "the brown coat rack")  # "top" is dropped
    assert (parse.first, parse.last, parse.pair) == ("hat", "rack", ("hat", "coat"))
    assert parse.plain == "The hat was on top of the coat rack ."
    try:
        spacy.load("en_core_web_sm")
    except OSError:
        with pytest.raises(Missing, match="en_core_web_sm"):
            freeze(Path("color_val.txt"), Path("parses.jsonl"))

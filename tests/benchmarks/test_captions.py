"""Caption benchmarks through the command line: the official numbers, every finding, and nothing that shifts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import vismark
from running import REPOSITORY, run
from vismark import registry
from vismark.datasets.shapes.write import ensure
from vismark.problems import Refused
from vismark.runtime.tables import read_table, table_path

GOLDEN = REPOSITORY.parent / "shared" / "data" / "coco_small" / "captions"
OFFICIAL = find_spec("pycocoevalcap") is not None


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The oracle's captions of shapes, as entries of a results file."""
    folder = tmp_path_factory.mktemp("captions") / "oracle"
    vismark.predict("oracle", "shapes-captions", folder, settings={"amount": 0.2})
    entries: list[dict[str, Any]] = json.loads((folder / "predictions.json").read_text())
    return entries


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def written(entries: Any, name: str = "captions.json") -> Path:
    path = Path(name)
    path.write_text(entries if isinstance(entries, str) else json.dumps(entries))
    return path


def table(path: str) -> dict[str, dict[str, Any]]:
    columns = read_table(table_path(Path(path)))
    return {
        id: {name: column[row] for name, column in columns.items() if name != "id"}
        for row, id in enumerate(columns["id"])
    }


@pytest.mark.skipif(not GOLDEN.exists(), reason="../shared/data/coco_small/captions is not here")
def test_official_numbers_on_real_captions() -> None:
    given = json.loads((GOLDEN / "shared_input.json").read_text())
    expected = json.loads((GOLDEN / "shared_expected.json").read_text())["results"]
    truth = {
        "images": [{"id": int(id)} for id in given["gts"]],
        "annotations": [{"image_id": int(id), "caption": text} for id, texts in given["gts"].items() for text in texts],
    }
    written(truth, "truth.json")
    written([{"image_id": int(id), "caption": text} for id, text in given["res"].items()])
    ran = run("vismark score coco-captions-2017 captions.json --references truth.json --mode official -o result.json")
    assert ran.code == 0, ran.output
    told = json.loads(Path("result.json").read_text())["metrics"]
    names = {"ROUGE_L": "ROUGE-L"} | {f"Bleu_{n}": f"BLEU-{n}" for n in (1, 2, 3, 4)}
    for name, value in expected["corpus"].items():
        ours = names.get(name, name)
        if ours in told:
            assert told[ours] == pytest.approx(value, abs=1e-10), name
    rows = table("result.json")
    for image in expected["per_image"]:
        for name in ("CIDEr", "ROUGE_L", "Bleu_4", "METEOR"):
            ours = names.get(name, name)
            if name in image and ours in rows[str(image["image_id"])]:
                assert rows[str(image["image_id"])][ours] == pytest.approx(image[name], abs=1e-10)


@pytest.mark.skipif(shutil.which("java") is None or not OFFICIAL, reason="Java or pycocoevalcap 1.2 is not here")
def test_the_whole_command_equals_the_original(oracle: list[dict[str, Any]]) -> None:
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    odd = ["", 'He said: "a red circle, isn\'t it?"', "cafés & naïve — 5'10\" … (two) $3.50", "IT'S 3/4 of U.S. no. 5"]
    entries = [one | {"caption": odd[n]} if n < len(odd) else one for n, one in enumerate(oracle)]
    written(entries)
    assert run("vismark score shapes-captions captions.json -o result.json").code == 0
    told = json.loads(Path("result.json").read_text())["metrics"]
    content = json.loads((ensure() / "annotations" / "captions_val.json").read_text())
    references: dict[int, list[Any]] = {image["id"]: [] for image in content["images"]}
    for one in content["annotations"]:
        references[one["image_id"]].append(one)
    tokenizer = PTBTokenizer()
    gts = tokenizer.tokenize(references)
    res = tokenizer.tokenize({one["image_id"]: [one] for one in entries})
    for scorer, names in ((Bleu(4), [f"BLEU-{n}" for n in (1, 2, 3, 4)]), (Cider(), ["CIDEr"]), (Rouge(), ["ROUGE-L"])):
        arguments = {"verbose": 0} if len(names) == 4 else {}
        value, _ = scorer.compute_score(gts, res, **arguments)
        for name, number in zip(names, value if len(names) == 4 else [value], strict=True):
            assert told[name] == pytest.approx(number, abs=1e-10), name


HOSTILE = {
    "empty": "",
    "blank": " \t ",
    "long": "a red circle " * 1_250,
    "line separators": "a red\u2028circle\u2029on\x0bthe\x0cgrass\rhere\x85now",
    "new lines": "a red circle\non grass\n",
    "control": "a \x00red\x07 \x1bcircle\x7f",
    "emoji": "a red circle 👍🏽 👩‍👩‍👧 on grass",
    "right to left": "a \u202ered\u202c circle \u200fon\u200f grass שלום",
    "separators": "a\x1cred\x1dcircle\x1e",
    "zero width": "a\u200bred\ufeffcircle",
    "punctuation alone": "... !!! ??? --- ''",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_no_caption_moves_the_score_of_another_image(oracle: list[dict[str, Any]], kind: str) -> None:
    written(oracle)
    assert run("vismark score shapes-captions captions.json -o plain.json").code == 0
    hostile = [one | {"caption": HOSTILE[kind]} if n == 20 else one for n, one in enumerate(oracle)]
    written(hostile)
    ran = run("vismark score shapes-captions captions.json -o hostile.json")
    assert ran.code == 0, ran.output
    plain, changed = table("plain.json"), table("hostile.json")
    other = str(oracle[20]["image_id"])
    assert {id: row for id, row in changed.items() if id != other} == {
        id: row for id, row in plain.items() if id != other
    }
    assert changed[other] != plain[other]
    if kind in ("empty", "blank", "punctuation alone"):
        assert changed[other]["BLEU-4"] < 1e-3


def test_line_separators_deviate_and_the_result_says_why(oracle: list[dict[str, Any]]) -> None:
    written([one | {"caption": HOSTILE["line separators"]} if n == 3 else one for n, one in enumerate(oracle)])
    result = vismark.score("shapes-captions", "captions.json")
    assert {basis.kind for basis in result.basis.values()} == {"deviates"}
    assert all("other images" in basis.why for basis in result.basis.values())
    assert "CAPTION_LINE_BREAK_CHAR" in {problem.code for problem in result.warnings}
    written(oracle)
    assert {basis.kind for basis in vismark.score("shapes-captions", "captions.json").basis.values()} == {"official"}


FAULTS: dict[str, tuple[Any, bool]] = {
    # code → change of the first entry (None removes a key), whether official mode takes it
    "SUB_CAPTION_TYPE": ({"caption": 5}, False),
    "SUB_CAPTION_LENGTH": ({"caption": "word " * 20_000}, False),
    "SUB_CAPTION_MARKUP": ({"caption": "<0:the sky> over <p>a house</p> [SEG]"}, True),
    "MISSING_FIELD": ({"caption": None}, False),
    "FIELD_TYPE": ({"image_id": "1"}, False),
    "FIELD_INTEGRAL": ({"image_id": 1.0}, True),
    "SUB_IMAGE_UNKNOWN": ({"image_id": 999}, False),
    "SUB_IMAGE_DUP": ({"image_id": 2}, False),
}


@pytest.mark.parametrize("code", FAULTS)
def test_faults_of_entries(oracle: list[dict[str, Any]], code: str) -> None:
    change, tolerated = FAULTS[code]
    first = {name: value for name, value in (oracle[0] | change).items() if value is not None}
    written([first, *oracle[1:]])
    found = vismark.check("shapes-captions", "captions.json")
    assert code in found and found.errors
    assert all(one.fix and one.file == "captions.json" for one in found if one.code == code)
    assert bool(vismark.check("shapes-captions", "captions.json", mode="official").errors) is not tolerated


@pytest.mark.parametrize("value", [None, [], {}, True, 1.5, ["a red circle"]])
def test_captions_that_are_no_strings(oracle: list[dict[str, Any]], value: Any) -> None:
    written([oracle[0] | {"caption": value}, *oracle[1:]])
    for mode in ("strict", "official"):
        ran = run(f"vismark score shapes-captions captions.json --mode {mode}")
        assert ran.code == 1 and "SUB_CAPTION_TYPE" in ran.output and "Traceback" not in ran.output


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "JSON_PARSE"),
        ("[", "JSON_PARSE"),
        ("[NaN]", "JSON_PARSE"),
        ("{}", "JSON_TOP_LEVEL"),
        ('{"annotations": []}', "JSON_TOP_LEVEL"),
        ("null", "JSON_TOP_LEVEL"),
        ("[]", "SUB_EMPTY"),
        ("[1, null, []]", "FIELD_TYPE"),
        ('[{"image_id": 1, "caption": "a", "caption": "b"}]', "JSON_DUPLICATE_KEY"),
        ("[" * 100_000 + "]" * 100_000, "JSON_DEPTH"),
        ("\ufeff[]", "JSON_ENCODING"),
    ],
)
def test_files_that_are_none(text: str, code: str) -> None:
    written(text)
    ran = run("vismark check shapes-captions captions.json --json")
    assert ran.code == 1 and f'"{code}"' in ran.output and "Traceback" not in ran.output


def test_half_a_surrogate_pair_is_refused(oracle: list[dict[str, Any]]) -> None:
    written(json.dumps([oracle[0] | {"caption": "a \ud800 circle"}, *oracle[1:]]))
    for mode, code in (("strict", "JSON_PARSE"), ("official", "SUB_CAPTION_UNICODE")):
        ran = run(f"vismark check shapes-captions captions.json --mode {mode} --json")
        assert ran.code == 1 and code in ran.output


def test_missing_images_need_partial(oracle: list[dict[str, Any]]) -> None:
    written(oracle[:7])
    ran = run("vismark score shapes-captions captions.json")
    assert ran.code == 1 and "53 image(s) have no caption" in ran.output
    result = vismark.score("shapes-captions", "captions.json", partial=True)
    assert result.partial is not None and str(result.partial) == "PARTIAL 7/60"


def test_splitting_the_work_changes_nothing(oracle: list[dict[str, Any]]) -> None:
    """Captions whose last dot depends on the next caption are where it would show."""
    odd = [one | {"caption": "this is vitamin A." if n % 3 else "The dog."} for n, one in enumerate(oracle)]
    written(odd)
    from vismark.benchmarks.base import Source
    from vismark.benchmarks.caption_rows import WordStep
    from vismark.problems import Problems

    bench = registry.benchmark("shapes-captions")
    truth = bench.references(Source(), Problems(), "strict")
    opened = bench.open(Path("captions.json"), truth, Problems(), "strict", None, {})
    whole = WordStep(()).run(opened.submission, truth, opened.ids)
    parts = [row for rank in range(7) for row in WordStep(()).run(opened.submission, truth, opened.ids[rank::7])]
    assert {row.id: row for row in parts} == {row.id: row for row in whole}
    assert len({row.candidate for row in whole}) > 2  # it did depend on the neighbour


def test_karpathy_file_gives_the_test_split(oracle: list[dict[str, Any]]) -> None:
    content = json.loads((ensure() / "annotations" / "captions_val.json").read_text())
    told: dict[int, list[str]] = {}
    for one in content["annotations"]:
        told.setdefault(one["image_id"], []).append(one["caption"])
    images = [
        {
            "filepath": "val2014",
            "filename": f"COCO_val2014_{id:012}.jpg",
            "cocoid": id,
            "imgid": place,
            "split": "test" if place % 2 else "train",
            "sentids": list(range(5 * place, 5 * place + 5)),
            "sentences": [
                {"raw": text, "tokens": text.split(), "imgid": place, "sentid": 5 * place + n}
                for n, text in enumerate(texts)
            ],
        }
        for place, (id, texts) in enumerate(told.items())
    ]
    written({"dataset": "coco", "images": images}, "dataset_coco.json")
    written([one for one in oracle if one["image_id"] % 2 == 0])  # places count from 0, ids from 1
    ran = run("vismark score coco-captions captions.json --references dataset_coco.json -o result.json")
    assert ran.code == 0, ran.output
    result = json.loads(Path("result.json").read_text())
    assert result["samples"] == 30 and result["protocol"]["split"] == "karpathy-test"
    ran = run("vismark check coco-captions-2017 captions.json --references dataset_coco.json")
    assert ran.code == 1 and "REF_FORMAT" in ran.output


def test_twin_has_the_same_class_metrics_and_protocols() -> None:
    real, twin = (registry.card("benchmarks", name) for name in ("coco-captions", "shapes-captions"))
    assert (real.code, real.metrics, real.protocols) == (twin.code, twin.metrics, twin.protocols)


def test_controls_bound_the_numbers() -> None:
    found = {}
    for name in ("oracle", "majority", "blank"):
        vismark.predict(name, "shapes-captions", name)
        found[name] = vismark.score("shapes-captions", name)
    for metric in ("CIDEr", "BLEU-4", "METEOR", "ROUGE-L"):
        values = [found[name].metrics[metric] for name in ("oracle", "majority", "blank")]
        assert values[0] > values[1] > values[2] >= 0  # type: ignore[operator]
    vismark.predict("oracle", "shapes-captions", "perfect", settings={"amount": 0.0})
    assert vismark.score("shapes-captions", "perfect").metrics["ROUGE-L"] == 1.0


def test_later_metrics_join_the_result(oracle: list[dict[str, Any]]) -> None:
    written(oracle)
    score = "vismark score shapes-captions captions.json"
    assert run(f"{score} --metrics CIDEr -o part.json").code == 0
    assert set(json.loads(Path("part.json").read_text())["metrics"]) == {"CIDEr"}
    assert run(f"{score} --metrics ROUGE-L,BLEU-4 -o part.json").code == 0
    assert run(f"{score} --metrics CIDEr,ROUGE-L,BLEU-4 -o whole.json").code == 0
    assert Path("part.json").read_text() == Path("whole.json").read_text()
    assert run("vismark verify part.json").code == 0
    written([one | {"caption": "another"} for one in oracle])
    ran = run(f"{score} --metrics BLEU-1 -o part.json")
    assert ran.code == 1 and "RESULT_OTHER" in ran.output and "submission" in ran.output
    assert Path("part.json").read_text() == Path("whole.json").read_text()
    Path("note.json").write_text("{}")
    with pytest.raises(Refused, match="RESULT_FORMAT"):
        vismark.score("shapes-captions", "captions.json", "note.json", metrics=["CIDEr"])


def test_pancap_says_first_what_was_never_released() -> None:
    written([{"image_id": 1, "caption": "a"}])
    for command in ("score pancap-caption captions.json", "check pancap-caption captions.json", "info pancap-caption"):
        ran = run(f"vismark {command}")
        assert ran.code == (0 if command.startswith("info") else 3)
        assert "Never released: the captions of the 25,000 validation images" in ran.output.replace("\n", " ")
        assert "pancap-caption-holdout" in ran.output
    ran = run("vismark download pancap-caption --root data --dry-run")
    assert "never released" in ran.output.splitlines()[0]


def test_a_folder_of_texts_is_taken_as_references() -> None:
    """Plain texts count, and images of Objects365 may be called by their name or by their id."""
    Path("texts").mkdir()
    told = {"000000000007": "<0:a red circle> on <1:grass> .", "objects365_v2_00000012": "<0:a dog> sleeps ."}
    for id, text in told.items():
        Path("texts", f"{id}.txt").write_text(text)
    joins = [
        {"image_id": 7, "file_name": "000000000007.png"},
        {"image_id": 900012, "file_name": "objects365_v2_00000012.png"},
    ]
    written({"annotations": joins, "images": []}, "panoptic.json")
    references = {"captions": "texts", "panoptic": "panoptic.json"}
    for other in (900012, "objects365_v2_00000012"):
        entries = [{"image_id": 7, "caption": "a red circle on grass."}, {"image_id": other, "caption": "A dog sleeps"}]
        written(entries)
        result = vismark.score("pancap-caption", "captions.json", references=references)
        assert result.metrics["ROUGE-L"] == 1.0 and result.samples == 2
    Path("texts", "000000000009.txt").write_bytes(b"caf\xe9")
    with pytest.raises(Refused, match="CAPTION_ENCODING"):
        vismark.score("pancap-caption", "captions.json", references=references)


class Parsed:
    """A stand-in for CAPTURE's instrument: words are objects, there is nothing else."""

    name = "capture"
    identity = {"parser": "words"}  # noqa: RUF012  # as an instrument has it

    def __init__(self) -> None:
        self.measured = 0

    def forecast(self, captions: Sequence[str]) -> Any:
        from vismark.instruments.capture.instrument import Forecast

        return Forecast(len(captions), 3 * 3600.0)

    def measure(self, items: Sequence[tuple[str, Sequence[str]]]) -> list[tuple[Any, ...]]:
        self.measured += len(items)
        return [tuple(self._overlaps(ours, one) for one in theirs) for ours, theirs in items]

    def _overlaps(self, ours: str, theirs: str) -> Any:
        from vismark.formats.scene_graphs import Overlap, Overlaps

        a, b = set(ours.lower().rstrip(".").split()), set(theirs.lower().rstrip(".").split())
        return Overlaps(Overlap(len(a), len(b), len(a & b), len(a & b)), Overlap(0, 0, 0, 0), Overlap(0, 0, 0, 0))


def test_capture_is_measured_when_asked_and_joins_the_result(
    oracle: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    instrument = Parsed()
    monkeypatch.setattr("vismark.instruments.base.Tools.load", lambda self, role, default: instrument)
    truth = ensure() / "annotations"
    Path("texts").mkdir()
    for path in (truth / "pancap_val").glob("*.txt"):
        Path("texts", path.name).write_text(path.read_text())
    written(oracle)
    score = "vismark score pancap-caption captions.json --references captions=texts"
    ran = run(f"{score} --metrics CIDEr,BLEU-4 -o part.json")
    assert ran.code == 0 and instrument.measured == 0
    assert "added to the result at -o: CAPTURE" in ran.output
    ran = run(f"{score} --metrics CAPTURE -o part.json")
    assert ran.code == 0, ran.output
    assert "CAPTURE parses 120 sentences: about 3 hours here." in ran.output
    assert instrument.measured == 60
    told = json.loads(Path("part.json").read_text())
    assert list(told["metrics"]) == ["CIDEr", "BLEU-4", "CAPTURE"]
    assert told["protocol"]["instruments"].keys() == {"capture"} and told["basis"]["CAPTURE"]["kind"] == "deviates"
    assert table("part.json").keys() == {f"{one['image_id']:012}" for one in oracle}
    # Its evidence is kept: scoring everything at once measures nothing again and gives the same result.
    ran = run(f"{score} --metrics CIDEr,BLEU-4,CAPTURE -o whole.json")
    assert instrument.measured == 60
    assert Path("part.json").read_text() == Path("whole.json").read_text()
    assert run("vismark verify part.json").code == 0
    instrument.identity = {"parser": "other words"}
    ran = run(f"{score} --metrics CAPTURE -o part.json")
    assert ran.code == 1 and "instrument capture" in ran.output


class Tupled:
    """A stand-in for SPICE's program: captions arrive tokenized; the score is the share of words in common."""

    name = "spice"
    identity = {"program": "words"}  # noqa: RUF012  # as an instrument has it

    def measure(self, items: Sequence[tuple[str, Sequence[str]]]) -> list[Any]:
        from vismark.formats.spice import SpiceScore

        assert all("." not in told and told == told.lower() for told, _ in items)
        return [SpiceScore(len({*a.split()} & {*b[0].split()}) / 100 if a else None, {}) for a, b in items]


def test_spice_is_measured_when_asked_and_undefined_as_officially(
    oracle: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vismark.instruments.base.Tools.load", lambda self, role, default: Tupled())
    written(oracle)
    assert "SPICE" not in vismark.score("shapes-captions", "captions.json", metrics=None).metrics
    told = vismark.score("shapes-captions", "captions.json", metrics=["SPICE"])
    assert 0 < (told.metrics["SPICE"] or 0) < 0.2 and told.protocol.instruments.keys() == {"spice"}
    written([one | {"caption": ""} if n == 4 else one for n, one in enumerate(oracle)])
    told = vismark.score("shapes-captions", "captions.json", metrics=["SPICE"])
    assert told.metrics["SPICE"] is None and "METRIC_UNDEFINED" in {one.code for one in told.warnings}


@pytest.mark.skipif(shutil.which("java") is None or not OFFICIAL, reason="Java or pycocoevalcap 1.2 is not here")
def test_the_java_tokenizer_gives_the_same_numbers(oracle: list[dict[str, Any]]) -> None:
    written([one | {"caption": "The man's 3 dogs can't (really) run...fast, vitamin A."} for one in oracle])
    metrics = ["CIDEr", "BLEU-4", "ROUGE-L"]
    ours = vismark.score("shapes-captions", "captions.json", metrics=metrics)
    theirs = vismark.score(
        "shapes-captions", "captions.json", metrics=metrics, tools=vismark.Tools(names=("ptb-java",))
    )
    assert ours.metrics == theirs.metrics
    assert not ours.protocol.instruments and theirs.protocol.instruments.keys() == {"ptb-java"}

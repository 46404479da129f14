"""CAPTURE around its networks: reading of graphs, merging, matching, the cache; figures from capture_metric 0.1.13."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from vismark import registry
from vismark.formats.scene_graphs import Facts, Overlap, Overlaps, SceneGraph, facts
from vismark.instruments.base import Tools
from vismark.instruments.capture import instrument, language
from vismark.instruments.capture.graphs import merged
from vismark.instruments.capture.overlap import overlaps
from vismark.metrics.captions.capture import Capture, score
from vismark.problems import Missing

GROUPS = [
    {"car", "automobile", "auto"}, {"road", "street", "route"}, {"big", "large"}, {"man", "adult_male"},
    {"city_street", "avenue"}, {"run", "running", "go"}, {"on", "upon"},
]  # fmt: skip


def synonyms(word: str) -> frozenset[str]:
    return frozenset(next((group for group in GROUPS if word in group), ()))


def embed(phrases: Sequence[str]) -> NDArray[np.float32]:
    seeds = [int(hashlib.md5(phrase.encode()).hexdigest()[:8], 16) for phrase in phrases]
    vectors = np.stack([np.random.RandomState(seed).rand(16).astype(np.float32) for seed in seeds])
    unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


@pytest.mark.parametrize(
    ("text", "attributes", "relations"),
    [
        ("( cat , is , red ) , ( cat , on , mat )", {"cat": ["red"], "mat": []}, [("cat", "on", "mat")]),
        ("(cat,is,red),(cat,is,red)", {"cat": ["red"]}, []),
        ("( dogs , is , 2 )", {"dogs": []}, []),
        ("( a , b , c ) , ( d , e", {"a": [], "c": []}, [("a", "b", "c")]),
        ("( cat , on", {"cat": []}, []),
        ("cat", {"cat": []}, []),
        ("( cat )", {"cat": []}, []),
        ("( cat ) , ( a , on , b )", {"a": [], "b": []}, [("a", "on", "b")]),
        ("( z , on , y ) , ( a , in , b )", {"a": [], "b": [], "z": [], "y": []}, [("a", "in", "b"), ("z", "on", "y")]),
        ("", {}, []),
    ],
)
def test_what_the_parser_writes(text: str, attributes: dict[str, list[str]], relations: list[tuple[str, ...]]) -> None:
    found = facts(text)
    assert found.attributes == attributes
    assert list(found.attributes) == list(attributes)
    assert found.relations == relations


# Score by `CAPTURE.compute_f_score` of capture_metric 0.1.13 with the synonyms and vectors above, sets in sorted order.
@pytest.mark.parametrize(
    ("official", "candidate", "reference"),
    [
        (
            0.714372992515564,
            SceneGraph(
                ("avenue", "man", "sky", "street", "tree", "truck"),
                ("big", "large"),
                (
                    ("avenue", "upon", "street"), ("man", "of", "man"), ("tree", "near", "truck"),
                    ("truck", "near", "truck"), ("truck", "of", "truck"),
                ),
            ),
            SceneGraph(
                ("auto", "avenue", "cat", "sky", "street", "truck"),
                ("big", "blue sky", "big", "blue sky"),
                (("avenue", "on", "street"),),
            ),
        ),
        (
            0.7423746585845947,
            SceneGraph(("car", "man", "tree"), ("large",), (("background", "near", "man"),)),
            SceneGraph(
                ("car", "cat", "man", "road", "sky", "street", "tree"),
                ("green", "red"),
                (("cat", "of", "car"), ("cat", "on", "car"), ("man", "of", "street"), ("road", "upon", "tree")),
            ),
        ),
        (
            0.768139660358429,
            SceneGraph(
                ("auto", "car", "city street", "road", "tree"),
                ("blue sky",),
                (("background", "of", "car"), ("car", "on", "auto")),
            ),
            SceneGraph(("avenue", "car", "tree"), ("red",), (("car", "near", "tree"),)),
        ),
    ],
)  # fmt: skip
def test_scores_of_the_official_code(official: float, candidate: SceneGraph, reference: SceneGraph) -> None:
    assert score(overlaps(candidate, reference, synonyms, embed)) == pytest.approx(official, abs=1e-6)


def test_metric_is_the_formula() -> None:
    pair = Overlaps(Overlap(4, 2, 2.0, 2.0), Overlap(1, 1, 1.0, 1.0), Overlap(0, 3, 0.0, 0.0))
    expected = (0.5 * 2 * 0.5 * 1 / 1.5 + 0.5 * 1) / 1.2
    metric = Capture()
    assert score(pair) == pytest.approx(expected, abs=1e-5)
    assert metric.row([pair, Overlaps(*[Overlap(0, 0, 0.0, 0.0)] * 3)]) == pytest.approx(expected / 2, abs=1e-5)
    assert metric.reduce([0.5, 0.7])["CAPTURE"] == pytest.approx(0.6)
    assert metric.reduce([]) == {"CAPTURE": None}
    with pytest.raises(ValueError, match="reference"):
        metric.row([])


class English:
    """Enough of the language for the tests: nouns are listed, plurals end in s, sentences in a dot."""

    identity: ClassVar = {"language": "stub"}

    def sentences(self, text: str) -> list[str]:
        return [part.strip() for part in text.split(".") if part.strip()]

    def nouns(self, text: str) -> frozenset[str]:
        return frozenset(map(self.noun, text.replace(".", " ").split())) & {"cat", "mat", "dog", "scene"}

    def noun(self, word: str) -> str:
        return word.removesuffix("s")

    def adjective(self, word: str) -> str:
        return word

    def synonyms(self, word: str) -> frozenset[str]:
        return synonyms(word)


def test_only_things_named_with_a_noun_are_kept() -> None:
    sentences = [
        Facts(
            {"cats": ["red", "part of it"], "ghost": ["white"], "mat": [], "scene": ["big"]}, [("cats", "on", "mat")]
        ),
        Facts({"cat": ["old"], "ghost": []}, [("cat", "near", "ghost")]),
    ]
    graph = merged("cats on a mat in a scene.", sentences, English(), {"scene"})
    assert graph == SceneGraph(("cat", "mat"), ("old", "red", "big"), (("cat", "on", "mat"),))


class Recorder:
    """A parser with a memory."""

    loaded = None
    batch = 2
    said: ClassVar = {"A cat": "( cat , is , red )", "A dog": "( dog , on , mat )", "A mat": "( mat )"}

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.asked: list[str] = []

    def graphs(self, sentences: Sequence[str]) -> Iterator[str]:
        for sentence in sentences:
            self.asked.append(sentence)
            yield self.said[sentence]


@pytest.fixture
def capture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> instrument.Capture:
    monkeypatch.setattr(instrument, "Nltk", English)
    monkeypatch.setattr(instrument, "stop_words", lambda: frozenset({"scene"}))
    monkeypatch.setenv("VISMARK_CACHE", str(tmp_path / "cache"))
    for part in ("parser", "encoder"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "config.json").write_text("{}")
    card = registry.card("instruments", "capture")
    made = instrument.Capture(card, Tools(weights={"capture": tmp_path}))
    made.parser = Recorder(tmp_path / "parser")  # type: ignore[assignment]
    monkeypatch.setattr(made, "embed", embed)
    return made


def test_a_caption_is_parsed_once(capture: instrument.Capture) -> None:
    items = [("A cat. A mat.", ["A dog. A mat.", "A cat."]), ("A cat.", ["A dog. A mat."])]
    found = capture.measure(items)
    assert sorted(capture.parser.asked) == ["A cat", "A dog", "A mat"]  # type: ignore[attr-defined]
    # Candidate: cat (red), mat. First reference: dog, mat, dog on mat.
    assert found[0][0].objects.candidate == found[0][0].objects.reference == 2
    assert found[0][0].relations == Overlap(0, 1, 0.0, 0.0)
    assert found[0][1].attributes == Overlap(1, 1, 1.0, 1.0)
    again = capture.measure(items[::-1])
    assert again == found[::-1]
    assert len(capture.parser.asked) == 3  # type: ignore[attr-defined]


def test_it_says_beforehand_what_is_left_to_parse(capture: instrument.Capture) -> None:
    captions = ["A cat. A mat.", "A dog.", "A dog. A cat."]
    forecast = capture.forecast(captions)
    assert forecast.sentences == 3
    assert forecast.seconds > 0
    capture.graphs(captions)
    assert capture.forecast(captions) == instrument.Forecast(0, 0.0)


def test_the_identity_names_models_and_language(capture: instrument.Capture) -> None:
    assert capture.identity["parser"].startswith("lizhuang144/flan-t5-base-VG-factual-sg sha256:")
    assert capture.identity["encoder"].startswith("sentence-transformers/all-mpnet-base-v2 sha256:")
    assert capture.identity["language"] == "stub"


def test_an_empty_caption_has_an_empty_graph(capture: instrument.Capture) -> None:
    assert capture.graphs([""]) == [SceneGraph((), (), ())]


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = registry.card("instruments", "capture")
    with pytest.raises(Missing, match="hf download lizhuang144/flan-t5-base-VG-factual-sg"):
        instrument.Capture(card, Tools(weights={"capture": tmp_path}))
    monkeypatch.setattr(language, "find_spec", lambda name: None)
    with pytest.raises(Missing, match=r"vismark\[capture\].*punkt_tab"):
        language.Nltk()


def test_stop_words_are_read_as_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = b"\nstop_words_list = [\n    'scene',\n    'view',\n]"
    (tmp_path / "stop_words.py").write_bytes(source)

    class Installed:
        def locate_file(self, name: str) -> Path:
            return tmp_path / "stop_words.py"

    monkeypatch.setattr(language, "distribution", lambda name: Installed())
    with pytest.raises(Missing, match=r"not version 0\.1\.13"):
        language.stop_words()
    monkeypatch.setattr(language, "_STOP_WORDS_DIGEST", hashlib.sha256(source).hexdigest())
    assert language.stop_words() == {"scene", "view"}


def test_nltk_itself() -> None:
    nltk = pytest.importorskip("nltk", reason="NLTK is not installed")
    try:
        nltk.data.find("taggers/averaged_perceptron_tagger_eng")
        nltk.data.find("corpora/wordnet.zip")
    except LookupError:
        pytest.skip(
            "NLTK's data is not there: python -m nltk.downloader punkt_tab averaged_perceptron_tagger_eng wordnet"
        )
    english = language.Nltk()
    assert english.sentences("A cat sits. Two dogs run.") == ["A cat sits.", "Two dogs run."]
    assert english.nouns("Two dogs chase cats.") >= {"dog", "cat"}
    assert "automobile" in english.synonyms("car")

"""The official numbers of 800 COCO captions and 35 hard sentences, made once by pycocoevalcap 1.2 with Java."""

from __future__ import annotations

import json
from typing import Any

import pytest

from caption_originals import goldens
from vismark.instruments.caption_data import meteor_tables, ptb_automaton
from vismark.metrics.captions.bleu import Bleu
from vismark.metrics.captions.cider import Cider
from vismark.metrics.captions.meteor import Meteor
from vismark.metrics.captions.ptb import Tokenizer
from vismark.metrics.captions.rouge import RougeL

FOLDER = goldens()
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"needs the goldens in {FOLDER}")

Image = dict[str, Any]


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    results: dict[str, Any] = json.loads((FOLDER / "shared_expected.json").read_text())["results"]
    return results


@pytest.fixture(scope="module")
def images(golden: dict[str, Any]) -> list[Image]:
    found: list[Image] = golden["per_image"]
    return found


def test_tokens(images: list[Image]) -> None:
    given = json.loads((FOLDER / "shared_input.json").read_text())
    tokenizer = Tokenizer(ptb_automaton())
    for side, key in (("gts", "tokens_ref"), ("res", "tokens_res")):
        captions = [caption for image in images for caption in _list(given[side][str(image["image_id"])])]
        assert tokenizer.lines(captions) == [tokens for image in images for tokens in image[key]]


def test_scores(golden: dict[str, Any], images: list[Image]) -> None:
    pairs = [(image["tokens_res"][0], image["tokens_ref"]) for image in images]
    bleu, rouge, cider = Bleu(), RougeL(), Cider()
    counts = [bleu.row(*pair) for pair in pairs]
    common = [rouge.row(*pair) for pair in pairs]
    captions = [cider.row(*pair) for pair in pairs]
    for row, image in zip(counts, images, strict=True):
        assert list(bleu.reduce([row]).values()) == pytest.approx(image["Bleu"], abs=1e-10)
    assert common == pytest.approx([image["ROUGE_L"] for image in images], abs=1e-10)
    assert cider.images(captions).tolist() == pytest.approx([image["CIDEr"] for image in images], abs=1e-10)
    corpus = [*bleu.reduce(counts).values(), rouge.reduce(common)["ROUGE-L"], cider.reduce(captions)["CIDEr"]]
    names = ("Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "ROUGE_L", "CIDEr")
    assert corpus == pytest.approx([golden["corpus"][name] for name in names], abs=1e-10)


def test_meteor(golden: dict[str, Any], images: list[Image]) -> None:
    metric = Meteor(meteor_tables())
    rows = [metric.row(image["tokens_res"][0], image["tokens_ref"]) for image in images]
    assert [row.line() for row in rows] == [image["meteor_stats"] for image in images]
    assert [metric.reduce([row])["METEOR"] for row in rows] == [image["METEOR"] for image in images]
    assert metric.reduce(rows)["METEOR"] == golden["corpus"]["METEOR"]


def _list(captions: str | list[str]) -> list[str]:
    return [captions] if isinstance(captions, str) else captions

"""BLEU, ROUGE-L and CIDEr: equal to pycocoevalcap's own code on random captions, in any split and order."""

from __future__ import annotations

import contextlib
import io
import math
import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vismark.metrics.base import Accumulator
from vismark.metrics.captions.bleu import Bleu
from vismark.metrics.captions.cider import Cider, CiderD, Frequencies
from vismark.metrics.captions.rouge import RougeL

WORDS = st.sampled_from(["a", "man", "dog", "the", "rides", "3\u00a01/2", "n't", "-lrb-", "tree"])
CAPTIONS = st.lists(WORDS, max_size=9).map(" ".join)
IMAGES = st.lists(st.tuples(CAPTIONS, st.lists(CAPTIONS, min_size=1, max_size=4)), min_size=1, max_size=6)
Images = list[tuple[str, list[str]]]


def official(name: str, images: Images) -> tuple[list[float], list[list[float]]]:
    """Corpus and image scores of pycocoevalcap, one list entry an output."""
    module = pytest.importorskip(f"pycocoevalcap.{name.lower()}.{name.lower()}", reason="pycocoevalcap is not there")
    references = {number: list(refs) for number, (_, refs) in enumerate(images)}
    candidates = {number: [candidate] for number, (candidate, _) in enumerate(images)}
    with contextlib.redirect_stdout(io.StringIO()):
        score, scores = getattr(module, name)().compute_score(references, candidates)
    if name == "Bleu":
        return list(score), [list(one) for one in scores]
    return [float(score)], [list(map(float, scores))]


@settings(max_examples=300, deadline=None)
@given(IMAGES)
def test_bleu_is_the_official_one(images: Images) -> None:
    metric = Bleu()
    rows = [metric.row(*image) for image in images]
    corpus, scores = official("Bleu", images)
    assert list(metric.reduce(rows).values()) == pytest.approx(corpus, abs=1e-12)
    for number, row in enumerate(rows):
        assert list(metric.reduce([row]).values()) == pytest.approx([one[number] for one in scores], abs=1e-12)


@settings(max_examples=300, deadline=None)
@given(IMAGES)
def test_rouge_is_the_official_one(images: Images) -> None:
    metric = RougeL()
    rows = [metric.row(*image) for image in images]
    corpus, scores = official("Rouge", images)
    assert rows == pytest.approx(scores[0], abs=1e-15)
    assert metric.reduce(rows)["ROUGE-L"] == pytest.approx(corpus[0], abs=1e-12)


@settings(max_examples=300, deadline=None)
@given(IMAGES)
def test_cider_is_the_official_one(images: Images) -> None:
    metric = Cider()
    rows = [metric.row(*image) for image in images]
    if not any(reference for _, references in images for reference in references):
        # The official scorer ends with "max() arg is an empty sequence".
        assert metric.reduce(rows)["CIDEr"] == 0
        return
    corpus, scores = official("Cider", images)
    assert metric.images(rows).tolist() == pytest.approx(scores[0], abs=1e-12)
    assert metric.reduce(rows)["CIDEr"] == pytest.approx(corpus[0], abs=1e-12)


def twin(images: Images, split: Images, clipped: bool) -> float:
    """CIDEr-D, or CIDEr without clipping and penalty, from the formula, the frequencies those of `split`."""

    def grams(caption: str, order: int) -> Counter[tuple[str, ...]]:
        words = caption.split()
        return Counter(tuple(words[at : at + order]) for at in range(len(words) - order + 1))

    def weight(gram: tuple[str, ...]) -> float:
        images_with = sum(any(grams(one, len(gram))[gram] for one in refs) for _, refs in split)
        return math.log(len(split)) - math.log(max(1, images_with))

    def similarity(candidate: str, reference: str, order: int) -> float:
        h = {gram: n * weight(gram) for gram, n in grams(candidate, order).items()}
        r = {gram: n * weight(gram) for gram, n in grams(reference, order).items()}
        norms = math.hypot(*h.values()) * math.hypot(*r.values())
        dot = sum((min(h[gram], r[gram]) if clipped else h[gram]) * r[gram] for gram in h if gram in r)
        difference = sum(grams(candidate, 2).values()) - sum(grams(reference, 2).values())
        return (dot / norms if norms else dot) * (math.exp(-(difference**2) / 72) if clipped else 1)

    scores = [
        10 * np.mean([similarity(candidate, one, order) for one in refs for order in range(1, 5)])
        for candidate, refs in images
    ]
    return float(np.mean(scores))


@settings(max_examples=60, deadline=None)
@given(IMAGES, st.booleans())
def test_cider_with_the_frequencies_of_a_split(split: Images, clipped: bool) -> None:
    table = Frequencies.of(refs for _, refs in split)
    part = split[: len(split) // 2 + 1]
    metric = Cider("CIDEr-plain", clipped=clipped, frequencies=table)
    rows = [metric.row(*image) for image in part]
    assert metric.reduce(rows)["CIDEr-plain"] == pytest.approx(twin(part, split, clipped), abs=1e-10)


def test_cider_d_without_a_table_is_the_official_cider() -> None:
    images = [("a man rides", ["a man rides a dog", "the tree"]), ("the dog", ["a dog", "the tree n't"])]
    rows = [Cider().row(*image) for image in images]
    assert CiderD().reduce(rows)["CIDEr-D"] == Cider().reduce(rows)["CIDEr"]
    assert CiderD().outputs == ("CIDEr-D",)


@pytest.mark.parametrize("metric", [Bleu(), RougeL(), Cider()], ids=lambda metric: metric.name)
def test_any_split_and_order_gives_the_same_bits(metric: Bleu | RougeL | Cider) -> None:
    rng = random.Random(0)
    words = [f"w{n}" for n in range(12)]
    images = {
        f"{n:03}": (" ".join(rng.choices(words, k=8)), [" ".join(rng.choices(words, k=9)) for _ in range(5)])
        for n in range(50)
    }
    whole, parts = Accumulator(metric), [Accumulator(metric) for _ in range(3)]
    for id, image in images.items():
        whole.update(id, *image)
    for id, image in rng.sample(list(images.items()), len(images)):
        rng.choice(parts).update(id, *image)
    parts[0].merge(parts[1])
    parts[0].merge(parts[2])
    assert parts[0].compute() == whole.compute()


@pytest.mark.parametrize("metric", [Bleu(), RougeL(), Cider()], ids=lambda metric: metric.name)
def test_corner_cases(metric: Bleu | RougeL | Cider) -> None:
    assert set(metric.reduce([]).values()) == {None}
    with pytest.raises(ValueError, match="reference"):
        metric.row("a", [])
    # Empty against empty: ROUGE-L compares two empty tokens and finds them equal.
    numbers = list(metric.reduce([metric.row("", [""])]).values())
    assert numbers[0] == {"BLEU": 0.0, "ROUGE-L": 1.0, "CIDEr": 0.0}[metric.name]

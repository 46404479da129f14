"""The tag grammar of grounded captions: the paper's examples, its defects, and any text at all."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vismark.formats.tags import parse

CASES = Path(__file__).parents[3] / "shared" / "data" / "coco_small" / "pancap_parse_cases.json"


@pytest.mark.skipif(not CASES.exists(), reason="../shared/data/coco_small/pancap_parse_cases.json is not here")
def test_cases_of_the_specification() -> None:
    for case in json.loads(CASES.read_text())["cases"]:
        got = parse(case["in"])
        assert got.plain == case["plain"]
        assert [[list(tag.numbers), tag.phrase] for tag in got.tags] == case["tags"]
        assert [finding.code for finding in got.findings] == case["codes"]


@pytest.mark.parametrize(
    ("caption", "plain", "tags", "codes"),
    [
        ("<0:the sky> over <1, 2:two hills>", "the sky over two hills", [((0,), "the sky"), ((1, 2), "two hills")], []),
        ("plain", "plain", [], ["TAG_NONE"]),
        ("a > b, <1:x>", "a > b, x", [((1,), "x")], ["TAG_STRAY_CLOSE"]),
        ("<1:a <2:b> c>", "a b c", [((1,), "a b c"), ((2,), "b")], ["TAG_NESTED"]),
        ("<1:a <2:b>", "<1:a b", [((2,), "b")], ["TAG_UNCLOSED"]),
        ("<x:a> <1:b>", "<x:a> b", [((1,), "b")], ["TAG_MALFORMED"]),
        ("<1 :  > <2:b>", "<1 : > b", [((2,), "b")], ["TAG_MALFORMED"]),
        ("<1:2 cups>", "2 cups", [((1,), "2 cups")], ["TAG_PHRASE_STARTS_WITH_DIGIT"]),
        ("<1234567890:a>", "<1234567890:a>", [], ["TAG_MALFORMED", "TAG_NONE"]),
        ("", "", [], ["TAG_NONE"]),
    ],
)
def test_grammar(caption: str, plain: str, tags: list[object], codes: list[str]) -> None:
    got = parse(caption)
    assert got.plain == plain
    assert [(tag.numbers, tag.phrase) for tag in got.tags] == tags
    assert [finding.code for finding in got.findings] == codes
    assert got.valid is (set(codes) <= {"TAG_PHRASE_STARTS_WITH_DIGIT"})


WORDS = st.lists(st.sampled_from(["a", "red", "cup,", '"old"', "é", "it's"]), min_size=1, max_size=4).map(" ".join)


@given(st.lists(st.tuples(WORDS, st.lists(st.integers(0, 300), max_size=3)), min_size=1, max_size=6))
def test_what_was_written_is_read_back(parts: list[tuple[str, list[int]]]) -> None:
    caption = " ".join(f"<{','.join(map(str, ids))}:{words}>" if ids else words for words, ids in parts)
    got = parse(caption)
    assert got.plain == " ".join(words for words, _ in parts)
    assert [(list(tag.numbers), tag.phrase) for tag in got.tags] == [(ids, words) for words, ids in parts if ids]


@given(st.text(st.sampled_from("<>:, 019ab\n\t"), max_size=60) | st.text(max_size=60))
def test_any_text_is_answered_and_spans_are_the_phrases(caption: str) -> None:
    got = parse(caption)
    for tag in got.tags:
        assert got.plain[tag.start : tag.stop] == tag.phrase
        assert tag.phrase == tag.phrase.strip() != ""
    assert "  " not in got.plain and "\n" not in got.plain


@pytest.mark.parametrize(
    "text", ["<" * 100_000, "<1:" * 100_000, "<1:a>" * 100_000, ">" * 100_000, "<1:" + " " * 100_000]
)
def test_time_is_linear(text: str) -> None:
    start = time.process_time()
    parse(text)
    assert time.process_time() - start < 5

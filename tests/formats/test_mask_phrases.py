"""The grammar of ViCaS captions: what the official reader makes of them, and what it accepts in silence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vismark.formats.mask_phrases import CROWD, PhraseFault, parse_caption

GOLDEN = Path(__file__).parents[3] / "shared" / "golden" / "vicas" / "caption_parse.json"


def test_phrases_and_places() -> None:
    caption = parse_caption("[Two kids]<mask_0, 1> watch [people]<mask_?>.")
    assert caption.parsed == "Two kids watch people."
    kids, people = caption.phrases
    assert kids.ids == (0, 1) and people.ids == (CROWD,)
    assert caption.parsed[kids.start : kids.end + 1] == "Two kids"
    assert caption.raw[people.start_raw : people.end_raw] == "people"
    assert caption.ids() == [0, 1] and caption.ids(crowd=True) == [-1, 0, 1]


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("a ] b", 2), ("a < b", 2), ("a > b", 2),  # marks outside a group
        ("[a [b]<mask_1>", 3), ("[a < b]<mask_1>", 3),  # inside a phrase
        ("[a]", 2), ("[a] <mask_1>", 3),  # no ids right after it
        ("[a]<obj_1>", 4), ("[a]<Mask_1>", 4), ("[a]<mas", 4), ("[a]<", 3),  # another prefix
        ("[a]<mask_>", 9), ("[a]<mask_ , >", 12),  # no id
        ("[a]<mask_x>", 9), ("[a]<mask_-1>", 9), ("[a]<mask_1\n>", 10), ("[a]<mask_²>", 9), ("[a]<mask__1>", 9),
        ("[a]<mask_1[>", 10),
    ],
)  # fmt: skip
def test_what_the_official_reader_refuses(text: str, position: int) -> None:
    with pytest.raises(PhraseFault) as fault:
        parse_caption(text)
    assert fault.value.position == position


@pytest.mark.parametrize(
    ("text", "code", "parsed", "phrases"),
    [
        ("[a", "PHRASE_UNFINISHED", "a", 0),
        ("x [a]<mask_1", "PHRASE_UNFINISHED", "x a", 0),
        ("[a]<mask", "PHRASE_UNFINISHED", "a", 0),
        ("b []<mask_1>", "PHRASE_EMPTY", "b ", 1),
        ("[a]<mask_12>", "PHRASE_ID_DIGITS", "a", 1),
    ],
)
def test_what_it_accepts_in_silence(text: str, code: str, parsed: str, phrases: int) -> None:
    caption = parse_caption(text)
    assert [finding.code for finding in caption.findings] == [code]
    assert caption.parsed == parsed and len(caption.phrases) == phrases


def test_numbers_of_several_digits() -> None:
    assert parse_caption("[a]<mask_12, 3>").phrases[0].ids == (1, 2, 3)
    assert parse_caption("[a]<mask_12, 3>", "numbers").phrases[0].ids == (12, 3)
    with pytest.raises(PhraseFault):
        parse_caption(f"[a]<mask_{'1' * 5000}>", "numbers")


@given(st.text(alphabet="[]<>mask_ab 01?,，？²٣\n", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        caption = parse_caption(text)
    except PhraseFault as fault:
        assert 0 <= fault.position <= len(text)
        return
    assert len(caption.raw) == len(text)
    for phrase in caption.phrases:
        assert caption.parsed[phrase.start : phrase.end + 1] == phrase.phrase or not phrase.phrase


@pytest.mark.timeout(20)
def test_time_is_linear() -> None:
    assert len(parse_caption("[a]<mask_0>" * 50_000).phrases) == 50_000


@pytest.mark.skipif(not GOLDEN.exists(), reason=f"{GOLDEN.name} is not here")
def test_the_official_parses() -> None:
    for case in json.loads(GOLDEN.read_text())["cases"]:
        if "exception" in case:
            with pytest.raises(ValueError):
                parse_caption(case["input"])
            continue
        caption = parse_caption(case["input"])
        assert (caption.raw, caption.parsed) == (case["raw"], case["parsed"])
        keys = ("ids", "phrase", "start", "end", "start_raw", "end_raw")
        found = [{key: list(one.ids) if key == "ids" else getattr(one, key) for key in keys} for one in caption.phrases]
        assert found == case["objects"]
        assert caption.ids() == case["object_ids_excluding_crowd"]
        assert caption.ids(crowd=True) == case["object_ids_including_crowd"]

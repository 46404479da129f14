"""The tokenizer apart from the official program: bad input stays within its caption, and nothing takes for ever."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vismark.instruments.caption_data import ptb_automaton
from vismark.metrics.captions.ptb import Tokenizer

BAD = [
    "", " ", "\n", "a\rman", "a\x0bman", "a\x0cman", "a\u2028man", "a\u2029man", "a\x85man", "\x00\x07\x1b", "😀",
    "\u202ea man\u202c", "\u200f\u200e", "\ud800 lone", "<", "<a", "'" * 50, "vitamin A.",
]  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(ptb_automaton())


@pytest.mark.parametrize("bad", BAD, ids=ascii)
def test_a_bad_caption_does_not_shift_another(tokenizer: Tokenizer, bad: str) -> None:
    assert tokenizer.lines(["two dogs", bad, "a cat"])[::2] == ["two dogs", "a cat"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=8) | st.sampled_from(BAD), max_size=6))
def test_captions_that_stand_alone_do_not_depend_on_others(captions: list[str]) -> None:
    tokenizer = Tokenizer(ptb_automaton())
    found = tokenizer.lines(captions, neighbours=False)
    assert found == [" ".join(Tokenizer(ptb_automaton()).tokenize(caption)) for caption in captions]
    assert tokenizer.lines(captions[::-1], neighbours=False) == found[::-1]


def test_line_breaks_are_blanks(tokenizer: Tokenizer) -> None:
    assert tokenizer.tokenize("a\u2028man\rwalks\x0bhome") == ["a", "man", "walks", "home"]


@pytest.mark.parametrize("value", [None, 7, b"a man", ["a"]])
def test_what_is_not_a_string_is_refused(tokenizer: Tokenizer, value: object) -> None:
    with pytest.raises(TypeError, match="a caption is a string"):
        tokenizer.lines(["fine", value])  # type: ignore[list-item]


@pytest.mark.parametrize(
    "part", ["a", "(", "'", "1,", "<a ", "&a", "a-", "😀", "1 1/2 ", "a. ", '<a="', "\u00a0"], ids=ascii
)
def test_100_kilobytes_take_seconds(tokenizer: Tokenizer, part: str) -> None:
    start = time.perf_counter()
    tokenizer.lines([part * (100_000 // len(part.encode()))])
    assert time.perf_counter() - start < 20

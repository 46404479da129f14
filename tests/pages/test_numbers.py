"""How numbers are written."""

import math

import pytest

from vismark.pages.numbers import Numbers
from vismark.results import Basis


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("PQ", 0.4567, "45.7"),
        ("PQ", 1, "100.0"),
        ("PQ", None, ""),
        ("PQ", math.nan, ""),
        ("TP", 1234, "1234"),
        ("iou", 0.5, "0.500"),
        ("iou", 0.00001, "1.00e-05"),
        ("iou", 0.0, "0.000"),
        ("id", "000042", "000042"),
        ("crowd", True, "True"),
    ],
)
def test_show(card, name, value, text):
    assert Numbers(card).show(name, value) == text


def test_entry_says_what_a_number_equals(card, result):
    numbers, made = Numbers(card), result(text="no void")
    entry = numbers.entry(made, "PQ")
    assert (entry.value, entry.interval, entry.n) == ("45.7", "41.0 – 50.1", "2")
    assert entry.basis == "equals tool 1.0, within 1e-12"
    assert numbers.entry(made, "SQ").value == ""
    assert numbers.entry(made, "SQ").basis == "deviates from tool 1.0: no void"


def test_a_number_that_the_card_lacks_is_an_extension(card, result):
    made = result(metrics={"mine": 0.25}, basis={"mine": Basis(kind="extension")})
    entry = Numbers(card).entry(made, "mine")
    assert (entry.value, entry.kind) == ("0.250", "extension")

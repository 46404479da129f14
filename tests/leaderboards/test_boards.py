"""Boards: the cards in the package, and the one conversion between results and tables."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vismark import registry
from vismark.leaderboards.boards import Column, board, board_of, boards
from vismark.problems import Usage

PERCENT = Column(metric="PQ", heading="PQ", better="higher", scale=100.0, digits=1, low=0.0, high=1.0)


def test_percent_and_fraction_are_converted_in_the_column() -> None:
    assert PERCENT.parse("53.3") == 0.533
    assert PERCENT.show(0.533) == "53.3"


@given(st.integers(0, 1000))
def test_what_is_printed_comes_back(tenths: int) -> None:
    text = f"{tenths // 10}.{tenths % 10}"
    assert PERCENT.show(PERCENT.parse(text)) == text


@given(st.floats(0, 1), st.floats(0, 1))
def test_numbers_that_look_the_same_are_equal_and_no_others(a: float, b: float) -> None:
    assert (PERCENT.order(a) == PERCENT.order(b)) == (PERCENT.show(a) == PERCENT.show(b))


def test_lower_is_better_turns_the_order() -> None:
    fid = Column(metric="FID", heading="FID", better="lower", digits=2)
    assert fid.order(1.5) > fid.order(2.5)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.1, 53.3])
def test_range(value: float) -> None:
    assert not PERCENT.holds(value)
    assert PERCENT.holds(0.0) and PERCENT.holds(1.0)


def test_unbounded_column_holds_no_infinity() -> None:
    fid = Column(metric="FID", heading="FID", better="lower")
    assert fid.holds(1e9) and not fid.holds(math.inf) and not fid.holds(math.nan)


@pytest.mark.parametrize("name", boards())
def test_every_board_is_whole(name: str) -> None:
    found = board(name)
    assert found.name == name
    assert found.ranking.metric == found.headline
    assert len({column.metric for column in found.columns}) == len(found.columns)
    file = found.published_file
    assert file is None or file.is_file()
    assert bool(found.published) == any(column.published for column in found.columns)


@pytest.mark.parametrize(
    "name", [name for name in boards() if boards()[name].benchmark in registry.cards("benchmarks")]
)
def test_a_board_shows_numbers_as_its_benchmark_does(name: str) -> None:
    found = board(name)
    card = registry.card("benchmarks", found.benchmark)
    assert found.protocol in card.protocols
    assert not found.splits or card.split in found.splits
    for column in found.columns:
        spec = card.metric(column.metric)
        shown = (column.better, column.scale, column.digits, column.low, column.high)
        assert shown == (spec.better, spec.scale, spec.digits, spec.low, spec.high), column.metric


def test_every_protocol_with_rows_leads_to_its_board() -> None:
    for one in boards().values():
        assert board_of(one.benchmark, one.protocol) is one
    stuff = board_of("coco-semantic", "stuff")
    assert stuff is not None and stuff.name == "coco-semantic"
    assert board_of("toy", "official") is None


def test_unknown_board_names_near_ones() -> None:
    with pytest.raises(Usage, match="did you mean coco-panoptic"):
        board("coco-panoptc")
    with pytest.raises(Usage, match=r"known: .*shapes-panoptic"):
        board("zzz")

"""Ranking against a brute force, and properties that no table may break."""

from hypothesis import given
from hypothesis import strategies as st

from vismark.leaderboards.boards import Column
from vismark.leaderboards.ranking import marks, places
from vismark.leaderboards.rows import Cell, Row

UP = Column(metric="PQ", heading="PQ", better="higher", scale=100.0, digits=1)
DOWN = Column(metric="PQ", heading="PQ", better="lower", scale=100.0, digits=1)


def row_of(name: str, value: float, interval: tuple[float, float] | None, unranked: str) -> Row:
    cells = {"PQ": Cell(value, interval=interval)}
    return Row(name, "", "scored here", "s", "", "val", cells, unranked=unranked)


@st.composite
def tables(draw: st.DrawFn) -> list[Row]:
    rows = []
    for number in range(draw(st.integers(0, 9))):
        value = draw(st.integers(0, 40)) / 40
        widths = draw(st.none() | st.tuples(st.floats(0, 0.2), st.floats(0, 0.2)))
        interval = (value - widths[0], value + widths[1]) if widths else None
        rows.append(row_of(f"m{number}", value, interval, draw(st.sampled_from(["", "", "partial"]))))
    return rows


@given(tables(), st.sampled_from([UP, DOWN]))
def test_against_brute_force(rows: list[Row], column: Column) -> None:
    sign = 1 if column.better == "higher" else -1
    ranked = [row for row in rows if not row.unranked]
    shown = {row.model: sign * float(column.show(row.cells["PQ"].value)) for row in rows}
    found = places(rows, column)
    assert sorted(place.row.model for place in found) == sorted(row.model for row in rows)
    assert [place.rank is None for place in found] == [False] * len(ranked) + [True] * (len(rows) - len(ranked))

    def ends(row: Row) -> tuple[float, float]:
        cell = row.cells["PQ"]
        return tuple(sorted(sign * end for end in cell.interval or (cell.value, cell.value)))

    for number, place in enumerate(found[: len(ranked)]):
        own = shown[place.row.model]
        assert place.rank == 1 + sum(shown[row.model] > own for row in ranked)
        assert place.shared == (sum(shown[row.model] == own for row in ranked) > 1)
        if place.row.cells["PQ"].interval is None:
            assert place.span is None and not place.tied
            continue
        low, high = ends(place.row)
        first = 1 + sum(ends(row)[0] > high for row in ranked)
        last = len(ranked) - sum(ends(row)[1] < low for row in ranked)
        assert place.span == (min(first, place.rank), max(last, place.rank))
        above = found[number - 1].row if number else None
        overlaps = above is not None and above.cells["PQ"].interval is not None
        assert place.tied == (overlaps and ends(above)[0] <= high and low <= ends(above)[1])


@given(tables(), st.randoms())
def test_order_of_arrival_does_not_matter(rows: list[Row], random) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert places(shuffled, UP) == places(rows, UP)


def test_by_hand() -> None:
    rows = [
        row_of("a", 0.60, (0.58, 0.62), ""),
        row_of("b", 0.59, (0.57, 0.61), ""),
        row_of("c", 0.50, (0.48, 0.52), ""),
        row_of("d", 0.5004, None, ""),
        row_of("e", 0.99, None, "partial"),
    ]
    found = [(p.row.model, p.rank, p.shared, p.span, p.tied) for p in places(rows, UP)]
    assert found == [
        ("a", 1, False, (1, 2), False),
        ("b", 2, False, (1, 2), True),
        ("c", 3, True, (3, 4), False),
        ("d", 3, True, None, False),
        ("e", None, False, None, False),
    ]


def test_a_row_without_the_headline_goes_last() -> None:
    bare = Row("bare", "", "reported", "s", "", "val", {}, unranked="no PQ")
    assert [p.row.model for p in places([bare, row_of("a", 0.1, None, "x")], UP)] == ["a", "bare"]


def test_controls_are_ranked_only_among_themselves() -> None:
    controls = [row_of("blank", 0.1, None, "control"), row_of("oracle", 0.9, None, "control")]
    part = row_of("part", 0.5, None, "PARTIAL 1/2")
    alone = [(place.row.model, place.rank) for place in places([*controls, part], UP)]
    assert alone == [("oracle", 1), ("blank", 2), ("part", None)]
    beside = [(place.row.model, place.rank) for place in places([*controls, row_of("m", 0.3, None, "")], UP)]
    assert beside == [("m", 1), ("oracle", None), ("blank", None)]


def test_marks_look_at_ranked_rows_only() -> None:
    rows = [row_of("a", 0.6, None, ""), row_of("b", 0.6001, None, ""), row_of("c", 0.5, None, "")]
    rows.append(row_of("d", 0.9, None, "control"))
    rows = [place.row for place in places(rows, UP) if place.rank is not None]
    assert marks(rows, UP) == {60.0: "best", 50.0: "second"}
    assert marks(rows, DOWN) == {-50.0: "best", -60.0: "second"}
    assert marks(rows[:1], UP) == {}

"""Bar charts: order, scale, groups, escaping."""

import math

from vismark.benchmarks.panels import Bar, Bars
from vismark.pages.charts import charts


def show(name, value):
    return "" if value is None else str(value)


def test_one_chart_a_group_sorted_by_value(bars):
    things, stuff = charts(bars(), show)
    assert (things["title"], stuff["title"]) == ("things (3)", "stuff (1)")
    trace, layout = things["figure"]["data"][0], things["figure"]["layout"]
    assert trace["x"] == [75.0, 25.0, 0.0]
    assert trace["text"] == ["75.0", "25.0", "n/a"]
    assert layout["yaxis"]["ticktext"] == ["ball", "plain", "fog"]
    assert layout["xaxis"]["range"] == stuff["figure"]["layout"]["xaxis"]["range"] == [0.0, 75.0 * 1.12]
    assert trace["marker"] != stuff["figure"]["data"][0]["marker"]


def test_height_follows_the_number_of_bars():
    heights = [charts(Bars("", "", [Bar(str(n), 0.5) for n in range(count)]), show)[0]["height"] for count in (30, 133)]
    assert 133 * 15 < heights[1] < 133 * 25
    assert (heights[1] - heights[0]) % 103 == 0


def test_nothing_but_undefined_values():
    (chart,) = charts(Bars("", "", [Bar("a", None), Bar("b", math.nan), Bar("c", math.inf)]), show)
    assert chart["figure"]["data"][0]["text"] == ["n/a"] * 3
    assert chart["figure"]["layout"]["xaxis"]["range"] == [0.0, 1.0]
    assert charts(Bars("", "", []), show) == []


def test_plotly_sees_no_markup_from_outside():
    label = '<a href="javascript:x">y</a>\u202e'
    (chart,) = charts(Bars("", "", [Bar(label, 1.0, "", ((label, 2),))]), show)
    trace, axis = chart["figure"]["data"][0], chart["figure"]["layout"]["yaxis"]
    assert "<" not in axis["ticktext"][0]
    assert trace["hovertext"][0].replace("<b>", "").replace("</b>", "").replace("<br>", "").count("<") == 0
    assert "\u202e" not in axis["ticktext"][0] + trace["hovertext"][0]

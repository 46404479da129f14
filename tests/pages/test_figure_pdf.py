"""The figure for a paper."""

import importlib.util
import re
import zlib

import pytest

from vismark.pages import figure as module
from vismark.pages.figure import figure
from vismark.problems import Missing, Usage

needs_matplotlib = pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="matplotlib is not installed (vismark[figures])"
)


def widths(pdf):
    """The width in pixels of every image in the PDF (nothing else in it has a width in this form)."""
    found = [int(width) for width in re.findall(rb"/Width (\d+)", pdf)]
    assert len(found) == len(re.findall(rb"/Subtype\s*/Image\b", pdf))
    return found


@needs_matplotlib
@pytest.mark.parametrize(("worst", "rows"), [(1, 1), (3, 3), (9, 4)])
def test_a_row_a_sample(gallery, worst, rows):
    pdf = figure(gallery(count=4), worst)
    assert pdf.startswith(b"%PDF-1.")
    assert pdf.rstrip().endswith(b"%%EOF")
    # The last of the four has no picture, only its two views.
    assert len(widths(pdf)) == rows * 3 - (rows == 4)
    assert len(re.findall(rb"/Type /Page\b(?!s)", pdf)) == 1


@needs_matplotlib
def test_at_least_200_dots_per_inch(gallery):
    pdf = figure(gallery(count=2), 1)
    page = [float(value) / 72 for value in re.search(rb"/MediaBox \[ ?0 0 ([\d.]+) ([\d.]+) ?\]", pdf).groups()]
    assert page[0] == pytest.approx(7.0, abs=0.01)
    assert all(width >= 200 * page[0] / 3 * 0.95 for width in widths(pdf))


@needs_matplotlib
def test_text_is_text_and_bytes_repeat(gallery):
    pdf = figure(gallery("$x_1$ \\input{a}", 2), 2)
    assert b"/Subtype /Type42" in pdf or b"/FontFile2" in pdf
    streams = [zlib.decompress(part) for part in re.findall(rb"stream\r?\n(x\x9c.*?)\r?\nendstream", pdf, re.S)[:1]]
    assert b" Tf" in streams[0]
    assert pdf == figure(gallery("$x_1$ \\input{a}", 2), 2)


@needs_matplotlib
@pytest.mark.parametrize("worst", [0, -1])
def test_no_rows_is_a_usage_error(gallery, worst):
    with pytest.raises(Usage, match="no images"):
        figure(gallery(), worst)


def test_without_matplotlib_it_says_what_to_install(gallery, monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(Missing, match=r"pip install 'vismark\[figures\]'"):
        figure(gallery(), 1)

"""The report: what is on it, that nothing from outside becomes markup, that it asks nothing of the network."""

import base64
import dataclasses
import gzip
import hashlib
import json
import re
from html.parser import HTMLParser

import msgspec
import numpy as np
import pytest

from vismark.pages.report import ROWS, WARNINGS, render
from vismark.problems import Problem
from vismark.results import Part
from vismark.tasks import Picture

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</script><svg onload=alert(1)>",
    "<!--<script>",
    "]]></title><iframe src=//evil.example>",
    "javascript:alert(1)",
    "{{ 7*7 }}{% raw %}",
    "a\u202egpj.b\u200b\u2066x\u2028\u2029",
    "\x00\x1b[31m\r\n",
]

COLUMNS = {"id": ["a", "b"], "PQ": [0.5, None], "TP": [3, 4]}


class Page(HTMLParser):
    """The elements of a page with their attributes, the text outside scripts and styles, and the scripts."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.elements, self.scripts, self.words, self._inside = [], [], [], ""
        self.feed(html)
        self.close()
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, attrs))
        if tag in ("script", "style"):
            self._inside = tag
        if tag == "script":
            self.scripts.append([dict(attrs), ""])

    def handle_endtag(self, tag):
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data):
        if self._inside == "script":
            self.scripts[-1][1] += data
        elif not self._inside:
            self.words.append(data)

    def of(self, tag):
        return [dict(attrs) for name, attrs in self.elements if name == tag]


@pytest.fixture
def made(card, result, gallery, bars):
    def make(text="plain", columns=COLUMNS, **changes):
        return render(result(text, **changes), card, [bars(text), gallery(text)], columns)

    return make


def test_what_is_on_the_page(made):
    page = Page(made("My model"))
    assert page.of("html") == [{"lang": "en"}]
    assert page.of("title") == [{}]
    for expected in (
        "My model",
        "Toy panoptic",
        "45.7",
        "95 % interval 41.0 – 50.1",
        "equals tool 1.0, within 1e-12",
        "deviates from tool 1.0",
        "things (3)",
        "The picture is not here",
        "only in truth:",
        "vismark verify RESULT.json SUBMISSION",
        "sha256:aaaaaaaaaaaa…",
    ):
        assert expected in page.text, expected
    assert "sha256:" + "a" * 64 in {attrs.get("title") for attrs in page.of("code")}
    # Two samples: picture and two views, then two views alone; each with a text for those who do not see it.
    assert len(page.of("img")) == 5
    assert all(image["alt"] for image in page.of("img"))
    anchors = {attrs["href"][1:] for attrs in page.of("a") if attrs["href"].startswith("#")}
    assert anchors <= {value for _, attrs in page.elements for name, value in attrs if name == "id"}
    assert "PARTIAL" not in page.text


def test_elements_are_closed(made):
    html = re.sub(r"<(script|style)\b.*?</\1>", "", made(), flags=re.S)
    stack = []
    for closing, tag in re.findall(r"<(/?)([a-z][a-z0-9]*)", html):
        if tag in ("meta", "link", "img"):
            continue
        if closing:
            assert stack.pop() == tag
        else:
            stack.append(tag)
    assert stack == []


@pytest.mark.parametrize(
    ("changes", "stamp"),
    [
        ({"partial": Part(done=2, total=5000)}, "PARTIAL 2/5000"),
        ({"kind": "control"}, "CONTROL"),
        ({"kind": "claimed"}, "CLAIMED"),
    ],
)
def test_stamps(made, changes, stamp):
    assert stamp in Page(made(**changes)).text


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_from_outside_becomes_markup(made, text):
    columns = {"id": [text, "b"], text: [text, None]}
    page, plain = Page(made(text, columns)), Page(made("plain", {"id": ["plain", "b"], "x": ["plain", None]}))
    assert [(tag, [name for name, _ in attrs]) for tag, attrs in page.elements] == [
        (tag, [name for name, _ in attrs]) for tag, attrs in plain.elements
    ]
    for tag, attrs in page.elements:
        for name, value in attrs:
            assert not name.startswith("on"), (tag, name)
            if name in ("href", "src"):
                assert re.match(r"#|data:|https://example\.org/toy$", value), (tag, name, value)
    outside = page.text + "".join(script for attrs, script in page.scripts if attrs.get("type") == "application/json")
    assert not any(mark in outside for mark in "\u202e\u200b\u2066\u2028\u2029\x00\x1b")


@pytest.mark.parametrize("text", HOSTILE)
def test_data_in_scripts_is_inert(made, text):
    data = [script for attrs, script in Page(made(text)).scripts if attrs.get("type") == "application/json"]
    assert len(data) == 2
    for script in data:
        assert not re.search(r"[<>\u2028\u2029]", script)
        assert json.loads(script)["data"][0]["type"] == "bar"


def test_the_policy_allows_one_script_and_no_network(made):
    page = Page(made())
    (policy,) = [a["content"] for a in page.of("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe-eval" not in policy
    assert "http" not in policy
    assert "unsafe-inline" not in re.search(r"script-src[^;]*", policy)[0]
    (script,) = [text for attrs, text in page.scripts if "type" not in attrs]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy


def test_self_contained(made):
    page = Page(made())
    for tag, attrs in page.elements:
        for name, value in attrs:
            if name in ("src", "srcset", "action", "data", "poster") or (name == "href" and tag != "a"):
                assert value.startswith("data:"), (tag, name, value)
    outward = [attrs for attrs in page.of("a") if not attrs["href"].startswith("#")]
    assert [attrs["href"] for attrs in outward] == ["https://example.org/toy"]
    assert all("noopener" in attrs["rel"] for attrs in outward)
    style = re.search(r"<style>(.*?)</style>", made(), flags=re.S)[1]
    assert all(target.startswith("data:") for target in re.findall(r"url\(\s*['\"]?([^)]*)", style))
    assert "@import" not in style


def test_libraries_are_whole(made):
    packed = {attrs["id"]: text for attrs, text in Page(made()).scripts if attrs.get("type") == "text/plain"}
    unpacked = {name: gzip.decompress(base64.b64decode(text)) for name, text in packed.items()}
    assert b"plotly.js v" in unpacked["library-plotly"][:200]
    assert re.search(rb"export\{[^}]*\bas default\b", unpacked["library-datatables"])


def test_without_bars_there_is_no_plotly(card, result):
    html = render(result(), card, [], {})
    assert "library-plotly" not in html
    assert 'id="samples"' not in html


def test_a_homepage_is_a_web_page(card, result):
    html = render(result(), msgspec.structs.replace(card, homepage="javascript:alert(1)"), [], {})
    assert "javascript:" not in html


def test_long_tables_and_lists_are_cut_and_say_so(made):
    columns = {"id": [f"s{n}" for n in range(ROWS + 7)], "PQ": [0.5] * (ROWS + 7)}
    warnings = [Problem(code="W", severity="note", message=f"n{n}") for n in range(WARNINGS + 3)]
    html = made(columns=columns, warnings=[*warnings, Problem(code="E", severity="error", message="first")])
    assert f">s{ROWS - 1}<" in html
    assert f">s{ROWS}<" not in html
    assert f"The first {ROWS:,} of {ROWS + 7:,} rows" in html
    assert "and 4 more" in html
    assert html.index(">first<") < html.index(">n0<")


class Noise(Picture):
    """Noise is the worst picture there is for a compressor: real ones are smaller."""

    def pixels(self):
        ramp = np.add.outer(np.arange(480), np.arange(640))[..., None] % 256
        return (ramp + np.random.default_rng(0).integers(0, 30, (480, 640, 3))).clip(0, 255).astype(np.uint8)


def test_twenty_images_stay_below_8_megabytes(card, result, bars, gallery):
    sample = dataclasses.replace(gallery().samples[0], picture=Noise(None, 480, 640))
    images = dataclasses.replace(gallery(), samples=[sample] * 20)
    columns = {"id": [str(n) for n in range(ROWS)], "PQ": [n / ROWS for n in range(ROWS)]}
    html = render(result(), card, [bars(), images], columns)
    assert html.count("<img ") == 60
    assert len(html.encode()) < 8_000_000


def test_rows_with_columns_of_their_own_are_shown_line_by_line(card, result):
    nearest = {"a": {"x1": 0.5, "x2": 1.5}, "b": {"y1": 0.25}, "c": {"z1": 2.0}}
    page = render(result(breakdowns={"nearest": nearest}), card, [], {})
    assert re.findall(r"<td>([abc])</td><td>(\w\d)</td>", page) == [("a", "x1"), ("a", "x2"), ("b", "y1"), ("c", "z1")]

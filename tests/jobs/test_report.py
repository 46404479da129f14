"""Reports: the page and the figure of a scored submission, with pictures from a folder or fetched by their address."""

from __future__ import annotations

import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import vismark
from vismark.datasets.shapes.write import ensure
from vismark.problems import Missing


@pytest.fixture
def scored(tmp_path: Path) -> Path:
    vismark.predict("oracle", "shapes-panoptic", tmp_path / "run", settings={"amount": 0.3})
    vismark.score("shapes-panoptic", tmp_path / "run", tmp_path / "result.json")
    return tmp_path / "result.json"


@pytest.fixture
def server(shapes_cache: Path) -> Iterator[tuple[str, list[str]]]:
    """The shapes pictures on loopback, and the list of what was asked for."""
    folder = ensure()
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            super().do_GET()

        def log_message(self, *args: object) -> None: ...

    http_server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), lambda *a: Handler(*a, directory=str(folder / "val"))
    )
    threading.Thread(target=http_server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{http_server.server_port}", asked
    http_server.shutdown()


def test_report_shows_the_worst_images_first(scored: Path) -> None:
    (page,) = vismark.report(scored, output=scored.with_name("report.html"), worst=3)
    text = page.read_text()
    from vismark.runtime.tables import read_table, table_path

    table = read_table(table_path(scored))
    rows = sorted((v, id) for id, v in zip(table["id"], table["PQ"], strict=True) if v is not None)
    places = [text.index(id) for _, id in rows[:3]]
    assert places == sorted(places)
    assert text.count("data:image/webp") == 9  # picture, truth and prediction of three images


def test_figure_for_an_appendix(scored: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib (vismark[figures]) is not installed")
    (figure,) = vismark.report(scored, figure=scored.with_name("failures.pdf"), worst=4)
    assert figure.read_bytes().startswith(b"%PDF")


def test_pictures_are_fetched_only_when_asked_and_only_those_shown(
    scored: Path, server: tuple[str, list[str]], shapes_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    address, asked = server
    folder = ensure()
    truth = json.loads((folder / "annotations" / "panoptic_val.json").read_text())
    for image in truth["images"]:
        image["coco_url"] = f"{address}/{image['file_name']}"
    elsewhere = scored.with_name("truth")
    elsewhere.mkdir()
    (elsewhere / "panoptic.json").write_text(json.dumps(truth))
    shutil.copytree(folder / "annotations" / "panoptic_val", elsewhere / "panoptic")
    monkeypatch.setenv("VISMARK_CACHE", str(scored.with_name("cache")))
    vismark.score("shapes-panoptic", scored.with_name("run"), scored, references=elsewhere / "panoptic.json")

    page = scored.with_name("report.html")
    vismark.report(scored, output=page, worst=2)
    assert asked == []
    vismark.report(scored, output=page, worst=2, fetch_images=True)
    assert len(asked) == 2
    vismark.report(scored, output=page, worst=2, fetch_images=True)
    assert len(asked) == 2, "fetched again what the cache has"


def test_a_result_from_elsewhere_asks_for_its_inputs(scored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISMARK_CACHE", str(scored.with_name("other-cache")))
    with pytest.raises(Missing, match="--submission"):
        vismark.report(scored, output=scored.with_name("report.html"))
    vismark.report(scored, output=scored.with_name("report.html"), submission=scored.with_name("run"), worst=1)

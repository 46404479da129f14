"""What no benchmark can take for a submission: each answers with findings, quickly, and without a traceback."""

from __future__ import annotations

import gzip
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

import vismark
from bounded import MEGABYTES, Report, checked, tree
from vismark import registry

# Each benchmark by its twin, which needs no download.
TWINS = sorted(name for name in registry.cards("benchmarks") if name.startswith("shapes-"))
# Reading the references is part of each call here, and of some it takes a second.
SECONDS = 3.0


class Trap:
    """Would make a file if it were unpickled."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, ("trap-was-sprung", "w")


FILES: dict[str, bytes] = {
    "empty": b"",
    "NUL bytes": bytes(5000),
    "text": b"hello\n" * 100,
    "null": b"null",
    "a number": b"7",
    "NaN": b"NaN",
    "empty list": b"[]",
    "empty object": b"{}",
    "a list of numbers": b"[1, 2, 3]",
    "a list of lists": b"[[], [[]]]",
    "wrong fields": json.dumps([{"image_id": {}, "id": [], "caption": 7, "score": "x", "bbox": None}] * 3).encode(),
    "wrong annotations": json.dumps({"annotations": [{"image_id": [], "file_name": 7, "segments_info": {}}]}).encode(),
    "depth 100,000": b"[" * 100_000,
    "depth 100,000 of objects": b'{"a":' * 100_000,
    "5,000 digits": b"[" + b"1" * 5000 + b"]",
    "half a character": b'[{"image_id": "\\ud800"}]',
    "no UTF-8": b'["\xff\xfe"]',
    "UTF-16": json.dumps([{"image_id": 1}]).encode("utf-16"),
    "gzip": gzip.compress(b"[]"),
    "pickle": pickle.dumps(Trap()),
    "cut zip": b"PK\x03\x04" + bytes(26),
    "end of a zip": b"PK\x05\x06" + bytes(18),
    "NumPy header": b"\x93NUMPY\x01\x00\xff\xff",
    "PNG signature": b"\x89PNG\r\n\x1a\n",
}
ENDINGS = (".json", ".jsonl", ".npz", ".tar")


def filled(folder: Path) -> None:
    """A folder with everything above in it, under every ending, and links, pipes and folders between."""
    folder.mkdir()
    for number, data in enumerate(FILES.values()):
        for ending in (*ENDINGS, ".png", ".txt", ".mp4"):
            (folder / f"{number:012}{ending}").write_bytes(data)
    (folder / "loop").symlink_to(folder)
    (folder / "nowhere.png").symlink_to("/nowhere")
    (folder / "zero.png").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.png")
    (folder / "folder.png").mkdir()


PLACES: dict[str, Callable[[Path], object]] = {
    "nothing there": lambda path: None,
    "empty folder": Path.mkdir,
    "a pipe": os.mkfifo,
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a folder of rubbish": filled,
    "only a broken manifest": lambda path: (path.mkdir(), (path / "manifest.json").write_bytes(b"[" * 99_999)),
    "only a folder called predictions.json": lambda path: (path / "predictions.json").mkdir(parents=True),
}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    folder = tmp_path_factory.mktemp("rubbish")
    files = {}
    for number, (name, data) in enumerate(FILES.items()):
        for ending in ENDINGS:
            files[f"{name}{ending}"] = folder / f"{number}{ending}"
            files[f"{name}{ending}"].write_bytes(data)
    for number, (name, make) in enumerate(PLACES.items()):
        files[name] = folder / f"place-{number}"
        make(files[name])
    vismark.predict("oracle", "shapes-panoptic", folder / "clean")
    clean = {"benchmark": "shapes-panoptic", "submission": str(folder / "clean")}
    calls = {
        f"{twin}: {name}": {"benchmark": twin, "submission": str(path)}
        for twin in TWINS
        for name, path in files.items()
    }
    before = tree(folder)
    found = checked(calls, clean)
    assert tree(folder) == before and not Path("trap-was-sprung").exists()
    return found


@pytest.mark.parametrize("twin", TWINS)
def test_rubbish_is_answered_with_findings(twin: str, reports: dict[str, Report]) -> None:
    mine = {name: report for name, report in reports.items() if name.startswith(f"{twin}: ")}
    assert len(mine) == len(FILES) * len(ENDINGS) + len(PLACES)
    assert {name: report.raised for name, report in mine.items() if report.raised} == {}
    assert [name for name, report in mine.items() if not report.codes] == []
    assert [(name, report.seconds) for name, report in mine.items() if report.seconds > SECONDS] == []
    assert [(name, report.megabytes) for name, report in mine.items() if report.megabytes > MEGABYTES] == []

"""Runs the examples of the documentation and of the help as a reader would, inside the test process.

The pages speak of COCO's files; here small stand-ins have their names: `panoptic_val2017.json` and
`instances_val2017.json` are the ground truth of shapes, `predictions.json` and `detections.json` what the oracle made
of it, `broken.json` the truth as a submission with four faults, `vicas/` are videos of shapes.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import re
import runpy
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec

from annotation_builder import rows, table
from vismark.cli.main import _run
from vismark.datasets.shapes.videos import ensure as ensure_videos
from vismark.datasets.shapes.write import ensure
from vismark.formats.detection_write import encode_mask
from vismark.formats.panoptic import read_ids
from vismark.formats.tags import parse
from vismark.jobs.predict import predict

REPOSITORY = Path(__file__).parent.parent


@dataclass(frozen=True)
class Ran:
    """Exit code, and stdout and stderr together."""

    code: int
    output: str


def run(line: str) -> Ran:
    """Run a shell line (`vismark …` or `python FILE`) in the current folder."""
    words = shlex.split(line, comments=True)
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out), _as_a_new_process(words):
        try:
            code = _run() if words[0] == "vismark" else _script(words)
        except SystemExit as exit:
            code = int(exit.code or 0)
    return Ran(code, out.getvalue())


def _script(words: list[str]) -> int:
    assert words[0] == "python", f"only `vismark …` and `python FILE` can be run here, not {words[0]!r}"
    runpy.run_path(words[1], run_name="__main__")
    return 0


@contextlib.contextmanager
def _as_a_new_process(words: list[str]) -> Iterator[None]:
    """Modules of the current folder are importable inside, and forgotten afterwards."""
    before = set(sys.modules)
    importlib.invalidate_caches()
    with patch.object(sys, "argv", words), patch.object(sys, "path", [str(Path.cwd()), *sys.path]):
        try:
            yield
        finally:
            for name in set(sys.modules) - before:
                file = getattr(sys.modules[name], "__file__", None)
                if file and Path(file).is_relative_to(Path.cwd()):
                    del sys.modules[name]


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        title: file name, of a block that is a file; else "".
        code: expected exit code.
        skipped: why it is not run, or "".
        line: number of its first line.
    """

    language: str
    title: str
    text: str
    code: int
    skipped: str
    line: int


_FENCE = re.compile(
    r"(?:^<!-- (?:not run: (?P<skipped>[^\n]+)|exit (?P<code>\d)) -->\n)?"
    r"^```(?P<language>\w*)(?: title=\"(?P<title>[^\"\n]+)\")?\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a Markdown page, in order; a comment above one gives an exit code or why it is not run."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            found["language"],
            found["title"] or "",
            found["text"],
            int(found["code"] or 0),
            found["skipped"] or "",
            text.count("\n", 0, found.start("text")) + 1,
        )
        for found in _FENCE.finditer(text)
    ]


def furnish(folder: Path) -> None:
    """Put the stand-ins, a `my_module.py` and a data root `data` into `folder`."""
    truth = ensure()
    shutil.copy(truth / "annotations" / "panoptic_val.json", folder / "panoptic_val2017.json")
    shutil.copytree(truth / "annotations" / "panoptic_val", folder / "panoptic_val2017")
    shutil.copy(truth / "annotations" / "instances_val.json", folder / "instances_val2017.json")
    for name, amount in (("predictions", 0.2), ("broken", 0.0)):
        oracle = _oracle(amount)
        shutil.copytree(oracle / "predictions", folder / name)
        shutil.copy(oracle / "predictions.json", folder / f"{name}.json")
    shutil.copy(_oracle(0.2, "shapes-detection") / "predictions.json", folder / "detections.json")
    _break(folder / "broken.json")
    shutil.copy(truth / "annotations" / "captions_val.json", folder / "captions_val2017.json")
    shutil.copy(_oracle(0.2, "shapes-captions") / "predictions.json", folder / "captions.json")
    marked_outputs(_oracle(0.2, "shapes-pancap"), folder / "outputs.jsonl")
    _videos(folder)
    (folder / "data").symlink_to(coco_root())
    module = next(block for block in blocks(REPOSITORY / "docs" / "predictors.md") if block.title == "my_module.py")
    (folder / "my_module.py").write_text(module.text, encoding="utf-8")


def _videos(folder: Path) -> None:
    """ViCaS' files: `vicas/`, and what oracles made of them: `tracks`, `broken-tracks` (a swapped size), captions."""
    truth = ensure_videos()
    (folder / "vicas").mkdir()
    for name, place in (("annotations", "annotations/v1.0"), ("val.json", "splits/v1.0/val.json"), ("frames", "")):
        (folder / "vicas" / name).symlink_to(truth / (place or "video_frames"))
    for name, benchmark in (("tracks", "lgvis"), ("broken-tracks", "lgvis"), ("video-captions", "video-caption")):
        (folder / name).mkdir()
        for file in sorted(_oracle(0.2, f"shapes-{benchmark}").glob("0*.json")):
            shutil.copy(file, folder / name)
    file = folder / "broken-tracks" / "000000.json"
    content: Any = msgspec.json.decode(file.read_bytes())
    entry = next(one for one in content["pred_lgvis_masks"] if one[0]["mask_rles"])
    entry[0]["mask_rles"][0]["size"].reverse()
    file.write_bytes(msgspec.json.encode(content))


def coco_root() -> Path:
    """A data root in which shapes stand at the places of COCO val2017; made once a session."""
    root, truth = _cache() / "stand-in", ensure()
    coco = root / "coco"
    if not coco.is_dir():
        shutil.copytree(truth / "val", coco / "val2017")
        shutil.copytree(truth / "annotations" / "panoptic_val", coco / "panoptic_val2017")
        (coco / "annotations").mkdir()
        for kind in ("panoptic", "instances"):
            shutil.copy(truth / "annotations" / f"{kind}_val.json", coco / "annotations" / f"{kind}_val2017.json")
        hub = root / "coconut" / "hub" / "relabeled_coco_val"
        hub.mkdir(parents=True)
        table(hub, rows())
    return root


def _oracle(amount: float, benchmark: str = "shapes-panoptic") -> Path:
    folder = _cache() / f"oracle-{benchmark}-{amount}"
    predict("oracle", benchmark, folder, settings={"amount": amount})
    return folder


def marked_outputs(submission: Path, file: Path) -> None:
    """Write a grounded submission as a grounding model gives it: marked text and a mask for each marker."""
    out = []
    for line in (submission / "predictions.jsonl").read_bytes().splitlines():
        entry: Any = msgspec.json.decode(line)
        ids = read_ids(submission / "panoptic" / entry["file_name"])
        kinds = {one["id"]: one["category_id"] for one in entry["segments_info"]}
        named = [number for tag in parse(entry["caption"]).tags for number in tag.numbers]
        text = re.sub(
            r"<([\d,]+):([^<>]+)>",
            lambda found: f"<p>{found[2]}</p>" + " [SEG]" * len(found[1].split(",")),
            entry["caption"],
        )
        masks = [encode_mask(ids == number) for number in named]
        output = {
            "image_id": entry["image_id"],
            "text": text,
            "pred_masks": [{"size": one.size, "counts": one.counts.decode()} for one in masks],
            "category_ids": [kinds[number] for number in named],
        }
        out.append(msgspec.json.encode(output) + b"\n")
    file.write_bytes(b"".join(out))


def _cache() -> Path:
    return Path(os.environ["VISMARK_CACHE"])


def _break(file: Path) -> None:
    """Give a submission an unknown category, a path, an image too many and one too few."""
    content: Any = msgspec.json.decode(file.read_bytes())
    entries = content["annotations"]
    entries[0]["segments_info"][0]["category_id"] = 999
    for entry in (entries[1], entries[5]):
        (file.with_suffix("") / entry["file_name"]).unlink()
    entries[1]["file_name"] = "../000000000002.png"
    entries.append(entries[3])
    del entries[5]
    file.write_bytes(msgspec.json.encode(content))

"""`vismark validate`: every problem of annotation files, before anything is trained on them or scored against them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from vismark import registry
from vismark.benchmarks.base import Mode
from vismark.datasets.coco import validate as coco
from vismark.datasets.coconut import validate as coconut
from vismark.datasets.coconut_pancap import validate as pancap
from vismark.datasets.vicas import validate as vicas
from vismark.formats.document import DECODE_FAULTS, FILE_LIMIT, open_document
from vismark.formats.findings import Report
from vismark.formats.segments import Manner
from vismark.formats.strict_json import read_bytes
from vismark.problems import Missing, Problems, Severity, Usage
from vismark.runtime.folders import data_root

KINDS = (*coco.KINDS, *coconut.KINDS, *pancap.KINDS, *vicas.KINDS)


def validate(
    target: str | Path,
    *,
    kind: str | None = None,
    root: str | Path | None = None,
    images: Path | None = None,
    masks: Path | None = None,
    panoptic: Path | None = None,
    mode: Mode = "strict",
    jobs: int | None = None,
) -> Problems:
    """Look at everything in annotation files, pixels included, and list what is wrong.

    Args:
        target: an annotation file, a folder of them, or the name of a data set (then all its files below the root).
        kind: one of `KINDS`; by default what the content looks like.
        root: folder of the data sets; else ``VISMARK_DATA``, else ``DETECTRON2_DATASETS``.
        images: folder of the pictures, whose sizes are compared; by default the one beside ``annotations``.
        masks: folder of the PNGs; by default the one named like the JSON file.
        panoptic: the panoptic JSON that a folder of grounded captions belongs to.
        mode: ``official`` turns what official tools accept in silence into warnings.
        jobs: number of threads; by default all cores.

    Returns:
        All findings; `Problems.errors` is 0 when the annotations can be used.

    Raises:
        Usage: there is no such file, data set or kind.
        Missing: no file of the data set is below the root.
    """
    if kind is not None and kind not in KINDS:
        raise Usage(f"There is no kind {kind!r}; known: {', '.join(KINDS)}.")
    problems = Problems()
    texts = _captions(target, kind, root, panoptic)
    if texts is not None:
        pancap.validate_captions(*texts, masks, problems)
        return problems
    files, manner = _files(target, root), Manner(strict=mode == "strict")
    for path in files:
        # Folders hold other files too; what the user names must be what it is taken for.
        severity: Severity = "error" if len(files) == 1 else "warning"
        _validate_file(path, kind, coco.Look(path, images, masks, manner, jobs), problems, severity)
    return problems


def _captions(
    target: str | Path, kind: str | None, root: str | Path | None, panoptic: Path | None
) -> tuple[Path, Path | None] | None:
    """The folder of grounded captions and their panoptic JSON, when `target` names such a folder or data set."""
    if pancap.is_captions(Path(target)) or kind in pancap.KINDS:
        return Path(target), panoptic
    if str(target) != "coconut-pancap":
        return None
    base = data_root(Path(root) if root else None)
    card = registry.card("datasets", "coconut-pancap")
    found = [path for step in card.derived if (path := base / step.target).is_dir()]
    if not found:
        raise Missing(
            f"No captions of coconut-pancap are below {base}: `vismark download coconut-pancap`, then "
            "`vismark prepare coconut-pancap`."
        )
    default = base / card.settings["panoptic"]
    return found[0], panoptic or (default if default.is_file() else None)


def _files(target: str | Path, root: str | Path | None) -> list[Path]:
    """The annotation files that `target` names."""
    path = Path(target)
    if path.is_file() or coconut.is_release(path) or vicas.is_release(path):
        return [path]
    if (path / "manifest.json").is_file():
        # A folder as `predict` makes it: its JSON says that it is a submission.
        return sorted(one for one in path.glob("*.json") if one.name not in ("manifest.json", "run.json"))[:1]
    if path.is_dir():
        inner = path / "annotations" if (path / "annotations").is_dir() else path
        if vicas.is_release(inner):
            return [inner]
        found = sorted([*inner.glob("*.json"), *inner.glob("*.parquet")])
        if not found:
            raise Usage(f"{path} holds no annotation file (*.json, *.parquet).")
        tables = [one for one in found if one.suffix == ".parquet"]
        # The parts of a table are one data set, whose counts and ids belong together.
        return [one for one in found if one not in tables] + ([inner] if tables else [])
    if isinstance(target, Path) or str(target) not in registry.cards("datasets"):
        hint = f"; data sets: {', '.join(registry.cards('datasets'))}" if path.name == str(target) else ""
        raise Usage(f"{target} is no file, folder or data set{hint}.")
    return _dataset_files(str(target), root)


def _dataset_files(name: str, root: str | Path | None) -> list[Path]:
    card = registry.card("datasets", name)
    if not card.files:
        return _files(Path(registry.load(card.code)()), root)
    base = data_root(Path(root) if root else None)
    files = [file for file in card.files if file.part == "annotations"]
    named = sorted({path for file in files for provided in file.provides.values() for path in provided})
    found = [path for name in named for path in _annotations_at(base / name)]
    if not found:
        raise Missing(f"No annotation file of {name} is below {base}: `vismark download {name}` fetches them.")
    return found


def _annotations_at(place: Path) -> list[Path]:
    """The annotation files at a place that a card names: a file, a release, or a folder with JSON files in it."""
    if coconut.is_release(place) or vicas.is_release(place) or (place.is_file() and place.suffix == ".json"):
        return [place]
    return sorted(place.glob("*.json")) if place.is_dir() else []


def _validate_file(path: Path, kind: str | None, look: coco.Look, problems: Problems, severity: Severity) -> None:
    if vicas.is_release(path):
        vicas.validate_release(path, problems, look.jobs)
        return
    if path.is_dir() or path.suffix == ".parquet":
        coconut.validate_release(path, look, problems)
        return
    report = Report(problems, path.name)
    data = read_bytes(path, problems, file=path.name, limit=FILE_LIMIT)
    if data is None:
        return
    if data.lstrip()[:1] == b"[":
        _explain_list(data, kind, report, severity)
        return
    document = open_document(data, report)
    if document is None:
        return
    kind = kind or recognise(document.values, path)
    if kind is None:
        message = f"this is no annotation file that is known; its keys are {', '.join(list(document.values)[:8])}"
        report.add("KIND_UNKNOWN", message, f"Name its kind with --kind: {', '.join(KINDS)}.", severity)
    elif kind == "submission":
        _say_submission(report, "coco-panoptic", severity)
    elif kind in vicas.KINDS:
        vicas.validate_file(path, problems)
    elif kind in coconut.KINDS:
        coconut.validate(document, look)
    else:
        coco.validate(document, kind, look)


def recognise(values: dict[str, msgspec.Raw], path: Path) -> str | None:
    """What a JSON object looks like: one of `KINDS`, ``submission``, or None."""
    first = {name: _first(values[name]) for name in ("annotations", "images", "categories") if name in values}
    annotation, image = first.get("annotations", {}), first.get("images", {})
    if "sentences" in image:
        return "karpathy"
    if "segments_info" in annotation:
        if not {"images", "categories"} & values.keys():
            return "submission"
        return "coconut" if coconut.looks_like_release(annotation, image) else "panoptic"
    if "caption" in annotation:
        return "captions"
    if vicas.looks_like_video(set(values)):
        return "vicas"
    if "keypoints" in annotation:
        return "keypoints"
    if "annotations" in values and "categories" in values:
        least = first["categories"].get("id")
        return "stuff" if path.stem.startswith("stuff_") or (isinstance(least, int) and least > 90) else "instances"
    return "images" if "images" in values else None


def _first(raw: msgspec.Raw) -> dict[str, Any]:
    """The first entry of a list, or {} when there is none or it is no object."""
    try:
        entries = msgspec.json.decode(raw, type=list[msgspec.Raw])
        entry = msgspec.json.decode(entries[0]) if entries else {}
    except DECODE_FAULTS:
        return {}
    return entry if isinstance(entry, dict) else {}


def _explain_list(data: bytes, kind: str | None, report: Report, severity: Severity) -> None:
    """A list at the top level: results for a benchmark, or something else."""
    entry = _first(msgspec.Raw(data))
    if kind is None and "image_id" in entry and {"score", "caption", "segments_info"} & entry.keys():
        _say_submission(report, "BENCHMARK", severity)
    else:
        message, fix = (
            "the top level is a list",
            'An annotation file is an object: {"images": […], "annotations": […]}.',
        )
        report.add("JSON_TOP_LEVEL", message, fix, severity)


def _say_submission(report: Report, benchmark: str, severity: Severity) -> None:
    fix = f"Use `vismark check {benchmark} {report.file}`; `validate` is for annotations."
    report.add("IS_SUBMISSION", "this looks like predictions, not like annotations", fix, severity)

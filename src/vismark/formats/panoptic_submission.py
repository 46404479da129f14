"""Reading and checking panoptic submissions: ``X.json`` and a folder ``X/`` of PNGs, or a folder that holds both."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vismark.formats import strict_json
from vismark.formats.panoptic import PanopticTruth, PredictedAnnotation
from vismark.formats.panoptic_entries import EntryReader, kind
from vismark.problems import Problems
from vismark.runtime.digests import digest_of

# Files that `predict` writes beside the submission proper.
SIDE_FILES = frozenset({"manifest.json", "run.json"})

# JSON bytes an image: 2^10 segments with all official fields and more.
_BYTES_PER_IMAGE = 1 << 18
_SMALLEST_LIMIT = 16 << 20
# Values: the official file of val2017 with all its fields has 130 an image; small references meet large files.
_VALUES_PER_IMAGE = 1 << 11
_FEWEST_VALUES = 1 << 20


@dataclass(frozen=True)
class PanopticSubmission:
    """A panoptic submission: annotations by sample id, and the folder of their PNGs."""

    annotations: dict[str, PredictedAnnotation]
    folder: Path
    file: str


def locate(path: Path, problems: Problems) -> Path | None:
    """The JSON file of a submission: `path` itself, or the only one in the folder `path`."""
    try:
        if not path.is_dir():
            return path
    except OSError:  # no possible path; reading it says why
        return path
    found = sorted(one for one in path.glob("*.json") if one.name not in SIDE_FILES)
    if len(found) == 1:
        return found[0]
    if not found and (path / ".journal").is_dir():
        message, fix = (
            "the predictions are not finished",
            "Run the same `vismark predict` again; it goes on where it stopped.",
        )
    elif not found:
        message, fix = "the folder holds no JSON file", "Name the submission's JSON file."
    else:
        message, fix = f"the folder holds {len(found)} JSON files", "Name one of them."
    problems.add("SUB_FILE", message, file=path.name, fix=fix)
    return None


def read_submission(
    path: Path, truth: PanopticTruth, problems: Problems, *, official: bool, wanted: Collection[str] | None
) -> tuple[PanopticSubmission, str] | None:
    """Read a submission and check everything that needs no pixel.

    Args:
        official: accept what panopticapi accepts (the findings are kept).
        wanted: sample ids that must be there; None scores whichever are.

    Returns:
        The submission and the digest of its JSON, or None with errors in `problems`.
    """
    limit = max(_SMALLEST_LIMIT, _BYTES_PER_IMAGE * len(truth.annotations))
    data = strict_json.read_bytes(path, problems, file=path.name, limit=limit)
    if data is None:
        return None
    items = _items(data, truth, path.name, problems, official)
    if items is None:
        return None
    reader = EntryReader(truth, path.name, problems, official)
    annotations = reader.annotations(items)
    if annotations is None:
        return None
    check_coverage(annotations, reader.claimed, truth, problems, path.name, wanted)
    folder = path.with_suffix("")
    if folder.is_symlink() or not folder.is_dir():
        message = f"the folder {folder.name} with the PNGs " + (
            "is a link" if folder.is_symlink() else "does not exist"
        )
        fix = "Put the PNGs into a folder beside the JSON file, named like it without .json."
        problems.add("SUB_PNG_FOLDER", message, file=path.name, fix=fix)
        return None
    check_folder(folder, items, problems)
    return PanopticSubmission(annotations, folder, path.name), digest_of(data)


def _items(data: bytes, truth: PanopticTruth, file: str, problems: Problems, official: bool) -> list[Any] | None:
    """The list `annotations` of a submission, its entries as they come."""
    most = max(_FEWEST_VALUES, _VALUES_PER_IMAGE * len(truth.annotations))
    before = problems.errors
    content = strict_json.parse(data, problems, file=file, official=official, most=most)
    if content is None and problems.errors > before:
        return None
    items = content.get("annotations") if isinstance(content, dict) else None
    if isinstance(content, dict) and "categories" in content:
        message = "the file has `categories`: it looks like annotations, not like predictions"
        fix = "`vismark validate` checks annotations; scoring them as predictions is allowed."
        problems.add("SUB_IS_ANNOTATIONS", message, severity="warning", file=file, fix=fix)
    if isinstance(items, list):
        return items
    got = f"an object with {sorted(content)[:5]}" if isinstance(content, dict) else kind(content)
    fix = 'Write {"annotations": [{"image_id", "file_name", "segments_info": [{"id", "category_id"}]}]}.'
    problems.add("JSON_TOP_LEVEL", f"expected an object with the list `annotations`, got {got}", file=file, fix=fix)
    return None


def check_folder(folder: Path, items: list[Any], problems: Problems) -> None:
    """Warn about PNGs that no annotation names."""
    named = {item["file_name"] for item in items if isinstance(item, dict) and isinstance(item.get("file_name"), str)}
    extra = sorted(one.name for one in folder.glob("*.png") if one.name not in named)
    if extra:
        shown = ", ".join(extra[:10]) + (" …" if len(extra) > 10 else "")
        message = f"no annotation names {len(extra)} PNG(s): {shown}"
        fix = "Remove them, or add their annotations."
        problems.add("SUB_PNG_EXTRA", message, severity="warning", file=folder.name, value=shown, fix=fix)


def check_coverage(
    annotations: dict[str, PredictedAnnotation],
    claimed: set[str],
    truth: PanopticTruth,
    problems: Problems,
    file: str,
    wanted: Collection[str] | None,
) -> None:
    """Whether there is anything, and everything that is wanted; `claimed` are the samples with an entry."""
    if not annotations and not claimed:
        fix = "Predict the images of this ground truth, or name the ground truth of these predictions."
        problems.add("SUB_EMPTY", "there are no predictions for this ground truth in the file", file=file, fix=fix)
    missing = [truth.annotations[id].image_id for id in wanted or () if id not in claimed]
    if missing:
        shown = ", ".join(map(str, missing[:10])) + (" …" if len(missing) > 10 else "")
        fix = "Predict them too, or use --partial to score the others as a part."
        problems.add(
            "SUB_IMAGE_MISSING", f"{len(missing)} image(s) have no prediction: {shown}", file=file, value=shown, fix=fix
        )

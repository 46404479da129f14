"""Reading and checking panoptic submissions: ``X.json`` and a folder ``X/`` of PNGs, or a folder that holds both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vismark.formats import png, strict_json
from vismark.formats.panoptic import MAX_ID, PanopticTruth, PredictedAnnotation, PredictedSegment
from vismark.problems import Problems
from vismark.runtime.digests import digest_of

# Files that `predict` writes beside the submission proper.
SIDE_FILES = frozenset({"manifest.json", "run.json"})

# JSON bytes an image: 2^10 segments with all official fields and more.
_BYTES_PER_IMAGE = 1 << 18
_SMALLEST_LIMIT = 16 << 20


@dataclass(frozen=True)
class PanopticSubmission:
    """A panoptic submission: annotations by sample id, and the folder of their PNGs."""

    annotations: dict[str, PredictedAnnotation]
    folder: Path
    file: str


def locate(path: Path, problems: Problems) -> Path | None:
    """The JSON file of a submission: `path` itself, or the only one in the folder `path`."""
    if not path.is_dir():
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
    content = None if data is None else strict_json.parse(data, problems, file=path.name, official=official)
    if data is None or content is None:
        return None
    items = content.get("annotations") if isinstance(content, dict) else None
    if not isinstance(items, list):
        got = (
            f"a {type(content).__name__}" if not isinstance(content, dict) else f"an object with {sorted(content)[:5]}"
        )
        fix = 'Write {"annotations": [{"image_id", "file_name", "segments_info": [{"id", "category_id"}]}]}.'
        problems.add(
            "JSON_TOP_LEVEL", f"expected an object with the list `annotations`, got {got}", file=path.name, fix=fix
        )
        return None
    reader = _Reader(truth, path.name, problems)
    annotations = reader.annotations(items)
    _check_coverage(annotations, reader.claimed, truth, problems, path.name, wanted)
    folder = path.with_suffix("")
    if folder.is_symlink() or not folder.is_dir():
        fix = f"Put the PNGs into a folder named {folder.name} beside {path.name}."
        problems.add("SUB_PNG_FOLDER", f"there is no folder {folder.name} with the PNGs", file=path.name, fix=fix)
        return None
    return PanopticSubmission(annotations, folder, path.name), digest_of(data)


class _Reader:
    """Turns the list of annotations into records and writes down every fault."""

    def __init__(self, truth: PanopticTruth, file: str, problems: Problems) -> None:
        self.truth = truth
        self.file = file
        self.problems = problems
        self.by_image = {one.image_id: id for id, one in truth.annotations.items()}
        self.claimed: set[str] = set()
        self.unknown: list[int] = []
        self.categories: Counter[int] = Counter()

    def annotations(self, items: list[Any]) -> dict[str, PredictedAnnotation]:
        """The readable annotations by sample id; of repeated images the last counts, as in panopticapi."""
        found: dict[str, PredictedAnnotation] = {}
        for number, item in enumerate(items):
            self.where = f"/annotations/{number}"
            self.item: Any = ""
            annotation = self._annotation(item)
            if annotation is not None:
                found[self.by_image[annotation.image_id]] = annotation
        self._hint_categories()
        if self.unknown:
            self._add_unknown()
        return found

    def _add(self, code: str, message: str, *, at: str = "", value: Any = "", fix: str = "") -> None:
        self.problems.add(code, message, file=self.file, where=self.where + at, item=self.item, value=value, fix=fix)

    def _annotation(self, item: Any) -> PredictedAnnotation | None:
        if not isinstance(item, dict):
            self._add("FIELD_TYPE", f"an annotation is an object, this is {_kind(item)}", value=item)
            return None
        image_id = self._integer(item, "image_id")
        if image_id is None:
            return None
        self.item = image_id
        if image_id not in self.by_image:
            self.unknown.append(image_id)
            return None
        sample = self.by_image[image_id]
        if sample in self.claimed:
            self._add(
                "SUB_IMAGE_DUP",
                f"image {image_id} has more than one prediction",
                fix="Keep one; the official tool takes the last.",
            )
        self.claimed.add(sample)
        name, segments = self._file_name(item), self._segments(item)
        if name is None or segments is None:
            return None
        return PredictedAnnotation(image_id, name, segments)

    def _file_name(self, item: dict[str, Any]) -> str | None:
        name = item.get("file_name")
        if not isinstance(name, str):
            self._field("file_name", "a string", item)
            return None
        if not png.plain_name(name):
            fix = "Write the plain name, e.g. 000000142238.png; the folder is that of the submission."
            self._add(
                "SUB_PATH",
                "the file name leads out of the folder or is no plain name",
                at="/file_name",
                value=name,
                fix=fix,
            )
            return None
        return name

    def _segments(self, item: dict[str, Any]) -> tuple[PredictedSegment, ...] | None:
        listed = item.get("segments_info")
        if not isinstance(listed, list):
            self._field("segments_info", "a list", item)
            return None
        place, segments = self.where, {}
        sound = True
        for number, one in enumerate(listed):
            self.where = f"{place}/segments_info/{number}"
            segment = self._segment(one)
            if segment is None:
                sound = False
                continue
            if segment.id in segments:
                self._add(
                    "SUB_SEG_ID_DUP",
                    f"segment {segment.id} is listed twice",
                    value=segment.id,
                    fix="Give every segment its own id.",
                )
            segments[segment.id] = segment
        self.where = place
        return tuple(segments.values()) if sound else None

    def _segment(self, one: Any) -> PredictedSegment | None:
        if not isinstance(one, dict):
            self._add("FIELD_TYPE", f"a segment is an object, this is {_kind(one)}", value=one)
            return None
        id, category = self._integer(one, "id"), self._integer(one, "category_id")
        if id is None or category is None:
            return None
        if id == 0:
            self._add(
                "SUB_SEG_ID_ZERO",
                "id 0 means void; the void pixels become a segment",
                at="/id",
                fix="Number segments from 1.",
            )
        elif not 0 < id <= MAX_ID:
            self._add(
                "SUB_SEG_ID_RANGE",
                f"segment ids are 1 … {MAX_ID}",
                at="/id",
                value=id,
                fix="The id is R + 256·G + 65536·B.",
            )
            return None
        known = self.truth.categories.get(category)
        self.categories[category] += 1
        if known is None:
            self._add(
                "SUB_CATEGORY_UNKNOWN",
                f"category {category} is not in the ground truth",
                at="/category_id",
                value=category,
            )
            return None
        stated = one.get("isthing")
        if stated is not None and bool(stated) != known.isthing:
            self.problems.add(
                "SUB_SEG_ISTHING",
                f"isthing is given as {stated!r} but {known.name} is {'a thing' if known.isthing else 'stuff'}; it is ignored",
                severity="warning",
                file=self.file,
                where=self.where + "/isthing",
                item=self.item,
            )
        return PredictedSegment(id, category)

    def _integer(self, item: dict[str, Any], name: str) -> int | None:
        value = item.get(name)
        if type(value) is int:
            return value
        if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
            fix = "Write it without a decimal point." if isinstance(value, float) else "Write a number."
            self._add(
                "FIELD_INTEGRAL", f"`{name}` is {_kind(value)}, not an integer", at=f"/{name}", value=value, fix=fix
            )
            return int(value)
        self._field(name, "an integer", item)
        return None

    def _field(self, name: str, wanted: str, item: dict[str, Any]) -> None:
        if name not in item:
            self._add("MISSING_FIELD", f"`{name}` is missing", fix=f"Add `{name}`: {wanted}.")
        else:
            message = f"`{name}` is {_kind(item[name])}, not {wanted}"
            self._add("FIELD_TYPE", message, at=f"/{name}", value=item[name], fix=f"Write {wanted}.")

    def _hint_categories(self) -> None:
        known = self.truth.categories
        if "SUB_CATEGORY_UNKNOWN" in self.problems and all(0 <= id < len(known) for id in self.categories):
            self.where, self.item = "", ""
            message = f"all categories are in 0 … {len(known) - 1}: these look like contiguous training ids"
            self._add(
                "SUB_CATEGORY_CONTIGUOUS", message, fix="Map position → `categories[position].id` of the ground truth."
            )

    def _add_unknown(self) -> None:
        shown = ", ".join(map(str, self.unknown[:10]))
        self.problems.add(
            "SUB_IMAGE_UNKNOWN",
            f"{len(self.unknown)} image(s) are not in the ground truth: {shown}{' …' if len(self.unknown) > 10 else ''}",
            file=self.file,
            value=shown,
            fix="Remove them, or name the ground truth of the split they belong to.",
        )


def _check_coverage(
    annotations: dict[str, PredictedAnnotation],
    claimed: set[str],
    truth: PanopticTruth,
    problems: Problems,
    file: str,
    wanted: Collection[str] | None,
) -> None:
    if not annotations and not claimed:
        problems.add("SUB_EMPTY", "there are no predictions for this ground truth in the file", file=file)
    missing = [truth.annotations[id].image_id for id in wanted or () if id not in claimed]
    if missing:
        shown = ", ".join(map(str, missing[:10])) + (" …" if len(missing) > 10 else "")
        fix = "Predict them too, or use --partial to score the others as a part."
        problems.add(
            "SUB_IMAGE_MISSING", f"{len(missing)} image(s) have no prediction: {shown}", file=file, value=shown, fix=fix
        )


def _kind(value: Any) -> str:
    names = {
        dict: "an object",
        list: "a list",
        str: "a string",
        bool: "a boolean",
        type(None): "null",
        float: "a decimal number",
        int: "an integer",
    }
    return names.get(type(value), type(value).__name__)

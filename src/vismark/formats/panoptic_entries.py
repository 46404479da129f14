"""The entries of a panoptic submission's JSON, from strangers: every field looked at, every fault with its place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from vismark.formats import png
from vismark.formats.panoptic import MAX_ID, PanopticTruth, PredictedAnnotation, PredictedSegment
from vismark.problems import Problems, Severity

# Errors in one file after which reading stops.
_MOST_FAULTS = 20_000


class _Enough(Exception):
    """So many errors that reading on would only take time."""


class EntryReader:
    """Turns the list of annotations into records and writes down every fault; panopticapi's tolerance is the caller's.

    In official mode the entries that panopticapi never looks at are passed over: all but the last of an image, all but
    the last of a segment id, and images with an id that is no number. `places` are the places of the entries in the
    file, by default in the list `annotations`.
    """

    def __init__(
        self, truth: PanopticTruth, file: str, problems: Problems, official: bool, places: Sequence[str] = ()
    ) -> None:
        self.truth = truth
        self.file = file
        self.problems = problems
        self.official = official
        self.places = places
        self.by_image = {one.image_id: id for id, one in truth.annotations.items()}
        self.claimed: set[str] = set()
        self.unknown: list[Any] = []
        self.categories: Counter[int] = Counter()
        self.where = ""
        self.item: Any = ""
        self.faults = 0

    def annotations(self, items: list[Any]) -> dict[str, PredictedAnnotation] | None:
        """The readable annotations by sample id (of repeated images the last counts), or None: too many faults."""
        try:
            samples = [self._sample(number, item) for number, item in enumerate(items)]
            last = {sample: number for number, sample in enumerate(samples)}
            found = {}
            for number, (sample, item) in enumerate(zip(samples, items, strict=True)):
                if sample is None or (self.official and last[sample] != number):
                    continue
                self.where, self.item = self._place(number), self.truth.annotations[sample].image_id
                annotation = self._annotation(sample, item)
                if annotation is not None:
                    found[sample] = annotation
            self._hint_categories()
        except _Enough:
            message = f"reading stopped after {_MOST_FAULTS:,} errors"
            self.problems.add("SUB_TOO_MANY_FAULTS", message, file=self.file, where=self.where, fix="Mend these first.")
            return None
        if self.unknown:
            self._add_unknown()
        return found

    def _add(
        self, code: str, message: str, *, fix: str, at: str = "", value: Any = "", severity: Severity = "error"
    ) -> None:
        self.faults += severity == "error" and code not in self.problems.demote
        if self.faults > _MOST_FAULTS:
            raise _Enough
        shown = kind(value) if isinstance(value, dict | list) else value
        where, item = self.where + at, self.item
        self.problems.add(
            code, message, severity=severity, file=self.file, where=where, item=item, value=shown, fix=fix
        )

    def _place(self, number: int) -> str:
        return self.places[number] if self.places else f"/annotations/{number}"

    def _sample(self, number: int, item: Any) -> str | None:
        """The sample that an annotation is for; None when it is for none of the ground truth."""
        self.where, self.item = self._place(number), ""
        if not isinstance(item, dict):
            self._add(
                "FIELD_TYPE", f"an annotation is an object, this is {kind(item)}", value=item, fix="Write an object."
            )
            return None
        stated = item.get("image_id")
        if self.official and (isinstance(stated, str) or (isinstance(stated, float) and not stated.is_integer())):
            self.unknown.append(stated)
            return None
        image_id = self._integer(item, "image_id")
        if image_id is None:
            return None
        if image_id not in self.by_image:
            self.unknown.append(image_id)
            return None
        sample = self.by_image[image_id]
        self.item = image_id
        if sample in self.claimed:
            fix = "Keep one; the official tool takes the last."
            self._add("SUB_IMAGE_DUP", f"image {image_id} has more than one prediction", value=image_id, fix=fix)
        self.claimed.add(sample)
        return sample

    def _annotation(self, sample: str, item: dict[str, Any]) -> PredictedAnnotation | None:
        name, segments = self._file_name(item), self._segments(item)
        if name is None or segments is None:
            return None
        return PredictedAnnotation(self.truth.annotations[sample].image_id, name, segments)

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
        place, segments, sound = self.where, {}, True
        ids = [one.get("id") if isinstance(one, dict) else None for one in listed]
        last = {id: number for number, id in enumerate(ids) if isinstance(id, int | float)}
        for number, one in enumerate(listed):
            self.where, id = f"{place}/segments_info/{number}", ids[number]
            if isinstance(id, int | float) and last[id] != number:
                fix = "Give every segment its own id; the official tool takes the last."
                self._add("SUB_SEG_ID_DUP", f"segment {id} is listed again further down", at="/id", value=id, fix=fix)
                if self.official:
                    continue
            segment = self._segment(one)
            if segment is None:
                sound = False
            else:
                segments[segment.id] = segment
        self.where = place
        self._check_stuff(segments.values())
        return tuple(segments.values()) if sound else None

    def _check_stuff(self, segments: Iterable[PredictedSegment]) -> None:
        counts = Counter(one.category_id for one in segments)
        for category, count in counts.items():
            known = self.truth.categories[category]
            if count > 1 and not known.isthing:
                message = f"{known.name} is stuff and has {count} segments; at most one of them can match"
                fix = "Merge the segments of a stuff category."
                self._add("STUFF_DUP", message, at="/segments_info", value=category, fix=fix, severity="warning")

    def _segment(self, one: Any) -> PredictedSegment | None:
        if not isinstance(one, dict):
            self._add("FIELD_TYPE", f"a segment is an object, this is {kind(one)}", value=one, fix="Write an object.")
            return None
        id, category = self._integer(one, "id"), self._integer(one, "category_id")
        if id is None or category is None:
            return None
        if id == 0:
            message, fix = "id 0 means void; the void pixels become a segment", "Number segments from 1."
            self._add("SUB_SEG_ID_ZERO", message, at="/id", value=id, fix=fix)
        elif not 0 < id <= MAX_ID:
            fix = "The id is R + 256·G + 65536·B."
            self._add("SUB_SEG_ID_RANGE", f"segment ids are 1 … {MAX_ID}", at="/id", value=id, fix=fix)
            return None
        known = self.truth.categories.get(category)
        self.categories[category] += 1
        if known is None:
            message, fix = f"category {category} is not in the ground truth", "Write one of its category ids."
            self._add("SUB_CATEGORY_UNKNOWN", message, at="/category_id", value=category, fix=fix)
            return None
        stated = one.get("isthing")
        if stated is not None and bool(stated) != known.isthing:
            is_a = "a thing" if known.isthing else "stuff"
            message = f"isthing is given as {_brief(stated)} but {known.name} is {is_a}; it is ignored"
            self._add("SUB_SEG_ISTHING", message, at="/isthing", value=stated, fix="Leave it out.", severity="warning")
        return PredictedSegment(id, category)

    def _integer(self, item: dict[str, Any], name: str) -> int | None:
        value = item.get(name)
        if type(value) is int:
            return value
        if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
            fix = "Write it without a decimal point." if isinstance(value, float) else "Write a number."
            self._add(
                "FIELD_INTEGRAL", f"`{name}` is {kind(value)}, not an integer", at=f"/{name}", value=value, fix=fix
            )
            return int(value)
        self._field(name, "an integer", item)
        return None

    def _field(self, name: str, wanted: str, item: dict[str, Any]) -> None:
        if name not in item:
            self._add("MISSING_FIELD", f"`{name}` is missing", fix=f"Add `{name}`: {wanted}.")
        else:
            message = f"`{name}` is {kind(item[name])}, not {wanted}"
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
        shown = ", ".join(_brief(one) for one in self.unknown[:10])
        more = " …" if len(self.unknown) > 10 else ""
        self.problems.add(
            "SUB_IMAGE_UNKNOWN",
            f"{len(self.unknown)} image(s) are not in the ground truth: {shown}{more}",
            file=self.file,
            where="" if self.places else "/annotations",
            value=shown,
            fix="Remove them, or name the ground truth of the split they belong to.",
        )


def _brief(value: Any) -> str:
    """A value in a message: containers by kind, the rest cut."""
    return kind(value) if isinstance(value, dict | list) else repr(value)[:40]


def kind(value: Any) -> str:
    """What a JSON value is, in words."""
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

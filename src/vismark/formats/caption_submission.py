"""Caption submissions: a JSON list of {image_id, caption}, exactly one an image; read, checked, written.

What pycocoevalcap does with a fault decides about it: what it refuses (an image twice or not at all, a caption that is
no string) is refused in both modes, what it takes in silence is tolerated in official mode.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from vismark.formats import strict_json
from vismark.formats.captions import oddities
from vismark.formats.panoptic_entries import kind
from vismark.problems import Problems, Severity
from vismark.runtime.atomic import write_bytes
from vismark.runtime.digests import digest_of

# The longest captions of any data set here have 5,000 characters. METEOR's search takes memory by the square of the
# words: half a gigabyte for so many.
LONGEST = 1 << 14

# Bytes an image; small references meet large files.
_BYTES_PER_IMAGE = 1 << 19
_SMALLEST_LIMIT = 16 << 20

# What models that ground their captions leave in them; the tokeniser makes words of it.
_MARKUP = re.compile(r"<\s*\d+\s*(?:,\s*\d+\s*)*:|</?p>|\[SEG\w*\]|<SEG\w*>")

# Accepted by pycocoevalcap in silence: a warning in official mode, an error otherwise.
TOLERATED = frozenset({"FIELD_INTEGRAL", "JSON_DUPLICATE_KEY", "SUB_CAPTION_MARKUP"})


class CaptionEntry(msgspec.Struct, frozen=True):
    """An entry of a results file."""

    image_id: int | str
    caption: str


@dataclass(frozen=True)
class CaptionSubmission:
    """One caption a sample; `file` is the name of the results file."""

    captions: Mapping[str, str]
    file: str


def read_submission(
    path: Path, names: Mapping[int | str, str], problems: Problems, *, official: bool, wanted: Collection[str] | None
) -> tuple[CaptionSubmission, str] | None:
    """Read and check a results file.

    Args:
        names: what an entry may call an image → sample id.
        official: read JSON as Python does.
        wanted: sample ids that must be there; None scores whichever are.

    Returns:
        The submission and the digest of the file, or None with errors in `problems`.
    """
    limit = max(_SMALLEST_LIMIT, _BYTES_PER_IMAGE * len(names))
    data = strict_json.read_bytes(path, problems, file=path.name, limit=limit)
    if data is None:
        return None
    before = problems.errors
    # A comma inside a caption counts as a value too.
    most = max(1 << 20, len(data) // 6)
    items = strict_json.parse(data, problems, file=path.name, official=official, most=most)
    if items is None and problems.errors > before:
        return None
    if not isinstance(items, list):
        fix = 'Write a list: [{"image_id": 139, "caption": "…"}, …].'
        got = f"an object with {sorted(items)[:5]}" if isinstance(items, dict) else kind(items)
        problems.add("JSON_TOP_LEVEL", f"the top level is {got}, not a list of captions", file=path.name, fix=fix)
        return None
    reader = CaptionReader(names, Findings(problems, path.name))
    captions = {}
    for number, item in enumerate(items):
        found = reader.entry(f"/{number}", item)
        if found is not None:
            captions[found[0]] = found[1]
    reader.check_coverage(wanted)
    return CaptionSubmission(captions, path.name), digest_of(data)


def write_submission(path: Path, entries: Sequence[CaptionEntry]) -> None:
    """Write a results file, atomically."""
    write_bytes(path, msgspec.json.encode(entries) + b"\n")


@dataclass
class Findings:
    """A pen for findings about the entry of one image."""

    problems: Problems
    file: str
    where: str = ""
    item: object = ""

    def add(
        self, code: str, message: str, fix: str, *, at: str = "", value: Any = "", severity: Severity = "error"
    ) -> None:
        """Write down a finding about the current entry."""
        shown = kind(value) if isinstance(value, dict | list) else value
        where, item = self.where + at, self.item
        self.problems.add(
            code, message, severity=severity, file=self.file, where=where, item=item, value=shown, fix=fix
        )


@dataclass
class CaptionReader:
    """Reads the entries of a submission one by one and keeps account of their images."""

    names: Mapping[int | str, str]
    findings: Findings
    claimed: set[str] = field(default_factory=set)
    unknown: list[object] = field(default_factory=list)
    empty: list[object] = field(default_factory=list)

    def entry(self, where: str, item: Any) -> tuple[str, str] | None:
        """(sample id, caption) of the entry at the place `where`, or None with the reason noted."""
        sample = self.sample(where, item)
        caption = None if sample is None else self.caption(item)
        return None if sample is None or caption is None else (sample, caption)

    def sample(self, where: str, item: Any) -> str | None:
        """The sample that an entry is for, or None with the reason noted."""
        self.findings.where, self.findings.item = where, ""
        if not isinstance(item, dict):
            self.findings.add("FIELD_TYPE", f"an entry is an object, this is {kind(item)}", "Write an object.")
            return None
        stated = item.get("image_id")
        if isinstance(stated, bool) or (isinstance(stated, float) and stated.is_integer()):
            message = f"`image_id` is {kind(stated)}, not an integer"
            self.findings.add("FIELD_INTEGRAL", message, "Write an integer.", at="/image_id", value=stated)
            stated = int(stated)
        sample = self.names.get(stated) if isinstance(stated, int | str) else None
        if "image_id" not in item:
            self.findings.add("MISSING_FIELD", "`image_id` is missing", "Add `image_id`: an integer.")
        elif not isinstance(stated, int | str) or (isinstance(stated, str) and sample is None):
            message = f"`image_id` is {kind(stated)}, not an integer"
            self.findings.add("FIELD_TYPE", message, "Write COCO's image id.", at="/image_id", value=stated)
        elif sample is None:
            self.unknown.append(stated)
        else:
            return self._once(sample, stated)
        return None

    def caption(self, item: dict[str, Any], *, markup: bool = False) -> str | None:
        """The caption of an entry, in which `markup` is welcome or not; None with the reason noted."""
        text, add = item.get("caption"), self.findings.add
        if "caption" not in item:
            add("MISSING_FIELD", "`caption` is missing", "Add `caption`: a string.")
            return None
        if not isinstance(text, str):
            add("SUB_CAPTION_TYPE", f"`caption` is {kind(text)}, not a string", "Write a string.", at="/caption")
            return None
        if any("\ud800" <= character <= "\udfff" for character in text):
            add("SUB_CAPTION_UNICODE", "the caption holds half of a surrogate pair", "Write whole characters.")
            return None
        if not text.strip():
            self.empty.append(self.findings.item)
        if len(text) > LONGEST:
            message = f"the caption has {len(text):,} characters; more than {LONGEST:,} describe no image"
            add("SUB_CAPTION_LENGTH", message, "Did generation run away?", at="/caption", value=text)
            return None
        found = None if markup else _MARKUP.search(text)
        if found:
            message, fix = "markup is left in the caption and would count as words", "Replace tags by their phrases."
            add("SUB_CAPTION_MARKUP", message, fix, at="/caption", value=found[0])
        for code, message, fix in oddities(text):
            add(code, message, fix, at="/caption", value=text, severity="warning")
        return text

    def check_coverage(self, wanted: Collection[str] | None) -> None:
        """Images that are unknown, and those that are wanted and have no caption."""
        problems, file = self.findings.problems, self.findings.file
        if self.unknown:
            shown = listed(self.unknown)
            message = f"{len(self.unknown)} image(s) are not in the references: {shown}"
            fix = "Write COCO's image ids (of Karpathy's file `cocoid`, not `imgid`), and only those of this split."
            problems.add("SUB_IMAGE_UNKNOWN", message, file=file, value=shown, fix=fix)
        if not self.claimed:
            fix = "Describe the images of these references, or name the references of these captions."
            problems.add("SUB_EMPTY", "there is no caption for these references in the file", file=file, fix=fix)
        self.tell_empty()
        missing = [id for id in wanted or () if id not in self.claimed]
        if missing:
            shown = listed(missing)
            message = f"{len(missing)} image(s) have no caption: {shown}"
            fix = "Describe them too, or use --partial to score the others as a part."
            problems.add("SUB_IMAGE_MISSING", message, file=file, value=shown, fix=fix)

    def tell_empty(self) -> None:
        """One finding about all empty captions."""
        if self.empty:
            message, fix = f"{len(self.empty)} caption(s) are empty and score 0: {listed(self.empty)}", "Was it asked?"
            problems, file = self.findings.problems, self.findings.file
            problems.add("SUB_CAPTION_EMPTY", message, severity="warning", file=file, fix=fix)

    def _once(self, sample: str, stated: int | str) -> str | None:
        self.findings.item = stated
        if sample in self.claimed:
            message = f"image {stated} has more than one caption"
            self.findings.add("SUB_IMAGE_DUP", message, "Keep one; nothing says which is meant.", value=stated)
            return None
        self.claimed.add(sample)
        return sample


def listed(items: Sequence[object]) -> str:
    """The first ten of `items`, in a message."""
    return ", ".join(str(one)[:40] for one in items[:10]) + (" …" if len(items) > 10 else "")

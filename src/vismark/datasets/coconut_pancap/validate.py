"""Checks of COCONut-PanCap: pairs of captions and masks, text, every break of the tag grammar, numbers of regions."""

from __future__ import annotations

from pathlib import Path

from vismark.datasets.coconut_pancap.load import PanCap, caption_files, load, read_caption
from vismark.formats.captions import oddities
from vismark.formats.tags import MEANINGS, Grounded, parse
from vismark.problems import Problems, Refused
from vismark.runtime.progress import Bar

KINDS = ("pancap",)

# A caption of the release has 203 words on average.
_SHORT_WORDS = 30


def is_captions(folder: Path) -> bool:
    """Whether a folder holds captions: texts, and no annotation file."""
    return folder.is_dir() and any(folder.glob("*.txt")) and not any(folder.glob("*.json"))


def validate_captions(folder: Path, panoptic: Path | None, masks: Path | None, problems: Problems) -> None:
    """Check a folder of captions, against the panoptic JSON that they belong to where one is named."""
    if panoptic is None:
        files = caption_files(folder)
        with Bar("reading captions", len(files)) as bar:
            for path in files.values():
                _check_text(path, problems)
                bar.advance()
        message, fix = "no panoptic JSON was named: numbers of regions are not checked", "Name it with --panoptic."
        problems.add("TAG_BASE", message, severity="note", file=folder.name, fix=fix)
        return
    try:
        check(load(folder, panoptic, masks), problems)
    except Refused as refused:
        problems.extend(refused.problems)


def check(data: PanCap, problems: Problems) -> None:
    """Every fault of the captions: files without a partner, text that is none, and every break of the tag grammar."""
    problems.add("TAG_BASE", str(data.decision), severity="note", value=data.decision.base)
    for id in sorted(data.captions.keys() - data.truth.annotations.keys()):
        message = f"{id}.txt has no masks"
        problems.add("CAPTION_FILE_UNPAIRED", message, file=f"{id}.txt", item=id, fix="Remove it.")
    for id in sorted(data.truth.annotations.keys() - data.captions.keys()):
        message = "the image has masks but no caption"
        problems.add("CAPTION_FILE_UNPAIRED", message, file=f"{id}.png", item=id, fix=f"Add {id}.txt.")
    with Bar("checking captions", len(data.ids)) as bar:
        for id in data.ids:
            if _check_text(data.captions[id], problems) is not None:
                _check_numbers(id, data, problems)
            bar.advance()


def _check_text(path: Path, problems: Problems) -> Grounded | None:
    """Check a caption alone; its parse, or None when it is no text."""
    text = read_caption(path, problems)
    if text is None:
        return None
    file, id = path.name, path.stem
    if not text.strip():
        problems.add("CAPTION_EMPTY", "the caption is empty", file=file, item=id, fix="Write one, or remove the file.")
        return None
    for code, message, fix in oddities(text):
        problems.add(code, message, severity="warning", file=file, item=id, fix=fix)
    grounded = parse(text)
    for finding in grounded.findings:
        message, where = MEANINGS[finding.code], f"character {finding.position}"
        problems.add(finding.code, message, severity="warning", file=file, item=id, where=where, fix="Mend the tag.")
    if len(grounded.plain.split()) < _SHORT_WORDS:
        message = f"the caption has fewer than {_SHORT_WORDS} words"
        problems.add("CAPTION_SHORT", message, severity="warning", file=file, item=id, fix="Is it whole?")
    return grounded


def _check_numbers(id: str, data: PanCap, problems: Problems) -> None:
    record = data.record(id)
    count, fix = len(record.segments), f"Numbers are read as {data.decision.base}."
    for phrase in record.phrases:
        if len(phrase.segment_ids) < len(phrase.numbers):
            message = f"{list(phrase.numbers)} names a region that the image does not have ({count} regions)"
            problems.add("TAG_ID_OUT_OF_RANGE", message, file=f"{id}.txt", item=id, value=phrase.text, fix=fix)

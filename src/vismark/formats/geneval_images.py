"""The pictures of a GenEval submission: the official tree, or a flat folder with a manifest.

<IMAGES>/00000/metadata.jsonl, samples/00000.png …      line 0 of evaluation_metadata.jsonl, four pictures
<IMAGES>/manifest.jsonl                                 {"prompt_index": 0, "sample_index": 0, "path": "a.png"}
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import msgspec

from vismark.formats import strict_json
from vismark.formats.geneval import Prompt, check_prompt
from vismark.formats.png import plain_name
from vismark.problems import Problems

MANIFEST = "manifest.jsonl"
METADATA = "metadata.jsonl"
SAMPLES = "samples"
PER_PROMPT = 4

_NAME = re.compile(r"(\d{1,9})\.png")
_OTHER_PICTURES = {".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
_METADATA_LIMIT = 1 << 20
_MANIFEST_LIMIT = 256 << 20
# Names that a finding lists.
_SHOWN = 10


class Entry(msgspec.Struct, frozen=True):
    """A line of ``manifest.jsonl``; `path` is relative to the folder."""

    prompt_index: int
    sample_index: int
    path: str


@dataclass(frozen=True)
class Pictures:
    """The pictures of a submission.

    Attributes:
        folder: of the submission.
        files: sample id → path relative to the folder.
        prompts: prompt → what the submission's own ``metadata.jsonl`` asks, where that is not the official line.
    """

    folder: Path
    files: Mapping[str, str]
    prompts: Mapping[int, Prompt] = field(default_factory=dict)


def sample_id(prompt: int, sample: int) -> str:
    """Name of a picture without suffix, as in the official tree."""
    return f"{prompt:05}/{SAMPLES}/{sample:05}"


def prompt_of(id: str) -> int:
    """The number of the prompt of a sample id."""
    return int(id.split("/", 1)[0])


def read_pictures(
    folder: Path,
    prompts: Sequence[Prompt],
    classes: Sequence[str],
    problems: Problems,
    wanted: Collection[str] | None,
) -> Pictures:
    """Which pictures there are; none is decoded. The n-th file of a prompt by number is its sample n.

    Args:
        classes: the class names that a prompt may use.
        wanted: sample ids that must be there; None takes whichever are.
    """
    own: dict[int, Prompt] = {}
    if (folder / MANIFEST).is_file():
        found = dict(_listed(folder, len(prompts), problems))
    else:
        found, own = _walk(folder, prompts, classes, problems)
    ranked: dict[str, str] = {}
    for prompt, samples in sorted(found.items()):
        ranked |= {sample_id(prompt, rank): samples[number] for rank, number in enumerate(sorted(samples))}
    check_complete(folder.name, ranked, wanted, problems)
    return Pictures(folder, ranked, own)


def check_complete(file: str, there: Collection[str], wanted: Collection[str] | None, problems: Problems) -> None:
    """Report prompts without pictures, and prompts that have more or fewer than are wanted."""
    have, want = _counts(there), _counts(wanted or ())
    absent = [prompt for prompt in want if prompt not in have]
    if absent:
        message = f"{len(absent)} prompt(s) have no picture: {_some(absent)}"
        fix = "Draw them too, or use --partial to score the others as a part."
        problems.add("GENEVAL_PROMPT_MISSING", message, file=file, value=_some(absent), fix=fix)
    for prompt, count in have.items():
        expected = want.get(prompt, PER_PROMPT if wanted is None else 0)
        if count > max(expected, 0 if wanted is not None else PER_PROMPT) or (wanted is not None and count < expected):
            message = f"the prompt has {count} picture(s), the protocol wants {expected or PER_PROMPT}"
            fix = "Four pictures a prompt; --partial scores prompts with fewer."
            problems.add("GENEVAL_SAMPLE_COUNT", message, file=file, item=f"{prompt:05}", fix=fix)
    if not there:
        fix = "The tree is NNNNN/samples/NNNN.png beside NNNNN/metadata.jsonl, or a flat folder with manifest.jsonl."
        problems.add("GENEVAL_EMPTY", "there is no picture of a prompt in the folder", file=file, fix=fix)


def _counts(ids: Collection[str]) -> dict[int, int]:
    counts: dict[int, int] = defaultdict(int)
    for id in ids:
        counts[prompt_of(id)] += 1
    return dict(counts)


def _some(numbers: Sequence[int]) -> str:
    shown = ", ".join(f"{number:05}" for number in sorted(numbers)[:_SHOWN])
    return shown + (" …" if len(numbers) > _SHOWN else "")


def _walk(
    folder: Path, prompts: Sequence[Prompt], classes: Sequence[str], problems: Problems
) -> tuple[dict[int, dict[int, str]], dict[int, Prompt]]:
    """Prompt → sample number → path, and the foreign prompts, of the official tree."""
    found: dict[int, dict[int, str]] = {}
    own: dict[int, Prompt] = {}
    for place in sorted(folder.iterdir()):
        if not (place.name.isdecimal() and place.name.isascii() and place.is_dir()):
            continue
        number = int(place.name[:9])
        if number >= len(prompts) or len(place.name) > 9 or number in found:
            what = "is there twice" if number in found else f"is no prompt; they are 0 … {len(prompts) - 1}"
            fix = "One folder a prompt, named like the line of evaluation_metadata.jsonl, from 0."
            problems.add("GENEVAL_FOLDER", f"the folder {place.name} {what}", file=place.name, fix=fix)
            continue
        found[number] = dict(_samples(place, problems))
        foreign = _foreign(place, prompts[number], classes, problems)
        if foreign is not None:
            own[number] = foreign
    return found, own


def _samples(place: Path, problems: Problems) -> Iterator[tuple[int, str]]:
    """(number, path relative to the submission) of the pictures of a prompt."""
    seen: dict[int, str] = {}
    files = sorted((place / SAMPLES).iterdir()) if (place / SAMPLES).is_dir() else []
    for path in files:
        name = f"{place.name}/{SAMPLES}/{path.name}"
        matched = _NAME.fullmatch(path.name)
        if matched is None:
            _stray(path, name, problems)
        elif int(matched[1]) in seen:
            message = f"{path.name} and {seen[int(matched[1])]} are the same sample"
            problems.add("GENEVAL_SAMPLE_TWICE", message, file=name, fix="Keep one of them.")
        else:
            seen[int(matched[1])] = path.name
            yield int(matched[1]), name


def _stray(path: Path, name: str, problems: Problems) -> None:
    if path.suffix.lower() in _OTHER_PICTURES:
        message = "is no PNG; the official script ignores it in silence"
        problems.add("GENEVAL_SAMPLE_FORMAT", message, file=name, fix="Save the pictures as PNG.")
    elif not path.name.startswith("."):
        message = "is no picture of the protocol, and not scored"
        fix = "Pictures are named by their number, such as 00000.png."
        problems.add("GENEVAL_SAMPLE_NAME", message, severity="warning", file=name, fix=fix)


def _foreign(place: Path, official: Prompt, classes: Sequence[str], problems: Problems) -> Prompt | None:
    """The prompt that ``metadata.jsonl`` of a folder states, when it is not the official one."""
    name = f"{place.name}/{METADATA}"
    data = strict_json.read_bytes(place / METADATA, problems, file=name, limit=_METADATA_LIMIT)
    if data is None or data.strip() == official.line().encode():
        return None
    if not strict_json.is_utf8_text(data, problems, name):
        return None
    try:
        stated = msgspec.json.decode(data, type=Prompt)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        fix = "It holds one object: the line of evaluation_metadata.jsonl with the number of the folder."
        problems.add("GENEVAL_METADATA", f"is no GenEval prompt: {error}", file=name, fix=fix)
        return None
    if stated == official:
        return None
    check_prompt(stated, classes, problems, name, "")
    message = f"states {stated.tag!r} {stated.prompt!r}, the prompt of this number is {official.prompt!r}"
    fix = "The pictures were drawn for other prompts, or the folders are numbered differently."
    problems.add("GENEVAL_METADATA_OTHER", message, file=name, value=stated.prompt, fix=fix)
    return stated


def _listed(folder: Path, prompts: int, problems: Problems) -> Iterator[tuple[int, dict[int, str]]]:
    """Prompt → sample number → path, of a flat folder with a manifest."""
    data = strict_json.read_bytes(folder / MANIFEST, problems, file=MANIFEST, limit=_MANIFEST_LIMIT) or b""
    found: dict[int, dict[int, str]] = defaultdict(dict)
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        where = f"line {number}"
        try:
            entry = msgspec.json.decode(line, type=Entry)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            fix = "Write prompt_index, sample_index and path."
            problems.add("GENEVAL_MANIFEST", f"is no entry: {error}", file=MANIFEST, where=where, fix=fix)
            continue
        fault = _entry_fault(entry, prompts, found)
        if fault:
            problems.add("GENEVAL_MANIFEST", fault, file=MANIFEST, where=where, value=entry.path, fix="Mend the line.")
        else:
            found[entry.prompt_index][entry.sample_index] = entry.path
    yield from found.items()


def _entry_fault(entry: Entry, prompts: int, found: Mapping[int, Mapping[int, str]]) -> str:
    path = PurePosixPath(entry.path)
    if path.is_absolute() or not path.parts or not all(map(plain_name, path.parts)):
        return "the path leads out of the folder"
    if not 0 <= entry.prompt_index < prompts or entry.sample_index < 0:
        return f"there is no prompt {entry.prompt_index} with a sample {entry.sample_index}"
    if entry.sample_index in found.get(entry.prompt_index, {}):
        return f"sample {entry.sample_index} of prompt {entry.prompt_index} is listed twice"
    return ""

"""The steps of T2I-CompBench: look at the files, ask about phrases, compare with the prompt, ask a judge."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from vismark.benchmarks.base import About, Evidence, Opened
from vismark.formats import png
from vismark.formats.t2i_answers import CompDetected
from vismark.formats.t2i_compbench import PER_PROMPT, CompPictures, category_of, index_of
from vismark.formats.t2i_parses import Parse
from vismark.instruments.blip_vqa import Asked
from vismark.instruments.judge.base import Question
from vismark.problems import Problems
from vismark.runtime.digests import digest_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MOST_BYTES = 1 << 28
# Phrases that the script looks at.
_MOST_PHRASES = 8

ATTRIBUTES = ("color", "shape", "texture", "complex")
_GRADE = re.compile(r'"?score"?\s*[:=]\s*"?([1-5])\b')


@dataclass(frozen=True)
class CompTruth:
    """The prompts by category, their grammar, and which prompts of `complex` are about places or actions only."""

    prompts: Mapping[str, tuple[str, ...]]
    parses: Mapping[tuple[str, str], Parse]
    spatials: frozenset[str]
    actions: frozenset[str]
    digest: str

    def parse(self, id: str) -> Parse:
        """The grammar of the prompt of a picture."""
        category = category_of(id)
        return self.parses[category, self.prompts[category][index_of(id) // PER_PROMPT]]


@dataclass(frozen=True)
class CompSubmission:
    """What is scored: pictures, and by sample id what a detector found and what the official scripts answered."""

    pictures: CompPictures
    detections: Mapping[str, CompDetected]
    answers: Mapping[str, Mapping[str, float]]

    def depth(self, id: str) -> NDArray[np.float32]:
        """The depth map of a picture, checked when the submission was opened: float32 in 0 … 1, larger is nearer."""
        import numpy as np

        place = self.pictures.folder / category_of(id) / self.detections[id].depth
        return png.decode(png.read_file(place, _MOST_BYTES)).astype(np.float32) / np.float32(255)


class Measured(Evidence, frozen=True, kw_only=True):
    """What an instrument said of a picture: answers about phrases, a cosine, or a grade in 0 … 1."""

    values: tuple[float, ...] = ()
    raw: tuple[str, ...] = ()


class CompStep:
    """What the steps have in common: pictures of some categories, and digests of file and prompt."""

    def __init__(self, about: About, categories: Collection[str]) -> None:
        self.about = about
        self.categories = categories

    def ids(self, opened: Opened[CompSubmission], truth: CompTruth) -> Sequence[str]:
        """The pictures of its categories."""
        return [id for id in opened.submission.pictures.files if category_of(id) in self.categories]

    def fingerprint(self, submission: CompSubmission, truth: CompTruth, id: str) -> tuple[str, str]:
        """Digests of the file as it is now and of the prompt's grammar."""
        try:
            data = png.read_file(submission.pictures.folder / submission.pictures.files[id], _MOST_BYTES)
        except png.PngFault:
            return "", ""
        return digest_of(data), digest_of(truth.parse(id))

    def read(self, submission: CompSubmission, truth: CompTruth, id: str) -> tuple[Measured, NDArray[np.uint8] | None]:
        """An empty record with its digests and faults, and the pixels."""
        import numpy as np
        from PIL import Image

        digest, asked = self.fingerprint(submission, truth, id)
        problems, pixels = Problems(), None
        place = submission.pictures.files[id]
        try:
            data = png.read_file(submission.pictures.folder / place, _MOST_BYTES)
            png.expect(png.inspect(data), None)
            png.intact(data)
            with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
                pixels = np.asarray(image.convert("RGB"), np.uint8)
        except png.PngFault as fault:
            problems.add(f"T2I_PNG_{fault.fault}", str(fault), file=place, item=id, fix=fault.fix)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            problems.add("T2I_PNG_UNREADABLE", f"cannot be decoded: {error}", file=place, item=id, fix="Draw it again.")
        return Measured(id=id, digest=digest, reference_digest=asked, problems=tuple(problems)), pixels


class FilesStep(CompStep):
    """Decodes every picture, so that broken files are found before a network runs."""

    def __init__(self, categories: Collection[str]) -> None:
        super().__init__(About("t2i-files", 1, Measured), categories)

    def run(self, submission: CompSubmission, truth: CompTruth, ids: Sequence[str]) -> list[Measured]:
        """The evidence of the samples `ids`; faults are in the records."""
        return [self.read(submission, truth, id)[0] for id in ids]


class VqaStep(CompStep):
    """Asks about each noun phrase of the prompt."""

    def __init__(self, instrument: Any) -> None:
        identity = {instrument.name: dict(instrument.identity)}
        super().__init__(About("t2i-vqa", 1, Measured, instruments=identity, batch=8, workers="alone"), ATTRIBUTES)
        self.instrument = instrument

    def run(self, submission: CompSubmission, truth: CompTruth, ids: Sequence[str]) -> list[Measured]:
        """The evidence of the samples `ids`: an answer a phrase."""
        read = [self.read(submission, truth, id) for id in ids]
        asked = [Asked(px, truth.parse(r.id).phrases[:_MOST_PHRASES]) for r, px in read if px is not None]
        answers = iter(self.instrument.measure(asked))
        return [r if px is None else msgspec.structs.replace(r, values=next(answers)) for r, px in read]


class ClipStep(CompStep):
    """The cosine of the picture and its prompt; of `complex` without adjectives, as the script does."""

    def __init__(self, instrument: Any) -> None:
        identity = {instrument.name: dict(instrument.identity)}
        about = About("t2i-clip", 1, Measured, instruments=identity, batch=16, workers="alone")
        super().__init__(about, ("non_spatial", "complex"))
        self.instrument = instrument

    def run(self, submission: CompSubmission, truth: CompTruth, ids: Sequence[str]) -> list[Measured]:
        """The evidence of the samples `ids`: one cosine."""
        read = [self.read(submission, truth, id) for id in ids]
        items: list[Any] = []
        for record, pixels in read:
            if pixels is not None:
                parse = truth.parse(record.id)
                items += [pixels, parse.plain if parse.category == "complex" else parse.prompt]
        rows = iter(self.instrument.measure(items) if items else ())
        return [
            r if px is None else msgspec.structs.replace(r, values=(_cosine(next(rows), next(rows)),)) for r, px in read
        ]


class JudgeStep(CompStep):
    """Asks a judge to describe the picture and then to grade it from 1 to 5; unreadable grades are left out."""

    def __init__(self, instrument: Any) -> None:
        identity = {instrument.name: {**instrument.identity, "questions": digest_of(_TURNS)}}
        about = About("t2i-judge", 1, Measured, instruments=identity, batch=8, workers="alone")
        super().__init__(about, ("non_spatial", "complex"))
        self.instrument = instrument

    def run(self, submission: CompSubmission, truth: CompTruth, ids: Sequence[str]) -> list[Measured]:
        """The evidence of the samples `ids`: the raw replies, and the grade as a share."""
        read = [self.read(submission, truth, id) for id in ids]
        questions = []
        for record, pixels in read:
            if pixels is not None:
                turns = tuple(turn.format(prompt=truth.parse(record.id).prompt) for turn in _TURNS)
                data = png.read_file(submission.pictures.folder / submission.pictures.files[record.id], _MOST_BYTES)
                questions.append(Question(record.id, turns, images=(data,)))
        replies = {reply.item: reply for reply in self.instrument.measure(questions)}
        return [
            msgspec.structs.replace(r, raw=replies[r.id].answers, values=grade(replies[r.id].answers[-1]))
            if px is not None
            else r
            for r, px in read
        ]


_TURNS = (
    "Describe what happens in this picture in at most 50 words: who or what is there, how it looks, what it does.",
    'How well does the picture show this text: "{prompt}"? 5: everything is shown; 4: a detail is wrong; 3: something '
    'important is missing; 2: little fits; 1: nothing fits. Answer with JSON only: {{"score": 1 to 5, "reason": "…"}}.',
)


def grade(reply: str) -> tuple[float, ...]:
    """The grade in a reply as a share (1 is 0.2, 5 is 1.0); nothing where there is none."""
    start, stop = reply.find("{"), reply.rfind("}")
    try:
        value = json.loads(reply[start : stop + 1])["score"]
        return (int(value) / 5,) if 1 <= int(value) <= 5 else ()
    except (ValueError, LookupError, TypeError, RecursionError):
        found = _GRADE.search(reply)
        return (int(found[1]) / 5,) if found else ()


def _cosine(image: Any, text: Any) -> float:
    import numpy as np

    return float(image @ text / (np.linalg.norm(image) * np.linalg.norm(text)))

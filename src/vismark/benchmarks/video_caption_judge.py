"""The step of video captions that a judge takes: every caption is compared with every reference, once a draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vismark.benchmarks.base import About, Evidence, Opened
from vismark.benchmarks.video_caption_wording import Wording
from vismark.instruments.judge.base import Question
from vismark.runtime.digests import digest_of

# Videos whose questions are asked together.
_BATCH = 32


@dataclass(frozen=True)
class CaptionFolder:
    """A submission that was read: captions by the name of the video."""

    folder: Path
    captions: dict[str, str]


@dataclass(frozen=True)
class CaptionReferences:
    """The references: captions by the name of the video, what the judge is told; `videos` is where they come from."""

    captions: dict[str, tuple[str, ...]]
    wording: Wording
    videos: Any
    digest: str


class Judged(Evidence, frozen=True, kw_only=True):
    """The evidence of one video: the judge's raw answers, `answers[draw][reference]`, and what the judge is."""

    answers: tuple[tuple[str, ...], ...] = ()
    judge: str = ""


class JudgeStep:
    """Asks the judge; `draws` times, which is more than once only for judges that sample."""

    def __init__(self, judge: Any, draws: int) -> None:
        self.judge = judge
        self.draws = draws
        name = "video-judge" if draws == 1 else f"video-judge-{draws}"
        self.about = About(name, 1, Judged, instruments={judge.name: judge.identity}, batch=_BATCH, workers="alone")

    def ids(self, opened: Opened[CaptionFolder], truth: CaptionReferences) -> Sequence[str]:
        """Every video that is scored."""
        return opened.ids

    def run(self, submission: CaptionFolder, truth: CaptionReferences, ids: Sequence[str]) -> list[Judged]:
        """The evidence of videos.

        Raises:
            Refused: the judge could not answer; what it answered is kept in its log.
            Missing: there is no judge.
        """
        wording = truth.wording
        questions = [
            Question(f"{id}/{number}", (wording.asked(text, submission.captions[id]),), wording.system, (), draw)
            for id in ids
            for draw in range(self.draws)
            for number, text in enumerate(truth.captions[id])
        ]
        answers = iter([reply.answers[0] for reply in self.judge.measure(questions)])
        found, judge = [], ", ".join(f"{name} {value:.80}" for name, value in self.judge.identity.items())
        for id in ids:
            digest, reference_digest = self.fingerprint(submission, truth, id)
            told = tuple(tuple(next(answers) for _ in truth.captions[id]) for _ in range(self.draws))
            found.append(Judged(id=id, digest=digest, reference_digest=reference_digest, answers=told, judge=judge))
        return found

    def fingerprint(self, submission: CaptionFolder, truth: CaptionReferences, id: str) -> tuple[str, str]:
        """Digests of the caption and of its references."""
        return digest_of(submission.captions[id].encode()), digest_of(list(truth.captions[id]))

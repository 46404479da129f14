"""The step of caption metrics: tokenize the captions of an image and count what each metric needs.

A token can depend on the caption that comes after (a dot at the end of a line), so captions are tokenized in the order
of the protocol with their neighbours, as the official wrapper does; the rows are the same for any split of the work.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from vismark import registry
from vismark.benchmarks.base import About, Evidence, Opened
from vismark.benchmarks.caption_references import CaptionTruth
from vismark.formats.caption_submission import CaptionSubmission
from vismark.instruments.base import Tools
from vismark.instruments.caption_data import meteor_tables, ptb_automaton
from vismark.metrics.captions.bleu import Bleu, BleuRow
from vismark.metrics.captions.cider import Cider
from vismark.metrics.captions.meteor import Meteor, MeteorRow, score
from vismark.metrics.captions.ptb import Tokenizer
from vismark.metrics.captions.rouge import RougeL
from vismark.runtime.digests import digest_of


class Worded(Evidence, frozen=True, kw_only=True):
    """The evidence of one image: its captions as tokens joined by blanks, and what was counted in them."""

    candidate: str
    references: tuple[str, ...]
    bleu: BleuRow
    rouge: float
    meteor: MeteorRow | None = None


class WordStep:
    """Tokenizes and counts; METEOR, which takes most of the time, only where it is wanted.

    Args:
        tokenizer: an instrument in place of the tokenizer in Python.
    """

    def __init__(self, metrics: Collection[str], tokenizer: Any = None) -> None:
        self.meteor = "METEOR" in metrics
        self.tokenizer = tokenizer
        # Large pieces: every piece takes all captions along to its process.
        self.about = About(
            "caption-rows-meteor" if self.meteor else "caption-rows",
            version=1,
            record=Worded,
            instruments={tokenizer.name: tokenizer.identity} if tokenizer else {},
            batch=1024,
            workers="processes",
        )

    def ids(self, opened: Opened[CaptionSubmission], truth: CaptionTruth) -> Sequence[str]:
        """Every sample that is scored."""
        return opened.ids

    def run(self, submission: CaptionSubmission, truth: CaptionTruth, ids: Sequence[str]) -> list[Worded]:
        """The evidence of the samples `ids`."""
        found = tokenized(submission, truth, ids, self.tokenizer)
        return [self._worded(submission, truth, id, *found[id]) for id in ids]

    def fingerprint(self, submission: CaptionSubmission, truth: CaptionTruth, id: str) -> tuple[str, str]:
        """Digests of the caption and of its references."""
        return caption_digests(submission, truth, id)

    def _worded(
        self, submission: CaptionSubmission, truth: CaptionTruth, id: str, candidate: str, references: tuple[str, ...]
    ) -> Worded:
        digest, reference_digest = self.fingerprint(submission, truth, id)
        return Worded(
            id=id,
            digest=digest,
            reference_digest=reference_digest,
            candidate=candidate,
            references=references,
            bleu=Bleu().row(candidate, references),
            rouge=RougeL().row(candidate, references),
            meteor=_meteor().row(candidate, references) if self.meteor else None,
        )


def caption_digests(submission: CaptionSubmission, truth: CaptionTruth, id: str) -> tuple[str, str]:
    """Digests of a caption and of its references."""
    return digest_of(submission.captions[id].encode()), digest_of(truth.captions[id])


def word_scores(evidence: Mapping[str, Sequence[Any]]) -> tuple[dict[str, float | None], dict[str, Sequence[Any]]]:
    """The numbers of the corpus that the evidence of `WordStep` gives, and the columns of the per-image table."""
    rows: Sequence[Worded] = next(found for name, found in evidence.items() if name.startswith("caption-rows"))
    bleu, cider, rouge = Bleu(), Cider(), RougeL()
    told = [cider.row(row.candidate, row.references) for row in rows]
    metrics = cider.reduce(told) | bleu.reduce([row.bleu for row in rows]) | rouge.reduce([row.rouge for row in rows])
    table: dict[str, Sequence[Any]] = {
        "id": [row.id for row in rows],
        "CIDEr": cider.images(told).tolist() if told else [],
        "BLEU-4": [bleu.reduce([row.bleu])["BLEU-4"] for row in rows],
        "ROUGE-L": [row.rouge for row in rows],
        "words": [len(row.candidate.split()) for row in rows],
    }
    aligned = [row.meteor for row in rows if row.meteor is not None]
    if aligned:
        metrics |= _meteor().reduce(aligned)
        table["METEOR"] = [score(row) for row in aligned]
    return metrics, table


def chosen_tokenizer(tools: Tools) -> Any:
    """The instrument that the user chose as tokenizer, or None: the one in Python."""
    named = [name for name in tools.names if registry.card("instruments", name).role == "tokenizer"]
    return tools.load("tokenizer", named[0]) if named else None


def tokenized(
    submission: CaptionSubmission, truth: CaptionTruth, ids: Collection[str], tokenizer: Any = None
) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Sample id → candidate and references, each as tokens joined by blanks."""
    order = [id for id in truth.captions if id in submission.captions]
    ours = _tokens(order, {id: (submission.captions[id],) for id in order}, ids, tokenizer or _tokenizer())
    theirs = _tokens(order, truth.captions, ids, tokenizer or _tokenizer())
    return {id: (ours[id][0], theirs[id]) for id in ids}


def _tokens(
    order: Sequence[str], captions: Mapping[str, Sequence[str]], ids: Collection[str], tokenizer: Any
) -> dict[str, tuple[str, ...]]:
    """The captions of the samples `ids` as tokens.

    Args:
        order: all samples, in the order of the protocol.
        captions: of every sample in `order`.
    """
    wanted, found = set(ids), {}
    places = [place for place, id in enumerate(order) if id in wanted]
    for run in _runs(places):
        lines = [line for place in run for line in captions[order[place]]]
        told = iter(tokenizer.lines([*lines, *_following(order, captions, run[-1] + 1)]))
        for place in run:
            found[order[place]] = tuple(next(told) for _ in captions[order[place]])
    return found


def _runs(places: Sequence[int]) -> Iterator[list[int]]:
    """`places` cut where one is left out."""
    run: list[int] = []
    for place in places:
        if run and place != run[-1] + 1:
            yield run
            run = []
        run.append(place)
    if run:
        yield run


def _following(order: Sequence[str], captions: Mapping[str, Sequence[str]], start: int) -> Iterator[str]:
    """The captions from a place on, up to the first that is not blank."""
    for place in range(start, len(order)):
        for line in captions[order[place]]:
            yield line
            if line.strip():
                return


@cache
def _meteor() -> Meteor:
    return Meteor(meteor_tables())


@cache
def _tokenizer() -> Tokenizer:
    return Tokenizer(ptb_automaton())

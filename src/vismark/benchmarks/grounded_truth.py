"""References of grounded captioning: COCONut-PanCap's captions joined with their masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from vismark.benchmarks.base import Source
from vismark.benchmarks.caption_references import CaptionTruth
from vismark.cards import BenchmarkCard
from vismark.datasets.coconut_pancap.load import GroundedRecord, PanCap, load, read_caption
from vismark.formats.panoptic import PanopticTruth
from vismark.formats.tags import parse
from vismark.problems import Problems, Refused
from vismark.runtime.digests import digest_of, digest_of_parts
from vismark.tasks import Span


@dataclass(frozen=True)
class GroundedTruth:
    """The references.

    Attributes:
        data: captions joined with masks; only images that have both.
        panoptic: the masks of these images.
        plain: the captions without tags, as references of caption metrics.
        digest: of the panoptic JSON and all captions.
    """

    data: PanCap
    panoptic: PanopticTruth
    plain: CaptionTruth
    digest: str

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The samples, in the order of the panoptic file."""
        return tuple(self.panoptic.annotations)

    def record(self, id: str) -> GroundedRecord:
        """Caption, phrases and segments of a sample."""
        return self.data.record(id)


def read(card: BenchmarkCard, source: Source, problems: Problems) -> GroundedTruth | None:
    """The references ``captions`` (a folder), ``panoptic`` (JSON), ``masks`` and ``images`` (folders) of `card`.

    Returns:
        The references, or None with errors in `problems`; a caption that is no text is an error.
    """
    captions = source.need(card, "captions")
    pictures = source.path(card, "images")
    settings = next(iter(card.protocols.values()))
    try:
        data = load(captions, source.need(card, "panoptic"), source.path(card, "masks"), settings=settings)
    except Refused as refused:
        problems.extend(refused.problems)
        return None
    texts = {id: read_caption(data.captions[id], problems) for id in data.ids}
    if problems.errors:
        return None
    problems.add("TAG_BASE", str(data.decision), severity="note", file=captions.name, value=data.decision.base)
    whole = data.truth
    panoptic = replace(
        whole,
        annotations={id: whole.annotations[id] for id in data.ids},
        pictures=pictures if pictures and pictures.is_dir() else None,
    )
    told: Mapping[str, str] = {id: text for id, text in texts.items() if text is not None}
    digest = digest_of([whole.digest, digest_of_parts({id: digest_of(text.encode()) for id, text in told.items()})])
    plain = CaptionTruth(
        {id: (parse(text).plain,) for id, text in told.items()},
        {id: one.image_id for id, one in panoptic.annotations.items()},
        {},
        None,
        digest,
    )
    return GroundedTruth(data, panoptic, plain, digest)


def spans_of(record: GroundedRecord) -> tuple[Span, ...]:
    """The phrases that name segments, as spans; of nested phrases the outer one."""
    spans: list[Span] = []
    for phrase in sorted(record.phrases, key=lambda one: (one.start, -one.stop)):
        if phrase.segment_ids and (not spans or phrase.start >= spans[-1].stop):
            spans.append(Span(phrase.start, phrase.stop, tuple(dict.fromkeys(phrase.segment_ids))))
    return tuple(spans)

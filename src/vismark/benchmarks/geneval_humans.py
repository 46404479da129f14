"""Does GenEval's scorer decide as people do? Its verdicts about 1,200 pictures against five people each.

The rule that turns people's answers into verdicts is ours (it mirrors the scorer's); the paper's own percentages are
not claimed. Any detections file of the published pictures can be put to the test.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vismark.benchmarks.base import Mode, Opened, Source, Step
from vismark.benchmarks.geneval import options_of
from vismark.benchmarks.geneval_open import check_colours, identities
from vismark.benchmarks.panels import Bar, Bars, Panel
from vismark.cards import BenchmarkCard
from vismark.formats.geneval import Prompt, object_names, read_prompts
from vismark.formats.geneval_detections import Detected, read_detections
from vismark.formats.geneval_humans import SOURCES, read_votes
from vismark.formats.geneval_images import sample_id
from vismark.instruments.base import Tools
from vismark.metrics.geneval import GenEval
from vismark.problems import Problems, Usage
from vismark.results import Scores
from vismark.runtime.digests import digest_of
from vismark.runtime.seeds import seed_for
from vismark.tasks import Category, Detect, Picture, Request

_PICTURES = "https://huggingface.co/datasets/djghosh/aigen-images/resolve/main/images"
_SIDE = 512  # of the pictures of Stable Diffusion; only told, never relied on


@dataclass(frozen=True)
class Humans:
    """What was asked, and picture id → what five people saw; ids are ``SOURCE/NNNNN/samples/NNNNN``."""

    prompts: tuple[Prompt, ...]
    votes: Mapping[str, tuple[bool, ...]]
    digest: str


@dataclass(frozen=True)
class Recordings:
    """Picture id → what a detector found."""

    pictures: Mapping[str, Detected]
    detectors: Collection[str]


class HumansBenchmark:
    """Scores detections of the published pictures by their agreement with people."""

    tolerated: frozenset[str] = frozenset()

    def __init__(self, card: BenchmarkCard) -> None:
        self.card = card

    def references(self, source: Source, problems: Problems, mode: Mode) -> Humans | None:
        """``prompts``, and a table of annotations for each source of pictures."""
        prompts = read_prompts(source.need(self.card, "prompts"), object_names(), problems)
        if prompts is None:
            return None
        votes: dict[str, tuple[bool, ...]] = {}
        for name in SOURCES:
            found = read_votes(source.need(self.card, name), prompts, problems)
            votes |= {f"{name}/{sample_id(*place)}": seen for place, seen in sorted(found.items())}
        return None if problems.errors else Humans(prompts, votes, digest_of([votes, [p.line() for p in prompts]]))

    def requests(self, truth: Humans, seed: int) -> HumanRequests:
        """One question a picture: what is in it?"""
        return HumanRequests(truth, seed)

    def answer(self, truth: Humans, request: Request) -> Any:
        """Raises `Usage`: what is truly in the pictures was never annotated."""
        raise Usage(f"{self.card.name} knows no true objects, only what people decided.")

    def majority(self, truth: Humans, request: Request) -> Any:
        """Raises `Usage`, as `answer`."""
        return self.answer(truth, request)

    def writer(self, path: Path, truth: Humans) -> Any:
        """Raises `Usage`: detections files are written by ``vismark measure geneval``."""
        raise Usage("Detections files are written by `vismark measure geneval IMAGES -o SOURCE.jsonl.gz`.")

    def open(
        self,
        path: Path,
        truth: Humans,
        problems: Problems,
        mode: Mode,
        wanted: Collection[str] | None,
        settings: Mapping[str, Any],
    ) -> Opened[Recordings] | None:
        """Read ``SOURCE.jsonl`` or ``SOURCE.jsonl.gz`` for each source in the folder."""
        pictures: dict[str, Detected] = {}
        digests: dict[str, str] = {}
        instruments: dict[str, dict[str, str]] = {}
        for name in SOURCES:
            for file in (path / f"{name}.jsonl", path / f"{name}.jsonl.gz"):
                read = read_detections(file, truth.prompts, object_names(), problems) if file.is_file() else None
                if read is None:
                    continue
                instruments |= identities(read)
                digests[name] = read.digest
                for place, one in read.pictures.items():
                    check_colours(one, truth.prompts[place[0]], options_of(settings), file.name, problems)
                    pictures[f"{name}/{sample_id(*place)}"] = one
        ids = tuple(id for id in truth.votes if id in pictures)
        _check(path.name, ids, wanted, problems)
        return Opened(Recordings(pictures, instruments.keys()), ids, digest_of(digests), instruments) if ids else None

    def steps(self, mode: Mode, settings: Mapping[str, Any], metrics: Collection[str], tools: Tools) -> Sequence[Step]:
        """None: the detections are the submission."""
        return ()

    def score(
        self,
        submission: Recordings,
        truth: Humans,
        evidence: Mapping[str, Sequence[Any]],
        mode: Mode,
        settings: Mapping[str, Any],
    ) -> Scores:
        """Agreement with single people, with their majority, and where they all agree; by source and by tag."""
        metric = GenEval(options_of(settings))
        ids = [id for id in truth.votes if id in submission.pictures]
        verdicts = {}
        for id in ids:
            one = submission.pictures[id]
            verdicts[id] = metric.row(truth.prompts[one.prompt_index], one.detections)
        correct = {id: verdict.correct for id, verdict in verdicts.items()}
        groups: dict[str, dict[str, list[str]]] = {"source": {}, "tag": {}}
        for id in ids:
            groups["source"].setdefault(id.split("/", 1)[0], []).append(id)
            groups["tag"].setdefault(verdicts[id].tag, []).append(id)
        return Scores(
            metrics=agreement(ids, correct, truth.votes),
            counts={"majority": len(ids), "agreement": sum(len(truth.votes[id]) for id in ids)},
            breakdowns={
                kind: {name: agreement(own, correct, truth.votes) for name, own in found.items()}
                for kind, found in groups.items()
            },
            table={
                "id": ids,
                "agreement": [agreement([id], correct, truth.votes)["agreement"] for id in ids],
                "correct": [int(correct[id]) for id in ids],
                "people": [sum(truth.votes[id]) for id in ids],
                "reason": ["\n".join(verdicts[id].reasons) for id in ids],
            },
        )

    def panels(
        self,
        truth: Humans,
        submission: Recordings,
        breakdown: Mapping[str, Mapping[str, float | int | None]],
        worst: Sequence[tuple[str, str]],
    ) -> list[Panel]:
        """A bar a source."""
        bars = [Bar(name, row["agreement"], details=tuple(row.items())) for name, row in breakdown.items()]
        return [Bars("By source", "Share of single human verdicts that the scorer shares.", bars, digits=3)]


class HumanRequests:
    """The pictures, with the addresses where they are published."""

    def __init__(self, truth: Humans, seed: int) -> None:
        self.truth = truth
        self.seed = seed
        self.ids = tuple(truth.votes)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int, /) -> Detect:
        id = self.ids[index]
        names = tuple(Category(number, name) for number, name in enumerate(object_names()))
        picture = Picture(None, _SIDE, _SIDE, f"{_PICTURES}/{id}.png")
        return Detect(
            id=id, seed=seed_for(self.seed, id), group=id.split("/")[0], image=picture, categories=names, masks=False
        )

    def __iter__(self) -> Iterator[Detect]:
        return (self[index] for index in range(len(self)))


def agreement(
    ids: Sequence[str], correct: Mapping[str, bool], votes: Mapping[str, Sequence[bool]]
) -> dict[str, float | None]:
    """How often the scorer agrees: with single people, with the majority, where all agree; and people with people.

    ``people`` is the share of pairs of people who agree about a picture: what a scorer can hope for.
    """
    if not ids:
        return dict.fromkeys(("agreement", "majority", "unanimous", "people", "accepted"))
    single = [vote == correct[id] for id in ids for vote in votes[id]]
    most = {id: 2 * sum(votes[id]) > len(votes[id]) for id in ids}
    alike = [id for id in ids if len(set(votes[id])) == 1]
    return {
        "agreement": sum(single) / len(single),
        "majority": sum(most[id] == correct[id] for id in ids) / len(ids),
        "unanimous": sum(most[id] == correct[id] for id in alike) / len(alike) if alike else None,
        "people": sum(_pairs(votes[id]) for id in ids) / len(ids),
        "accepted": sum(most.values()) / len(ids),
    }


def _pairs(votes: Sequence[bool]) -> float:
    """The share of pairs that agree."""
    yes, total = sum(votes), len(votes)
    no = total - yes
    return (yes * (yes - 1) + no * (no - 1)) / (total * (total - 1))


def _check(file: str, ids: Sequence[str], wanted: Collection[str] | None, problems: Problems) -> None:
    if not ids:
        names = ", ".join(f"{name}.jsonl.gz" for name in SOURCES)
        fix = f"The folder holds {names}: detections of the published pictures."
        problems.add(
            "GENEVAL_HUMANS_EMPTY", "there is no detections file of a source in the folder", file=file, fix=fix
        )
    missing = [id for id in wanted or () if id not in set(ids)]
    if ids and missing:
        message = f"{len(missing)} of the {len(missing) + len(ids)} pictures have no detections, e.g. {missing[0]}"
        problems.add("GENEVAL_HUMANS_MISSING", message, file=file, fix="Detect them too, or use --partial.")

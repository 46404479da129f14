"""The instrument: captions to scene graphs, which are kept, and a candidate against its references."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from vismark.cards import InstrumentCard
from vismark.formats.scene_graphs import Facts, Overlaps, SceneGraph, facts
from vismark.instruments.base import Tools
from vismark.instruments.capture.graphs import merged
from vismark.instruments.capture.language import Nltk, stop_words
from vismark.instruments.capture.networks import LONGEST_PROMPT, Encoder, Parser
from vismark.instruments.capture.overlap import overlaps
from vismark.problems import Missing, Problems
from vismark.runtime.atomic import write_bytes
from vismark.runtime.digests import digest_of, digest_of_file, digest_of_parts
from vismark.runtime.folders import cache_root
from vismark.runtime.progress import Bar

PARSER = "lizhuang144/flan-t5-base-VG-factual-sg"
ENCODER = "sentence-transformers/all-mpnet-base-v2"
_MODEL_FILES = {".safetensors", ".bin", ".json", ".txt", ".model"}
_BATCH = 32
# Captions whose graphs are made, and kept, at once.
_GROUP = 64


@dataclass(frozen=True)
class Forecast:
    """How much there is to parse, and how long it will take by the first batch."""

    sentences: int
    seconds: float


class Capture:
    """Measures pairs of a candidate and its references: one `Overlaps` a reference.

    What the official code leaves to chance is settled: sets are gone through in sorted order, a sentence is cut at 64
    tokens with its end, and what comes of it does not depend on its neighbours.

    Raises:
        Missing: the models, NLTK or the list of stop words are not there.
    """

    def __init__(self, card: InstrumentCard, tools: Tools) -> None:
        self.name = card.name
        folder = _folder(card, tools)
        batch = tools.batch_size or _BATCH
        self.parser = Parser(folder / "parser", "AutoModelForSeq2SeqLM", tools.device, batch)
        self.encoder = Encoder(folder / "encoder", "AutoModel", tools.device, batch)
        self.language = Nltk()
        self.stop_words = stop_words()
        self._vectors: dict[str, NDArray[np.float32]] = {}

    @cached_property
    def identity(self) -> Mapping[str, str]:
        """The models by name and digest, the linguistics, and how texts are cut and batched."""
        return {
            "parser": f"{PARSER} {_digest(self.parser.folder)}",
            "encoder": f"{ENCODER} {_digest(self.encoder.folder)}",
            "stop_words": digest_of(sorted(self.stop_words)),
            "truncation": f"{LONGEST_PROMPT} tokens with the end",
            "batch": str(self.parser.batch),
            "dtype": "float32",
            **self.language.identity,
        }

    def measure(self, items: Sequence[tuple[str, Sequence[str]]]) -> list[tuple[Overlaps, ...]]:
        """The overlap of each candidate with each of its references."""
        graphs = iter(self.graphs([caption for ours, theirs in items for caption in (ours, *theirs)]))
        found = []
        for _, theirs in items:
            ours = next(graphs)
            found.append(tuple(overlaps(ours, next(graphs), self.language.synonyms, self.embed) for _ in theirs))
        return found

    def graphs(self, captions: Sequence[str]) -> list[SceneGraph]:
        """The graph of each caption; those made before, by whatever run, are taken from the cache."""
        missing = self._missing(captions)
        with Bar("Scene graphs", len(missing)) as bar:
            for start in range(0, len(missing), _GROUP):
                group = missing[start : start + _GROUP]
                for caption, graph in zip(group, self._made(group), strict=True):
                    write_bytes(self._place(caption), msgspec.json.encode(graph))
                bar.advance(len(group))
        return [msgspec.json.decode(self._place(caption).read_bytes(), type=SceneGraph) for caption in captions]

    def forecast(self, captions: Sequence[str]) -> Forecast:
        """What it will take to parse those of `captions` that are not in the cache; runs one batch to find out."""
        sentences = sorted({one for caption in self._missing(captions) for one in self.language.sentences(caption)})
        if not sentences:
            return Forecast(0, 0.0)
        _ = self.parser.loaded
        start = time.perf_counter()
        list(self.parser.graphs(sentences[: self.parser.batch]))
        batches = -(-len(sentences) // self.parser.batch)
        return Forecast(len(sentences), batches * (time.perf_counter() - start))

    def embed(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors, float32 of shape (phrases, size)."""
        new = sorted({phrase for phrase in phrases if phrase not in self._vectors})
        if new:
            self._vectors |= dict(zip(new, self.encoder.vectors(new), strict=True))
        return np.stack([self._vectors[phrase] for phrase in phrases])

    def selftest(self) -> Problems:
        """Whether the parser finds the cat of a simple sentence."""
        problems = Problems()
        (found,) = self.parser.graphs(["A black cat sits on a chair."])
        if "cat" not in facts(found).attributes:
            problems.add("INSTRUMENT_SELFTEST", f"“A black cat sits on a chair.” became {found}", item=self.name)
        return problems

    def _missing(self, captions: Sequence[str]) -> list[str]:
        return [caption for caption in dict.fromkeys(captions) if not self._place(caption).exists()]

    def _made(self, captions: Sequence[str]) -> Iterator[SceneGraph]:
        sentences = [self.language.sentences(caption) for caption in captions]
        different = list(dict.fromkeys(one for many in sentences for one in many))
        said: dict[str, Facts] = dict(zip(different, map(facts, self.parser.graphs(different)), strict=True))
        for caption, many in zip(captions, sentences, strict=True):
            yield merged(caption, [said[one] for one in many], self.language, self.stop_words)

    def _place(self, caption: str) -> Path:
        name = digest_of(caption.encode("utf-8", "surrogatepass")).removeprefix("sha256:")
        return self._cache / name[:2] / f"{name}.json"

    @cached_property
    def _cache(self) -> Path:
        identity = digest_of(dict(self.identity)).removeprefix("sha256:")
        return cache_root() / "captions" / f"graphs-{identity[:16]}"


def _folder(card: InstrumentCard, tools: Tools) -> Path:
    """The folder with the models, named by the user.

    Raises:
        Missing: none was, or it lacks one.
    """
    folder = tools.weights.get(card.name, tools.weights.get(""))
    if folder is None or not all((folder / part / "config.json").is_file() for part in ("parser", "encoder")):
        raise Missing(
            f"{card.name} needs its models: --weights {card.name}=DIR, a folder that "
            f"`hf download {PARSER} --local-dir DIR/parser` and `hf download {ENCODER} --local-dir DIR/encoder` fill."
        )
    return folder


def _digest(folder: Path) -> str:
    """Of every file that the results depend on."""
    files = sorted(path for path in folder.glob("*") if path.suffix in _MODEL_FILES)
    return digest_of_parts({path.name: digest_of_file(path) for path in files})

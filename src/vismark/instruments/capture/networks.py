"""CAPTURE's two networks: a FLAN-T5 that writes scene graphs, and an MPNet that embeds phrases.

Sentences are padded to one length and batches to one size, so that what comes of one does not depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vismark.runtime.torchvision import make_importable

PROMPT = "Generate Scene Graph: "
# Tokens of the longest prompt, its end included, and of the longest graph.
LONGEST_PROMPT, LONGEST_GRAPH, BEAMS = 64, 128, 5
_PHRASE = 16


class Network:
    """A model of transformers in a folder, in evaluation mode.

    Args:
        folder: with config.json, tokenizer and weights, as the hub has them.
        kind: transformers' class that reads it.
        device: e.g. ``cuda:0``; "" is the best there is.
        batch: texts given to it at once.
    """

    def __init__(self, folder: Path, kind: str, device: str, batch: int) -> None:
        self.folder = folder
        self.kind = kind
        self.batch = batch
        self._device = device

    @cached_property
    def loaded(self) -> tuple[Any, Any]:
        """Tokenizer and model; only files of the folder are read."""
        import torch

        make_importable()
        import transformers

        device = self._device or ("cuda" if torch.cuda.is_available() else "cpu")
        kind: Any = getattr(transformers, self.kind)
        model = kind.from_pretrained(self.folder, local_files_only=True, dtype=torch.float32)
        return transformers.AutoTokenizer.from_pretrained(self.folder, local_files_only=True), model.to(device).eval()

    def filled(self, texts: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
        """Batches of exactly `batch` texts and how many of them count; the last is filled up with empty ones."""
        for start in range(0, len(texts), self.batch):
            part = list(texts[start : start + self.batch])
            yield len(part), part + [""] * (self.batch - len(part))


class Parser(Network):
    """Writes scene graphs."""

    def graphs(self, sentences: Sequence[str]) -> Iterator[str]:
        """What it writes about each sentence."""
        import torch

        tokenizer, model = self.loaded
        for count, part in self.filled(sentences):
            prompts = [PROMPT + sentence.strip() for sentence in part]
            inputs = tokenizer(
                prompts, max_length=LONGEST_PROMPT, truncation=True, padding="max_length", return_tensors="pt"
            ).to(model.device)
            with torch.inference_mode():
                out = model.generate(
                    input_ids=inputs["input_ids"],
                    attention_mask=inputs["attention_mask"],
                    decoder_start_token_id=tokenizer.pad_token_id,
                    num_beams=BEAMS,
                    do_sample=False,
                    max_length=LONGEST_GRAPH,
                    early_stopping=True,
                )
            texts = tokenizer.batch_decode(out, skip_special_tokens=True, clean_up_tokenization_spaces=True)
            yield from (text.replace(PROMPT.strip(), "").strip() for text in texts[:count])


class Encoder(Network):
    """Embeds phrases as sentence-transformers does: the mean over tokens of the last layer, scaled to length 1."""

    def vectors(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        """float32 of shape (phrases, size)."""
        tokenizer, _ = self.loaded
        sizes = [min(384, -(-len(tokenizer(phrase)["input_ids"]) // _PHRASE) * _PHRASE) for phrase in phrases]
        found: list[Any] = [None] * len(phrases)
        for size in sorted(set(sizes)):
            own = [at for at, one in enumerate(sizes) if one == size]
            rows = (
                row for count, part in self.filled([phrases[at] for at in own]) for row in self._run(part, size)[:count]
            )
            for at, row in zip(own, rows, strict=True):
                found[at] = row
        return np.stack(found)

    def _run(self, phrases: list[str], size: int) -> NDArray[np.float32]:
        import torch

        tokenizer, model = self.loaded
        inputs = tokenizer(phrases, max_length=size, truncation=True, padding="max_length", return_tensors="pt")
        inputs = {name: inputs[name].to(model.device) for name in ("input_ids", "attention_mask")}
        with torch.inference_mode():
            states = model(**inputs).last_hidden_state
        mask = inputs["attention_mask"][..., None].to(states.dtype)
        means = (states * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
        vectors: NDArray[np.float32] = torch.nn.functional.normalize(means, dim=1).cpu().numpy()
        return vectors
